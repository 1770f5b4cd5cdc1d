//! Data races that a reordering of a run reaches, each with the schedule that reaches it.
//!
//! The method is that of *Optimal Prediction of Synchronization-Preserving Races* (Mathur, Pavlogiannis, Viswanathan, POPL 2021,
//! arXiv 2010.16385), on the closure of this module's deadlocks:
//!
//! ```text
//! screen    variables that can have races at all                        one pass, no clocks
//! accesses  what comes before each of their accesses, its class         one pass
//! sweep     which earlier accesses are not in the closure               one sweep per thread, and what it leaves open
//! proof     the schedule, against the run and the primitives            before anything is told
//! ```
//!
//! **Class.** Two accesses of one variable by two threads, of which one writes, race if a reordering makes both of them
//! the next operations of their threads. Found are all races that a *sync-preserving* reordering reaches, in which two
//! critical sections of one lock that both begin are in the order of the run; and nothing that no reordering reaches.
//! (`tests/race_prediction_oracle` compares with an exhaustive search.) Of a history that gives and takes more than locks, only
//! what the primitives go along with; there a race may be missed.
//!
//! A reordering keeps the order of each thread, starts and joins threads as they were, and lets every read in it see the write that
//! it saw; the two accesses are not in it.

mod accesses;
mod proof;
mod screen;
mod sweep;

use self::{
    accesses::{Access, Accesses},
    proof::Proof,
    sweep::{Judge, Sweeps, Verdict},
};
use super::{
    closure::Closure,
    machine::Machine,
    moves::Moves,
    replay::{Refuted, Schedule},
};
use crate::history::History;
use rustc_hash::{FxHashMap, FxHashSet};

/// Schedules that are tried for one pair of places, of those that do not go through.
const REFUSED_MAX: u32 = 4;

/// Pairs of accesses that are looked for to be counted, of two places; what is known anyway is counted beyond.
const COUNTED_MAX: u64 = 16;

/// A data race with its schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Race {
    /// The two accesses: indexes, in the order of the history.
    pub accesses: [u32; 2],
    /// What happens before: after it both are the next operations of their threads. It was replayed.
    pub schedule: Schedule,
    /// How many pairs of accesses at these places were seen to race, as the closure says; there may be more, since few are looked
    /// for.
    pub count: u64,
}

/// What was found, and whether the search was cut short.
#[derive(Clone, Debug, Default)]
pub struct Races {
    /// The races, each once by the places of its accesses and what they do.
    pub found: Vec<Race>,
    /// Schedules that did not survive their replay: there is a flaw in the history, or here.
    pub failed: Vec<(Race, Refuted)>,
    /// Whether there may be more.
    pub is_cut_short: bool,
}

/// Predicts the races of those variables that are data. Of others only counts what is read from them.
///
/// `work_max` is about how many operations may be gone over. What comes of it is the same each time.
///
/// ```
/// use detector::{history::{Builder, Kind, Origin}, prediction};
///
/// let mut builder = Builder::new(Origin::Lines("x.std".into()));
/// let threads = [builder.thread("T1"), builder.thread("T2")];
/// let (lock, variable, place) = (builder.lock("L"), builder.variable("V"), builder.place("main.rs:1"));
/// // The sections order the writes in this run, but not in every run.
/// builder.add(1, Kind::Write, threads[0], variable, place);
/// builder.add(2, Kind::Acquire, threads[0], lock, place);
/// builder.add(3, Kind::Release, threads[0], lock, place);
/// builder.add(4, Kind::Acquire, threads[1], lock, place);
/// builder.add(5, Kind::Release, threads[1], lock, place);
/// builder.add(6, Kind::Write, threads[1], variable, place);
/// let (history, _) = builder.finish();
/// let races = prediction::races(&history, &|_| true, 1_000_000);
/// assert_eq!((races.found[0].accesses, races.found[0].count), ([0, 5], 1));
/// ```
pub fn races(history: &History, is_data: &dyn Fn(u32) -> bool, work_max: u64) -> Races {
    let work_left = work_max.saturating_sub(2 * history.operations.len() as u64);
    let Some(accesses) = Accesses::of(history, is_data) else { return Races::default() };
    let moves = (!history.resources.kinds.is_empty()).then(|| Moves::of(history));
    let machine = moves.as_ref().map(|moves| Machine::new(history, moves));
    let finder = Finder {
        proof: Proof::new(history, &accesses.moves, machine.as_ref()),
        groups: FxHashMap::default(),
        races: Races { is_cut_short: accesses.is_cut_short, ..Races::default() },
    };
    let (finder, result) = Sweeps::new(&accesses, history.variables.len(), finder, work_left).run();
    let mut races = finder.races;
    races.is_cut_short |= result.is_err();
    races
}

