//! Where permits are, where they came from, and who is next. Records nothing.

use crate::native;
use std::{collections::VecDeque, process, sync::Arc};

/// So many signals are told apart; the permits of older ones lose their number, so that a semaphore to which
/// permits are only ever added does not grow.
pub(super) const SIGNALS_MAX: usize = 1024;

/// The permits of a semaphore, and the queue of those who wait for some.
pub(super) struct Permits {
    /// There from the start, or given back by who took them.
    lent: usize,
    /// Number of the signal, 0 if it has none, and how many of its permits are left. Oldest first.
    signals: VecDeque<(u64, usize)>,
    n_signals: usize,
    queue: VecDeque<Waiter>,
    /// Handed over, not yet fetched.
    granted: Vec<(u64, Grant)>,
    n_issued: u64,
    /// The process whose threads are queued.
    process: u32,
}

struct Waiter {
    ticket: u64,
    n: usize,
    changed: Arc<native::Condvar>,
}

/// Permits that were taken at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) lent: usize,
    /// As [`Permits::signals`].
    pub(super) signals: Vec<(u64, usize)>,
}

impl Permits {
    pub(super) const fn new(n: usize) -> Self {
        Self {
            lent: n,
            signals: VecDeque::new(),
            n_signals: 0,
            queue: VecDeque::new(),
            granted: Vec::new(),
            n_issued: 0,
            process: 0,
        }
    }

    pub(super) const fn available(&self) -> usize {
        self.lent + self.n_signals
    }

    /// Takes `n` permits, if they are there and nobody came first.
    pub(super) fn take(&mut self, n: usize) -> Option<Grant> {
        self.forget_parent();
        if !self.queue.is_empty() || self.available() < n {
            return None;
        }
        Some(self.take_available(n))
    }

    /// Queues for `n` permits. Returns the ticket, and what is notified when [`Self::claim`] has them.
    pub(super) fn enqueue(&mut self, n: usize) -> (u64, Arc<native::Condvar>) {
        self.forget_parent();
        if self.queue.is_empty() {
            self.process = process::id();
        }
        self.n_issued += 1;
        let changed = Arc::new(native::Condvar::new());
        self.queue.push_back(Waiter { ticket: self.n_issued, n, changed: Arc::clone(&changed) });
        (self.n_issued, changed)
    }

    /// Fetches what was handed over to a ticket.
    pub(super) fn claim(&mut self, ticket: u64) -> Option<Grant> {
        let place = self.granted.iter().position(|(granted, _)| *granted == ticket)?;
        Some(self.granted.swap_remove(place).1)
    }

    /// Leaves the queue; those behind may have waited for nothing else.
    pub(super) fn withdraw(&mut self, ticket: u64) {
        self.queue.retain(|waiter| waiter.ticket != ticket);
        self.hand_over();
    }

    /// Adds permits that come back, and permits of signal number `number`. More than fit in a `usize` are not kept.
    pub(super) fn give(&mut self, n_back: usize, number: u64, n_new: usize) {
        self.lent += n_back.min(usize::MAX - self.available());
        let n_new = n_new.min(usize::MAX - self.available());
        if n_new > 0 {
            self.n_signals += n_new;
            self.signals.push_back((number, n_new));
        }
        if self.signals.len() > SIGNALS_MAX {
            let n_oldest = self.signals.pop_front().map_or(0, |(_, n)| n);
            if let Some(next) = self.signals.front_mut() {
                *next = (0, next.1 + n_oldest);
            }
        }
        self.forget_parent();
        self.hand_over();
    }

    fn hand_over(&mut self) {
        while let Some(first) = self.queue.pop_front() {
            if self.available() < first.n {
                self.queue.push_front(first);
                return;
            }
            let grant = self.take_available(first.n);
            self.granted.push((first.ticket, grant));
            first.changed.notify_one();
        }
    }

    fn take_available(&mut self, n: usize) -> Grant {
        let mut grant = Grant { lent: n.min(self.lent), signals: Vec::new() };
        self.lent -= grant.lent;
        let mut left = n - grant.lent;
        self.n_signals -= left;
        while let Some(oldest) = self.signals.front_mut().filter(|_| left > 0) {
            let taken = left.min(oldest.1);
            grant.signals.push((oldest.0, taken));
            oldest.1 -= taken;
            left -= taken;
            if oldest.1 == 0 {
                self.signals.pop_front();
            }
        }
        grant
    }

    /// In a forked child: the threads that wait are the parent's, and a permit must not be spent on them.
    fn forget_parent(&mut self) {
        if !self.queue.is_empty() && self.process != process::id() {
            self.queue.clear();
            self.granted.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "compared with what may be `None`")]
    fn grant(lent: usize, signals: &[(u64, usize)]) -> Option<Grant> {
        Some(Grant { lent, signals: signals.to_vec() })
    }

    #[test]
    fn permits_keep_their_origin() {
        let mut permits = Permits::new(2);
        permits.give(0, 1, 2);
        permits.give(0, 2, 1);
        assert_eq!(permits.available(), 5);
        assert_eq!(permits.take(3), grant(2, &[(1, 1)]));
        permits.give(1, 0, 0);
        assert_eq!(permits.take(4), None);
        assert_eq!(permits.take(3), grant(1, &[(1, 1), (2, 1)]));
        assert_eq!((permits.available(), permits.take(0)), (0, grant(0, &[])));
    }

    #[test]
    fn who_came_first_is_served_first() {
        let mut permits = Permits::new(1);
        let (large, _) = permits.enqueue(2);
        let (small, _) = permits.enqueue(1);
        assert_eq!(permits.take(1), None, "nobody overtakes a queue");
        permits.give(0, 7, 1);
        assert_eq!(permits.claim(small), None);
        assert_eq!(permits.claim(large), grant(1, &[(7, 1)]));
        permits.give(1, 0, 0);
        assert_eq!(permits.claim(small), grant(1, &[]));
        assert_eq!(permits.claim(small), None);
    }

    #[test]
    fn who_gives_up_holds_nobody_up() {
        let mut permits = Permits::new(1);
        let (large, _) = permits.enqueue(2);
        let (small, _) = permits.enqueue(1);
        permits.withdraw(large);
        assert_eq!((permits.claim(large), permits.claim(small)), (None, grant(1, &[])));
        permits.give(1, 0, 0);
        assert_eq!(permits.take(1), grant(1, &[]), "the queue is empty again");
    }

    #[test]
    fn a_child_does_not_serve_its_parent() {
        let mut permits = Permits::new(0);
        let (ticket, _) = permits.enqueue(1);
        permits.process ^= 1;
        permits.give(0, 1, 1);
        assert_eq!((permits.claim(ticket), permits.take(1)), (None, grant(0, &[(1, 1)])));
    }

    #[test]
    fn signals_without_end_take_no_memory() {
        let mut permits = Permits::new(0);
        (1..=3000).for_each(|number| permits.give(0, number, 1));
        assert_eq!((permits.available(), permits.signals.len()), (3000, SIGNALS_MAX));
        let taken = permits.take(3000).unwrap();
        assert_eq!(taken.signals[0], (0, 3000 - SIGNALS_MAX + 1));
        assert_eq!(taken.signals.last(), Some(&(3000, 1)));
    }

    #[test]
    fn counts_do_not_wrap() {
        let mut permits = Permits::new(usize::MAX - 1);
        permits.give(1, 1, 1);
        permits.give(1, 2, 1);
        assert_eq!(permits.available(), usize::MAX);
        assert_eq!(permits.take(usize::MAX), grant(usize::MAX, &[]));
    }
}
