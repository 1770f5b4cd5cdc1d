//! What the programs share.

pub mod hangs;
pub mod line_up;

use instrumented_sync::{Arc, Mutex};

pub fn two() -> (Arc<Mutex<u32>>, Arc<Mutex<u32>>) {
    (Arc::new(Mutex::new(1)), Arc::new(Mutex::new(2)))
}

/// A user's own way to lock: two bugs that go through it are two bugs.
#[inline(never)]
pub fn lock(mutex: &Mutex<u32>) -> instrumented_sync::MutexGuard<'_, u32> {
    mutex.lock().unwrap()
}
