//! Locks under load: many threads, and sections that would overlap if they could.

use super::{
    sync::{Mutex, RwLock, TryLockError},
    thread,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const N_THREADS: usize = 12;
const N_ROUNDS: usize = 300;

/// Who is inside the sections of one lock.
#[derive(Default)]
struct Inside {
    readers: AtomicUsize,
    writers: AtomicUsize,
    sections: AtomicUsize,
}

impl Inside {
    fn write(&self) {
        assert_eq!(self.writers.fetch_add(1, SeqCst), 0, "two writers");
        assert_eq!(self.readers.load(SeqCst), 0, "a writer beside a reader");
        std::hint::spin_loop();
        assert_eq!(self.writers.fetch_sub(1, SeqCst), 1, "a writer came in");
        self.sections.fetch_add(1, SeqCst);
    }

    fn read(&self) {
        self.readers.fetch_add(1, SeqCst);
        assert_eq!(self.writers.load(SeqCst), 0, "a reader beside a writer");
        std::hint::spin_loop();
        assert_eq!(self.writers.load(SeqCst), 0, "a writer came in beside a reader");
        self.readers.fetch_sub(1, SeqCst);
        self.sections.fetch_add(1, SeqCst);
    }
}

/// Runs `f` in many threads, with the number of each.
fn in_many_threads(f: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for n in 0..N_THREADS {
            let f = &f;
            scope.spawn(move || f(n));
        }
    });
}

#[test]
fn a_mutex_admits_one_thread_at_a_time() {
    let (mutex, inside) = (Mutex::new(0), Inside::default());
    in_many_threads(|_| {
        for _ in 0..N_ROUNDS {
            let mut guard = mutex.lock().unwrap();
            inside.write();
            *guard += 1;
        }
    });
    assert_eq!(mutex.into_inner().unwrap(), N_THREADS * N_ROUNDS);
}

#[test]
fn who_only_tries_gets_in_alone_or_not_at_all() {
    let (mutex, inside) = (Mutex::new(0), Inside::default());
    let n_refused = AtomicUsize::new(0);
    in_many_threads(|n| {
        for _ in 0..N_ROUNDS {
            // Half of the threads try, so that some tries meet a holder that waits for its turn.
            let mut guard = match if n % 2 == 0 { mutex.try_lock() } else { Ok(mutex.lock().unwrap()) } {
                Ok(guard) => guard,
                Err(TryLockError::WouldBlock) => {
                    n_refused.fetch_add(1, SeqCst);
                    continue;
                }
                Err(TryLockError::Poisoned(_)) => panic!("nobody panicked"),
            };
            inside.write();
            *guard += 1;
        }
    });
    let n_sections = mutex.into_inner().unwrap();
    assert_eq!(n_sections, inside.sections.into_inner());
    assert_eq!(n_sections + n_refused.into_inner(), N_THREADS * N_ROUNDS);
}

#[test]
fn a_rwlock_admits_readers_or_one_writer() {
    let (lock, inside) = (RwLock::new(0), Inside::default());
    in_many_threads(|n| {
        for round in 0..N_ROUNDS {
            if (n + round) % 3 == 0 {
                let mut guard = lock.write().unwrap();
                inside.write();
                *guard += 1;
            } else {
                let guard = lock.read().unwrap();
                let seen = *guard;
                inside.read();
                assert_eq!(*guard, seen, "a writer wrote beside a reader");
            }
        }
    });
    assert_eq!(lock.into_inner().unwrap(), N_THREADS * N_ROUNDS / 3);
    assert_eq!(inside.sections.into_inner(), N_THREADS * N_ROUNDS);
}

#[test]
fn who_only_tries_a_rwlock_keeps_to_its_rules() {
    let (lock, inside) = (RwLock::new(0), Inside::default());
    let n_written = AtomicUsize::new(0);
    in_many_threads(|n| {
        for round in 0..N_ROUNDS {
            match (n + round) % 4 {
                0 => drop(lock.try_read().map(|_guard| inside.read())),
                1 => drop(lock.read().map(|_guard| inside.read())),
                _ => {
                    if let Ok(mut guard) = lock.try_write() {
                        inside.write();
                        *guard += 1;
                        n_written.fetch_add(1, SeqCst);
                    }
                }
            }
        }
    });
    assert_eq!(lock.into_inner().unwrap(), n_written.into_inner());
}

#[test]
fn a_try_beside_readers_succeeds_for_readers_only() {
    let lock = RwLock::new(5);
    let outside = lock.read().unwrap();
    in_many_threads(|_| {
        for _ in 0..20 {
            assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
            // Nobody waits to write, and those who try do not either.
            assert_eq!(*lock.try_read().unwrap(), 5);
        }
    });
    drop(outside);
    assert!(lock.try_write().is_ok());
}

#[test]
fn what_two_locks_protect_is_moved_without_loss() {
    const N_ACCOUNTS: usize = 6;
    let accounts: [Mutex<i64>; N_ACCOUNTS] = std::array::from_fn(|_| Mutex::new(100));
    in_many_threads(|n| {
        for round in 0..N_ROUNDS {
            let (a, b) = ((n + round) % N_ACCOUNTS, (n * 5 + round * 3 + 1) % N_ACCOUNTS);
            if a == b {
                continue;
            }
            let mut first = accounts[a.min(b)].lock().unwrap();
            let mut second = accounts[a.max(b)].lock().unwrap();
            *first -= 1;
            *second += 1;
        }
    });
    assert_eq!(accounts.map(|account| account.into_inner().unwrap()).iter().sum::<i64>(), 600);
}

#[test]
fn turns_are_taken_in_the_order_that_the_content_says() {
    let (turn, order) = (Mutex::new(0), Mutex::new(Vec::new()));
    in_many_threads(|n| {
        loop {
            let mut guard = turn.lock().unwrap();
            if *guard == n {
                order.lock().unwrap().push(n);
                *guard += 1;
                return;
            }
            drop(guard);
            thread::yield_now();
        }
    });
    assert!(order.into_inner().unwrap().into_iter().eq(0..N_THREADS));
}

#[test]
fn one_lock_for_each_thread_is_never_waited_for() {
    let locks: [Mutex<usize>; N_THREADS] = std::array::from_fn(Mutex::new);
    in_many_threads(|n| {
        for _ in 0..N_ROUNDS {
            *locks[n].try_lock().unwrap() += 1;
        }
    });
    assert!(locks.into_iter().map(|lock| lock.into_inner().unwrap()).eq(N_ROUNDS..N_ROUNDS + N_THREADS));
}
