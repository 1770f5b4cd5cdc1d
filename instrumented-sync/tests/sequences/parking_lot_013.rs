//! Locks of `parking_lot` 0.13, whose guards keep what the other version's locks keep.

use crate::{
    of_first,
    parking_lot::{EXCLUSIVE, LONG, RECURSIVE, SHARED, UPGRADABLE, WROTE},
    record, sequence, spawn,
    support::Trace,
    thread_named, until_waiting,
};
use instrumented_sync::{
    label,
    parking_lot_013::{
        Condvar, FairMutex, FairMutexGuard, Mutex, MutexGuard, Once, OnceState, RecursiveRwLock, ReentrantMutex,
        RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    },
    thread,
};
use std::{sync::Arc, time::Duration};
use trace_format::{Flags, Kind};

const fn released(n: u64) -> (Kind, Flags, u64) {
    (Kind::RELEASE, WROTE, n)
}

pub(crate) fn mutexes() {
    let (mutex, fair, reentrant) = (Arc::new(Mutex::new(0)), FairMutex::new(0), ReentrantMutex::new(0));
    label(&*mutex, "mutex");
    label(&fair, "fair");
    label(&reentrant, "reentrant");
    *mutex.lock() += 1;
    MutexGuard::unlock_fair(mutex.try_lock().unwrap());
    drop(MutexGuard::map(mutex.try_lock_for(LONG).unwrap(), |value| value));
    drop(mutex.lock_arc());
    let mut guard = fair.lock();
    FairMutexGuard::bump(&mut guard);
    assert!(fair.is_locked());
    drop(guard);
    let (outer, inner) = (reentrant.lock(), reentrant.lock());
    drop(outer);
    drop(inner);
}

#[test]
fn a_mutex_is_held_from_its_acquire_to_its_release() {
    let trace = record("parking_lot_013::mutexes");
    assert_eq!(
        of_first(&trace, "mutex"),
        [
            (Kind::ACQUIRE, EXCLUSIVE, 1),
            released(1),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::TRY), 2),
            released(2),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::TIMED), 3),
            released(3),
            (Kind::ACQUIRE, EXCLUSIVE, 4),
            released(4),
        ]
    );
    assert_eq!(
        of_first(&trace, "fair"),
        [
            (Kind::ACQUIRE, EXCLUSIVE, 1),
            released(1),
            (Kind::ACQUIRE, EXCLUSIVE, 2),
            (Kind::LOOK, Flags::NONE, 0),
            released(2),
        ]
    );
    assert_eq!(of_first(&trace, "reentrant"), [(Kind::ACQUIRE, EXCLUSIVE, 1), released(1)]);
}

pub(crate) fn modes() {
    let (lock, recursive) = (RwLock::new(0), RecursiveRwLock::new(0));
    label(&lock, "lock");
    label(&recursive, "recursive");
    let (first, second) = (recursive.read(), recursive.read());
    drop(first);
    drop(second);
    let upgradable = lock.upgradable_read();
    let reader = lock.read();
    let upgradable = RwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap_err();
    drop(reader);
    let writer = RwLockUpgradableReadGuard::try_upgrade_for(upgradable, LONG).unwrap();
    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writer);
    RwLockReadGuard::unlock_fair(RwLockUpgradableReadGuard::downgrade(upgradable));
    drop(RwLockWriteGuard::downgrade(lock.write()));
}

#[test]
fn each_hold_of_a_read_write_lock_has_its_mode() {
    let trace = record("parking_lot_013::modes");
    let read = |mode: Flags, n| (Kind::RELEASE, mode.with(Flags::READ), n);
    let recursive = (Kind::ACQUIRE, RECURSIVE, 0);
    assert_eq!(of_first(&trace, "recursive"), [recursive, recursive, read(RECURSIVE, 0), read(RECURSIVE, 0)]);
    assert_eq!(
        of_first(&trace, "lock"),
        [
            (Kind::ACQUIRE, UPGRADABLE, 0),
            (Kind::ACQUIRE, SHARED, 0),
            read(SHARED, 0),
            (Kind::UPGRADE, EXCLUSIVE, 1),
            (Kind::DOWNGRADE, UPGRADABLE, 1),
            (Kind::DOWNGRADE, SHARED, 1),
            read(SHARED, 1),
            (Kind::ACQUIRE, EXCLUSIVE, 2),
            (Kind::DOWNGRADE, SHARED, 2),
            read(SHARED, 2),
        ]
    );
    let lock = trace.labelled("lock");
    let acquires = trace.events().filter(|event| event.object().0 == lock && event.kind() == Kind::ACQUIRE);
    let files: Vec<&String> = acquires.map(|event| &trace.files[&trace.sites[&event.site().0].0]).collect();
    assert!(files.iter().all(|file| file.ends_with("sequences/parking_lot_013.rs")), "{files:?}");
}

pub(crate) fn waits() {
    let (ready, changed, set_up) = (Mutex::new(false), Condvar::new(), Once::new());
    label(&ready, "ready");
    label(&changed, "changed");
    label(&set_up, "set up");
    assert_eq!((changed.notify_one(), changed.notify_all()), (false, 0));
    thread::scope(|scope| {
        let held = ready.lock();
        spawn(scope, "waits", || {
            changed.wait_while(&mut ready.lock(), |ready| !*ready);
            set_up.wait();
        });
        let waits = thread_named("waits");
        until_waiting(waits, Kind::REQUEST, "ready");
        drop(held);
        until_waiting(waits, Kind::WAIT, "changed");
        *ready.lock() = true;
        assert!(changed.notify_one());
        until_waiting(waits, Kind::REQUEST, "set up");
        set_up.call_once(|| ());
    });
    assert!(changed.wait_for(&mut ready.lock(), Duration::ZERO).timed_out());
    assert!(Once::new_completed().is_completed() && set_up.state() == OnceState::Done);
}

fn kinds(trace: &Trace, object: &str) -> Vec<Kind> {
    of_first(trace, object).into_iter().map(|(kind, ..)| kind).collect()
}

#[test]
fn a_wait_gives_its_mutex_up_and_takes_it_again() {
    let trace = record("parking_lot_013::waits");
    let waits = trace.named("waits");
    let of_mutex = sequence(waits, trace.labelled("ready"));
    let [_, _, given_up, .., again, freed] = &of_mutex[..] else { panic!("{of_mutex:?}") };
    assert_eq!(*given_up, (Kind::RELEASE, WROTE.with(Flags::FOR_WAIT), 2));
    assert!(again.0 == Kind::ACQUIRE && again.1.has(Flags::REACQUIRE) && again.2 == 4, "{of_mutex:?}");
    assert_eq!(*freed, released(4));
    assert_eq!(
        sequence(waits, trace.labelled("changed")),
        [(Kind::WAIT, Flags::NONE, 1), (Kind::WAKE, Flags::NONE, 3)]
    );
    assert_eq!(kinds(&trace, "changed"), [Kind::NOTIFY, Kind::NOTIFY, Kind::NOTIFY, Kind::WAIT, Kind::WAKE]);
    assert_eq!(kinds(&trace, "set up")[..2], [Kind::ACQUIRE, Kind::RELEASE]);
    assert_eq!(
        sequence(waits, trace.labelled("set up")),
        [(Kind::ACQUIRE, SHARED.with(Flags::CONTENDED), 1), (Kind::RELEASE, SHARED, 1)]
    );
}
