//! The edges of the primitives: no time and all time, nothing and too much, and use while a panic unwinds.

use super::behaviour::until;
use instrumented_sync::{Latch, ReentrantLock, Semaphore, UpgradableGuard, UpgradableRwLock, UpgradableWriteGuard};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// All of it in one process that is recorded.
#[cfg(recorded)]
pub(crate) fn all() {
    no_time_is_enough_for_what_is_there();
    all_time_is_no_overflow();
    nothing_is_always_there();
    a_panic_while_somebody_waits_lets_him_through();
    everything_works_while_unwinding();
    contents_are_dropped_once();
    the_last_of_those_who_share_drops();
    leaked_guards_keep_their_locks();
}

#[test]
fn no_time_is_enough_for_what_is_there() {
    let (permits, latch, lock) = (Semaphore::new(1), Latch::new(1), UpgradableRwLock::new(1));
    assert!(permits.acquire_timeout(Duration::ZERO) && !permits.acquire_timeout(Duration::ZERO));
    assert!(!latch.wait_timeout(Duration::ZERO));
    latch.count_down();
    assert!(latch.wait_timeout(Duration::ZERO));
    let reader = lock.read_timeout(Duration::ZERO).unwrap();
    assert!(lock.write_timeout(Duration::ZERO).is_none() && lock.read_timeout(Duration::ZERO).is_some());
    drop(reader);
    let writer = lock.write_timeout(Duration::ZERO).unwrap();
    assert!(lock.read_timeout(Duration::ZERO).is_none() && lock.write_timeout(Duration::ZERO).is_none());
    drop(writer);
}

#[test]
fn all_time_is_no_overflow() {
    for time in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
        let (permits, latch, lock) = (Semaphore::new(0), Latch::new(1), UpgradableRwLock::new(0));
        let (writer, n_waiting) = (lock.write(), AtomicUsize::new(0));
        thread::scope(|scope| {
            let waits = [
                scope.spawn(|| n_waiting.fetch_add(1, SeqCst) < 4 && permits.acquire_timeout(time)),
                scope.spawn(|| n_waiting.fetch_add(1, SeqCst) < 4 && latch.wait_timeout(time)),
                scope.spawn(|| n_waiting.fetch_add(1, SeqCst) < 4 && lock.read_timeout(time).is_some()),
                scope.spawn(|| n_waiting.fetch_add(1, SeqCst) < 4 && lock.write_timeout(time).is_some()),
            ];
            until(|| n_waiting.load(SeqCst) == 4);
            thread::sleep(Duration::from_millis(5));
            assert!(waits.iter().all(|wait| !wait.is_finished()));
            permits.release();
            latch.count_down();
            drop(writer);
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()));
        });
    }
}

#[test]
fn nothing_is_always_there() {
    let (permits, latch) = (Semaphore::new(0), Latch::new(0));
    permits.acquire_many(0);
    permits.release_many(0);
    assert!(permits.try_acquire_many(0) && !permits.try_acquire());
    assert_eq!(permits.available_permits(), 0);
    assert!(latch.is_open() && latch.wait_timeout(Duration::ZERO));
    latch.wait();
}

#[test]
fn a_panic_while_somebody_waits_lets_him_through() {
    let (permits, reentrant, lock) = (Semaphore::new(1), ReentrantLock::new(Cell::new(0)), UpgradableRwLock::new(0));
    let n_waiting = AtomicUsize::new(0);
    thread::scope(|scope| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = (permits.access(), reentrant.lock(), reentrant.lock(), lock.upgradable_read());
            for n in 0..3 {
                let (permits, reentrant, lock, n_waiting) = (&permits, &reentrant, &lock, &n_waiting);
                scope.spawn(move || {
                    n_waiting.fetch_add(1, SeqCst);
                    match n {
                        0 => drop(permits.access()),
                        1 => reentrant.lock().set(1),
                        _ => *lock.write() += 1,
                    }
                });
            }
            until(|| n_waiting.load(SeqCst) == 3);
            thread::sleep(Duration::from_millis(5));
            std::panic::resume_unwind(Box::new("while others wait"));
        }));
        assert!(panicked.is_err());
    });
    assert_eq!((permits.available_permits(), reentrant.into_inner().get(), lock.into_inner()), (1, 1, 1));
}

/// Runs something when dropped.
struct AtDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn everything_works_while_unwinding() {
    let (permits, latch) = (Semaphore::new(1), Latch::new(1));
    let (reentrant, lock) = (ReentrantLock::new(Cell::new(0)), UpgradableRwLock::new(0));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut from_before = Some(lock.upgradable_read());
        let _works = AtDrop(|| {
            drop(permits.access());
            latch.count_down();
            latch.wait();
            let (outer, inner) = (reentrant.lock(), reentrant.lock());
            outer.set(inner.get() + 1);
            let mut writer = UpgradableGuard::upgrade(from_before.take().unwrap());
            *writer += 1;
            let reader = UpgradableWriteGuard::downgrade(writer);
            drop(lock.try_read());
            drop(reader);
            drop(UpgradableGuard::downgrade(lock.upgradable_read()));
            *lock.write() += 1;
        });
        std::panic::resume_unwind(Box::new("unwinds"));
    }));
    assert!(panicked.is_err() && latch.is_open() && permits.try_acquire());
    assert_eq!((reentrant.lock().get(), *lock.write()), (1, 2), "neither is poisoned");
}

#[test]
fn contents_are_dropped_once() {
    let content = Arc::new(());
    let own = || Arc::clone(&content);
    let count = || Arc::strong_count(&content) - 1;
    let (reentrant, lock) = (ReentrantLock::new(own()), UpgradableRwLock::new(own()));
    *lock.write() = own();
    assert_eq!(count(), 2);
    drop((reentrant, lock));
    assert_eq!(count(), 0);
    let (reentrant, lock) = (ReentrantLock::new(own()), UpgradableRwLock::new(own()));
    std::mem::forget((reentrant.lock(), lock.read()));
    let contents = (reentrant.into_inner(), lock.into_inner());
    assert_eq!(count(), 2);
    drop(contents);
    assert_eq!(count(), 0);
}

#[test]
fn the_last_of_those_who_share_drops() {
    let content = Arc::new(());
    let shared = Arc::new((
        Semaphore::new(1),
        Latch::new(3),
        ReentrantLock::new(Cell::new(0)),
        UpgradableRwLock::new((0, Arc::clone(&content))),
    ));
    let threads = [(); 3].map(|()| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (permits, latch, reentrant, lock) = &*shared;
            let _permit = permits.access();
            reentrant.lock().set(reentrant.lock().get() + 1);
            lock.write().0 += 1;
            latch.count_down();
        })
    });
    shared.1.wait();
    assert_eq!((shared.2.lock().get(), shared.3.read().0), (3, 3));
    drop(shared);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(Arc::strong_count(&content), 1);
}

#[test]
fn leaked_guards_keep_their_locks() {
    let (permits, reentrant, lock) = (Semaphore::new(2), ReentrantLock::new(1), UpgradableRwLock::new(1));
    std::mem::forget((permits.access(), reentrant.lock(), lock.read()));
    assert_eq!((permits.available_permits(), *reentrant.lock()), (1, 1));
    thread::scope(|scope| assert!(scope.spawn(|| reentrant.try_lock().is_none()).join().unwrap()));
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
}
