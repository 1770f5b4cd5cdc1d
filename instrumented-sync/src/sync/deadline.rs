//! How long a wait may last.

use crate::{
    native::{self, Instant},
    probe::Flags,
};
use std::{sync::PoisonError, time::Duration};

/// When a wait gives up, if it does.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// The wait lasts until what it waits for is there.
    pub(super) const NEVER: Self = Self(None);

    /// The wait gives up after `timeout`; never, if no clock goes that far.
    pub(super) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    pub(super) const fn is_timed(self) -> bool {
        self.0.is_some()
    }

    /// What events say of it.
    pub(super) const fn flags(self) -> Flags {
        if self.is_timed() { Flags::TIMED } else { Flags::NONE }
    }

    /// Sleeps until `changed` is notified, or for no reason, but no longer than to the deadline.
    ///
    /// # Errors
    ///
    /// The time is over, and was before the call; the error holds the guard.
    pub(super) fn sleep<'a, T>(
        self,
        changed: &native::Condvar,
        guard: native::MutexGuard<'a, T>,
    ) -> Result<native::MutexGuard<'a, T>, native::MutexGuard<'a, T>> {
        let Some(deadline) = self.0 else {
            return Ok(changed.wait(guard).unwrap_or_else(PoisonError::into_inner));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(guard);
        }
        Ok(changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// Locks what no panic leaves half changed.
pub(crate) fn lock<T>(mutex: &native::Mutex<T>) -> native::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
