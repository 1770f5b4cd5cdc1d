//! What the primitives do, recorded or not.

use instrumented_sync::{
    Latch, Permit, ReentrantLock, ReentrantLockGuard, Semaphore, UpgradableGuard, UpgradableReadGuard,
    UpgradableRwLock, UpgradableWriteGuard,
};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(30);

/// Polls until something is so, but not for ever.
pub(crate) fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < LONG, "it does not become so");
        thread::yield_now();
    }
}

/// All of it in one process that is recorded.
#[cfg(recorded)]
pub(crate) fn all() {
    assert!(instrumented_sync::trace::is_recording());
    permits_bound_how_many();
    permits_go_to_who_came_first();
    a_wait_for_permits_gives_up();
    a_latch_opens_once();
    a_latch_lets_all_through();
    a_reentrant_lock_excludes_others();
    reentrant_guards_drop_in_any_order();
    readers_queue_behind_a_writer();
    an_upgrade_waits_for_readers();
    upgradable_timeouts();
    many_threads_upgrade();
    panics_leave_everything_usable();
}

#[test]
fn permits_bound_how_many() {
    let (permits, inside) = (Semaphore::new(3), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let _permit = permits.access();
                    assert!(inside.fetch_add(1, SeqCst) < 3);
                    inside.fetch_sub(1, SeqCst);
                }
            });
        }
    });
    assert_eq!(permits.available_permits(), 3);
}

#[test]
fn permits_go_to_who_came_first() {
    let (permits, (order, arrived)) = (Semaphore::new(1), mpsc::channel());
    permits.acquire();
    thread::scope(|scope| {
        // Each next one asks for a number of permits that no permit before it satisfies.
        let large = scope.spawn({
            let (permits, order) = (&permits, order.clone());
            move || {
                permits.acquire_many(2);
                order.send("large").unwrap();
                permits.release_many(2);
            }
        });
        permits.release();
        until(|| {
            !permits.try_acquire() || {
                permits.release();
                false
            }
        });
        assert_eq!(permits.available_permits(), 1, "the large one waits, and nobody overtakes it");
        let small = scope.spawn({
            let (permits, order) = (&permits, order.clone());
            move || {
                permits.acquire();
                order.send("small").unwrap();
                permits.release();
            }
        });
        assert!(!permits.acquire_timeout(SHORT));
        assert!(arrived.try_recv().is_err());
        permits.release();
        large.join().unwrap();
        small.join().unwrap();
    });
    drop(order);
    assert_eq!(arrived.iter().collect::<Vec<_>>(), ["large", "small"]);
    assert_eq!(permits.available_permits(), 2);
}

#[test]
fn a_wait_for_permits_gives_up() {
    let permits = Semaphore::new(0);
    let start = Instant::now();
    assert!(!permits.acquire_timeout(SHORT) && start.elapsed() >= SHORT);
    permits.release_many(2);
    assert!(permits.acquire_timeout(LONG) && !permits.try_acquire_many(2) && permits.try_acquire());
    permits.acquire_many(0);
    assert!(permits.try_acquire_many(0) && permits.available_permits() == 0);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| permits.acquire_timeout(Duration::MAX));
        permits.release();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_latch_opens_once() {
    let latch = Latch::new(2);
    assert!(!latch.wait_timeout(SHORT) && !latch.is_open());
    latch.count_down();
    assert!(!latch.is_open());
    latch.count_down();
    latch.count_down();
    latch.wait();
    assert!(latch.is_open() && latch.wait_timeout(Duration::ZERO));
    latch.count_down_and_wait();
}

#[test]
fn a_latch_lets_all_through() {
    let (latch, counted) = (Latch::new(8), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                counted.fetch_add(1, SeqCst);
                latch.count_down_and_wait();
                assert_eq!(counted.load(SeqCst), 8);
            });
        }
    });
}

