//! `Condvar`: a queue of tickets, so that each wake-up knows its notify.
//!
//! While recording, a waiter queues a ticket, releases the mutex, sleeps on the ticket, and takes the mutex
//! again: the moment between waking and re-acquiring is visible. A notify takes tickets from the front. While
//! not recording, std's own condition variable does everything. A notify serves both, since threads may have
//! begun to wait before recording was switched on.

use crate::{
    held::{Held, Hold},
    identity::Identity,
    native,
    probe::{self, Waiting},
    sync::mutex::{Mutex, MutexGuard},
    trace::{Labelled, sealed},
};
use std::{
    collections::VecDeque,
    fmt,
    panic::Location,
    sync::{Arc, LockResult, PoisonError},
    time::{Duration, Instant},
};
use trace_format::{Event, Flags, Kind, ObjectId, ObjectKind};

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
    tickets: native::Mutex<Tickets>,
    native: native::Condvar,
}

struct Tickets {
    queue: VecDeque<(u64, Arc<Ticket>)>,
    n_issued: u64,
    n_notifies: u64,
    /// Generation of the process that the queued threads belong to.
    generation: u64,
}

/// One thread's wait: the number of the notify that ended it, once there is one.
struct Ticket {
    notify: native::Mutex<Option<u64>>,
    changed: native::Condvar,
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
        let tickets = Tickets { queue: VecDeque::new(), n_issued: 0, n_notifies: 0, generation: 0 };
        Self { identity: Identity::new(), tickets: native::Mutex::new(tickets), native: native::Condvar::new() }
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
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let operation = probe::operation(&self.identity, class, site);
        let (number, ticket) = self.issue();
        // The ticket is queued while the mutex is held: whoever takes the mutex from here on and notifies finds
        // it, as with any condition variable.
        let waiting = begin(hold, operation, number, timeout.is_some());
        drop(native);
        let notify = ticket.wait(deadline).or_else(|| self.withdraw(number, &ticket));
        end(waiting, operation, notify, timeout.is_some());
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
        let waiting = begin(hold, operation, 0, timeout.is_some());
        let mut notified = true;
        let native = match timeout {
            None => self.native.wait(native),
            Some(timeout) => probe::map(self.native.wait_timeout(native, timeout), |(native, result)| {
                notified = !result.timed_out();
                native
            }),
        };
        end(waiting, operation, notified.then_some(0), timeout.is_some());
        (mutex.retaken(native, site), notified)
    }

    fn issue(&self) -> (u64, Arc<Ticket>) {
        let ticket = Arc::new(Ticket { notify: native::Mutex::new(None), changed: native::Condvar::new() });
        let mut tickets = self.tickets();
        tickets.n_issued += 1;
        let number = tickets.n_issued;
        tickets.queue.push_back((number, Arc::clone(&ticket)));
        (number, ticket)
    }

    /// Takes a ticket back whose time is over. If a notify was faster, that one counts.
    fn withdraw(&self, number: u64, ticket: &Ticket) -> Option<u64> {
        let mut tickets = self.tickets();
        if let Some(place) = tickets.queue.iter().position(|(queued, _)| *queued == number) {
            tickets.queue.remove(place);
            return None;
        }
        drop(tickets);
        ticket.wait(None)
    }

    fn notify(&self, site: probe::Site, flags: Flags) {
        let all = flags.has(Flags::ALL);
        let operation = probe::operation(&self.identity, class, site);
        let mut tickets = self.tickets();
        tickets.n_notifies += 1;
        let number = tickets.n_notifies;
        let n_woken = if all { tickets.queue.len() } else { tickets.queue.len().min(1) };
        let woken: VecDeque<_> = tickets.queue.drain(..n_woken).collect();
        drop(tickets);
        if let Some((object, site)) = operation {
            let highest = woken.back().map_or(0, |(number, _)| *number);
            let event = Event::new(Kind::NOTIFY, flags, site, object, number);
            probe::append_extended(event, Event::extend(n_woken as u64, highest));
        }
        for (_, ticket) in &woken {
            ticket.notify(number);
        }
        // Threads that began to wait before recording was switched on.
        if all {
            self.native.notify_all();
        } else if woken.is_empty() {
            self.native.notify_one();
        }
    }

    fn tickets(&self) -> native::MutexGuard<'_, Tickets> {
        // Nothing panics while the queue is locked, but for a failed allocation, which leaves it as it was.
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.generation != probe::generation() {
            // Forked: the threads that wait are the parent's, and a notify here must not be spent on them.
            tickets.generation = probe::generation();
            tickets.queue.clear();
        }
        tickets
    }
}

impl Ticket {
    /// Sleeps until the ticket is notified or, with a deadline, the time is over.
    fn wait(&self, deadline: Option<Instant>) -> Option<u64> {
        let mut notify = self.notify.lock().unwrap_or_else(PoisonError::into_inner);
        while notify.is_none() {
            let Some(deadline) = deadline else {
                notify = self.changed.wait(notify).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            notify = self.changed.wait_timeout(notify, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *notify
    }

    fn notify(&self, number: u64) {
        *self.notify.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        self.changed.notify_one();
    }
}

/// Records that the mutex is released for a wait, and the wait, which may be unrecorded.
fn begin(hold: Hold<'_>, operation: Option<(ObjectId, u32)>, number: u64, is_timed: bool) -> Option<Waiting> {
    let mutex = hold.identity().known_object();
    hold.release_with(Flags::FOR_WAIT, operation.map_or(0, |(_, site)| site));
    let flags = if is_timed { Flags::TIMED } else { Flags::NONE };
    operation.map(|(object, site)| Waiting::begin(Event::new(Kind::WAIT, flags, site, object, number), mutex))
}

/// Records the end of a wait, by this notify or because the time is over.
fn end(waiting: Option<Waiting>, operation: Option<(ObjectId, u32)>, notify: Option<u64>, is_timed: bool) {
    waiting.inspect(|waiting| waiting.end());
    if let Some((object, site)) = operation {
        let flags = if notify.is_some() { Flags::NONE } else { Flags::TIMED_OUT };
        let flags = if is_timed { flags.with(Flags::TIMED) } else { flags };
        probe::append(Event::new(Kind::WAKE, flags, site, object, notify.unwrap_or(0)));
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
