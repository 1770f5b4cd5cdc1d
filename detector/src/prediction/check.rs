//! Whether an abstract pattern stands for a deadlock: one sweep over the acquires behind it.
//!
//! The set that has to happen before a choice of acquires only grows from one choice to the next, and an acquire that is
//! in it for one choice is in it for all later ones. So each acquire is looked at once, and the sweep is linear.

use super::{
    closure::Closure,
    past::{Occurrence, Past},
};

/// A choice of acquires that can all be next at once.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) occurrences: Vec<Occurrence>,
    /// What has happened by then: per thread the local time of its last event.
    pub(super) ideal: Vec<u32>,
}

/// The first choice, in the order of the trace, that a sync-preserving reordering reaches. With `places`, among acquires
/// at those.
pub(super) fn check(past: &Past, closure: &mut Closure<'_>, pattern: &[u32], places: Option<&[u32]>) -> Option<Choice> {
    closure.clear();
    let mut sweep = Sweep { past, pattern, places, at: vec![0; pattern.len()] };
    for member in 0..pattern.len() {
        sweep.skip(member, closure)?;
    }
    loop {
        for (member, eta) in pattern.iter().enumerate() {
            closure.add_past(past.acquires[*eta as usize].thread, sweep.occurrence(member));
        }
        closure.close().ok()?;
        let mut is_settled = true;
        for member in 0..pattern.len() {
            is_settled &= !sweep.skip(member, closure)?;
        }
        if is_settled {
            let occurrences = (0..pattern.len()).map(|member| sweep.occurrence(member)).collect();
            return Some(Choice { occurrences, ideal: closure.ideal().to_vec() });
        }
    }
}

struct Sweep<'a> {
    past: &'a Past,
    pattern: &'a [u32],
    places: Option<&'a [u32]>,
    /// Per member which of its occurrences is looked at.
    at: Vec<usize>,
}

impl Sweep<'_> {
    fn occurrence(&self, member: usize) -> Occurrence {
        self.past.acquires[self.pattern[member] as usize].occurrences[self.at[member]]
    }

    /// Goes on to the member's next occurrence that is not in the set. Says whether that is another one; `None` if there
    /// is none.
    fn skip(&mut self, member: usize, closure: &Closure<'_>) -> Option<bool> {
        let acquire = &self.past.acquires[self.pattern[member] as usize];
        let before = self.at[member];
        let is_next = |occurrence: &Occurrence| {
            !closure.contains(acquire.thread, occurrence.lt)
                && self.places.is_none_or(|places| places[member] == occurrence.place)
        };
        let further = acquire.occurrences[before..].iter().position(is_next)?;
        self.at[member] += further;
        Some(further > 0)
    }
}
