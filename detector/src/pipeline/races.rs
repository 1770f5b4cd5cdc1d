//! Data races of a run, in the terms of its model.

mod in_history;
mod in_process;
mod predicted;

use super::{Of, Races as Options, replays::Replays};
use crate::{
    analysis::{
        RawAccess, RawAtomic, RawFinding, RawPlace, RawRepair, RawSync, RawSyncPoint,
        data_race::{self, RaceOf},
        mode_name,
    },
    finding::{AccessOp, Problem, RaceCount, SyncOp},
    model::{FamilyId, Model, ObjectId, ThreadId},
    race::{Done, Explanation, Held, Kind, Mode, Point, Race, Races, Seen, Step},
};
use std::{borrow::Cow, time::Instant};
use tracing::debug;

/// What was found in a run.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<RawFinding>,
    pub(super) problems: Vec<Problem>,
    /// By rule, if that was asked for.
    pub(super) counts: Vec<RaceCount>,
}

/// Finds races. What a finding names and the model lacks is put into the model.
pub(super) fn find(model: &mut Cow<'_, Model>, of: &Of, replays: Option<&mut Replays<'_>>, options: Options) -> Found {
    let start = Instant::now();
    let mut found = Found::default();
    match (of, replays) {
        (Of::History(history), _) => found = in_history::find(model, history, options),
        (Of::Trace(trace), Some(replays)) => {
            for family in (0..trace.families.len() as u32).map(FamilyId) {
                found.extend(in_process::find(model, trace, family, replays, options));
            }
        }
        _ => {}
    }
    debug!(raw_findings = found.findings.len(), elapsed = ?start.elapsed(), "looked for races");
    found
}

/// Adds counts of one run to those of others.
pub(super) fn add_counts(counts: &mut Vec<RaceCount>, of_run: &[RaceCount]) {
    for count in of_run {
        match counts.iter_mut().find(|known| known.rule == count.rule) {
            Some(known) => {
                known.events += count.events;
                known.locations += count.locations;
            }
            None => counts.push(*count),
        }
    }
}

impl Found {
    fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.problems.extend(other.problems);
        add_counts(&mut self.counts, &other.counts);
    }

    /// Says that races were found beyond those that are told apart.
    fn tell_left_out(&mut self, races: &Races) {
        if races.left_out > 0 {
            let text = format!(
                "too many data races to tell apart: {} pairs of accesses are in none of those shown",
                races.left_out
            );
            self.problems.push(Problem { text, fatal: false });
        }
    }
}

/// What the numbers of a run stand for in its model.
trait Terms {
    fn thread(&self, thread: u32) -> ThreadId;
    fn variable(&mut self, variable: u32) -> Option<ObjectId>;
    fn lock(&mut self, lock: u32) -> Option<ObjectId>;
    fn atomic(&mut self, atomic: u32) -> Option<ObjectId>;
    fn place(&mut self, place: u32) -> RawPlace;
    /// What a thread did that others came after, or that came after what others did.
    fn must_order(&mut self, at: Point, is_arrival: bool) -> (SyncOp, Option<ObjectId>);
    /// Whether an access is the end of what it accesses.
    fn frees(&self, at: Point) -> bool;
    /// Why the accesses may be ordered all the same; empty if nothing says so.
    fn doubt(&self, race: &Race) -> String;
}

/// The points of a run that are told of with a race.
fn points_of(races: &Races, explanations: &[Explanation]) -> impl Iterator<Item = Point> {
    let accesses = races.list.iter().flat_map(|race| [race.first.at, race.second.at]);
    let syncs = explanations.iter().filter_map(|explanation| explanation.last_sync);
    accesses.chain(syncs.flat_map(|sync| [sync.from.at, sync.to.at]))
}

fn finding(race: &Race, explanation: &Explanation, terms: &mut impl Terms) -> RawFinding {
    let last_sync = explanation.last_sync.map(|sync| {
        let (from, to) = (sync_point(&sync.from, false, terms), sync_point(&sync.to, true, terms));
        RawSync { from, to }
    });
    let hop = explanation.repair.as_ref().and_then(|repair| repair.hops.first());
    let repair = hop.map(|hop| RawRepair {
        atomic: terms.atomic(hop.atomic),
        store: atomic(&hop.store, hop.store_needs_release, terms),
        load: atomic(&hop.load, hop.load_needs_acquire, terms),
    });
    let doubt = terms.doubt(race);
    let accesses = [&race.first, &race.second].map(|seen| access(race.variable, seen, terms));
    data_race::finding(RaceOf { accesses, last_sync, repair, witness: None, doubt: &doubt, count: race.count })
}

fn access(variable: u32, seen: &Seen, terms: &mut impl Terms) -> RawAccess {
    let op = match seen.kind {
        Kind::Read => AccessOp::Read,
        Kind::Write if terms.frees(seen.at) => AccessOp::Free,
        Kind::Write => AccessOp::Write,
        Kind::AtomicRead => AccessOp::AtomicRead,
        Kind::AtomicWrite => AccessOp::AtomicWrite,
    };
    let mut hold = |held: &Held| Some((terms.lock(held.lock)?, mode_name(held.mode), terms.place(held.place)));
    let held = seen.held.iter().filter_map(&mut hold).collect();
    RawAccess {
        thread: terms.thread(seen.at.thread),
        op,
        object: terms.variable(variable),
        at: terms.place(seen.at.place),
        held,
    }
}

fn sync_point(step: &Step, is_arrival: bool, terms: &mut impl Terms) -> RawSyncPoint {
    let is_shared = |mode| mode != Mode::Exclusive;
    let (op, object) = match step.done {
        Done::Acquire { lock, .. } => (SyncOp::Lock, terms.lock(lock)),
        Done::Release { lock, .. } => (SyncOp::Unlock, terms.lock(lock)),
        Done::Downgrade { lock, mode } => {
            (if is_shared(mode) { SyncOp::Unlock } else { SyncOp::Lock }, terms.lock(lock))
        }
        Done::Depart | Done::Arrive => terms.must_order(step.at, is_arrival),
        Done::Load { atomic, .. } => (SyncOp::AtomicLoad, terms.atomic(atomic)),
        Done::Store { atomic, .. } => (SyncOp::AtomicStore, terms.atomic(atomic)),
        Done::Rmw { atomic, .. } => (SyncOp::AtomicRmw, terms.atomic(atomic)),
        Done::Fence { .. } => (SyncOp::Fence, None),
    };
    let at = (step.at.place != 0).then(|| terms.place(step.at.place));
    RawSyncPoint { thread: terms.thread(step.at.thread), op, object, at }
}

fn atomic(step: &Step, is_too_weak: bool, terms: &mut impl Terms) -> RawAtomic {
    let ordering = match step.done {
        Done::Load { order, .. } | Done::Store { order, .. } | Done::Rmw { order, .. } => order.name(),
        _ => "",
    };
    RawAtomic {
        thread: terms.thread(step.at.thread),
        at: terms.place(step.at.place),
        ordering,
        is_rmw: matches!(step.done, Done::Rmw { .. }),
        is_too_weak,
    }
}
