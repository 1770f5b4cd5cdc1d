//! `Semaphore`: permits that threads take and give back, or make.

mod permits;

use self::permits::{Grant, Permits};
use super::deadline::{Deadline, lock};
use crate::{
    native,
    probe::{Flags, Identity, ObjectKind, Operation, Site},
    trace::{Labelled, sealed},
};
use std::{fmt, iter::repeat_n, marker::PhantomData, panic::Location, time::Duration};

/// A semaphore with more permits than this is used to limit a rate, not to own something.
const HELD_MAX: usize = 1024;

/// A counting semaphore: threads take permits, and wait for them in the order in which they came.
///
/// It serves both uses of a semaphore. Whoever gives back what it took *owns* a permit in between: threads that
/// wait for one wait for that thread. Whoever releases without having acquired *signals*: nobody owns what is
/// waited for. Permits are handed over to who waits longest; nobody overtakes the queue, `try_acquire` neither.
///
/// records: an acquire and a release of each permit that is owned, a notify and a wake-up for each that is a
/// signal, which of them were taken at once, and waits. A semaphore made with more than 1024 permits owns none: all its releases are signals, so that
/// a limiter of rates does not make threads hold ever more. What was taken before recording was switched on is a
/// signal when it is released, unless by a [`Permit`].
///
/// ```
/// use instrumented_sync::{Semaphore, thread};
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
/// let first = CONNECTIONS.access();
/// assert_eq!(CONNECTIONS.available_permits(), 1);
/// drop(first);
/// assert_eq!(CONNECTIONS.available_permits(), 2);
///
/// let done = Semaphore::new(0);
/// thread::scope(|scope| {
///     scope.spawn(|| done.release());
///     done.acquire();
/// });
/// assert!(!done.try_acquire());
/// ```
pub struct Semaphore {
    identity: Identity,
    n_initial: usize,
    permits: native::Mutex<Permits>,
}

/// A permit of a [`Semaphore`]: given back when dropped.
///
/// Stays with its thread, as a mutex guard does. A permit that goes on to another thread is taken with
/// [`Semaphore::acquire`] here and given back with [`Semaphore::release`] there.
#[must_use = "if unused the permit is given back immediately"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    site: Site,
    is_recorded: bool,
    /// Not `Send`, but `Sync`.
    stays: PhantomData<native::MutexGuard<'a, ()>>,
}

