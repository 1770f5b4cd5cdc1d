//! Deadlocks that a reordering of a run reaches, each with the schedule that reaches it.
//!
//! The method is that of *Sound Dynamic Deadlock Prediction in Linear Time* (Tunç, Mathur, Pavlogiannis, Viswanathan,
//! PLDI 2023, arXiv 2304.03692), its `SPDOffline`, for cycles of any length:
//!
//! ```text
//! past     TS(e), critical sections, abstract acquires eta with F(eta)      one pass
//! pattern  abstract deadlock patterns, over an implicit graph              by lists of who holds a lock
//! check    the sync-preserving closure I of one choice after the other     one sweep per pattern
//! replay   the schedule, against the trace                                 before anything is called proven
//! ```
//!
//! **Class.** A *sync-preserving* deadlock is one that a reordering reaches in which two critical sections of one lock
//! that both begin are in the order of the trace. All of these are found, and nothing that no reordering reaches
//! (`tests/prediction_oracle.rs` compares with an exhaustive search). A reordering keeps the order of each thread, lets every read see the
//! write that it saw, or the initial value, and starts and joins threads as they were.
//!
//! Locks are exclusive here, and released by whom they were acquired. Re-entrant acquires are not in a history.

mod check;
mod clocks;
mod closure;
mod past;
mod pattern;
mod replay;

pub use replay::{Refuted, Replay, Witness};

use self::{check::Choice, closure::Closure, past::Past, pattern::Patterns};
use crate::history::History;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// Choices of places that are looked at for one pattern.
const PLACES_MAX: usize = 256;

/// What can be said of the deadlocks of a history.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// Deadlocks, each with a schedule that was replayed.
    pub proven: Vec<Witness>,
    /// Cycles of acquires that no sync-preserving reordering reaches: the first acquires behind each, in cycle order.
    pub refuted: Vec<Vec<u32>>,
    /// Schedules that did not survive their replay: there is a flaw in the history, or here.
    pub failed: Vec<(Witness, Refuted)>,
    /// Whether the search for cycles was cut short.
    pub is_cut_short: bool,
}

/// Predicts the deadlocks of a history.
///
/// One for each cycle of (thread, lock, place), however often it could happen.
pub fn predict(history: &History) -> Prediction {
    let past = Past::of(history);
    let mut closure = Closure::new(&past);
    let mut search = Predicting {
        past: &past,
        history,
        replay: None,
        seen: FxHashSet::default(),
        prediction: Prediction::default(),
    };
    let searched = Patterns::new(&past).for_each(|pattern| search.pattern(&mut closure, pattern));
    search.prediction.is_cut_short = searched.is_err();
    search.prediction
}

struct Predicting<'a> {
    past: &'a Past,
    history: &'a History,
    /// Made when there is something to replay.
    replay: Option<Replay<'a>>,
    /// What was found: thread, lock and place of each acquire, in cycle order.
    seen: FxHashSet<Vec<(u32, u32, u32)>>,
    prediction: Prediction,
}

impl Predicting<'_> {
    fn pattern(&mut self, closure: &mut Closure<'_>, pattern: &[u32]) {
        let Some(choice) = check::check(self.past, closure, pattern, None) else {
            self.prediction.refuted.push(self.first_acquires(pattern));
            return;
        };
        self.found(pattern, &choice);
        for places in self.other_places(pattern, &choice) {
            if let Some(choice) = check::check(self.past, closure, pattern, Some(&places)) {
                self.found(pattern, &choice);
            }
        }
    }

    fn first_acquires(&self, pattern: &[u32]) -> Vec<u32> {
        pattern.iter().map(|eta| self.past.acquires[*eta as usize].occurrences[0].index).collect()
    }

    /// The other choices of places for a pattern that stands for a deadlock.
    fn other_places(&self, pattern: &[u32], choice: &Choice) -> Vec<Vec<u32>> {
        let own: Vec<u32> = choice.occurrences.iter().map(|occurrence| occurrence.place).collect();
        let mut choices = vec![Vec::new()];
        for eta in pattern {
            let occurrences = &self.past.acquires[*eta as usize].occurrences;
            let places: BTreeSet<u32> = occurrences.iter().map(|occurrence| occurrence.place).collect();
            let extended = |choice: &Vec<u32>| {
                let choice = choice.clone();
                places.iter().map(move |place| [choice.as_slice(), &[*place]].concat()).collect::<Vec<_>>()
            };
            choices = choices.iter().flat_map(extended).take(PLACES_MAX).collect();
        }
        choices.retain(|places| *places != own);
        choices
    }

    fn found(&mut self, pattern: &[u32], choice: &Choice) {
        let acquires = pattern.iter().map(|eta| &self.past.acquires[*eta as usize]).zip(&choice.occurrences);
        let key: Vec<_> = acquires.map(|(eta, occurrence)| (eta.thread, eta.lock, occurrence.place)).collect();
        if !self.seen.insert(key) {
            return;
        }
        let witness = Witness {
            schedule: schedule(self.history, &choice.ideal),
            blocked: choice.occurrences.iter().map(|occurrence| occurrence.index).collect(),
        };
        let replay = self.replay.get_or_insert_with(|| Replay::new(self.history));
        match replay.check(&witness) {
            Ok(()) => self.prediction.proven.push(witness),
            Err(refuted) => self.prediction.failed.push((witness, refuted)),
        }
    }
}

/// The operations of an ideal, in the order of the trace.
fn schedule(history: &History, ideal: &[u32]) -> Vec<u32> {
    let mut lts = vec![0; ideal.len()];
    let mut schedule = Vec::new();
    for (index, operation) in (0..).zip(&history.operations) {
        let thread = operation.thread as usize;
        lts[thread] += 1;
        if lts[thread] <= ideal[thread] {
            schedule.push(index);
        }
    }
    schedule
}
