//! What locks hold: of any size, dropped once; and where their guards may go.

use super::{
    sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult},
    thread,
};
use crate::panic_text;
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

/// Counts how often it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Whether a try was refused; by value, so that what it got is free again.
#[expect(clippy::needless_pass_by_value, reason = "the guard is to be dropped")]
fn would_block<G>(result: TryLockResult<G>) -> bool {
    matches!(result, Err(TryLockError::WouldBlock))
}

#[test]
fn a_content_is_dropped_once() {
    let n_dropped = AtomicUsize::new(0);
    let dropped_since = |n: usize| n_dropped.swap(0, SeqCst) == n;
    drop((Mutex::new(Counted(&n_dropped)), RwLock::new(Counted(&n_dropped))));
    assert!(dropped_since(2));

    let (mutex, lock) = (Mutex::new(Counted(&n_dropped)), RwLock::new(Counted(&n_dropped)));
    let contents = (mutex.into_inner().unwrap(), lock.into_inner().unwrap());
    assert!(dropped_since(0));
    drop(contents);
    assert!(dropped_since(2));

    let (mutex, lock) = (Mutex::new(Counted(&n_dropped)), RwLock::new(Counted(&n_dropped)));
    *mutex.lock().unwrap() = Counted(&n_dropped);
    *lock.write().unwrap() = Counted(&n_dropped);
    assert!(dropped_since(2), "what was replaced is gone");
    drop((mutex, lock));
    assert!(dropped_since(2));
}

#[test]
fn a_content_is_dropped_whatever_became_of_its_lock() {
    let n_dropped = AtomicUsize::new(0);
    let (mutex, lock) = (Mutex::new(Counted(&n_dropped)), RwLock::new(Counted(&n_dropped)));
    panic_text(|| {
        let _guards = (mutex.lock().unwrap(), lock.write().unwrap());
        panic!("poison");
    });
    drop((mutex, lock));
    assert_eq!(n_dropped.swap(0, SeqCst), 2);

    let (mutex, lock) = (Mutex::new(Counted(&n_dropped)), RwLock::new(Counted(&n_dropped)));
    std::mem::forget((mutex.lock().unwrap(), lock.read().unwrap()));
    drop((mutex, lock));
    assert_eq!(n_dropped.swap(0, SeqCst), 2);
}

#[test]
fn the_last_of_those_who_share_a_lock_drops_it() {
    static N_DROPPED: AtomicUsize = AtomicUsize::new(0);
    let shared = Arc::new(Mutex::new((0, Counted(&N_DROPPED))));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.lock().unwrap().0 += 1)
        })
        .collect();
    let weak = Arc::downgrade(&shared);
    assert!(shared.lock().unwrap().0 <= 8);
    drop(shared);
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(weak.upgrade().is_none());
    assert_eq!(N_DROPPED.load(SeqCst), 1);
}

#[test]
fn destructors_lock_further_locks() {
    struct Logs<'a>(&'a Mutex<Vec<&'a str>>, &'a str);
    impl Drop for Logs<'_> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    let log = Mutex::new(Vec::new());
    let inner = Mutex::new(Some(Logs(&log, "inner")));
    let outer = RwLock::new(vec![Logs(&log, "first"), Logs(&log, "second")]);
    {
        let mut guard = outer.write().unwrap();
        drop(inner.lock().unwrap().take());
        guard.remove(0);
        assert_eq!(*log.lock().unwrap(), ["inner", "first"]);
    }
    drop(outer);
    assert_eq!(*log.lock().unwrap(), ["inner", "first", "second"]);
}

#[test]
fn a_chain_of_locks_drops_through_itself() {
    struct Link<'a> {
        depth: usize,
        n_dropped: &'a Mutex<usize>,
        next: Mutex<Option<Box<Link<'a>>>>,
    }
    impl Drop for Link<'_> {
        fn drop(&mut self) {
            *self.n_dropped.lock().unwrap() += 1;
            let next = self.next.lock().unwrap().take();
            assert!(next.as_ref().is_none_or(|next| next.depth == self.depth + 1));
            drop(next);
        }
    }
    let n_dropped = Mutex::new(0);
    let mut chain = None;
    for depth in (0..100).rev() {
        chain = Some(Box::new(Link { depth, n_dropped: &n_dropped, next: Mutex::new(chain) }));
    }
    drop(chain);
    assert_eq!(*n_dropped.lock().unwrap(), 100);
}

#[test]
fn contents_of_no_size_lock() {
    let (unit, empty) = (Mutex::new(()), RwLock::new([0_u64; 0]));
    let (unit_guard, empty_guard) = (unit.lock().unwrap(), empty.write().unwrap());
    assert!(would_block(unit.try_lock()) && would_block(empty.try_read()));
    drop((unit_guard, empty_guard));
    assert!(empty.read().unwrap().is_empty());
    let mut nothing = Mutex::new(PhantomData::<String>);
    assert_eq!(*nothing.get_mut().unwrap(), PhantomData);
    assert_eq!(nothing.into_inner().unwrap(), PhantomData);
}

