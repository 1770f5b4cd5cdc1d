//! Of what class a hang is.

use crate::{
    explorer::{Blocked, on_cycles},
    native::{Look, Native, State},
};
use detector::history::{History, Kind, Resource};
use std::collections::BTreeSet;

/// Why nothing in a total hang goes on: its threads wait for each other, or for what comes no more.
pub(crate) fn class(history: &History, state: &State, blocked: &Blocked) -> String {
    let native = Native::new(history);
    let edges: Vec<Vec<usize>> =
        (0..native.n_threads()).map(|thread| could_be_woken_by(&native, history, state, thread)).collect();
    if !on_cycles(&edges).is_empty() {
        return "in a cycle".to_owned();
    }
    let is_left = |index: &&u32| edges[history.operations[**index as usize].thread as usize].is_empty();
    let left: BTreeSet<&str> = blocked.iter().filter(is_left).map(|index| left_by(history, *index)).collect();
    left.into_iter().collect::<Vec<_>>().join(", ")
}

/// What of a kind it is that comes no more.
fn left_by(history: &History, index: u32) -> &'static str {
    let operation = history.operations[index as usize];
    match history.resources.kind(operation.target) {
        _ if operation.kind == Kind::Acquire => "lock kept for ever",
        _ if operation.kind == Kind::Await => "nobody writes",
        Resource::Condition => "notify lost",
        Resource::Token => "unpark lost",
        Resource::Permits(_) => "permits used up",
        Resource::Latch(_) => "latch not counted down",
        Resource::Barrier(_) => "alone at a barrier",
        Resource::Channel { .. } => "nobody sends or receives",
        Resource::Opaque => "opaque",
    }
}

/// Who could end a thread's wait by what it does later in the history; who starts it, if nobody has.
fn could_be_woken_by(native: &Native<'_>, history: &History, state: &State, thread: usize) -> Vec<usize> {
    let thread_of = |operation: u32| vec![history.operations[operation as usize].thread as usize];
    let index = match (native.look(state, thread), native.next(state, thread), native.fork(thread)) {
        (Look::NotStarted, _, Some(fork)) => return thread_of(fork as u32),
        (Look::Waits, Some(index), _) => index,
        _ => return Vec::new(),
    };
    let operation = history.operations[index];
    let message = || history.resources.messages.get(&(index as u32)).copied();
    let kinds: &[Kind] = match (operation.kind, history.resources.kind(operation.target)) {
        (Kind::Acquire | Kind::Join, _) => return native.waits_for(state, thread),
        (Kind::Take, Resource::Channel { .. }) => return message().map(thread_of).unwrap_or_default(),
        (Kind::Confirm, _) => {
            return message().and_then(|give| native.take(give)).map(thread_of).unwrap_or_default();
        }
        (Kind::Await, _) => return native.saw(index).map(thread_of).unwrap_or_default(),
        (Kind::FindClosed, _) => &[Kind::Close],
        (Kind::Give, _) => &[Kind::Take],
        _ => &[Kind::Give, Kind::GiveAll],
    };
    let ends = |later: &usize| {
        let later = history.operations[*later];
        kinds.contains(&later.kind) && later.target == operation.target
    };
    let does = |other: &usize| *other != thread && native.rest(state, *other).iter().any(ends);
    (0..native.n_threads()).filter(does).collect()
}
