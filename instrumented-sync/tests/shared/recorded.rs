//! What locks in shared memory leave in a trace.

use crate::support::{Trace, program};
use instrumented_sync::process::shared::{Mutex, Region, RwLock};
use std::{mem, thread};
use trace_format::{Event, Flags, Kind, Mode, ObjectId};

const X: Flags = Mode::Exclusive.flags();
const S: Flags = Mode::Shared.flags();

/// Runs a part to its end and reads what it recorded.
fn record(role: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    program::run(&mut program::command(role, dir.path()));
    Trace::only(dir.path())
}

fn named<R: Send>(name: &str, f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, f).unwrap().join().unwrap())
}

/// What a thread did with an object, and each extension.
fn sequence(trace: &Trace, thread: &str, label: &str) -> Vec<(Kind, Flags, u64)> {
    let object = trace.labelled(label);
    assert!(ObjectId(object).is_in_shared_memory());
    let all = trace.named(thread).events.iter().filter(|event| event.object().0 == object);
    let all = all.filter(|event| !matches!(event.kind(), Kind::CREATE | Kind::EXTEND));
    all.map(|event| (event.kind(), event.flags(), event.seq())).collect()
}

/// Threads die, one after the other, and leave what they held.
pub(crate) fn takes_over() {
    let region = Region::anonymous(8192).unwrap();
    let mutex = Mutex::open(&region, "mutex", 0).unwrap();
    let lock = RwLock::open(&region, "lock", 0).unwrap();
    named("dies", || mem::forget((mutex.lock().unwrap(), lock.write().unwrap())));
    named("waits", || {
        drop(mutex.lock().unwrap_err());
        mem::forget(lock.read().unwrap_err());
    });
    mutex.clear_poison();
    lock.clear_poison();
    named("dies too", || mem::forget(mutex.lock().unwrap()));
    named("tries", || {
        assert!(mutex.try_lock().is_err() && mutex.try_lock().is_err());
        drop(lock.try_write().unwrap());
    });
}

#[test]
fn the_end_of_an_owner_comes_before_the_acquire_of_who_takes_over() {
    let trace = record("recorded::takes_over");
    let contended = X.with(Flags::CONTENDED);
    assert_eq!(sequence(&trace, "dies", "mutex"), [(Kind::ACQUIRE, X, 1)]);
    assert_eq!(
        sequence(&trace, "waits", "mutex"),
        [
            (Kind::REQUEST, X, 1),
            (Kind::OWNER_DIED, X, 1),
            (Kind::ACQUIRE, contended.with(Flags::POISONED), 2),
            (Kind::RELEASE, X, 2),
        ]
    );
    assert_eq!(
        sequence(&trace, "waits", "lock"),
        [
            (Kind::REQUEST, S, 1),
            (Kind::OWNER_DIED, X, 1),
            (Kind::ACQUIRE, S.with(Flags::CONTENDED).with(Flags::POISONED), 1),
        ]
    );
    let tried = X.with(Flags::TRY);
    assert_eq!(
        sequence(&trace, "tries", "mutex"),
        [
            (Kind::OWNER_DIED, X, 3),
            (Kind::ACQUIRE, tried.with(Flags::POISONED), 4),
            (Kind::RELEASE, X, 4),
            (Kind::ACQUIRE, tried.with(Flags::POISONED), 5),
            (Kind::RELEASE, X, 5),
        ]
    );
    assert_eq!(
        sequence(&trace, "tries", "lock"),
        [(Kind::OWNER_DIED, S, 1), (Kind::ACQUIRE, tried, 2), (Kind::RELEASE, X, 2)]
    );
    // Who died, by the system's number.
    let (_, tid, _) = trace.names.iter().find(|(_, _, name)| name == "dies").unwrap();
    let events = &trace.named("waits").events;
    let died = events.iter().position(|event| event.kind() == Kind::OWNER_DIED).unwrap();
    let extension: Event = events[died + 1];
    let (number, start) = extension.payload();
    assert_eq!((extension.kind(), number), (Kind::EXTEND, u64::from(*tid)));
    assert!(start > 0 && u32::try_from(start).is_ok(), "{start}");
}

/// Two handles of one lock.
pub(crate) fn reads_and_writes() {
    let region = Region::anonymous(8192).unwrap();
    let [one, other] = [(); 2].map(|()| RwLock::open(&region, "lock", 0_u64).unwrap());
    instrumented_sync::label(&one, "one");
    named("uses", || {
        drop(one.read().unwrap());
        *one.write().unwrap() += 1;
        drop(other.write().unwrap());
        let guard = one.read().unwrap();
        assert!(other.try_write().is_err());
        assert_eq!(*guard + *other.try_read().unwrap(), 2);
    });
}

#[test]
fn handles_of_one_lock_are_numbered_together() {
    let trace = record("recorded::reads_and_writes");
    let tried = S.with(Flags::TRY);
    assert_eq!(
        sequence(&trace, "uses", "one"),
        [
            (Kind::ACQUIRE, S, 0),
            (Kind::RELEASE, S, 0),
            (Kind::ACQUIRE, X, 1),
            (Kind::RELEASE, X.with(Flags::WROTE), 1),
            (Kind::ACQUIRE, S, 2),
            (Kind::RELEASE, S.with(Flags::READ), 2),
        ]
    );
    assert_eq!(
        sequence(&trace, "uses", "lock"),
        [
            (Kind::ACQUIRE, X, 2),
            (Kind::RELEASE, X, 2),
            (Kind::LOOK, Flags::NONE, 0),
            (Kind::ACQUIRE, tried, 2),
            (Kind::RELEASE, S.with(Flags::READ), 2),
        ]
    );
}
