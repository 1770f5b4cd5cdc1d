//! Who of those that wait can never go on.

use crate::{
    history::{History, Kind, Mode},
    prediction::machine::{Blocked, Machine, Outcome, Run, Waiting},
};
use rustc_hash::FxHashSet;

/// Of the threads that wait those that nobody can help: not those that went astray, of whom nobody knows what they do, nor
/// those that did not end in the run, nor those that these may help.
///
/// A lock is given up by who holds it, the end of a thread is its own. Everything else may come from any thread that has to
/// do with it anywhere in the run.
pub(super) fn stuck(history: &History, machine: &Machine<'_>, run: &Run<'_, '_>, outcome: &Outcome) -> Vec<Waiting> {
    let is_through = |thread: &&u32| !outcome.waiting.iter().any(|waiting| waiting.thread == **thread);
    let unended = history.unended.iter().filter(is_through);
    let mut alive: FxHashSet<u32> = outcome.astray.iter().chain(unended).copied().collect();
    let mut stuck = outcome.waiting.clone();
    loop {
        let may_be_helped = |waiting: &Waiting| match waiting.for_what {
            Blocked::Lock(lock) => {
                let operation = history.operations[waiting.index as usize];
                let mode = if operation.kind == Kind::Acquire { operation.mode } else { Mode::Exclusive };
                run.holders(lock, mode).all(|holder| alive.contains(&holder))
            }
            // It waits for a thread that has ended without having done what it did.
            Blocked::Thread(thread) => {
                alive.contains(&thread) || !outcome.waiting.iter().any(|waiting| waiting.thread == thread)
            }
            Blocked::Resource(resource) | Blocked::Room(resource) => {
                alive.iter().any(|thread| machine.touches(*thread, resource))
            }
        };
        let helped: Vec<u32> = stuck.iter().filter(|one| may_be_helped(one)).map(|waiting| waiting.thread).collect();
        if helped.is_empty() {
            return stuck;
        }
        alive.extend(&helped);
        stuck.retain(|waiting| !helped.contains(&waiting.thread));
    }
}
