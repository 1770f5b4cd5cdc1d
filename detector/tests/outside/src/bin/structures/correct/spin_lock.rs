//! A lock that spins.

use instrumented_sync::{
    atomic::{AtomicBool, Ordering},
    cell::UnsafeCell,
    hint::spin_loop,
};
use std::thread::yield_now;

pub struct SpinLock<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut n = 0;
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            n += 1;
            if n % 64 == 0 {
                yield_now();
            }
            spin_loop();
        }
        let result = self.value.with_mut(|value| f(unsafe { &mut *value })); // races
        self.locked.store(false, Ordering::Release); // store
        result
    }
}

pub fn run(n: usize) -> bool {
    let counter = SpinLock::new(0_u64);
    crate::two(n, &counter, |counter, turn| {
        for _ in turn.operations() {
            counter.with(|value| *value += 1);
        }
    })
}
