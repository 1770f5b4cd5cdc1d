//! Mutexes and read-write locks.

use super::{
    sync::{Arc, Barrier, Condvar, Mutex, RwLock, TryLockError},
    thread,
};
use crate::A_WHILE;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[test]
fn a_mutex_excludes() {
    let mutex = Mutex::new(0_u64);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let mut guard = mutex.lock().unwrap();
                    let seen = *guard;
                    std::hint::black_box(&seen);
                    *guard = seen + 1;
                }
            });
        }
    });
    assert_eq!(mutex.into_inner().unwrap(), 8000);
}

#[test]
fn lock_blocks_until_the_guard_is_dropped() {
    let (mutex, freed) = (Mutex::new(()), AtomicBool::new(false));
    let guard = mutex.lock().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = mutex.lock().unwrap();
            assert!(freed.load(SeqCst));
        });
        thread::sleep(A_WHILE);
        freed.store(true, SeqCst);
        drop(guard);
    });
}

#[test]
fn try_lock_never_blocks() {
    let mutex = Mutex::new(1);
    let guard = mutex.try_lock().unwrap();
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(guard);
    *mutex.try_lock().unwrap() = 2;
    assert_eq!(*mutex.lock().unwrap(), 2);
}

#[test]
fn readers_share_and_writers_do_not() {
    const N_READERS: usize = 8;
    let (lock, all_read) = (RwLock::new(7), Barrier::new(N_READERS));
    thread::scope(|scope| {
        for _ in 0..N_READERS {
            scope.spawn(|| {
                let guard = lock.read().unwrap();
                // Nobody passes before all hold the lock.
                all_read.wait();
                assert_eq!(*guard, 7);
                assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
                all_read.wait();
            });
        }
    });
    let guard = lock.write().unwrap();
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(guard);
    let first = lock.try_read().unwrap();
    let second = lock.try_read().unwrap();
    drop(first);
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(second);
    *lock.try_write().unwrap() = 8;
    assert_eq!(lock.into_inner().unwrap(), 8);
}

#[test]
fn a_writer_waits_for_readers_and_readers_for_a_writer() {
    let lock = RwLock::new(0);
    let reader = lock.read().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| *lock.write().unwrap() += 1);
        thread::sleep(A_WHILE);
        assert_eq!(*reader, 0);
        drop(reader);
    });
    let mut writer = lock.write().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(*lock.read().unwrap(), 2));
        thread::sleep(A_WHILE);
        *writer = 2;
        drop(writer);
    });
}

#[test]
fn readers_and_writers_mixed_lose_nothing() {
    let lock = RwLock::new((0_u32, 0_u32));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let mut guard = lock.write().unwrap();
                    guard.0 += 1;
                    guard.1 += 1;
                }
            });
            scope.spawn(|| {
                for _ in 0..1000 {
                    let guard = lock.read().unwrap();
                    assert_eq!(guard.0, guard.1);
                }
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), (2000, 2000));
}

#[test]
fn locks_unsize() {
    let slice: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
    slice.lock().unwrap()[0] = 4;
    assert_eq!(slice.lock().unwrap().iter().sum::<i32>(), 9);
    let object: Arc<Mutex<dyn std::fmt::Display + Send>> = Arc::new(Mutex::new(5));
    let shared = Arc::clone(&object);
    assert_eq!(thread::spawn(move || shared.lock().unwrap().to_string()).join().unwrap(), "5");
    assert_eq!(object.try_lock().unwrap().to_string(), "5");
    let function: Box<Mutex<dyn FnMut() -> i32>> = Box::new(Mutex::new(|| 6));
    assert_eq!((*function.lock().unwrap())(), 6);

    let slice: &RwLock<[i32]> = &RwLock::new([1, 2, 3]);
    slice.write().unwrap()[2] = 0;
    assert_eq!(slice.read().unwrap().len(), 3);
    let object: Box<RwLock<dyn std::fmt::Debug>> = Box::new(RwLock::new("text"));
    assert_eq!(format!("{:?}", &*object.read().unwrap()), "\"text\"");
}

static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static LIMITS: RwLock<[u8; 2]> = RwLock::new([1, 2]);
static CHANGED: Condvar = Condvar::new();

#[test]
fn statics_are_made_at_compile_time() {
    NAMES.lock().unwrap().push("one");
    assert_eq!(*NAMES.lock().unwrap(), ["one"]);
    LIMITS.write().unwrap()[0] = 3;
    assert_eq!(*LIMITS.read().unwrap(), [3, 2]);
    CHANGED.notify_all();
}

#[test]
fn defaults_and_conversions() {
    assert_eq!(Mutex::<String>::default().into_inner().unwrap(), "");
    assert_eq!(RwLock::<Vec<u8>>::default().into_inner().unwrap(), []);
    assert_eq!(Mutex::from(4).into_inner().unwrap(), 4);
    assert_eq!(RwLock::from("a").into_inner().unwrap(), "a");
    let lock: Mutex<u8> = 5.into();
    assert_eq!(*lock.lock().unwrap(), 5);
    Condvar::default().notify_one();
}

#[test]
fn a_leaked_guard_keeps_its_lock() {
    let mutex = Mutex::new(1);
    std::mem::forget(mutex.lock().unwrap());
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    assert_eq!(mutex.into_inner().unwrap(), 1);
}

#[test]
fn guards_drop_in_any_order() {
    let locks: [Mutex<usize>; 5] = std::array::from_fn(Mutex::new);
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
        let mut guards = locks.each_ref().map(|lock| Some(lock.lock().unwrap()));
        for n in order {
            assert_eq!(guards[n].take().map(|guard| *guard), Some(n));
            assert!(locks[n].try_lock().is_ok());
        }
    }
}

#[test]
fn a_guard_is_reached_through_projections() {
    #[derive(Default)]
    struct Account {
        owner: String,
        balance: i64,
    }
    let account = Mutex::new(Account::default());
    let mut guard = account.lock().unwrap();
    let Account { owner, balance } = &mut *guard;
    owner.push('x');
    *balance -= 1;
    drop(guard);
    let guard = account.lock().unwrap();
    assert_eq!((guard.owner.as_str(), guard.balance), ("x", -1));
}