#[test]
fn a_reentrant_lock_excludes_others() {
    let lock = ReentrantLock::new(Cell::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let outer = lock.lock();
                    let seen = outer.get();
                    lock.lock().set(seen + 1);
                    lock.try_lock().unwrap().set(seen + 2);
                }
            });
        }
    });
    assert_eq!(lock.into_inner().get(), 4000);
}

#[test]
fn reentrant_guards_drop_in_any_order() {
    let lock = ReentrantLock::new(7);
    let is_free = || thread::scope(|scope| scope.spawn(|| lock.try_lock().is_some()).join().unwrap());
    let (first, second, third) = (lock.lock(), lock.lock(), lock.lock());
    drop(second);
    drop(first);
    assert!(!is_free() && *third == 7);
    drop(third);
    assert!(is_free());
}

#[test]
fn readers_queue_behind_a_writer() {
    for prefers_readers in [false, true] {
        let lock = if prefers_readers { UpgradableRwLock::reader_preferring(0) } else { UpgradableRwLock::new(0) };
        let reader = lock.read();
        let (asked, asking) = mpsc::channel();
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                asked.send(()).unwrap();
                *lock.write() += 1;
            });
            asking.recv().unwrap();
            if prefers_readers {
                assert!(lock.read_timeout(SHORT).is_some() && lock.try_read().is_some());
            } else {
                until(|| lock.try_read().is_none());
                assert!(lock.read_timeout(SHORT).is_none() && lock.try_upgradable_read().is_none());
            }
            assert!(lock.try_read_recursive().is_some() && *lock.read_recursive() == 0);
            drop(reader);
            writer.join().unwrap();
        });
        assert_eq!(lock.into_inner(), 1);
    }
}

#[test]
fn an_upgrade_waits_for_readers() {
    let lock = UpgradableRwLock::new(1);
    let reader = lock.read();
    let guard = UpgradableGuard::try_upgrade(lock.upgradable_read()).unwrap_err();
    assert!(lock.try_upgradable_read().is_none() && lock.try_write().is_none());
    drop(guard);
    thread::scope(|scope| {
        let upgrading = scope.spawn(|| {
            let mut guard = UpgradableGuard::upgrade(lock.upgradable_read());
            *guard += 1;
            let guard = UpgradableWriteGuard::downgrade(guard);
            assert!(lock.try_write().is_none() && lock.try_read().is_some());
            *guard
        });
        until(|| lock.try_read().is_none());
        assert_eq!((*reader, *lock.read_recursive()), (1, 1));
        drop(reader);
        assert_eq!(upgrading.join().unwrap(), 2);
    });
    let shared = UpgradableGuard::downgrade(lock.upgradable_read());
    assert!(lock.try_upgradable_read().is_some() && lock.try_write().is_none());
    drop(shared);
    assert!(lock.try_write().is_some());
}

#[test]
fn upgradable_timeouts() {
    let mut lock = UpgradableRwLock::new(1);
    let reader = lock.read();
    assert!(lock.write_timeout(SHORT).is_none());
    assert!(lock.try_read().is_some(), "a writer that gave up holds nobody up");
    drop(reader);
    *lock.write_timeout(LONG).unwrap() = 2;
    assert_eq!(*lock.read_timeout(LONG).unwrap(), 2);
    *lock.get_mut() = 3;
    assert_eq!(format!("{} {:?}", lock.read(), lock.write_timeout(SHORT)), "3 None");
}

#[test]
fn many_threads_upgrade() {
    let lock = UpgradableRwLock::new(0_u32);
    thread::scope(|scope| {
        for n in 0..6 {
            let lock = &lock;
            scope.spawn(move || {
                for _ in 0..200 {
                    match n % 3 {
                        0 => *lock.write() += 1,
                        1 => *UpgradableGuard::upgrade(lock.upgradable_read()) += 1,
                        _ => assert!(*lock.read() <= 800),
                    }
                }
            });
        }
    });
    assert_eq!(lock.into_inner(), 800);
}

