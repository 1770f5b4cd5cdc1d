//! Locks of `parking_lot`: what a raw lock records of all the ways to take, change and free it.

use crate::{
    barrier::DIRECTORY,
    of_first, record, sequence, spawn,
    support::{Trace, program},
    thread_named, until_waiting,
};
use instrumented_sync::{
    label,
    parking_lot::{
        Condvar, FairMutex, FairMutexGuard, Mutex, MutexGuard, Once, OnceState, ReentrantMutex, RwLock,
        RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    },
    thread, trace,
};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};
use trace_format::{Event, Flags, Kind, Mode, TRACE_VARIABLE};

pub(crate) const EXCLUSIVE: Flags = Mode::Exclusive.flags();
pub(crate) const SHARED: Flags = Mode::Shared.flags();
pub(crate) const RECURSIVE: Flags = Mode::SharedRecursive.flags();
pub(crate) const UPGRADABLE: Flags = Mode::Upgradable.flags();
/// What a section does counts as all that it could have done.
pub(crate) const WROTE: Flags = EXCLUSIVE.with(Flags::READ).with(Flags::WROTE);
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn mutexes() {
    let (mutex, fair, reentrant) = (Mutex::new(0), FairMutex::new(0), ReentrantMutex::new(0));
    label(&mutex, "mutex");
    label(&fair, "fair");
    label(&reentrant, "reentrant");
    *mutex.lock() += 1;
    let guard = mutex.try_lock().unwrap();
    assert!(mutex.try_lock().is_none() && mutex.try_lock_for(Duration::ZERO).is_none());
    MutexGuard::unlock_fair(guard);
    drop(MutexGuard::map(mutex.try_lock_for(LONG).unwrap(), |value| value));
    let shared = Arc::new(Mutex::new(0));
    label(&*shared, "shared");
    drop(shared.lock_arc());
    let mut guard = fair.lock();
    FairMutexGuard::bump(&mut guard);
    FairMutexGuard::unlocked(&mut guard, || assert!(!fair.is_locked()));
    drop(guard);
    let (outer, inner) = (reentrant.lock(), reentrant.lock());
    drop(outer);
    drop(inner);
}

#[test]
fn a_mutex_is_held_from_its_acquire_to_its_release() {
    let trace = record("parking_lot::mutexes");
    let released = |n| (Kind::RELEASE, WROTE, n);
    assert_eq!(
        of_first(&trace, "mutex"),
        [
            (Kind::ACQUIRE, EXCLUSIVE, 1),
            released(1),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::TRY), 2),
            // Somebody found that it was held, once; and was ready to wait for it, but gave up.
            (Kind::LOOK, Flags::NONE, 0),
            (Kind::REQUEST, EXCLUSIVE.with(Flags::TIMED), 2),
            released(2),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::TIMED), 3),
            released(3),
        ]
    );
    assert_eq!(of_first(&trace, "shared"), [(Kind::ACQUIRE, EXCLUSIVE, 1), released(1)]);
    let bumped = EXCLUSIVE.with(Flags::CONTENDED);
    assert_eq!(
        of_first(&trace, "fair"),
        [
            (Kind::ACQUIRE, EXCLUSIVE, 1),
            released(1),
            (Kind::REQUEST, EXCLUSIVE, 1),
            (Kind::ACQUIRE, bumped, 2),
            released(2),
            (Kind::LOOK, Flags::NONE, 0),
            (Kind::ACQUIRE, EXCLUSIVE, 3),
            released(3),
        ]
    );
    assert_eq!(of_first(&trace, "reentrant"), [(Kind::ACQUIRE, EXCLUSIVE, 1), released(1)]);
}

pub(crate) fn modes() {
    let lock = RwLock::new(0);
    label(&lock, "lock");
    let (plain, recursive) = (lock.read(), lock.read_recursive());
    drop(plain);
    drop(recursive);
    let upgradable = lock.try_upgradable_read().unwrap();
    let reader = lock.read();
    let upgradable = RwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap_err();
    drop(reader);
    let writer = RwLockUpgradableReadGuard::upgrade(upgradable);
    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writer);
    let reader = RwLockUpgradableReadGuard::downgrade(upgradable);
    RwLockReadGuard::unlock_fair(reader);
    let reader = RwLockWriteGuard::downgrade(lock.try_write_for(LONG).unwrap());
    assert!(lock.is_locked() && !lock.is_locked_exclusive() && lock.try_write().is_none());
    drop(RwLockReadGuard::map(reader, |value| value));
}

#[test]
fn each_hold_of_a_read_write_lock_has_its_mode() {
    let trace = record("parking_lot::modes");
    let read = |mode: Flags, n| (Kind::RELEASE, mode.with(Flags::READ), n);
    assert_eq!(
        of_first(&trace, "lock"),
        [
            (Kind::ACQUIRE, SHARED, 0),
            (Kind::ACQUIRE, RECURSIVE, 0),
            // Which of the two was freed nobody says: the one that was taken last.
            read(RECURSIVE, 0),
            read(SHARED, 0),
            (Kind::ACQUIRE, UPGRADABLE.with(Flags::TRY), 0),
            (Kind::ACQUIRE, SHARED, 0),
            read(SHARED, 0),
            (Kind::UPGRADE, EXCLUSIVE, 1),
            (Kind::DOWNGRADE, UPGRADABLE, 1),
            (Kind::DOWNGRADE, SHARED, 1),
            read(SHARED, 1),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::TIMED), 2),
            (Kind::DOWNGRADE, SHARED, 2),
            (Kind::LOOK, Flags::NONE, 0),
            read(SHARED, 2),
        ]
    );
}

