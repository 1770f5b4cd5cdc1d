//! Waiting until something is initialised, without being ready to initialise it.
//!
//! std's `Once::wait` and `OnceLock::wait` came with Rust 1.86; this crate builds with 1.85.

use crate::native;
use std::sync::PoisonError;

/// Where threads sleep until another thread has initialised something.
pub(super) struct Completion {
    state: native::Mutex<State>,
    changed: native::Condvar,
}

struct State {
    n_waiting: u32,
    /// Whether the latest attempt has failed.
    poisoned: bool,
}

/// While it lives, an attempt runs; dropping it means that the attempt has failed.
struct Running<'a>(&'a Completion);

impl Completion {
    pub(super) const fn new() -> Self {
        let state = State { n_waiting: 0, poisoned: false };
        Self { state: native::Mutex::new(state), changed: native::Condvar::new() }
    }

    /// Sleeps until `is_complete`, or until an attempt has failed if that ends the wait too. Says whether it is complete.
    pub(super) fn wait(&self, is_complete: impl Fn() -> bool, poison_ends_it: bool) -> bool {
        let mut state = self.lock();
        state.n_waiting += 1;
        while !(is_complete() || poison_ends_it && state.poisoned) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.n_waiting -= 1;
        drop(state);
        is_complete()
    }

    /// Runs an attempt; if it fails, those who wait hear of it.
    pub(super) fn attempt<R>(&self, f: impl FnOnce() -> R) -> R {
        self.tell(false);
        let running = Running(self);
        let result = f();
        std::mem::forget(running);
        result
    }

    /// Tells those who wait that it is complete. It has to be by now: whoever looks before this call and sees that it
    /// is not, is counted by the time of this call.
    pub(super) fn complete(&self) {
        self.tell(false);
    }

    fn tell(&self, poisoned: bool) {
        let mut state = self.lock();
        state.poisoned = poisoned;
        if state.n_waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> native::MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.tell(true);
    }
}
