//! The primitives that std lacks, in models.

mod support;

use instrumented_sync::{
    Arc, Latch, Mutex, ReentrantLock, Semaphore, UpgradableGuard, UpgradableRwLock, label, model, mpmc, resource,
    signal, task, thread, trace, tracked,
};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

#[test]
fn a_semaphore_lends_one_permit_at_a_time() {
    model(|| {
        let permits = Arc::new(Semaphore::new(1));
        let inside = Arc::new(Mutex::new(()));
        let (other, other_inside) = (Arc::clone(&permits), Arc::clone(&inside));
        let thread = thread::spawn(move || {
            let _permit = other.access();
            drop(other_inside.try_lock().expect("another thread has the only permit"));
        });
        {
            let _permit = permits.access();
            drop(inside.try_lock().expect("another thread has the only permit"));
        }
        thread.join().unwrap();
        assert_eq!(permits.available_permits(), 1);
        assert!(permits.acquire_timeout(SHORT) && !permits.acquire_timeout(SHORT));
    });
}

#[test]
fn a_latch_opens() {
    model(|| {
        let latch = Arc::new(Latch::new(1));
        let other = Arc::clone(&latch);
        let thread = thread::spawn(move || other.count_down());
        latch.wait();
        assert!(latch.is_open() && latch.wait_timeout(SHORT));
        thread.join().unwrap();
        assert!(!Latch::new(1).wait_timeout(SHORT));
    });
}

#[test]
fn a_reentrant_lock_knows_its_owner() {
    model(|| {
        let lock = Arc::new(ReentrantLock::new(std::cell::Cell::new(0)));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || {
            let outer = other.lock();
            outer.set(outer.get() + 1);
            let inner = other.lock();
            inner.set(inner.get() + 1);
        });
        {
            let guard = lock.lock();
            guard.set(guard.get() + 1);
        }
        thread.join().unwrap();
        assert_eq!(lock.lock().get(), 3);
    });
}

#[test]
fn nobody_writes_during_an_upgrade() {
    model(|| {
        let lock = Arc::new(UpgradableRwLock::new(1));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || *other.write() *= 10);
        let guard = lock.upgradable_read();
        let seen = *guard;
        let mut guard = UpgradableGuard::upgrade(guard);
        assert_eq!(*guard, seen);
        *guard += 1;
        drop(guard);
        thread.join().unwrap();
        assert!([11, 20].contains(&*lock.read()));
        let _reader = lock.read();
        assert!(lock.write_timeout(SHORT).is_none());
    });
}

#[test]
fn each_message_goes_to_one_receiver() {
    model(|| {
        let (sender, receiver) = mpmc::channel();
        let other = receiver.clone();
        sender.send(1).unwrap();
        drop(sender);
        let thread = thread::spawn(move || other.recv().ok());
        let here = receiver.recv().ok();
        assert_eq!([here, thread.join().unwrap()].into_iter().flatten().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn either_channel_wakes() {
    model(|| {
        let (sender, first) = mpmc::sync_channel(1);
        let (_sender, second) = mpmc::channel::<u8>();
        let thread = thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(mpmc::recv_either(&first, &second), Ok(mpmc::Either::First(1)));
        thread.join().unwrap();
    });
}

#[test]
fn tasks() {
    model(|| {
        let hits = Arc::new(task::Mutex::new(0));
        let other = Arc::clone(&hits);
        let thread = thread::spawn(move || task::block_on(task::record("b", async { *other.lock().await += 1 })));
        task::block_on(async { *hits.lock().await += 1 });
        thread.join().unwrap();
        assert_eq!(*hits.try_lock().unwrap(), 2);
    });
}

#[test]
fn annotations_are_nothing() {
    model(|| {
        let resource = resource::Resource::new("door");
        drop(resource.request(resource::Mode::Exclusive).acquired());
        label(&Latch::new(1), "ready");
        assert_eq!(signal::section(15, || 1), 1);
        trace::released("done");
        trace::acquired("done");
        let shared = tracked::Arc::new(1);
        let twin = tracked::Arc::clone(&shared);
        assert_eq!((*twin, tracked::Arc::strong_count(&shared)), (1, 2));
    });
}

#[cfg(any(instrumented_sync_loom, instrumented_sync_shuttle))]
mod wrong {
    use super::{support::finds, *};

    #[test]
    fn permits_in_opposite_orders() {
        finds("deadlock", || {
            let pair = Arc::new([Semaphore::new(1), Semaphore::new(1)]);
            let other = Arc::clone(&pair);
            let thread = thread::spawn(move || {
                let _first = other[0].access();
                let _second = other[1].access();
            });
            let _second = pair[1].access();
            let _first = pair[0].access();
            thread.join().unwrap();
        });
    }

    #[test]
    fn two_readers_that_upgrade() {
        finds("deadlock", || {
            let lock = Arc::new(UpgradableRwLock::new(1));
            let other = Arc::clone(&lock);
            let thread = thread::spawn(move || {
                let _reader = other.read();
                drop(other.write());
            });
            let _reader = lock.read();
            drop(UpgradableGuard::upgrade(lock.upgradable_read()));
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_receiver_that_keeps_a_sender() {
        finds("deadlock", || {
            let (sender, receiver) = mpmc::channel::<u8>();
            let other = sender.clone();
            let thread = thread::spawn(move || drop(other));
            assert!(receiver.recv().is_err());
            thread.join().unwrap();
            drop(sender);
        });
    }
}
