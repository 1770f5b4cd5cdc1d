//! `Condvar`: a queue of [`tickets`], so that each wake-up knows its notify.
//!
//! While recording, a waiter queues a ticket, releases the mutex, sleeps on the ticket, and takes the mutex
//! again: the moment between waking and re-acquiring is visible. A notify takes tickets from the front. While
//! not recording, std's own condition variable does everything. A notify serves both, since threads may have
//! begun to wait before recording was switched on.

pub(crate) mod tickets;

use self::tickets::Tickets;
use crate::{
    held::{Held, Hold},
    identity::Identity,
    native, probe,
    sync::{
        deadline::Deadline,
        mutex::{Mutex, MutexGuard},
    },
    trace::{Labelled, sealed},
};
use std::{
    fmt,
    panic::Location,
    sync::LockResult,
    time::{Duration, Instant},
};
use trace_format::{Flags, ObjectKind};

/// Drop-in for [`std::sync::Condvar`].
///
/// ```
/// use instrumented_sync::{Condvar, Mutex, thread};
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         *ready.lock().unwrap() = true;
///         changed.notify_one();
///     });
///     let guard = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
///     assert!(*guard);
/// });
/// ```
pub struct Condvar {
    identity: Identity,
    tickets: Tickets,
    native: native::Condvar,
}

/// Drop-in for [`std::sync::WaitTimeoutResult`], whose values only std can make.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// As [`std::sync::WaitTimeoutResult::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// As [`std::sync::Condvar::new`].
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), tickets: Tickets::new(), native: native::Condvar::new() }
    }

    /// As [`std::sync::Condvar::wait`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let site = Location::caller();
        let (hold, locked) = guard.into_parts();
        let (native, mutex) = Mutex::parts(locked);
        if hold.is_recorded() {
            return self.wait_ticket((hold, native), mutex, None, site).0;
        }
        probe::map(self.native.wait(native), |native| Held::new(hold, mutex.locked(native)))
    }

    /// As [`std::sync::Condvar::wait_while`].
    ///
    /// records: waits as [`Self::wait`] does; and if the condition is false when it is first asked, that no wait was needed,
    /// since in another schedule one might have been. Once for each thread and call, or little more often; not if the data was
    /// borrowed mutably through the guard before, since others may notify only whom they find there.
    ///
    /// ```
    /// use instrumented_sync::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(true), Condvar::new());
    /// let guard = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
    /// assert!(*guard);
    /// ```
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[track_caller]
    pub fn wait_while<'a, T, F>(&self, mut guard: MutexGuard<'a, T>, mut condition: F) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        // Whoever counts itself among those that wait is told by others that look there: what they would have done is not known.
        let is_announced = guard.has_written();
        if !condition(&mut *guard) {
            if let Some(mutex) = guard.recorded_object().filter(|_| !is_announced) {
                probe::passed(&self.identity, class, mutex, Location::caller());
            }
            return Ok(guard);
        }
        loop {
            guard = self.wait(guard)?;
            if !condition(&mut *guard) {
                return Ok(guard);
            }
        }
    }

    /// As [`std::sync::Condvar::wait_timeout`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let site = Location::caller();
        let (hold, locked) = guard.into_parts();
        let (native, mutex) = Mutex::parts(locked);
        if hold.is_recorded() {
            let (relocked, notified) = self.wait_ticket((hold, native), mutex, Some(dur), site);
            return probe::map(relocked, |guard| (guard, WaitTimeoutResult(!notified)));
        }
        probe::map(self.native.wait_timeout(native, dur), |(native, result)| {
            (Held::new(hold, mutex.locked(native)), WaitTimeoutResult(result.timed_out()))
        })
    }

    /// As [`std::sync::Condvar::wait_timeout_ms`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[deprecated(since = "1.6.0", note = "replaced by `Condvar::wait_timeout`")]
    #[track_caller]
    pub fn wait_timeout_ms<'a, T>(&self, guard: MutexGuard<'a, T>, ms: u32) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let result = self.wait_timeout(guard, Duration::from_millis(u64::from(ms)));
        probe::map(result, |(guard, result)| (guard, !result.timed_out()))
    }

    /// As [`std::sync::Condvar::wait_timeout_while`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let start = Instant::now();
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let Some(left) = dur.checked_sub(start.elapsed()) else {
                return Ok((guard, WaitTimeoutResult(true)));
            };
            guard = self.wait_timeout(guard, left)?.0;
        }
    }

    /// As [`std::sync::Condvar::notify_one`].
    #[track_caller]
    pub fn notify_one(&self) {
        if probe::recording() {
            self.notify(Location::caller(), Flags::NONE);
        } else {
            self.native.notify_one();
        }
    }

    /// As [`std::sync::Condvar::notify_all`].
    #[track_caller]
    pub fn notify_all(&self) {
        if probe::recording() {
            self.notify(Location::caller(), Flags::ALL);
        } else {
            self.native.notify_all();
        }
    }

    /// Waits on a ticket. Says whether it was notified.
    fn wait_ticket<'a, T>(
        &self,
        (hold, native): (Hold<'a>, native::MutexGuard<'a, T>),
        mutex: &'a Mutex<T>,
        timeout: Option<Duration>,
        site: probe::Site,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        if std::thread::panicking() {
            return self.wait_unwinding((hold, native), mutex, timeout, site);
        }
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
        let operation = probe::operation(&self.identity, class, site);
        let notify = self.tickets.wait(operation, hold, deadline, || drop(native));
        (mutex.relock(site), notify.is_some())
    }

    /// Waits by std's condition variable while a panic unwinds. Says whether it was notified.
    ///
    /// Dropping a guard from before the panic would poison the mutex, though its section goes on after the wait. The
    /// trace does not learn which notify ends such a wait.
    #[cold]
    fn wait_unwinding<'a, T>(
        &self,
        (hold, native): (Hold<'a>, native::MutexGuard<'a, T>),
        mutex: &'a Mutex<T>,
        timeout: Option<Duration>,
        site: probe::Site,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        let operation = probe::operation(&self.identity, class, site);
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
        let waiting = tickets::begin(hold, operation, 0, deadline);
        let mut notified = true;
        let native = match timeout {
            None => self.native.wait(native),
            Some(timeout) => probe::map(self.native.wait_timeout(native, timeout), |(native, result)| {
                notified = !result.timed_out();
                native
            }),
        };
        tickets::end(waiting, operation, notified.then_some(0), deadline);
        (mutex.retaken(native, site), notified)
    }

    fn notify(&self, site: probe::Site, flags: Flags) {
        let operation = probe::operation(&self.identity, class, site);
        let n_woken = self.tickets.notify(operation, flags);
        // Threads that began to wait before recording was switched on.
        if flags.has(Flags::ALL) {
            self.native.notify_all();
        } else if n_woken == 0 {
            self.native.notify_one();
        }
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
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl sealed::Sealed for Condvar {}

impl Labelled for Condvar {
    fn label(&self, text: &str) {
        probe::label(&self.identity, class, text);
    }
}
