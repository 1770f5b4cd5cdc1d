//! A barrier of the checker's mutex and condition variable.

use crate::{native, sync::deadline::lock};
use std::sync::PoisonError;

/// As [`std::sync::Barrier`].
#[derive(Debug)]
pub struct Barrier {
    n: usize,
    state: native::Mutex<State>,
    completed: native::Condvar,
}

struct State {
    n_arrived: usize,
    generation: usize,
}

/// As [`std::sync::BarrierWaitResult`].
#[derive(Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this thread is the one of its round that is told so: the last.
    #[must_use]
    pub const fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// As std's, but not `const`.
    #[must_use]
    #[track_caller]
    pub fn new(n: usize) -> Self {
        let state = native::Mutex::new(State { n_arrived: 0, generation: 0 });
        Self { n, state, completed: native::Condvar::new() }
    }

    /// As std's.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let mut state = lock(&self.state);
        state.n_arrived += 1;
        if state.n_arrived >= self.n {
            state.n_arrived = 0;
            state.generation = state.generation.wrapping_add(1);
            self.completed.notify_all();
            return BarrierWaitResult(true);
        }
        let generation = state.generation;
        while state.generation == generation {
            state = self.completed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        BarrierWaitResult(false)
    }
}