impl Semaphore {
    native::const_unless_modelled! {
        /// A semaphore with `permits` permits.
        ///
        /// ```
        /// use instrumented_sync::Semaphore;
        ///
        /// static SLOTS: Semaphore = Semaphore::new(3);
        /// assert_eq!(SLOTS.available_permits(), 3);
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            Self { identity: Identity::new(), n_initial: permits, permits: native::Mutex::new(Permits::new(permits)) }
        }
    }

    /// Takes a permit; waits until there is one and everybody who came before has had theirs. It is kept until
    /// [`release`](Self::release) gives it back; [`access`](Self::access) has a guard do that.
    ///
    /// ```
    /// let slots = instrumented_sync::Semaphore::new(1);
    /// slots.acquire();
    /// assert_eq!(slots.available_permits(), 0);
    /// ```
    #[track_caller]
    pub fn acquire(&self) {
        self.obtain(1, Deadline::NEVER, Location::caller());
    }

    /// Takes `n` permits at once; waits until they are all there.
    ///
    /// ```
    /// let slots = instrumented_sync::Semaphore::new(3);
    /// slots.acquire_many(2);
    /// assert_eq!(slots.available_permits(), 1);
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, n: usize) {
        self.obtain(n, Deadline::NEVER, Location::caller());
    }

    /// Takes a permit, if there is one and nobody waits for it. Says whether it did.
    ///
    /// ```
    /// let slots = instrumented_sync::Semaphore::new(1);
    /// assert!(slots.try_acquire());
    /// assert!(!slots.try_acquire());
    /// ```
    #[must_use = "without knowing whether the permits were taken nobody can give them back"]
    #[track_caller]
    pub fn try_acquire(&self) -> bool {
        self.try_acquire_at(1, Location::caller())
    }

    /// Takes `n` permits, if they are there and nobody waits for one; else none. Says whether it did.
    ///
    /// ```
    /// let slots = instrumented_sync::Semaphore::new(3);
    /// assert!(!slots.try_acquire_many(4));
    /// assert!(slots.try_acquire_many(3));
    /// ```
    #[must_use = "without knowing whether the permits were taken nobody can give them back"]
    #[track_caller]
    pub fn try_acquire_many(&self, n: usize) -> bool {
        self.try_acquire_at(n, Location::caller())
    }

    /// Takes a permit, waiting no longer than `timeout`. Says whether it did.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let slots = instrumented_sync::Semaphore::new(1);
    /// assert!(slots.acquire_timeout(Duration::from_millis(1)));
    /// assert!(!slots.acquire_timeout(Duration::from_millis(1)));
    /// ```
    #[must_use = "without knowing whether the permits were taken nobody can give them back"]
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.obtain(1, Deadline::after(timeout), Location::caller()).is_some()
    }

    /// Gives a permit back, or makes one. More than `usize::MAX` are not kept.
    ///
    /// ```
    /// let ready = instrumented_sync::Semaphore::new(0);
    /// ready.release();
    /// assert!(ready.try_acquire());
    /// ```
    #[track_caller]
    pub fn release(&self) {
        self.release_at(1, Location::caller());
    }

    /// Gives `n` permits back, or makes as many as this thread has not taken.
    ///
    /// ```
    /// let ready = instrumented_sync::Semaphore::new(0);
    /// ready.release_many(3);
    /// assert_eq!(ready.available_permits(), 3);
    /// ```
    #[track_caller]
    pub fn release_many(&self, n: usize) {
        self.release_at(n, Location::caller());
    }

    /// How many permits are there now; another thread may take them in the next moment.
    ///
    /// ```
    /// assert_eq!(instrumented_sync::Semaphore::new(5).available_permits(), 5);
    /// ```
    pub fn available_permits(&self) -> usize {
        crate::probe::observed(&self.identity, class);
        lock(&self.permits).available()
    }

    /// Takes a permit as [`Self::acquire`] does; it is given back when the guard is dropped.
    ///
    /// ```
    /// let slots = instrumented_sync::Semaphore::new(1);
    /// let permit = slots.access();
    /// assert!(!slots.try_acquire());
    /// drop(permit);
    /// assert!(slots.try_acquire());
    /// ```
    #[track_caller]
    pub fn access(&self) -> Permit<'_> {
        let site = Location::caller();
        let is_recorded = self.obtain(1, Deadline::NEVER, site) == Some(true);
        Permit { semaphore: self, site, is_recorded, stays: PhantomData }
    }

    /// Takes `n` permits by the deadline. Says whether that could be recorded; `None` if the time was over first.
    fn obtain(&self, n: usize, deadline: Deadline, site: Site) -> Option<bool> {
        let operation = self.operation(site);
        let flags = deadline.flags();
        let mut permits = lock(&self.permits);
        if let Some(grant) = permits.take(n) {
            drop(permits);
            self.obtained(operation, &grant, flags, false);
            return Some(operation.is_some());
        }
        let (ticket, changed) = permits.enqueue(n);
        drop(permits);
        let waiting = operation.map(|operation| operation.waits(n as u64, deadline.is_timed()));
        let grant = self.wait(ticket, &changed, deadline);
        if let Some(waiting) = waiting {
            waiting.end();
        }
        match &grant {
            Some(grant) => self.obtained(operation, grant, flags, true),
            None => operation.into_iter().for_each(Operation::timed_out),
        }
        grant.map(|_| operation.is_some())
    }

    fn wait(&self, ticket: u64, changed: &native::Condvar, deadline: Deadline) -> Option<Grant> {
        let mut permits = lock(&self.permits);
        loop {
            if let Some(grant) = permits.claim(ticket) {
                return Some(grant);
            }
            match deadline.sleep(changed, permits) {
                Ok(awake) => permits = awake,
                Err(mut late) => {
                    late.withdraw(ticket);
                    return None;
                }
            }
        }
    }

    fn try_acquire_at(&self, n: usize, site: Site) -> bool {
        let operation = self.operation(site);
        let grant = lock(&self.permits).take(n);
        if let Some(grant) = &grant {
            self.obtained(operation, grant, Flags::TRY, false);
        }
        grant.is_some()
    }

    /// Records what was taken: who owns it, or who is to thank for it.
    fn obtained(&self, operation: Option<Operation>, grant: &Grant, flags: Flags, has_waited: bool) {
        let Some(operation) = operation else { return };
        let n_held = if self.n_initial <= HELD_MAX { grant.lent } else { 0 };
        operation.acquired(n_held, flags);
        let numbered = grant.signals.iter().filter(|(number, _)| *number != 0);
        // Of very many the rest stays unrecorded, as if it were still there: better no report than a wrong one.
        let permits = numbered.flat_map(|(number, n)| repeat_n(*number, *n.min(&HELD_MAX)));
        let mut has_some = n_held > 0;
        for number in permits {
            operation.woken(number, if has_some { flags.with(Flags::JOINT) } else { flags });
            has_some = true;
        }
        if has_waited && !has_some {
            operation.woken(0, flags);
        }
    }

    fn release_at(&self, n: usize, site: Site) {
        let Some(operation) = self.operation(site) else { return self.give_back(n) };
        let n_held = if self.n_initial <= HELD_MAX { operation.n_holds().min(n) } else { 0 };
        operation.released(n_held);
        let (number, n_new) = (if n_held < n { self.identity.next_number() } else { 0 }, n - n_held);
        if n_new > 0 {
            operation.notifies(number, n_new);
        }
        lock(&self.permits).give(n_held, number, n_new);
    }

    /// Gives back what nobody knows of.
    fn give_back(&self, n: usize) {
        lock(&self.permits).give(n, 0, 0);
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        Operation::on(&self.identity, class, self.n_initial, site)
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Semaphore, "")
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if native::is_over() {
            return;
        }
        if self.is_recorded {
            self.semaphore.release_at(1, self.site);
        } else {
            self.semaphore.give_back(1);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available_permits()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl sealed::Sealed for Semaphore {}

impl Labelled for Semaphore {
    fn label(&self, text: &str) {
        self.operation(Location::caller()).into_iter().for_each(|operation| operation.label(text));
    }
}
