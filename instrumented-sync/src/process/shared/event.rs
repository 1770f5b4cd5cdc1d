//! An event count in shared memory.

use super::{owner, protocol::Event};
use crate::sync::deadline::Deadline;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering, fence},
    time::Duration,
};

/// How long a waiting thread sleeps at most before it looks who is alive.
const LOOK: Duration = Duration::from_millis(100);

/// As it lies in shared memory.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Words {
    seq: AtomicU32,
    n_waiting: AtomicU32,
}

/// A wait for it.
pub(super) struct Waiting<'a> {
    words: &'a Words,
    deadline: Deadline,
    /// How long the next sleep lasts at most: the first ones are short enough not to be noticed where an owner died just before.
    longest: Cell<Duration>,
}

impl Words {
    pub(super) const fn until(&self, deadline: Deadline) -> Waiting<'_> {
        Waiting { words: self, deadline, longest: Cell::new(Duration::from_millis(10)) }
    }

    /// For who does not wait.
    pub(super) const fn at_once(&self) -> Waiting<'_> {
        self.until(Deadline::NEVER)
    }
}

impl Event for Waiting<'_> {
    fn seq(&self) -> u32 {
        // Acquire: pairs with `raise`. Whoever sees the count raised has to see what it was raised for, or it would sleep on a count that is
        // not raised again (found by a model: the fence comes before this load).
        self.words.seq.load(Ordering::Acquire)
    }

    fn announce(&self, is_coming: bool) {
        // Relaxed: what it counts orders nothing; the fences do.
        if is_coming {
            self.words.n_waiting.fetch_add(1, Ordering::Relaxed);
        } else {
            self.words.n_waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn is_awaited(&self) -> bool {
        // Relaxed: what it counts orders nothing; the fences do.
        self.words.n_waiting.load(Ordering::Relaxed) != 0
    }

    fn raise(&self, wakes_all: bool) {
        // Release: see `seq`.
        self.words.seq.fetch_add(1, Ordering::Release);
        owner::wake(&self.words.seq, wakes_all);
    }

    fn sleep(&self, seen: u32) -> bool {
        let left = self.deadline.left();
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let longest = self.longest.get();
        self.longest.set((longest * 2).min(LOOK));
        owner::sleep(&self.words.seq, seen, left.map_or(longest, |left| left.min(longest)));
        true
    }

    fn fence(&self) {
        // SeqCst: what comes before it, on either side, is seen behind the other's; pairs with itself. See `protocol`.
        fence(Ordering::SeqCst);
    }
}
