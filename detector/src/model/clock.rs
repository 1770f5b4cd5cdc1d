//! Must-order clocks while the merge runs: vector clocks over fork, join, messages and notifies, never over locks.
//!
//! A thread's own time starts at 1, since 0 is what others know of a thread that they know nothing of, and rises
//! *after* each departure: the mark carries the time of everything before it, and what comes after it has a later
//! one. So a stretch `e` precedes a stretch `f` of another thread if `f` knows `e`'s thread up to `e`'s time.

use super::{Epoch, ThreadId};
use std::rc::Rc;

/// What a thread has behind it at one moment.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    thread: u32,
    time: u32,
    clock: Rc<Vec<u32>>,
}

/// The clocks of the threads of one process.
#[derive(Debug)]
pub(super) struct Clocks {
    threads: Vec<ThreadClock>,
}

#[derive(Debug)]
struct ThreadClock {
    time: u32,
    /// What is known of the other threads; shared with marks and epochs until it grows.
    clock: Rc<Vec<u32>>,
    /// The current stretch, if something in it was kept.
    epoch: Option<Rc<Mark>>,
}

impl Clocks {
    pub(super) fn new(n_threads: usize) -> Self {
        let empty = Rc::new(Vec::new());
        let thread = || ThreadClock { time: 1, clock: Rc::clone(&empty), epoch: None };
        Self { threads: (0..n_threads).map(|_| thread()).collect() }
    }

    /// The thread's current stretch, the same until the next departure or arrival that says something new.
    pub(super) fn epoch(&mut self, thread: u32) -> Rc<Mark> {
        let Some(state) = self.threads.get_mut(thread as usize) else {
            return Rc::new(Mark { thread, time: 1, clock: Rc::default() });
        };
        let make = || Rc::new(Mark { thread, time: state.time, clock: Rc::clone(&state.clock) });
        Rc::clone(state.epoch.get_or_insert_with(make))
    }

    pub(super) fn depart(&mut self, thread: u32) -> Mark {
        let Some(state) = self.threads.get_mut(thread as usize) else {
            return Mark { thread, time: 1, clock: Rc::default() };
        };
        let mark = Mark { thread, time: state.time, clock: Rc::clone(&state.clock) };
        state.time = state.time.saturating_add(1);
        state.epoch = None;
        mark
    }

    pub(super) fn arrive(&mut self, thread: u32, mark: &Mark) {
        let Some(state) = self.threads.get_mut(thread as usize) else { return };
        let from = mark.thread as usize;
        // Who knows a time of a thread knows all that the thread knew when that time ended.
        if mark.thread == thread || state.clock.get(from).is_some_and(|known| *known >= mark.time) {
            return;
        }
        let clock = Rc::make_mut(&mut state.clock);
        if clock.len() < mark.clock.len().max(from + 1) {
            clock.resize(mark.clock.len().max(from + 1), 0);
        }
        for (known, learnt) in clock.iter_mut().zip(mark.clock.iter()) {
            *known = (*known).max(*learnt);
        }
        if let Some(known) = clock.get_mut(from) {
            *known = (*known).max(mark.time);
        }
        state.epoch = None;
    }
}

impl Mark {
    pub(super) fn thread(&self) -> u32 {
        self.thread
    }

    /// The stretch as the model has it; threads of the process are numbered from `first_thread` there.
    pub(super) fn to_epoch(&self, first_thread: u32) -> Epoch {
        let zeros = std::iter::repeat_n(0, if self.clock.is_empty() { 0 } else { first_thread as usize });
        Epoch {
            thread: ThreadId(first_thread + self.thread),
            time: self.time,
            clock: zeros.chain(self.clock.iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_before_the_departure_precedes() {
        let mut clocks = Clocks::new(2);
        let epoch = |clocks: &mut Clocks, thread| clocks.epoch(thread).to_epoch(0);
        let (sender_before, receiver_before) = (epoch(&mut clocks, 0), epoch(&mut clocks, 1));
        let mark = clocks.depart(0);
        let sender_after = epoch(&mut clocks, 0);
        clocks.arrive(1, &mark);
        let receiver_after = epoch(&mut clocks, 1);
        assert!(sender_before.precedes(&receiver_after));
        assert!(sender_before.precedes(&sender_after));
        assert!(!sender_after.precedes(&receiver_after));
        assert!(!sender_before.precedes(&receiver_before));
        assert!(!receiver_after.precedes(&sender_after) && !receiver_before.precedes(&sender_after));
    }

    #[test]
    fn order_is_transitive_and_epochs_are_shared_while_nothing_changes() {
        let mut clocks = Clocks::new(3);
        let first = clocks.epoch(0);
        assert!(Rc::ptr_eq(&first, &clocks.epoch(0)));
        let mark = clocks.depart(0);
        clocks.arrive(1, &mark);
        let mark = clocks.depart(1);
        clocks.arrive(2, &mark);
        let last = clocks.epoch(2);
        clocks.arrive(2, &mark);
        assert!(Rc::ptr_eq(&last, &clocks.epoch(2)), "an arrival that says nothing new begins no epoch");
        assert!(first.to_epoch(5).precedes(&last.to_epoch(5)));
    }
}
