//! The order of operations on atomic variables: that of their stripes, see `trace_format::stripe`.
//!
//! A stripe is ordered as a lock is: what is written is an exclusive section of it, numbered without a hole, and a load is a
//! shared one of the epoch whose number it saw. Only that each is a single event.

use super::lock::{First, Lock, Sections};
use trace_format::{
    Event, Flags, Kind,
    stripe::{self, STRIPES},
};

/// Whether an event has its place in the order of a stripe.
#[inline]
pub(super) fn is_ordered(event: Event) -> bool {
    matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW | Kind::PUBLISH | Kind::OBSERVE)
        && !event.flags().has(Flags::UNCERTAIN)
}

/// Whether it makes a version, rather than having seen one.
const fn writes(kind: Kind) -> bool {
    matches!(kind, Kind::ATOMIC_STORE | Kind::ATOMIC_RMW | Kind::PUBLISH)
}

/// The stripe of the address of an event: each process has its own.
#[inline]
pub(super) fn of(member: u32, event: Event) -> u32 {
    member * STRIPES as u32 + stripe::of(event.address()) as u32
}

/// What the first pass finds out about stripes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    firsts: Vec<First>,
    sections_of: Vec<u32>,
}

impl Counts {
    pub(super) fn add(&mut self, member: u32, event: Event, sections: &mut Sections) {
        let (stripe, version) = (of(member, event) as usize, event.beside());
        if self.firsts.len() <= stripe {
            // Most programs have none.
            let n = (member as usize + 1) * STRIPES;
            self.firsts.resize(n, First::default());
            self.sections_of.resize(n, 0);
        }
        let (Some(first), Some(of)) = (self.firsts.get_mut(stripe), self.sections_of.get_mut(stripe)) else { return };
        if writes(event.kind()) {
            first.acquire = first.acquire.min(version.max(1));
        } else {
            first.shared = first.shared.min(version);
            sections.add(of, version);
        }
    }

    /// The stripes in front of the first events; `is_forked` says of which members their versions were so when the process was
    /// forked.
    pub(super) fn finish(&self, is_forked: impl Fn(usize) -> bool) -> Vec<Lock> {
        let stripes = self.firsts.iter().zip(&self.sections_of).enumerate();
        stripes.map(|(idx, (first, of))| first.lock(*of, is_forked(idx / STRIPES))).collect()
    }
}

/// Where the merge is with all stripes.
#[derive(Debug)]
pub(super) struct Stripes {
    locks: Vec<Lock>,
}

impl Stripes {
    pub(super) const fn new(locks: Vec<Lock>) -> Self {
        Self { locks }
    }

    /// Whether an event that [`is_ordered`] can come next. What is ready stays ready; what comes too late never waits.
    #[inline]
    pub(super) fn is_ready(&self, stripe: u32, event: Event, sections: &Sections) -> bool {
        let Some(lock) = self.locks.get(stripe as usize) else { return true };
        let version = event.beside();
        if writes(event.kind()) {
            lock.acquired + 1 >= version && lock.is_read_by_all(version, sections)
        } else {
            lock.acquired >= version
        }
    }

    /// Goes past such an event, which may be forced. True if others may wait for that.
    #[inline]
    pub(super) fn apply(&mut self, stripe: u32, event: Event) -> bool {
        let Some(lock) = self.locks.get_mut(stripe as usize) else { return false };
        lock.pass(writes(event.kind()), event.beside());
        lock.n_waiting > 0
    }

    /// How many versions are missing before the event.
    pub(super) fn distance(&self, stripe: u32, event: Event) -> u64 {
        let lock = self.locks.get(stripe as usize);
        lock.map_or(0, |lock| event.beside().saturating_sub(lock.acquired))
    }

    pub(super) fn lock_mut(&mut self, stripe: u32) -> Option<&mut Lock> {
        self.locks.get_mut(stripe as usize)
    }
}