pub(crate) fn waits() {
    let (ready, changed, lock) = (Mutex::new(false), Condvar::new(), RwLock::new(()));
    label(&ready, "ready");
    label(&changed, "changed");
    label(&lock, "lock");
    assert_eq!((changed.notify_one(), changed.notify_all()), (false, 0));
    let (begins, begun) = mpsc::channel();
    thread::scope(|scope| {
        let held = ready.lock();
        spawn(scope, "waits", || {
            begins.send(()).unwrap();
            let mut guard = ready.lock();
            changed.wait_while(&mut guard, |ready| !*ready);
            drop(RwLockUpgradableReadGuard::upgrade(lock.upgradable_read()));
        });
        begun.recv().unwrap();
        let waits = thread_named("waits");
        until_waiting(waits, Kind::REQUEST, "ready");
        let reader = lock.read();
        drop(held);
        until_waiting(waits, Kind::WAIT, "changed");
        *ready.lock() = true;
        assert!(changed.notify_one());
        until_waiting(waits, Kind::UPGRADE, "lock");
        drop(reader);
    });
    let mut guard = ready.lock();
    assert!(changed.wait_for(&mut guard, Duration::ZERO).timed_out());
    assert!(*guard);
}

#[test]
fn a_wait_gives_its_mutex_up_and_takes_it_again() {
    let trace = record("parking_lot::waits");
    let waits = trace.named("waits");
    assert_eq!(
        sequence(waits, trace.labelled("ready")),
        [
            (Kind::REQUEST, EXCLUSIVE, 1),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::CONTENDED), 2),
            (Kind::RELEASE, WROTE.with(Flags::FOR_WAIT), 2),
            (Kind::ACQUIRE, EXCLUSIVE.with(Flags::REACQUIRE), 4),
            (Kind::RELEASE, WROTE, 4),
        ]
        .map(|event| if event.2 == 4 { contended_or_not(waits.events.as_slice(), event) } else { event })
    );
    assert_eq!(
        sequence(waits, trace.labelled("changed")),
        [(Kind::WAIT, Flags::NONE, 1), (Kind::WAKE, Flags::NONE, 3)]
    );
    let first = of_first(&trace, "changed");
    assert_eq!(
        first,
        [
            (Kind::NOTIFY, Flags::NONE, 1),
            (Kind::NOTIFY, Flags::ALL, 2),
            (Kind::NOTIFY, Flags::NONE, 3),
            (Kind::WAIT, Flags::TIMED, 2),
            (Kind::WAKE, Flags::TIMED_OUT.with(Flags::TIMED), 0),
        ]
    );
}

/// Who wakes may find the mutex held by who woke it, or not.
fn contended_or_not(events: &[Event], event: (Kind, Flags, u64)) -> (Kind, Flags, u64) {
    let (kind, flags, seq) = event;
    let is_contended = |of: &&Event| of.kind() == kind && of.seq() == seq && of.flags().has(Flags::CONTENDED);
    let contended = kind == Kind::ACQUIRE && events.iter().find(is_contended).is_some();
    (kind, flags.with(Flags::CONTENDED.when(contended)), seq)
}

pub(crate) fn once() {
    let (once, broken) = (Once::new(), Once::new());
    label(&once, "once");
    label(&broken, "broken");
    assert_eq!(once.state(), OnceState::New);
    once.call_once(|| ());
    once.call_once(|| unreachable!());
    std::panic::set_hook(Box::new(|_| ()));
    assert!(std::panic::catch_unwind(|| broken.call_once(|| panic!())).is_err());
    broken.call_once_force(|state| assert!(state.poisoned()));
    assert!(once.state().done() && broken.state().done());
}

#[test]
fn a_once_is_held_while_it_initialises() {
    let trace = record("parking_lot::once");
    let of = |object| -> Vec<Kind> { of_first(&trace, object).into_iter().map(|(kind, ..)| kind).collect() };
    assert_eq!(of("once")[..3], [Kind::LOOK, Kind::ACQUIRE, Kind::RELEASE]);
    assert_eq!(of("broken")[..4], [Kind::ACQUIRE, Kind::RELEASE, Kind::ACQUIRE, Kind::RELEASE]);
}

/// Taken before recording was switched on, and freed after.
pub(crate) fn late() {
    let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
    let (guard, reader) = (mutex.lock(), lock.read());
    trace::start(std::env::var_os(DIRECTORY).unwrap()).unwrap();
    label(&mutex, "mutex");
    label(&lock, "lock");
    let second = lock.read();
    drop(guard);
    drop(reader);
    drop(second);
    drop(mutex.lock());
}

#[test]
fn what_was_taken_before_recording_is_recorded_when_it_is_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program::command("parking_lot::late", dir.path());
    program::run(command.env_remove(TRACE_VARIABLE).env(DIRECTORY, dir.path()));
    let trace = Trace::only(dir.path());
    assert!(trace.slots().iter().all(|slot| slot.n_holds == 0));
    let of = |object| -> Vec<Kind> { of_first(&trace, object).into_iter().map(|(kind, ..)| kind).collect() };
    assert_eq!([of("mutex"), of("lock")], [[Kind::ACQUIRE, Kind::RELEASE], [Kind::ACQUIRE, Kind::RELEASE]]);
}

#[test]
fn the_place_is_that_of_the_caller() {
    let trace = record("parking_lot::modes");
    let lock = trace.labelled("lock");
    let acquires = trace.events().filter(|event| event.object().0 == lock && event.kind() == Kind::ACQUIRE);
    let files: Vec<String> = acquires.map(|event| trace.files[&trace.sites[&event.site().0].0].clone()).collect();
    assert!(!files.is_empty() && files.iter().all(|file| file.ends_with("sequences/parking_lot.rs")), "{files:?}");
}
