//! How long a wait may last.

use crate::{
    native::{self, Instant},
    probe::Flags,
};
use std::{sync::PoisonError, time::Duration};

/// When a wait gives up, if it does.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The wait lasts until what it waits for is there.
    pub(crate) const NEVER: Self = Self(None);

    /// The wait gives up after `timeout`; never, if no clock goes that far.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// The wait gives up at `time`.
    #[cfg(all(recorded, any(feature = "parking_lot", feature = "parking_lot_013")))]
    pub(crate) const fn at(time: Instant) -> Self {
        Self(Some(time))
    }

    pub(crate) const fn is_timed(self) -> bool {
        self.0.is_some()
    }

    /// What events say of it.
    pub(crate) const fn flags(self) -> Flags {
        Flags::TIMED.when(self.is_timed())
    }

    /// What is left of the time, zero once it is over; `None` if it has no end.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Sleeps until `changed` is notified, or for no reason, but no longer than to the deadline.
    ///
    /// # Errors
    ///
    /// The time is over, and was before the call; the error holds the guard.
    pub(crate) fn sleep<'a, T>(
        self,
        changed: &native::Condvar,
        guard: native::MutexGuard<'a, T>,
    ) -> Result<native::MutexGuard<'a, T>, native::MutexGuard<'a, T>> {
        let Some(left) = self.left() else {
            return Ok(changed.wait(guard).unwrap_or_else(PoisonError::into_inner));
        };
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
