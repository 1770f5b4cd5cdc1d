//! When the data of a guard was first touched: which releases say that it was late.

use crate::record;
use instrumented_sync::{Mutex, RwLock, label, mpsc, thread};
use std::hint::black_box;
use trace_format::{Flags, Kind};

/// Sections of one lock, each of which touches its data at another time.
pub(crate) fn times() {
    let (lock, inner) = (Mutex::new(1), Mutex::new(2));
    label(&lock, "lock");
    let (sender, receiver) = mpsc::channel();
    let started = || thread::spawn(|| {});

    let guard = lock.lock().unwrap();
    black_box(*guard);
    started().join().unwrap();
    drop(guard);

    let guard = lock.lock().unwrap();
    started().join().unwrap();
    black_box(*guard);
    drop(guard);

    let guard = lock.lock().unwrap();
    sender.send(()).unwrap();
    receiver.recv().unwrap();
    let newer = inner.lock().unwrap();
    drop(newer);
    black_box(*guard);
    drop(guard);

    // What it waited for was before.
    let guard = lock.lock().unwrap();
    black_box(*guard);
    drop(guard);

    let guard = lock.lock().unwrap();
    let newer = inner.lock().unwrap();
    black_box(*guard);
    drop((newer, guard));
}

/// Reads of one lock: after a wait with another hold of it, and within a wait.
pub(crate) fn shared() {
    let lock = RwLock::new(1);
    label(&lock, "lock");
    let guard = lock.read().unwrap();
    thread::spawn(|| {}).join().unwrap();
    drop(guard);
    let guard = lock.read().unwrap();
    black_box(*guard);
    drop(guard);
}

fn are_late(program: &str) -> Vec<bool> {
    let trace = record(program);
    let lock = trace.labelled("lock");
    let threads = trace.threads.iter().map(|thread| thread.on(lock, &[Kind::RELEASE]));
    let releases = threads.max_by_key(Vec::len).unwrap();
    releases.iter().map(|release| release.flags().has(Flags::LATE)).collect()
}

#[test]
fn data_is_touched_late_behind_a_newer_acquire_or_a_wait() {
    assert_eq!(are_late("late::times"), [false, true, true, false, true]);
}

#[test]
fn a_new_hold_that_looks_like_an_old_one_was_not_held_while_waiting() {
    assert_eq!(are_late("late::shared"), [false, false]);
}
