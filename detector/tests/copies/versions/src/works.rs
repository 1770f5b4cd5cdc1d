//! What there is to record, without a choice of schedule: the same whichever version records and whichever delegates.

use crate::{FIRST, SECOND};
use second::{
    label, mpsc,
    resource::{Mode, Resource},
    signal, task, thread, Barrier, Condvar, Latch, Mutex, Once, OnceLock, RwLock, Semaphore, UpgradableGuard,
    UpgradableRwLock, UpgradableWriteGuard,
};
use std::time::Duration;

pub fn first() {
    *FIRST.lock().unwrap() += 1;
}

pub fn second() {
    *SECOND.lock().unwrap() += 1;
}

/// Whoever is used first records. The rest is done by the second version.
pub fn run(begin: &[fn()]) {
    begin.iter().for_each(|begin| begin());
    locks();
    waits();
    threads();
    tasks();
}

fn locks() {
    let lock = RwLock::new(0);
    label(&lock, "read and written");
    *lock.write().unwrap() += 1;
    assert_eq!(*lock.read().unwrap(), 1);
    let upgradable = UpgradableRwLock::new(0);
    let mut exclusive = UpgradableGuard::upgrade(upgradable.upgradable_read());
    *exclusive += 1;
    drop(UpgradableWriteGuard::downgrade(exclusive));
    let many: Vec<_> = (0..100).map(Mutex::new).collect();
    let held: Vec<_> = many.iter().map(|lock| lock.lock().unwrap()).collect();
    assert!(many[70].try_lock().is_err());
    drop(held);
    let resource = Resource::new("resource");
    drop(resource.request(Mode::Exclusive).acquired());
}

fn waits() {
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    let (guard, result) = changed.wait_timeout(lock.lock().unwrap(), Duration::from_millis(1)).unwrap();
    assert!(result.timed_out());
    drop(guard);
    changed.notify_one();
    let (sender, receiver) = mpsc::channel();
    sender.send(1).unwrap();
    assert_eq!(receiver.recv(), Ok(1));
    let semaphore = Semaphore::new(2);
    semaphore.acquire_many(2);
    semaphore.release_many(2);
    assert!(Barrier::new(1).wait().is_leader());
    let latch = Latch::new(1);
    latch.count_down();
    latch.wait();
    Once::new().call_once(|| ());
    let cell = OnceLock::new();
    assert_eq!(cell.get_or_init(|| 1), &1);
    signal::section(10, second);
}

fn threads() {
    thread::current().unpark();
    thread::park();
    let named = thread::Builder::new().name("named".into()).spawn(locks).unwrap();
    named.join().unwrap();
    // Joined, so that the thread's end is recorded before that of the program.
    thread::scope(|scope| scope.spawn(locks).join().unwrap());
}

fn tasks() {
    let hits = task::Mutex::new(0);
    let count = async {
        for _ in 0..3 {
            *hits.lock().await += 1;
        }
    };
    task::block_on(task::record("count", count));
    assert_eq!(hits.into_inner(), 3);
}
