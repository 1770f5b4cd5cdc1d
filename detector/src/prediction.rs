//! Deadlocks that a reordering of a run reaches, each with the schedule that reaches it.
//!
//! The method is that of *Sound Dynamic Deadlock Prediction in Linear Time* (Tunç, Mathur, Pavlogiannis, Viswanathan,
//! PLDI 2023, arXiv 2304.03692), its `SPDOffline`, for cycles of any length:
//!
//! ```text
//! past     TS(e), critical sections, abstract acquires eta with F(eta)      one pass
//! pattern  abstract deadlock patterns, over an implicit graph              by lists of who holds a lock
//! check    the sync-preserving closure I of one choice after the other     one sweep per pattern
//! reversal a bounded search for other schedules, of patterns that have none  beyond the paper
//! replay   the schedule, against the trace                                 before anything is called proven
//! witness  what of the schedule is shown                                   beyond the paper
//! ```
//!
//! **Class.** A *sync-preserving* deadlock is one that a reordering reaches in which two critical sections of one lock
//! that both begin are in the order of the trace. All of these are found, and nothing that no reordering reaches. A
//! deadlock that needs sections in another order is found too, or its pattern refuted, if the bound of that search
//! suffices; if not, it is said to be open. (`tests/prediction_oracle` compares with an exhaustive search.)
//!
//! A reordering keeps the order of each thread, lets every read see the write that it saw, or the initial value, and starts
//! and joins threads as they were.
//!
//! Beyond the paper: locks are held in modes ([`Mode`]), of which some exclude each other, and by guards that another
//! thread may drop; who gives up waits in no deadlock, but may hold. A reader that queues behind a writer is not blocked by
//! other readers here. Re-entrant acquires are not in a history.

mod check;
mod circle;
mod clocks;
mod closure;
mod hang;
mod machine;
mod moves;
mod past;
mod pattern;
pub mod race;
mod replay;
mod reversal;
mod waits;
pub mod witness;

pub use hang::{Hang, Hangs, Way, hangs};
pub use race::{Race, Races, races};
pub use replay::{Refuted, Replay, Schedule, Witness};
pub use waits::waits_for_others;

use self::{
    check::Choice,
    closure::Closure,
    machine::Machine,
    moves::Moves,
    past::{Occurrence, Past},
    pattern::Patterns,
    reversal::{Budget, Settled},
};
use crate::history::{History, Kind, Mode, Operation};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{collections::BTreeSet, time::Instant};
use tracing::debug;

const MODES: [Mode; 4] = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];

/// Choices of places that are looked at for one pattern.
const PLACES_MAX: usize = 256;

/// Choices of acquires that are searched for one pattern.
const CHOICES_MAX: usize = 64;

/// What the searches for schedules may do, all together: a few seconds.
const BUDGET: Budget = Budget { states: 200_000, operations: 100_000_000 };

/// Operations that are replayed, all schedules together: a few seconds. What goes beyond is open.
const REPLAYED_MAX: u64 = 400_000_000;

/// What can be said of the deadlocks of a history.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// Deadlocks, each with a schedule that was replayed.
    pub proven: Vec<Proven>,
    /// Cycles of acquires of which the bound of the search left open whether a schedule reaches them: the first acquires
    /// behind each, in cycle order.
    pub open: Vec<Vec<u32>>,
    /// How many patterns no reordering reaches.
    pub n_refuted: usize,
    /// Schedules that did not survive their replay: there is a flaw in the history, or here.
    pub failed: Vec<(Witness, Refuted)>,
    /// Whether the search for cycles was cut short.
    pub is_cut_short: bool,
}

/// A deadlock with its schedule.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The schedule.
    pub witness: Witness,
    /// Whether it has the critical sections of each lock in the order of the trace.
    pub is_sync_preserving: bool,
    /// Whether what it gives to and takes from channels, semaphores and the like adds up in that order.
    pub adds_up: bool,
}

