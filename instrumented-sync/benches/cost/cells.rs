//! Rows on cells: accesses that repeat, that are new, and that alternate with a lock.

use crate::rows::{Run, timed};
use std::hint::black_box;

/// Names of the rows. tracing-mutex has none of them.
pub(crate) const NAMES: [&str; 5] = ["cell-read", "cell-write", "cell-mark", "cell-new", "cell-locked"];

/// Cells of the row `cell-new`: more than a thread remembers, so that each access is new.
const CELLS: usize = 1024;

/// What stands for the rows where nothing is recorded: std's cell, lent as ours.
mod plain {
    pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(super) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        pub(super) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    macro_rules! read_of {
        ($place:expr) => {
            let _ = &raw const $place;
        };
    }
    pub(super) use read_of;
}

macro_rules! rows {
    ($name:ident, $cell:path, $mark:path, $mutex:path) => {
        pub(crate) fn $name(row: &str) -> Option<Run> {
            use {$cell, $mark as mark, $mutex};

            fn add(cell: &UnsafeCell<u64>) {
                // SAFETY: here and below, a cell is used by this thread alone.
                cell.with_mut(|value| unsafe { *value += 1 });
            }

            let run: Run = match row {
                "cell-read" => |n| {
                    let cell = UnsafeCell::new(7_u64);
                    // SAFETY: as above.
                    let read = |cell: &UnsafeCell<u64>| cell.with(|value| unsafe { *value });
                    timed(n, || {
                        black_box(read(black_box(&cell)));
                    })
                },
                "cell-write" => |n| {
                    let cell = UnsafeCell::new(7_u64);
                    timed(n, || add(black_box(&cell)))
                },
                "cell-mark" => |n| {
                    let value = black_box(Box::new(7_u64));
                    timed(n, || {
                        mark!(*value);
                        black_box(*value);
                    })
                },
                "cell-new" => |n| {
                    let cells: Vec<_> = (0..CELLS as u64).map(UnsafeCell::new).collect();
                    let mut at = 0;
                    timed(n, || {
                        at = (at + 1) % CELLS;
                        add(&cells[at]);
                    })
                },
                "cell-locked" => |n| {
                    let (lock, cell) = (Mutex::new(()), UnsafeCell::new(7_u64));
                    timed(n, || {
                        let _held = black_box(&lock).lock().unwrap();
                        add(black_box(&cell));
                    })
                },
                _ => return None,
            };
            Some(run)
        }
    };
}

rows!(of_std, plain::UnsafeCell, plain::read_of, std::sync::Mutex);
rows!(of_instrumented, instrumented_sync::cell::UnsafeCell, instrumented_sync::read_of, instrumented_sync::Mutex);
