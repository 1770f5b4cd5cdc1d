//! Races that another schedule of the run reaches.

use super::{Terms, access};
use crate::{
    analysis::{
        self, RawFinding,
        data_race::{self, RaceOf},
    },
    finding::Problem,
    history::{History, Kind, Mode, Operation},
    prediction::{self, Witness},
    race::{Held, Kind as Does, Point, Race, Seen},
};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many operations may be gone over for one process: some seconds.
const WORK_MAX: u64 = 300_000_000;

const CUT_SHORT: &str =
    "the accesses that could race in another schedule are too many to be looked at one by one: some were left out";

/// Places and kinds of the accesses of a race, the lesser first.
pub(super) type Key = [(u32, bool); 2];

fn key(accesses: [(u32, Does); 2]) -> Key {
    let mut key = accesses.map(|(place, kind)| (place, kind.writes()));
    key.sort_unstable();
    key
}

/// Those of a race of the run.
pub(super) fn key_of(race: &Race) -> Key {
    key([&race.first, &race.second].map(|seen| (seen.at.place, seen.kind)))
}

/// Predicts races of what `is_data`, but those of `known` places.
///
/// `doubt` says why the schedule of a race proves nothing.
pub(super) fn find<T: Terms + analysis::Terms>(
    history: &History,
    is_data: &dyn Fn(u32) -> bool,
    known: &FxHashSet<Key>,
    terms: &mut T,
    doubt: impl Fn(&prediction::Race, &mut T) -> Option<String>,
) -> (Vec<RawFinding>, Option<Problem>) {
    let races = prediction::races(history, is_data, WORK_MAX);
    let found = races.found.iter().filter_map(|race| {
        let operations = [0, 1].map(|n| history.operations.get(race.accesses[n] as usize).copied());
        let [Some(first), Some(second)] = operations else { return None };
        let is_known = known.contains(&key([first, second].map(|operation| (operation.place, does(operation.kind)))));
        (!is_known).then_some((race, [first, second]))
    });
    let found: Vec<_> = found.collect();
    let held = held_at(history, &found.iter().flat_map(|(race, _)| race.accesses).collect());
    let told = found.into_iter().map(|(race, operations)| {
        let seen = [0, 1].map(|n| seen(race.accesses[n], operations[n], &held));
        let doubt = doubt(race, terms).unwrap_or_default();
        let witness = Witness { schedule: race.schedule.clone(), blocked: race.accesses.to_vec() };
        let witness = analysis::steps(history, &witness, terms);
        let accesses = [0, 1].map(|n| access(operations[n].target, &seen[n], terms));
        let (last_sync, repair) = (None, None);
        data_race::finding(RaceOf {
            accesses,
            last_sync,
            repair,
            witness: Some(witness),
            doubt: &doubt,
            count: race.count,
        })
    });
    let told = told.collect();
    (told, races.is_cut_short.then(|| Problem { text: CUT_SHORT.to_owned(), fatal: false }))
}

fn does(kind: Kind) -> Does {
    if kind == Kind::Write { Does::Write } else { Does::Read }
}

fn seen(index: u32, operation: Operation, held: &FxHashMap<u32, Vec<Held>>) -> Seen {
    Seen {
        at: Point { thread: operation.thread, place: operation.place, index },
        kind: does(operation.kind),
        held: held.get(&index).cloned().unwrap_or_default(),
    }
}

/// What the threads of some operations hold there.
fn held_at(history: &History, indexes: &FxHashSet<u32>) -> FxHashMap<u32, Vec<Held>> {
    let mut holds: Vec<Vec<Held>> = vec![Vec::new(); history.threads.len()];
    let mut held = FxHashMap::default();
    for (index, operation) in (0..).zip(&history.operations) {
        let Operation { thread, target: lock, place, kind, mode, .. } = *operation;
        let Some(of_thread) = holds.get_mut(thread as usize) else { continue };
        match kind {
            Kind::Acquire => of_thread.push(Held { lock, mode, place }),
            Kind::Release => release(of_thread, lock, mode),
            _ if indexes.contains(&index) => _ = held.insert(index, of_thread.clone()),
            _ => {}
        }
    }
    held
}

fn release(held: &mut Vec<Held>, lock: u32, mode: Mode) {
    if let Some(at) = held.iter().rposition(|held| (held.lock, held.mode) == (lock, mode)) {
        held.remove(at);
    }
}
