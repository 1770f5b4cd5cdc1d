//! The rows: one text each, for std, for the wrappers, and for tracing-mutex.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Names of the rows.
pub(crate) const NAMES: [&str; 12] = [
    "lock",
    "nested",
    "nested-2-threads",
    "random-nested",
    "read",
    "work",
    "atomic-load",
    "atomic-loads",
    "atomic-store",
    "atomic-store-seq",
    "atomic-add",
    "atomic-exchange",
];

/// Locks of the row `random-nested`.
const LOCKS: usize = 10_000;

/// Variables of the row `atomic-loads`.
const VARIABLES: usize = 256;

/// Runs an operation so many times and says how long it took.
pub(crate) type Run = fn(u64) -> Duration;

/// Updates of one section in the row `work`: enough for the lock itself not to matter, only what each access
/// through the guard costs.
const UPDATES: usize = 1024;

/// Two threads, each with locks of its own: from the moment when both are ready until both have finished.
fn two_threads(body: impl Fn() + Sync) -> Duration {
    let ready = Barrier::new(3);
    thread::scope(|scope| {
        let started: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    body();
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        for thread in started {
            thread.join().expect("a thread of a benchmark does not panic");
        }
        start.elapsed()
    })
}

pub(crate) fn timed(n: u64, mut operation: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        operation();
    }
    start.elapsed()
}

macro_rules! rows {
    ($name:ident, $atomics:ident, $($root:ident)::+) => {
        pub(crate) fn $name(row: &str) -> Run {
            use $($root)::+::{Mutex, RwLock};
            match row {
                atomic if atomic.starts_with("atomic-") => $atomics(atomic),
                "lock" => |n| {
                    let lock = Mutex::new(0_u64);
                    timed(n, || *black_box(&lock).lock().unwrap() += 1)
                },
                "nested" => |n| {
                    let (outer, inner) = (Mutex::new(0_u64), Mutex::new(0_u64));
                    timed(n, || {
                        let _outer = black_box(&outer).lock().unwrap();
                        *black_box(&inner).lock().unwrap() += 1;
                    })
                },
                "nested-2-threads" => |n| {
                    two_threads(|| {
                        let (outer, inner) = (Mutex::new(0_u64), Mutex::new(0_u64));
                        timed(n, || {
                            let _outer = black_box(&outer).lock().unwrap();
                            *black_box(&inner).lock().unwrap() += 1;
                        });
                    })
                },
                "random-nested" => |n| {
                    let locks: Vec<_> = (0..LOCKS).map(|_| Mutex::new(0_u64)).collect();
                    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
                    timed(n, || {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let (a, b) = (random as usize % LOCKS, (random >> 32) as usize % LOCKS);
                        // In index order, so that nothing is wrong with it.
                        let _outer = locks[a.min(b)].lock().unwrap();
                        if a != b {
                            *locks[a.max(b)].lock().unwrap() += 1;
                        }
                    })
                },
                "read" => |n| {
                    let lock = RwLock::new(7_u64);
                    timed(n, || {
                        black_box(*black_box(&lock).read().unwrap());
                    })
                },
                _ => |n| {
                    let lock = Mutex::new([0_u64; 16]);
                    timed(n, || {
                        let mut counts = black_box(&lock).lock().unwrap();
                        for update in 0..UPDATES {
                            let count = black_box(update * 7 % 16);
                            counts[count] += update as u64;
                        }
                    })
                },
            }
        }
    };
}

/// Atomic operations that nobody else is at.
macro_rules! atomics {
    ($name:ident, $($root:ident)::+) => {
        fn $name(row: &str) -> Run {
            use $($root)::+::atomic::{AtomicU64, Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst}};
            match row {
                // The same again and again, which is recorded once.
                "atomic-load" => |n| {
                    let number = AtomicU64::new(7);
                    timed(n, || {
                        black_box(black_box(&number).load(Acquire));
                    })
                },
                // Each of another variable than those before it, and recorded.
                "atomic-loads" => |n| {
                    let numbers: Vec<_> = (0..VARIABLES).map(|n| AtomicU64::new(n as u64)).collect();
                    let mut at = 0;
                    timed(n, || {
                        at = (at + 7) % VARIABLES;
                        black_box(black_box(&numbers)[at].load(Acquire));
                    })
                },
                "atomic-store" => |n| {
                    let number = AtomicU64::new(7);
                    timed(n, || black_box(&number).store(8, Release))
                },
                "atomic-store-seq" => |n| {
                    let number = AtomicU64::new(7);
                    timed(n, || black_box(&number).store(8, SeqCst))
                },
                "atomic-add" => |n| {
                    let number = AtomicU64::new(7);
                    timed(n, || {
                        black_box(black_box(&number).fetch_add(1, Relaxed));
                    })
                },
                _ => |n| {
                    let number = AtomicU64::new(7);
                    timed(n, || {
                        black_box(black_box(&number).compare_exchange(7, 7, AcqRel, Acquire)).unwrap();
                    })
                },
            }
        }
    };
}

/// tracing-mutex has none.
fn of_nobody(_: &str) -> Run {
    |_| Duration::ZERO
}

atomics!(atomics_of_std, std::sync);
atomics!(atomics_of_instrumented, instrumented_sync);

rows!(of_std, atomics_of_std, std::sync);
rows!(of_instrumented, atomics_of_instrumented, instrumented_sync);
rows!(of_tracing_mutex, of_nobody, tracing_mutex::stdsync::tracing);