/// How many operations race with an earlier one, and at how many places they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Accesses that race with an access before them.
    pub operations: usize,
    /// Their places.
    pub places: usize,
    /// Whether there may be more.
    pub is_cut_short: bool,
}

/// Counts races as other tools do: the accesses that race with one before them. Without schedules, so that each counts that the
/// closure says to race.
pub fn count(history: &History, is_data: &dyn Fn(u32) -> bool, work_max: u64) -> Count {
    let Some(accesses) = Accesses::of(history, is_data) else { return Count::default() };
    let counter = Counter { racing: FxHashSet::default(), places: FxHashSet::default() };
    let (counter, result) = Sweeps::new(&accesses, history.variables.len(), counter, work_max).run();
    Count {
        operations: counter.racing.len(),
        places: counter.places.len(),
        is_cut_short: accesses.is_cut_short || result.is_err(),
    }
}

/// Places of two accesses, and whether they write.
type Group = [(u32, bool); 2];

fn group(first: &Access, second: &Access) -> Group {
    let mut group = [first, second].map(|access| (access.place, access.is_write));
    group.sort_unstable();
    group
}

/// What became of the races of two places.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Index into [`Races::found`].
    Found(usize),
    /// So many did not go through.
    Refused(u32),
}

/// Takes down races with their schedules.
struct Finder<'a> {
    proof: Proof<'a>,
    groups: FxHashMap<Group, State>,
    races: Races,
}

impl Judge for Finder<'_> {
    const BY_PLACE: bool = true;

    fn asks(&self, first: &Access, second: &Access) -> bool {
        match self.groups.get(&group(first, second)) {
            None => true,
            Some(State::Found(at)) => self.races.found[*at].count < COUNTED_MAX,
            Some(State::Refused(n)) => *n < REFUSED_MAX,
        }
    }

    fn race(&mut self, first: &Access, second: &Access, before: &mut Closure<'_>) -> Verdict {
        let state = self.groups.entry(group(first, second)).or_insert(State::Refused(0));
        let n_refused = match state {
            State::Refused(n) => n,
            State::Found(at) => {
                self.races.found[*at].count += 1;
                return Verdict::Taken;
            }
        };
        let n_before = before.ideal().iter().map(|lt| u64::from(*lt)).sum::<u64>();
        if let Some(schedule) = self.proof.schedule(first, second, before) {
            let race = Race { accesses: [first.index, second.index], count: 1, schedule };
            match self.proof.replay(&race.schedule, race.accesses) {
                Ok(()) => {
                    let has_more = race.schedule.len() as u64 > n_before;
                    *state = State::Found(self.races.found.len());
                    self.races.found.push(race);
                    return if has_more { Verdict::TakenWithMore } else { Verdict::Taken };
                }
                Err(refuted) => self.races.failed.push((race, refuted)),
            }
        }
        *n_refused += 1;
        Verdict::Refused
    }

    fn another(&mut self, first: &Access, second: &Access) {
        if let Some(State::Found(at)) = self.groups.get(&group(first, second)) {
            self.races.found[*at].count += 1;
        }
    }

    fn take_steps(&mut self) -> u64 {
        self.proof.take_steps()
    }
}

/// Counts accesses that race with one before them.
struct Counter {
    racing: FxHashSet<u32>,
    places: FxHashSet<u32>,
}

impl Judge for Counter {
    const BY_PLACE: bool = false;

    fn asks(&self, _: &Access, second: &Access) -> bool {
        !self.racing.contains(&second.index)
    }

    fn race(&mut self, first: &Access, second: &Access, _: &mut Closure<'_>) -> Verdict {
        self.another(first, second);
        Verdict::Taken
    }

    fn another(&mut self, _: &Access, second: &Access) {
        self.racing.insert(second.index);
        self.places.insert(second.place);
    }

    fn take_steps(&mut self) -> u64 {
        0
    }
}