#[test]
fn panics_leave_everything_usable() {
    let (permits, reentrant, lock) = (Semaphore::new(1), ReentrantLock::new(1), UpgradableRwLock::new(1));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _held = (permits.access(), reentrant.lock(), reentrant.lock(), lock.write());
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err() && permits.available_permits() == 1);
    thread::scope(|scope| assert_eq!(scope.spawn(|| *reentrant.lock()).join().unwrap(), 1));
    let written = *lock.write();
    assert_eq!(written + *UpgradableGuard::upgrade(lock.upgradable_read()), 2);
}

#[test]
fn unsized_values() {
    let lock: Box<UpgradableRwLock<[i32]>> = Box::new(UpgradableRwLock::new([1, 2]));
    assert_eq!(lock.read().len(), 2);
    let lock: Box<ReentrantLock<dyn Fn() -> i32 + Send>> = Box::new(ReentrantLock::new(|| 4));
    assert_eq!(lock.lock()(), 4);
}

trait Otherwise {
    const IMPLEMENTS: bool = false;
}

impl<T: ?Sized> Otherwise for T {}

/// Whether a type is `Send` and `Sync`.
macro_rules! crosses {
    ($type:ty) => {{
        struct SendAsked<T: ?Sized>(std::marker::PhantomData<T>);
        struct SyncAsked<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used only for types that implement the trait")]
        impl<T: ?Sized + Send> SendAsked<T> {
            const IMPLEMENTS: bool = true;
        }
        #[allow(dead_code, reason = "used only for types that implement the trait")]
        impl<T: ?Sized + Sync> SyncAsked<T> {
            const IMPLEMENTS: bool = true;
        }
        (<SendAsked<$type>>::IMPLEMENTS, <SyncAsked<$type>>::IMPLEMENTS)
    }};
}

#[test]
fn what_crosses_threads() {
    type Guarded = std::sync::MutexGuard<'static, i32>;
    assert_eq!((crosses!(Semaphore), crosses!(Latch)), ((true, true), (true, true)));
    assert_eq!(crosses!(Permit<'static>), (false, true));
    assert_eq!(crosses!(ReentrantLock<i32>), (true, true));
    assert_eq!(crosses!(ReentrantLock<Cell<i32>>), (true, true));
    assert_eq!(crosses!(ReentrantLock<Rc<i32>>), (false, false));
    assert_eq!(crosses!(ReentrantLock<Guarded>), (false, false));
    assert_eq!(crosses!(ReentrantLockGuard<'static, i32>), (false, true));
    assert_eq!(crosses!(ReentrantLockGuard<'static, Cell<i32>>), (false, false));
    assert_eq!(crosses!(UpgradableRwLock<i32>), (true, true));
    assert_eq!(crosses!(UpgradableRwLock<Cell<i32>>), (true, false));
    assert_eq!(crosses!(UpgradableRwLock<Rc<i32>>), (false, false));
    assert_eq!(crosses!(UpgradableRwLock<Guarded>), (false, false));
    assert_eq!(crosses!(UpgradableReadGuard<'static, i32>), (false, true));
    assert_eq!(crosses!(UpgradableGuard<'static, i32>), (false, true));
    assert_eq!(crosses!(UpgradableWriteGuard<'static, i32>), (false, true));
    assert_eq!(crosses!(UpgradableWriteGuard<'static, Cell<i32>>), (false, false));
}

#[test]
fn statics() {
    static PERMITS: Semaphore = Semaphore::new(1);
    static LATCH: Latch = Latch::new(1);
    static REENTRANT: ReentrantLock<Cell<i32>> = ReentrantLock::new(Cell::new(1));
    static LOCK: UpgradableRwLock<Mutex<i32>> = UpgradableRwLock::new(Mutex::new(1));
    LATCH.count_down();
    assert!(PERMITS.try_acquire() && LATCH.is_open() && REENTRANT.lock().get() == 1);
    assert_eq!(*LOCK.read().lock().unwrap(), 1);
}
