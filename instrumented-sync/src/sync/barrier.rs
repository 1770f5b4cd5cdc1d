//! `Barrier`: on a mutex and a condition variable, since std's does not say which generation a wait belongs to.

use crate::{
    identity::Identity,
    native,
    probe::{self, Waiting},
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location, sync::PoisonError};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, ObjectKind};

/// Drop-in for [`std::sync::Barrier`].
///
/// ```
/// use instrumented_sync::{Barrier, thread};
///
/// let barrier = Barrier::new(3);
/// let n_leaders = thread::scope(|scope| {
///     let parties: Vec<_> = (0..3).map(|_| scope.spawn(|| barrier.wait().is_leader())).collect();
///     parties.into_iter().map(|party| party.join().unwrap()).filter(|leads| *leads).count()
/// });
/// assert_eq!(n_leaders, 1);
/// ```
pub struct Barrier {
    identity: Identity,
    n_parties: usize,
    state: native::Mutex<State>,
    opened: native::Condvar,
}

struct State {
    /// Generations that are complete.
    n_opened: u64,
    /// Parties of the next generation that wait.
    n_arrived: usize,
}

/// Drop-in for [`std::sync::BarrierWaitResult`], whose values only std can make.
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// As [`std::sync::BarrierWaitResult::is_leader`].
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// As [`std::sync::Barrier::new`].
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn new(n: usize) -> Self {
        Self {
            identity: Identity::new(),
            n_parties: n,
            state: native::Mutex::new(State { n_opened: 0, n_arrived: 0 }),
            opened: native::Condvar::new(),
        }
    }

    /// As [`std::sync::Barrier::wait`].
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let site = Location::caller();
        let operation = if probe::recording() { probe::operation(self.identity(), class, site) } else { None };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = state.n_opened.wrapping_add(1);
        state.n_arrived += 1;
        let event = |kind, flags| operation.map(|at| event(at, kind, flags, generation));
        // While the state is locked, so that every arrival is recorded before the notify.
        event(Kind::ARRIVE, Flags::NONE).inspect(|arrive| probe::append(*arrive));
        if state.n_arrived >= self.n_parties {
            let n_woken = (state.n_arrived - 1) as u64;
            state.n_arrived = 0;
            event(Kind::NOTIFY, Flags::ALL)
                .inspect(|notify| probe::append_extended(*notify, Event::extend(n_woken, 0)));
            state.n_opened = generation;
            self.opened.notify_all();
            return BarrierWaitResult(true);
        }
        let waiting = event(Kind::WAIT, Flags::NONE).map(|wait| Waiting::begin(wait, 0));
        while state.n_opened.wrapping_add(1) == generation {
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        waiting.inspect(|waiting| waiting.end());
        event(Kind::WAKE, Flags::NONE).inspect(|wake| probe::append(*wake));
        BarrierWaitResult(false)
    }

    fn identity(&self) -> &Identity {
        // std's barrier of none lets every thread through, as one of one does.
        probe::with_capacity(&self.identity, class, self.n_parties.max(1) as u64)
    }
}

fn event((object, site): (ObjectId, u32), kind: Kind, flags: Flags, generation: u64) -> Event {
    Event::new(kind, flags, site, object, generation & MESSAGE_MAX)
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Barrier, "")
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.0).finish()
    }
}

impl sealed::Sealed for Barrier {}

impl Labelled for Barrier {
    fn label(&self, text: &str) {
        probe::label(self.identity(), class, text);
    }
}
