//! An attempt to initialise: what `Once` and `OnceLock` record.

use crate::{
    held::Hold,
    identity::{Class, Identity},
    probe::{self, Waiting},
};
use std::cell::Cell;
use trace_format::{Event, Flags, Kind, Mode, ObjectId};

/// One thread's attempt to initialise something, which may turn out to be a wait for another thread's.
///
/// std's `Once` cannot be tried, so the wait is published before it is known whether there is one. In the slot only:
/// a thread that comes first would record a request that never waited.
pub(crate) struct Attempt<'a> {
    identity: &'a Identity,
    /// Object and site; `None` if the attempt is not recorded.
    operation: Option<(ObjectId, u32)>,
    /// What the slot says until it is known who initialises.
    waiting: Cell<Option<Waiting>>,
}

impl<'a> Attempt<'a> {
    /// Begins an attempt; the caller asks the primitive next.
    pub(crate) fn begin(identity: &'a Identity, class: Class, site: probe::Site) -> Self {
        let operation = if probe::recording() { probe::operation(identity, class, site) } else { None };
        let waiting = operation.map(|(object, site)| {
            let request = Event::new(Kind::REQUEST, Mode::Exclusive.flags(), site, object, 0);
            Waiting::begin_silent(request, 0)
        });
        let waiting = waiting.filter(|waiting| waiting.is_recorded());
        Self { identity, operation: operation.filter(|_| waiting.is_some()), waiting: Cell::new(waiting) }
    }

    /// The primitive has chosen this attempt: initialises with `f`, as an exclusive hold.
    ///
    /// Called by the primitive, so the release is recorded before another thread can see that `f` is done, or that
    /// it failed.
    pub(crate) fn run<R>(&self, flags: Flags, f: impl FnOnce() -> R) -> R {
        self.end_wait();
        let _hold = self.operation.map(|(object, site)| {
            let seq = self.identity.next_version();
            probe::acquired(Event::new(Kind::ACQUIRE, Mode::Exclusive.flags().with(flags), site, object, seq));
            Hold::recorded(self.identity, Mode::Exclusive, seq)
        });
        f()
    }

    /// The primitive is initialised, by this attempt or by another.
    pub(crate) fn end(self) {
        let chosen = !self.end_wait();
        if let Some((object, site)) = self.operation.filter(|_| !chosen) {
            // The latest attempt is the one that succeeded: there will be no other.
            let (flags, seq) = (Mode::Shared.flags(), self.identity.version());
            let acquire = Event::new(Kind::ACQUIRE, flags.with(Flags::CONTENDED), site, object, seq);
            probe::append_extended(acquire, Event::new(Kind::RELEASE, flags, site, object, seq));
        }
    }

    /// Ends the wait; false if it had ended.
    fn end_wait(&self) -> bool {
        self.waiting.take().is_some_and(|waiting| {
            waiting.end();
            true
        })
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        // Still there if the primitive is poisoned and panicked.
        self.end_wait();
    }
}
