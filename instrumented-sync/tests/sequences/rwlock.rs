//! Readers-writer locks whose writer becomes a reader.
#![cfg(since_1_92)]

use crate::{
    barrier::DIRECTORY,
    record, sequence, so_far, spawn,
    support::{Trace, program},
    thread_named, until_waiting,
};
use instrumented_sync::{RwLock, RwLockWriteGuard, label, thread, trace};
use std::sync::mpsc;
use trace_format::{Event, Flags, Kind, Mode, TRACE_VARIABLE};

const EXCLUSIVE: Flags = Mode::Exclusive.flags();
const SHARED: Flags = Mode::Shared.flags();

/// Mode and number of what this process's only thread with holds has.
fn hold() -> (Mode, u64) {
    let trace = so_far();
    let slots: Vec<_> = trace.slots().into_iter().filter(|slot| slot.n_holds > 0).collect();
    let holds: Vec<_> = slots.iter().flat_map(|slot| trace.holds(slot)).collect();
    assert_eq!(holds.len(), 1);
    (holds[0].flags().mode(), holds[0].seq())
}

/// Written and read, downgraded, written by another thread that waited for it, and downgraded again.
pub(crate) fn downgraded() {
    let lock = RwLock::new(0);
    label(&lock, "lock");
    let (reads, read) = mpsc::channel();
    thread::scope(|scope| {
        let mut guard = lock.write().unwrap();
        *guard += 1;
        assert_eq!(hold(), (Mode::Exclusive, 1));
        let guard = RwLockWriteGuard::downgrade(guard);
        assert_eq!(hold(), (Mode::Shared, 1));
        spawn(scope, "other", || {
            reads.send(*lock.read().unwrap()).unwrap();
            *lock.write().unwrap() += 1;
        });
        assert_eq!(read.recv().unwrap(), 1);
        until_waiting(thread_named("other"), Kind::REQUEST, "lock");
        drop(guard);
    });
    drop(RwLockWriteGuard::downgrade(lock.write().unwrap()));
}

#[test]
fn a_downgrade_goes_on_as_a_shared_hold_with_its_number() {
    let trace = record("rwlock::downgraded");
    let lock = trace.labelled("lock");
    let other = trace.named("other");
    let main = trace.threads.iter().find(|thread| thread.object != other.object).unwrap();
    let events: Vec<_> =
        sequence(main, lock).into_iter().filter(|(kind, ..)| ![Kind::CREATE, Kind::DESTROY].contains(kind)).collect();
    let touched = SHARED.with(Flags::WROTE);
    assert_eq!(
        events,
        [
            (Kind::ACQUIRE, EXCLUSIVE, 1),
            (Kind::DOWNGRADE, SHARED, 1),
            (Kind::RELEASE, touched, 1),
            (Kind::ACQUIRE, EXCLUSIVE, 3),
            (Kind::DOWNGRADE, SHARED, 3),
            (Kind::RELEASE, SHARED, 3),
        ]
    );
    assert_eq!(
        sequence(other, lock),
        [
            (Kind::ACQUIRE, SHARED, 1),
            (Kind::RELEASE, SHARED.with(Flags::READ), 1),
            (Kind::REQUEST, EXCLUSIVE, 1),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::CONTENDED), 2),
            (Kind::RELEASE, EXCLUSIVE.with(Flags::WROTE), 2),
        ]
    );
}

/// A lock that was taken before recording was switched on stays unrecorded to its end.
pub(crate) fn downgraded_unrecorded() {
    let lock = RwLock::new(0);
    let guard = lock.write().unwrap();
    trace::start(std::env::var_os(DIRECTORY).unwrap()).unwrap();
    label(&lock, "lock");
    drop(RwLockWriteGuard::downgrade(guard));
    drop(lock.write().unwrap());
}

#[test]
fn what_was_not_recorded_is_not_when_downgraded() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program::command("rwlock::downgraded_unrecorded", dir.path());
    program::run(command.env_remove(TRACE_VARIABLE).env(DIRECTORY, dir.path()));
    let trace = Trace::only(dir.path());
    let lock = trace.labelled("lock");
    let events: Vec<_> = trace.events().filter(|event| event.object().0 == lock).map(Event::kind).collect();
    assert_eq!(events, [Kind::CREATE, Kind::ACQUIRE, Kind::RELEASE, Kind::DESTROY]);
}
