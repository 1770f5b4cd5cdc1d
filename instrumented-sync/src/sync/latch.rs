//! `Latch`: opens when it was counted down, for good.

use super::deadline::{Deadline, lock};
use crate::{
    native,
    probe::{Identity, ObjectKind, Operation, Site},
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location, time::Duration};

/// The only round of a latch: what the events of its counts and its opening carry.
const ROUND: u64 = 1;

/// A latch: threads wait until it was counted down to zero. It stays open from then on.
///
/// Counting further does nothing. Whatever a thread did before it counted has happened for those whom the latch
/// lets through.
///
/// records: each count as an arrival, the one that opens it as a notify to all, and waits. A look with
/// [`is_open`](Self::is_open) is not recorded.
///
/// ```
/// use instrumented_sync::{Latch, thread};
///
/// let ready = Latch::new(2);
/// thread::scope(|scope| {
///     scope.spawn(|| ready.count_down());
///     scope.spawn(|| ready.count_down());
///     ready.wait();
/// });
/// assert!(ready.is_open());
/// ```
pub struct Latch {
    identity: Identity,
    n_initial: usize,
    state: native::Mutex<State>,
    opened: native::Condvar,
}

struct State {
    n_left: usize,
    /// Whether the opening was recorded: only then has it a number that a wake-up may name.
    is_announced: bool,
}

impl State {
    const fn is_open(&self) -> bool {
        self.n_left == 0
    }

    /// Counts; true for the count that opens.
    fn count(&mut self) -> bool {
        let was_open = self.is_open();
        self.n_left = self.n_left.saturating_sub(1);
        !was_open && self.is_open()
    }
}

impl Latch {
    native::const_unless_modelled! {
        /// A latch that opens at the `count`-th count; at once, if that is 0.
        ///
        /// ```
        /// use instrumented_sync::Latch;
        ///
        /// static STARTED: Latch = Latch::new(1);
        /// assert!(!STARTED.is_open());
        /// assert!(Latch::new(0).is_open());
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(count: usize) -> Self {
            Self {
                identity: Identity::new(),
                n_initial: count,
                state: native::Mutex::new(State { n_left: count, is_announced: false }),
                opened: native::Condvar::new(),
            }
        }
    }

    /// Counts; does nothing if the latch is open. Never waits.
    ///
    /// ```
    /// let latch = instrumented_sync::Latch::new(1);
    /// latch.count_down();
    /// latch.count_down();
    /// assert!(latch.is_open());
    /// ```
    #[track_caller]
    pub fn count_down(&self) {
        self.count_at(Location::caller());
    }

    /// Waits until the latch is open.
    ///
    /// ```
    /// let latch = instrumented_sync::Latch::new(1);
    /// latch.count_down();
    /// latch.wait();
    /// assert!(latch.is_open());
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        self.wait_until(Deadline::NEVER, Location::caller());
    }

    /// Waits until the latch is open, no longer than `timeout`. Says whether it is.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let latch = instrumented_sync::Latch::new(1);
    /// assert!(!latch.wait_timeout(Duration::from_millis(1)));
    /// latch.count_down();
    /// assert!(latch.wait_timeout(Duration::ZERO));
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Deadline::after(timeout), Location::caller())
    }

    /// Counts, then waits: a barrier for one round.
    ///
    /// ```
    /// use instrumented_sync::{Latch, thread};
    ///
    /// let start = Latch::new(2);
    /// thread::scope(|scope| {
    ///     scope.spawn(|| start.count_down_and_wait());
    ///     start.count_down_and_wait();
    /// });
    /// assert!(start.is_open());
    /// ```
    #[track_caller]
    pub fn count_down_and_wait(&self) {
        self.count_at(Location::caller());
        self.wait_until(Deadline::NEVER, Location::caller());
    }

    /// Whether the latch is open; it never closes again.
    ///
    /// ```
    /// assert!(!instrumented_sync::Latch::new(1).is_open());
    /// ```
    pub fn is_open(&self) -> bool {
        crate::probe::observed(&self.identity, class);
        lock(&self.state).is_open()
    }

    fn count_at(&self, site: Site) {
        let operation = self.operation(site);
        let mut state = lock(&self.state);
        if state.is_open() {
            return;
        }
        // Under the lock: whoever opens the latch does so behind all arrivals.
        if let Some(operation) = operation {
            operation.arrives(ROUND);
        }
        if state.count() {
            if let Some(operation) = operation {
                operation.opens(ROUND);
                state.is_announced = true;
            }
            self.opened.notify_all();
        }
    }

    fn wait_until(&self, deadline: Deadline, site: Site) -> bool {
        let operation = self.operation(site);
        let mut state = lock(&self.state);
        let mut waiting = None;
        if !state.is_open() {
            drop(state);
            waiting = operation.map(|operation| operation.waits(ROUND, deadline.is_timed()));
            state = lock(&self.state);
        }
        while !state.is_open() {
            match deadline.sleep(&self.opened, state) {
                Ok(awake) => state = awake,
                Err(late) => {
                    state = late;
                    break;
                }
            }
        }
        let (is_open, is_announced) = (state.is_open(), state.is_announced);
        drop(state);
        let has_waited = waiting.is_some();
        if let Some(waiting) = waiting {
            waiting.end();
        }
        match operation {
            Some(operation) if !is_open => operation.timed_out(),
            Some(operation) if is_announced => operation.woken(ROUND, deadline.flags()),
            Some(operation) if has_waited => operation.woken(0, deadline.flags()),
            _ => {}
        }
        is_open
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        Operation::on(&self.identity, class, self.n_initial, site)
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Latch, "")
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl sealed::Sealed for Latch {}

impl Labelled for Latch {
    fn label(&self, text: &str) {
        self.operation(Location::caller()).into_iter().for_each(|operation| operation.label(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_count_opens() {
        let mut state = State { n_left: 2, is_announced: false };
        assert_eq!([state.count(), state.count(), state.count()], [false, true, false]);
        assert!(state.is_open());
    }
}
