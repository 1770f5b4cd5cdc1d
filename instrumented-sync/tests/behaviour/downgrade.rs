//! `RwLockWriteGuard::downgrade`.
#![cfg(since_1_92)]

use super::{
    sync::{RwLock, RwLockWriteGuard, TryLockError},
    thread,
};
use crate::panic_text;
use std::sync::mpsc;

#[test]
fn what_was_written_is_read_and_others_read_too() {
    let lock = RwLock::new(1);
    let mut writer = lock.write().unwrap();
    *writer = 2;
    let reader = RwLockWriteGuard::downgrade(writer);
    assert_eq!((*reader, *lock.read().unwrap()), (2, 2));
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(reader);
    *lock.try_write().unwrap() += 1;
    assert_eq!(lock.into_inner().unwrap(), 3);
}

/// A writer that waits does not come in between.
#[test]
fn nobody_writes_in_between() {
    let lock = RwLock::new(vec![0]);
    let (begins, begun) = mpsc::channel();
    thread::scope(|scope| {
        let mut writer = lock.write().unwrap();
        scope.spawn(|| {
            begins.send(()).unwrap();
            lock.write().unwrap().push(2);
        });
        begun.recv().unwrap();
        writer.push(1);
        let reader = RwLockWriteGuard::downgrade(writer);
        thread::sleep(crate::A_WHILE);
        assert_eq!(*reader, [0, 1]);
    });
    assert_eq!(lock.into_inner().unwrap(), [0, 1, 2]);
}

#[test]
fn readers_that_wait_are_let_in() {
    let lock = RwLock::new(1);
    let (begins, begun) = mpsc::channel();
    let (reads, read) = mpsc::channel();
    thread::scope(|scope| {
        let writer = lock.write().unwrap();
        for _ in 0..2 {
            let (begins, reads, lock) = (begins.clone(), reads.clone(), &lock);
            scope.spawn(move || {
                begins.send(()).unwrap();
                reads.send(*lock.read().unwrap()).unwrap();
            });
        }
        begun.iter().take(2).for_each(drop);
        let _reader = RwLockWriteGuard::downgrade(writer);
        assert_eq!(read.iter().take(2).collect::<Vec<_>>(), [1, 1]);
    });
}

/// A panic poisons while a lock is held for writing, and not while it is held for reading.
#[test]
fn a_panic_behind_it_does_not_poison() {
    let lock = RwLock::new(1);
    panic_text(|| {
        let _reader = RwLockWriteGuard::downgrade(lock.write().unwrap());
        panic!("while it reads");
    });
    assert!(!lock.is_poisoned());
    panic_text(|| {
        let _writer = lock.write().unwrap();
        panic!("while it writes");
    });
    let reader = RwLockWriteGuard::downgrade(lock.write().unwrap_err().into_inner());
    assert_eq!(*reader, 1);
    assert!(lock.is_poisoned());
}

#[test]
fn what_has_no_size_is_read_too() {
    let lock: &RwLock<[i32]> = &RwLock::new([1, 2]);
    let reader = RwLockWriteGuard::downgrade(lock.write().unwrap());
    assert_eq!(format!("{reader:?}"), "[1, 2]");
}
