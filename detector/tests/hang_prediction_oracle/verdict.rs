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
    /// Whether nobody can do anything then, or after others have done what they can.
    pub(crate) is_total: bool,
    /// Whether it is one whatever those do of whom nothing more is known.
    pub(crate) is_certain: bool,
}

/// What a hang is that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    /// One behind which nobody can do anything, at the latest when others have gone on for a while.
    Total,
    /// A cycle of locks and joins.
    Core,
    /// Its threads move in no state behind.
    Stuck,
    /// Its threads move in no state behind, but others do what is not known, in some.
    Doubtful,
    /// One that is reached a few steps behind the end of its schedule.
    Early,
    /// One in which some of those that are said to wait are not even started.
    Unstarted,
    /// None.
    False(&'static str),
}

/// What a found hang is.
pub(crate) fn judge(history: &History, found: &Found) -> Verdict {
    let native = Native::new(history);
    let Ok(state) = native.replay(found.steps.iter().copied()) else {
        return Verdict::False("a step of its schedule cannot be done");
    };
    let thread = |index: &u32| history.operations[*index as usize].thread as usize;
    let looks = |state: &State, looks: &[Look]| {
        found.blocked.iter().all(|index| {
            let (thread, index) = (thread(index), *index as usize);
            native.next(state, thread) == Some(index) && looks.contains(&native.look(state, thread))
        })
    };
    let (all_wait, at_most) = (|state: &State| looks(state, &[Look::Waits]), [Look::Waits, Look::NotStarted]);
    let blocked: BTreeSet<usize> = found.blocked.iter().map(thread).collect();
    if blocked.len() != found.blocked.len() || blocked.is_empty() {
        return Verdict::False("each thread is blocked once, and somebody is");
    }
    if !all_wait(&state) {
        // Others have to do something first, or they themselves.
        let states = native.reachable(state, Order::Any).unwrap_or_default();
        let hangs = |later: &&State| !matches!(behind(&native, later, &blocked, found.is_total), Verdict::False(_));
        let states = || states.iter().map(|(later, _, _)| later);
        return if states().filter(|later| all_wait(later)).any(|later| hangs(&later)) {
            Verdict::Early
        } else if states().filter(|later| looks(later, &at_most)).any(|later| hangs(&later)) {
            Verdict::Unstarted
        } else {
            Verdict::False("what is blocked does not wait, then or later")
        };
    }
    if !found.is_total && native.is_core(&state, &blocked) {
        return Verdict::Core;
    }
    behind(&native, &state, &blocked, found.is_total)
}

/// What a hang is, by all states behind that at its schedule's end: its threads may not move in one of them. Of a total
/// one others may go on for a while, but then get stuck as well, along some way.
fn behind(native: &Native<'_>, state: &State, blocked: &BTreeSet<usize>, is_total: bool) -> Verdict {
    let Some(states) = native.reachable(state.clone(), Order::Any) else {
        return Verdict::False("there are too many states behind it");
    };
    let waits_still =
        |later: &State| blocked.iter().all(|thread| native.n_done(later, *thread) == native.n_done(state, *thread));
    if is_total {
        let is_total = states.iter().any(|(later, _, _)| waits_still(later) && native.total(later).is_some());
        return if is_total { Verdict::Total } else { Verdict::False("somebody can always do something") };
    }
    if states.iter().any(|(later, _, _)| !waits_still(later)) {
        return Verdict::False("its threads go on, in a state behind it");
    }
    let diverges = |later: &State| {
        (0..native.n_threads()).any(|thread| !blocked.contains(&thread) && native.look(later, thread) == Look::Diverges)
    };
    if states.iter().any(|(later, _, _)| diverges(later)) { Verdict::Doubtful } else { Verdict::Stuck }
}
