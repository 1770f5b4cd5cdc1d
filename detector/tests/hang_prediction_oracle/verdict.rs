//! Whether a hang that was found is one.

use crate::{
    explorer::Order,
    native::{Look, Native, State},
};
use detector::history::History;
use std::collections::BTreeSet;

/// A hang that was found: what happens before, and the operations that wait then.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) steps: Vec<u32>,
    pub(crate) blocked: Vec<u32>,
    /// Whether nobody can do anything then.
    pub(crate) is_total: bool,
}

/// What a hang is that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    /// Nobody can do anything.
    Total,
    /// A cycle of locks and joins.
    Core,
    /// Its threads move in no state behind.
    Stuck,
    /// Its threads move in no state behind, but others do what is not known, in some.
    Doubtful,
    /// None.
    False(String),
}

/// What a found hang is.
pub(crate) fn judge(history: &History, found: &Found) -> Verdict {
    let native = Native::new(history);
    let state = match native.replay(found.steps.iter().copied()) {
        Ok(state) => state,
        Err(why) => return Verdict::False(why),
    };
    let thread = |index: &u32| history.operations[*index as usize].thread as usize;
    for index in &found.blocked {
        if native.next(&state, thread(index)) != Some(*index as usize) {
            return Verdict::False(format!("operation {index} is not the next one of its thread"));
        }
        let look = native.look(&state, thread(index));
        if look != Look::Waits {
            return Verdict::False(format!("operation {index} is said to wait: {look:?}"));
        }
    }
    let blocked: BTreeSet<usize> = found.blocked.iter().map(thread).collect();
    if blocked.len() != found.blocked.len() || blocked.is_empty() {
        return Verdict::False("each thread is blocked once, and somebody is".to_owned());
    }
    if found.is_total {
        let is_total = native.total(&state).is_some();
        return if is_total { Verdict::Total } else { Verdict::False("somebody can do something".to_owned()) };
    }
    let waits_in_it = |thread: &usize| native.waits_for(&state, *thread).iter().any(|next| blocked.contains(next));
    if blocked.iter().all(waits_in_it) {
        return Verdict::Core;
    }
    stuck(&native, &state, &blocked)
}

/// Whether threads move in no state behind one.
fn stuck(native: &Native<'_>, state: &State, blocked: &BTreeSet<usize>) -> Verdict {
    let Some(states) = native.reachable(state.clone(), Order::Any) else {
        return Verdict::False("there are too many states behind it".to_owned());
    };
    let mut verdict = Verdict::Stuck;
    for (later, _, _) in &states {
        for thread in 0..native.n_threads() {
            if blocked.contains(&thread) && native.n_done(later, thread) != native.n_done(state, thread) {
                return Verdict::False(format!("T{thread} goes on, in a state behind it"));
            }
            if !blocked.contains(&thread) && native.look(later, thread) == Look::Diverges {
                verdict = Verdict::Doubtful;
            }
        }
    }
    verdict
}