#[test]
fn contents_are_aligned_and_large() {
    #[repr(align(256))]
    struct Aligned(u8);
    let (mutex, lock) = (Box::new(Mutex::new(Aligned(1))), Box::new(RwLock::new(Aligned(2))));
    let (guard, reading) = (mutex.lock().unwrap(), lock.read().unwrap());
    assert_eq!((guard.0, reading.0), (1, 2));
    assert_eq!((std::ptr::from_ref(&*guard).addr() % 256, std::ptr::from_ref(&*reading).addr() % 256), (0, 0));

    let large = Mutex::new([7_u64; 2000]);
    large.lock().unwrap()[1999] = 8;
    assert_eq!(large.into_inner().unwrap().iter().sum::<u64>(), 1999 * 7 + 8);
}

#[test]
fn unsized_contents_are_dropped_and_shared() {
    let n_dropped = AtomicUsize::new(0);
    let slice: Box<Mutex<[Counted<'_>]>> = Box::new(Mutex::new([Counted(&n_dropped), Counted(&n_dropped)]));
    assert_eq!(slice.lock().unwrap().len(), 2);
    drop(slice);
    assert_eq!(n_dropped.load(SeqCst), 2);

    let numbers: Arc<RwLock<[usize]>> = Arc::new(RwLock::new([0; 4]));
    thread::scope(|scope| {
        for n in 0..4 {
            let numbers = &numbers;
            scope.spawn(move || numbers.write().unwrap()[n] += n);
        }
    });
    assert_eq!(*numbers.read().unwrap(), [0, 1, 2, 3]);
    let count: Arc<RwLock<dyn FnMut() -> u32 + Send + Sync>> = Arc::new(RwLock::new({
        let mut n = 0;
        move || {
            n += 1;
            n
        }
    }));
    assert_eq!((*count.write().unwrap())(), 1);
    assert_eq!((*count.try_write().unwrap())(), 2);
}

#[test]
fn locks_hold_locks() {
    let nested = Mutex::new(RwLock::new(Mutex::new(1)));
    let outer = nested.lock().unwrap();
    let middle = outer.read().unwrap();
    *middle.lock().unwrap() += 1;
    assert!(would_block(outer.try_write()) && would_block(nested.try_lock()));
    drop(middle);
    drop(outer);
    let inner = nested.into_inner().unwrap().into_inner().unwrap();
    assert_eq!(inner.into_inner().unwrap(), 2);
}

#[test]
fn guards_are_moved() {
    fn taken(mutex: &Mutex<i32>) -> MutexGuard<'_, i32> {
        let mut guard = mutex.lock().unwrap();
        *guard += 1;
        guard
    }
    let mutex = Mutex::new(0);
    let mut guard = taken(&mutex);
    let mut adds = move || {
        *guard += 10;
        *guard
    };
    assert_eq!((adds(), adds()), (11, 21));
    assert!(would_block(mutex.try_lock()));
    drop(adds);

    let boxed = Box::new(Some(mutex.try_lock().unwrap()));
    assert!(would_block(mutex.try_lock()));
    drop(boxed);
    assert_eq!(*mutex.try_lock().unwrap(), 21);
}

#[test]
fn a_guard_is_replaced_by_another() {
    let (mutex, lock) = (Mutex::new(1), RwLock::new(2));
    let locks = [&mutex, &Mutex::new(3)];
    let mut guard = locks[0].lock().unwrap();
    assert_eq!(*guard, 1);
    guard = locks[1].lock().unwrap();
    assert_eq!(*guard, 3);
    assert!(mutex.try_lock().is_ok() && would_block(locks[1].try_lock()));

    let mut guards: Vec<RwLockReadGuard<'_, i32>> = (0..5).map(|_| lock.read().unwrap()).collect();
    guards.swap(0, 4);
    guards.truncate(1);
    assert!(would_block(lock.try_write()));
    guards.clear();
    let guard: RwLockWriteGuard<'_, i32> = lock.try_write().unwrap();
    assert_eq!(*guard, 2);
}

#[test]
fn guards_are_borrowed_by_other_threads() {
    let (mutex, lock) = (Mutex::new(vec![1, 2]), RwLock::new(3));
    let (guard, reading) = (mutex.lock().unwrap(), lock.read().unwrap());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(guard.iter().sum::<i32>(), *reading));
        }
    });
}

#[test]
fn exclusive_access_needs_no_lock_and_frees_none() {
    let (mut mutex, mut lock) = (Mutex::new(1), RwLock::new(1));
    std::mem::forget((mutex.lock().unwrap(), lock.write().unwrap()));
    *mutex.get_mut().unwrap() += 1;
    *lock.get_mut().unwrap() += 1;
    assert!(would_block(mutex.try_lock()) && would_block(lock.try_read()));
    assert_eq!((mutex.into_inner().unwrap(), lock.into_inner().unwrap()), (2, 2));
}

#[test]
fn a_leaked_reader_keeps_writers_out() {
    let lock = RwLock::new(1);
    std::mem::forget(lock.read().unwrap());
    assert_eq!(*lock.try_read().unwrap(), 1);
    assert!(would_block(lock.try_write()));
}
