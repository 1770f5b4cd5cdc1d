//! What threads know of each other: vector clocks whose times are indexes of operations.
//!
//! A thread knows another one up to some operation of it, and then all that the other one knew at that operation. Since times are
//! indexes, no clock has to tick, a thread's own time is where it is, and each access has a time of its own: one that comes behind
//! a release is never taken for one before it.
//!
//! Clocks are shared until they grow: a release is a counter, a store of two words and no copy, an acquire of what is known already
//! a comparison, and a copy is made only where a thread learns something after it told somebody what it knew before.

use super::{Done, Ordering, Point, entry};
use std::rc::Rc;

/// What [`Synchronisation`](super::synchronisation::Synchronisation) carries from thread to thread.
pub(super) trait Clocks {
    /// What a thread has behind it.
    type Mark: Clone;

    /// What a thread has behind it with this operation.
    fn depart(&mut self, at: Point, done: Done) -> Self::Mark;

    /// A thread comes after a mark, by this operation.
    fn arrive(&mut self, at: Point, done: Done, mark: &Self::Mark);

    /// A mark of an earlier moment that is shown to others by this operation.
    fn shown(mark: &Self::Mark, at: Point, done: Done) -> Self::Mark;

    /// Whether who comes after `newer` comes after `older`.
    fn covers(newer: &Self::Mark, older: &Self::Mark) -> bool;

    /// A fence.
    fn fence(&mut self, at: Point, order: Ordering);
}

/// A thread up to one of its operations.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) thread: u32,
    /// The operation's index plus one; 0 is nothing.
    pub(super) time: u32,
    pub(super) known: Known,
}

/// How far each other thread is known, by number, as in [`Mark::time`]; of those behind the end nothing is.
pub(super) type Known = Rc<Vec<u32>>;

/// The time of what happens at an index.
#[inline]
pub(super) fn time_of(index: u32) -> u32 {
    index.saturating_add(1)
}

impl Mark {
    #[inline]
    pub(super) fn covers(&self, older: &Self) -> bool {
        if self.thread == older.thread {
            self.time >= older.time
        } else {
            time(&self.known, older.thread) >= older.time
        }
    }
}

/// How far a thread is known.
#[inline]
pub(super) fn time(known: &[u32], thread: u32) -> u32 {
    known.get(thread as usize).copied().unwrap_or(0)
}

/// The clocks of all threads.
#[derive(Debug, Default)]
pub(super) struct VectorClocks {
    threads: Vec<Known>,
}

impl VectorClocks {
    /// What a thread knows of others.
    #[inline]
    pub(super) fn known(&mut self, thread: u32) -> &Known {
        entry(&mut self.threads, thread)
    }

    /// What a thread has behind it with an operation.
    pub(super) fn mark(&mut self, at: Point) -> Mark {
        let known = Rc::clone(entry(&mut self.threads, at.thread));
        Mark { thread: at.thread, time: time_of(at.index), known }
    }

    /// A thread comes after a mark; whether it learns something from it.
    #[inline]
    pub(super) fn join(&mut self, thread: u32, mark: &Mark) -> bool {
        self.join_known(thread, mark.thread, mark.time, &mark.known)
    }

    /// As [`VectorClocks::join`], with the parts of a mark.
    #[inline]
    pub(super) fn join_known(&mut self, thread: u32, from: u32, until: u32, knew: &Known) -> bool {
        let known = entry(&mut self.threads, thread);
        // Who knows a time of a thread knows all that the thread knew then.
        if from == thread || time(known, from) >= until {
            return false;
        }
        learn(known, from, until, knew);
        true
    }
}

fn learn(known: &mut Known, from: u32, until: u32, knew: &Known) {
    let len = known.len().max(knew.len()).max(from as usize + 1);
    if Rc::get_mut(known).is_none() {
        // One copy, with room for what comes.
        let mut copy = Vec::with_capacity(len);
        copy.extend_from_slice(known);
        *known = Rc::new(copy);
    }
    let known = Rc::make_mut(known);
    if known.len() < len {
        known.resize(len, 0);
    }
    for (known, learnt) in known.iter_mut().zip(knew.iter()) {
        *known = (*known).max(*learnt);
    }
    known[from as usize] = until;
}

impl Clocks for VectorClocks {
    type Mark = Mark;

    fn depart(&mut self, at: Point, _: Done) -> Mark {
        self.mark(at)
    }

    #[inline]
    fn arrive(&mut self, at: Point, _: Done, mark: &Mark) {
        self.join(at.thread, mark);
    }

    fn shown(mark: &Mark, _: Point, _: Done) -> Mark {
        mark.clone()
    }

    #[inline]
    fn covers(newer: &Mark, older: &Mark) -> bool {
        newer.covers(older)
    }

    fn fence(&mut self, _: Point, _: Ordering) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(thread: u32, index: u32) -> Point {
        Point { thread, place: 0, index }
    }

    #[test]
    fn knowledge_is_handed_on_and_ends_where_it_was_told() {
        let mut clocks = VectorClocks::default();
        let first = clocks.mark(at(0, 4));
        assert!(clocks.join(1, &first));
        assert!(!clocks.join(1, &first), "it is known");
        let second = clocks.mark(at(1, 7));
        assert!(clocks.join(2, &second));
        assert_eq!((time(clocks.known(2), 0), time(clocks.known(2), 1), time(clocks.known(2), 9)), (5, 8, 0));
        assert!(second.covers(&first) && !first.covers(&second));
        let own = clocks.mark(at(0, 9));
        assert!(!clocks.join(0, &own), "nobody learns from itself");
    }

    #[test]
    fn a_mark_stays_as_it_was_when_its_thread_learns_more() {
        let mut clocks = VectorClocks::default();
        let mark = clocks.mark(at(1, 1));
        let other = clocks.mark(at(2, 2));
        clocks.join(1, &other);
        assert!(mark.known.is_empty() && clocks.mark(at(1, 3)).covers(&other));
    }
}
