//! `Condvar`.

use super::super::MutexGuard;
use crate::{
    backend::Wait,
    identity::Identity,
    probe::{self, Site},
    sync::{condvar::tickets::Tickets, deadline::Deadline},
    trace::{Labelled, sealed},
};
use std::{
    fmt,
    panic::Location,
    time::{Duration, Instant},
};
use trace_format::{Flags, ObjectKind};

/// As `parking_lot::WaitTimeoutResult`, whose values only `parking_lot` can make.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the wait is known to have ended because the time was over.
    #[must_use]
    pub fn timed_out(self) -> bool {
        self.0
    }
}

/// Drop-in for `parking_lot::Condvar`. Waits do not end for no reason.
///
/// ```
/// use instrumented_sync::{parking_lot::{Condvar, Mutex}, thread};
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         *ready.lock() = true;
///         changed.notify_one();
///     });
///     let mut guard = ready.lock();
///     changed.wait_while(&mut guard, |ready| !*ready);
///     assert!(*guard);
/// });
/// ```
pub struct Condvar {
    identity: Identity,
    tickets: Tickets,
}

impl Condvar {
    /// As `parking_lot::Condvar::new`.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), tickets: Tickets::new() }
    }

    /// As `parking_lot::Condvar::notify_one`. Says whether a thread was woken.
    #[track_caller]
    pub fn notify_one(&self) -> bool {
        self.tickets.notify(probe::operation_if_recording(&self.identity, class, Location::caller()), Flags::NONE) > 0
    }

    /// As `parking_lot::Condvar::notify_all`. Says how many threads were woken.
    #[track_caller]
    pub fn notify_all(&self) -> usize {
        self.tickets.notify(probe::operation_if_recording(&self.identity, class, Location::caller()), Flags::ALL)
    }

    /// As `parking_lot::Condvar::wait`.
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, mutex_guard: &mut MutexGuard<'_, T>) {
        self.wait_within(mutex_guard, Deadline::NEVER, Location::caller());
    }

    /// As `parking_lot::Condvar::wait_until`.
    #[track_caller]
    pub fn wait_until<T: ?Sized>(&self, mutex_guard: &mut MutexGuard<'_, T>, timeout: Instant) -> WaitTimeoutResult {
        self.wait_within(mutex_guard, Deadline::at(timeout), Location::caller())
    }

    /// As `parking_lot::Condvar::wait_for`.
    #[track_caller]
    pub fn wait_for<T: ?Sized>(&self, mutex_guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
        self.wait_within(mutex_guard, Deadline::after(timeout), Location::caller())
    }

    /// As `parking_lot::Condvar::wait_while`.
    #[track_caller]
    pub fn wait_while<T, F>(&self, mutex_guard: &mut MutexGuard<'_, T>, condition: F)
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_within(mutex_guard, condition, Deadline::NEVER, Location::caller());
    }

    /// As `parking_lot::Condvar::wait_while_until`.
    #[track_caller]
    pub fn wait_while_until<T, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        condition: F,
        timeout: Instant,
    ) -> WaitTimeoutResult
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_within(mutex_guard, condition, Deadline::at(timeout), Location::caller())
    }

    /// As `parking_lot::Condvar::wait_while_for`.
    #[track_caller]
    pub fn wait_while_for<T: ?Sized, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        condition: F,
        timeout: Duration,
    ) -> WaitTimeoutResult
    where
        F: FnMut(&mut T) -> bool,
    {
        let deadline = Deadline::after(timeout);
        self.wait_while_within(mutex_guard, condition, deadline, Location::caller())
    }

    fn wait_within<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Deadline,
        site: Site,
    ) -> WaitTimeoutResult {
        let operation = probe::operation_if_recording(&self.identity, class, site);
        let wait = Wait { operation, deadline, site };
        // SAFETY: the guard holds the mutex, and is borrowed until it does so again.
        let notify = unsafe { MutexGuard::mutex(guard).raw().wait_for(&self.tickets, wait) };
        WaitTimeoutResult(notify.is_none())
    }

    fn wait_while_within<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: Deadline,
        site: Site,
    ) -> WaitTimeoutResult {
        let mut result = WaitTimeoutResult(false);
        while !result.timed_out() && condition(&mut **guard) {
            result = self.wait_within(guard, deadline, site);
        }
        result
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Condvar, "")
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Condvar { .. }")
    }
}

impl sealed::Sealed for Condvar {}

impl Labelled for Condvar {
    fn label(&self, text: &str) {
        probe::label(&self.identity, class, text);
    }
}