/// Predicts the deadlocks of a history.
///
/// One for each cycle of (thread, lock, place), however often it could happen.
pub fn predict(history: &History) -> Prediction {
    let start = Instant::now();
    let past = Past::of(history);
    debug!(elapsed = ?start.elapsed(), "went over the history");
    let mut closure = Closure::new(&past);
    let mut predicting = Predicting {
        past: &past,
        history,
        replay: None,
        replays_left: REPLAYED_MAX,
        seen: FxHashSet::default(),
        rejected: Vec::new(),
        prediction: Prediction::default(),
    };
    let searched = Patterns::new(&past).for_each(|pattern| predicting.pattern(&mut closure, pattern));
    predicting.prediction.is_cut_short = searched.is_err();
    debug!(proven = predicting.prediction.proven.len(), rejected = predicting.rejected.len(), elapsed = ?start.elapsed(), "searched patterns");
    predicting.settle_rejected();
    let mut prediction = predicting.prediction;
    add_up(history, &mut prediction.proven);
    prediction
}

/// Has the primitives go along with each schedule, where a history says more of them than locks.
fn add_up(history: &History, proven: &mut [Proven]) {
    if proven.is_empty() || history.resources.kinds.is_empty() {
        return;
    }
    let moves = Moves::of(history);
    let machine = Machine::new(history, &moves);
    for proven in proven {
        let mut run = machine.run(None);
        let result = match &proven.witness.schedule {
            Schedule::InOrder(ideal) => run.up_to(ideal),
            Schedule::Steps(steps) => run.steps(steps.iter().copied()),
        };
        proven.adds_up = result.is_ok();
    }
}

/// Locks of which a schedule has sections that exclude each other in another order than the history.
pub fn reordered_locks(history: &History, schedule: &Schedule) -> Vec<u32> {
    let mut latest: FxHashMap<u32, [u32; MODES.len()]> = FxHashMap::default();
    let mut reordered = Vec::new();
    let Schedule::Steps(steps) = schedule else { return reordered };
    for index in steps {
        let Some(operation) = history.operations.get(*index as usize) else { continue };
        if operation.kind == Kind::Acquire {
            let latest = latest.entry(operation.target).or_default();
            if MODES.iter().any(|mode| mode.excludes(operation.mode) && latest[*mode as usize] > *index) {
                reordered.push(operation.target);
            }
            latest[operation.mode as usize] = latest[operation.mode as usize].max(*index);
        }
    }
    reordered.sort_unstable();
    reordered.dedup();
    reordered
}

/// Where the thread of the operation at `index` acquired a lock that it holds there.
pub fn acquired(history: &History, index: u32, lock: u32) -> Option<u32> {
    acquire(history, index, lock).map(|acquire| acquire.place)
}

/// How the thread of the operation at `index` acquired a lock that it holds there.
pub fn acquire(history: &History, index: u32, lock: u32) -> Option<Operation> {
    let thread = history.operations.get(index as usize)?.thread;
    let mut before = history.operations.get(..index as usize)?.iter().rev();
    before
        .find(|operation| (operation.thread, operation.kind, operation.target) == (thread, Kind::Acquire, lock))
        .copied()
}

/// The acquires of the locks that the thread of the operation at `index` holds while it waits there, the latest first.
pub fn holds(history: &History, index: u32) -> Vec<Operation> {
    let (mut holds, mut released) = (Vec::new(), Vec::new());
    // A wait gives its lock up.
    released.extend(history.resources.passes.get(&index).copied());
    let before = history.operations.get(..index as usize).unwrap_or_default();
    let Some(thread) = history.operations.get(index as usize).map(|operation| operation.thread) else { return holds };
    for operation in before.iter().rev().filter(|before| before.thread == thread) {
        match operation.kind {
            Kind::Release => released.push(operation.target),
            Kind::Acquire => match released.iter().rposition(|lock| *lock == operation.target) {
                Some(at) => _ = released.remove(at),
                None => holds.push(*operation),
            },
            _ => {}
        }
    }
    holds
}

struct Predicting<'a> {
    past: &'a Past,
    history: &'a History,
    /// Made when there is something to replay.
    replay: Option<Replay<'a>>,
    /// Operations that may still be replayed.
    replays_left: u64,
    /// What was found: thread, lock and place of each acquire, in cycle order.
    seen: FxHashSet<Vec<(u32, u32, u32)>>,
    /// Patterns that the closure rejects, for some choice of places at least.
    rejected: Vec<Vec<u32>>,
    prediction: Prediction,
}

