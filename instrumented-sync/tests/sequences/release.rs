//! Where guards are dropped: which releases say so.

use crate::{
    record, spawn,
    support::{Thread, Trace},
};
use instrumented_sync::{Condvar, Mutex, RwLock, label, thread};
use std::{hint::black_box, panic, time::Duration};
use trace_format::{Event, Flags, Kind};

#[inline(never)]
fn section(lock: &Mutex<u32>) {
    let mut guard = lock.lock().unwrap();
    *guard = black_box(*guard + 1);
}

/// Several sections of one line, one of another line.
pub(crate) fn dropped() {
    let lock = Mutex::new(0);
    label(&lock, "lock");
    for _ in 0..3 {
        section(&lock);
    }
    *lock.lock().unwrap() += 1;
}

/// A wait that is over at once.
pub(crate) fn waited() {
    let (lock, condvar) = (Mutex::new(0), Condvar::new());
    label(&lock, "lock");
    let guard = lock.lock().unwrap();
    drop(condvar.wait_timeout(guard, Duration::ZERO).unwrap());
}

/// The first drop is a panic's, the second is not.
pub(crate) fn unwound() {
    let lock = RwLock::new(0);
    label(&lock, "lock");
    for panics in [true, false] {
        let read = || {
            let guard = lock.read().unwrap();
            assert!(!panics, "the guard is dropped by this");
            drop(guard);
        };
        // The first one panics.
        let _ended = panic::catch_unwind(panic::AssertUnwindSafe(read));
    }
}

/// More guards than a slot has room for, the oldest dropped first.
pub(crate) fn out_of_order() {
    let locks: Vec<Mutex<u32>> = (0..100).map(Mutex::new).collect();
    label(&locks[0], "first");
    let first = locks[0].lock().unwrap();
    let others: Vec<_> = locks[1..].iter().map(|lock| lock.lock().unwrap()).collect();
    drop(first);
    drop(others);
}

/// One after the other, all at the same line.
pub(crate) fn by_many_threads() {
    let lock = Mutex::new(0);
    label(&lock, "lock");
    for _ in 0..4 {
        thread::scope(|scope| {
            spawn(scope, "one of them", || section(&lock));
        });
    }
}

fn releases(thread: &Thread, object: u64) -> Vec<Event> {
    thread.on(object, &[Kind::RELEASE])
}

/// Asserts that a site is a stack without a location, of a frame of the acquire's or one that it called.
fn assert_is_stack(trace: &Trace, release: Event, acquire: Event) {
    let stack = |event: Event| {
        let (location, stack) = trace.sites[&event.site().0];
        (location, trace.stacks[&stack].as_slice())
    };
    let ((no_location, dropped), (location, acquired)) = (stack(release), stack(acquire));
    assert_eq!(no_location, 0);
    assert_ne!(location, 0);
    let n_common = dropped.iter().rev().zip(acquired.iter().rev()).take_while(|(a, b)| a == b).count();
    assert!(n_common >= 2 && n_common < dropped.len(), "{dropped:x?} {acquired:x?}");
}

#[test]
fn the_first_release_of_what_was_acquired_at_a_site_says_where_it_was() {
    let trace = record("release::dropped");
    let lock = trace.labelled("lock");
    let [thread] = trace.threads.as_slice() else { panic!("one thread") };
    let (acquires, releases) = (thread.on(lock, &[Kind::ACQUIRE]), releases(thread, lock));
    assert_eq!((acquires.len(), releases.len()), (4, 4));
    let is_told: Vec<bool> = releases.iter().map(|release| !release.site().is_none()).collect();
    assert_eq!(is_told, [true, false, false, true]);
    assert_is_stack(&trace, releases[0], acquires[0]);
    assert_is_stack(&trace, releases[3], acquires[3]);
    assert_ne!(releases[0].site(), releases[3].site());
}

#[test]
fn a_release_for_a_wait_has_the_site_of_the_wait() {
    let trace = record("release::waited");
    let lock = trace.labelled("lock");
    let [thread] = trace.threads.as_slice() else { panic!("one thread") };
    let wait = thread.events.iter().find(|event| event.kind() == Kind::WAIT).unwrap();
    let [for_wait, last] = releases(thread, lock)[..] else { panic!("two releases") };
    assert!(for_wait.flags().has(Flags::FOR_WAIT) && !last.flags().has(Flags::FOR_WAIT));
    assert_eq!(for_wait.site(), wait.site());
    assert_is_stack(&trace, last, thread.on(lock, &[Kind::ACQUIRE])[1]);
}

#[test]
fn a_panic_is_not_where_guards_are_dropped() {
    let trace = record("release::unwound");
    let [thread] = trace.threads.as_slice() else { panic!("one thread") };
    let [by_panic, other] = releases(thread, trace.labelled("lock"))[..] else { panic!("two releases") };
    assert!(by_panic.flags().has(Flags::PANICKING) && by_panic.site().is_none());
    assert!(!other.site().is_none());
}

#[test]
fn a_guard_that_is_not_the_newest_says_where_it_is_dropped() {
    let trace = record("release::out_of_order");
    let [thread] = trace.threads.as_slice() else { panic!("one thread") };
    let [release] = releases(thread, trace.labelled("first"))[..] else { panic!("one release") };
    assert!(!release.site().is_none());
    let told = thread.events.iter().filter(|event| event.kind() == Kind::RELEASE && !event.site().is_none());
    assert_eq!(told.count(), 2, "the first lock's, and one of all the others, which were acquired in one place");
}

#[test]
fn one_thread_of_a_process_says_where_guards_are_dropped() {
    let trace = record("release::by_many_threads");
    let lock = trace.labelled("lock");
    let releases = trace.threads.iter().flat_map(|thread| releases(thread, lock));
    let told = releases.map(|release| !release.site().is_none()).collect::<Vec<_>>();
    assert_eq!((told.len(), told.into_iter().filter(|told| *told).count()), (4, 1));
}