impl Predicting<'_> {
    fn pattern(&mut self, closure: &mut Closure<'_>, pattern: &[u32]) {
        let Some(choice) = check::check(self.past, closure, pattern, None) else {
            self.rejected.push(pattern.to_vec());
            return;
        };
        self.found(pattern, &choice);
        let mut is_rejected = false;
        for places in self.other_places(pattern, &choice) {
            match check::check(self.past, closure, pattern, Some(&places)) {
                Some(choice) => self.found(pattern, &choice),
                None => is_rejected = true,
            }
        }
        if is_rejected {
            self.rejected.push(pattern.to_vec());
        }
    }

    /// Looks for other schedules, of patterns that have none in which sections keep their order.
    fn settle_rejected(&mut self) {
        let rejected = std::mem::take(&mut self.rejected);
        if rejected.is_empty() {
            return;
        }
        let moves = Moves::of(self.history);
        let mut budget = BUDGET;
        for pattern in rejected {
            let mut is_open = false;
            let mut is_reached = false;
            for choice in self.choices(&pattern, &mut is_open) {
                if self.seen.contains(&self.key(&choice)) {
                    is_reached = true;
                    continue;
                }
                match reversal::search(self.history, &moves, self.past, &choice, &mut budget) {
                    Settled::Reached(schedule) => {
                        is_reached = true;
                        let blocked = choice.iter().map(|(_, occurrence)| occurrence.index).collect();
                        self.proven(self.key(&choice), Witness { schedule: Schedule::Steps(schedule), blocked }, false);
                    }
                    Settled::Unreachable => {}
                    Settled::Open => is_open = true,
                }
            }
            if is_open && !is_reached {
                self.prediction.open.push(self.first_acquires(&pattern));
            } else if !is_reached {
                self.prediction.n_refuted += 1;
            }
        }
    }

    /// Choices of acquires for a pattern, each with its thread: all, unless there are too many.
    fn choices(&self, pattern: &[u32], is_open: &mut bool) -> Vec<Vec<(u32, Occurrence)>> {
        let mut choices = vec![Vec::new()];
        for eta in pattern {
            let acquire = &self.past.acquires[*eta as usize];
            let n = choices.len() * acquire.occurrences.len();
            *is_open |= n > CHOICES_MAX;
            let extended = |choice: &Vec<(u32, Occurrence)>| {
                let choice = choice.clone();
                let with =
                    move |occurrence: &Occurrence| [choice.as_slice(), &[(acquire.thread, *occurrence)]].concat();
                acquire.occurrences.iter().map(with)
            };
            choices = choices.iter().flat_map(extended).take(CHOICES_MAX).collect();
        }
        choices
    }

    fn key(&self, choice: &[(u32, Occurrence)]) -> Vec<(u32, u32, u32)> {
        let lock = |occurrence: &Occurrence| self.history.operations[occurrence.index as usize].target;
        choice.iter().map(|(thread, occurrence)| (*thread, lock(occurrence), occurrence.place)).collect()
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
        let threads = pattern.iter().map(|eta| self.past.acquires[*eta as usize].thread);
        let key = self.key(&threads.zip(choice.occurrences.iter().copied()).collect::<Vec<_>>());
        if self.seen.contains(&key) {
            return;
        }
        let schedule = Schedule::InOrder(choice.ideal.clone());
        let blocked = choice.occurrences.iter().map(|occurrence| occurrence.index).collect();
        self.proven(key, Witness { schedule, blocked }, true);
    }

    /// Replays a schedule; it counts if it survives.
    fn proven(&mut self, key: Vec<(u32, u32, u32)>, witness: Witness, is_sync_preserving: bool) {
        self.seen.insert(key);
        let n = self.history.operations.len() as u64;
        if self.replays_left < n {
            self.prediction.open.push(witness.blocked);
            return;
        }
        self.replays_left -= n;
        let replay = self.replay.get_or_insert_with(|| Replay::new(self.history));
        match replay.check(&witness) {
            // What is said of more than locks is asked of all of them at the end.
            Ok(()) => self.prediction.proven.push(Proven { witness, is_sync_preserving, adds_up: true }),
            Err(refuted) => self.prediction.failed.push((witness, refuted)),
        }
    }
}
