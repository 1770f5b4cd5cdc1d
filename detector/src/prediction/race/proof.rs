//! Whether a race stands: what has to happen before it is gone through as the primitives would have it, if there are any beside
//! locks, and replayed.

use super::{
    super::{
        closure::Closure,
        machine::Machine,
        past::Event,
        replay::{Refuted, Replay, Schedule},
    },
    accesses::{Access, Move},
};
use crate::history::{History, Kind, Target};
use rustc_hash::FxHashMap;

/// Runs of the machine for one race.
const RUNS_MAX: usize = 8;

/// Operations that are gone past in the time that one of a closure takes: a replay does little for each.
const REPLAYED_PER_STEP: u64 = 4;

/// Goes through schedules.
pub(super) struct Proof<'a> {
    history: &'a History,
    by_resource: &'a FxHashMap<u32, Vec<Move>>,
    /// If the history says more than locks do.
    machine: Option<&'a Machine<'a>>,
    /// Made when there is something to replay.
    replay: Option<Replay<'a>>,
    n_steps: u64,
}

impl<'a> Proof<'a> {
    pub(super) fn new(
        history: &'a History,
        by_resource: &'a FxHashMap<u32, Vec<Move>>,
        machine: Option<&'a Machine<'a>>,
    ) -> Self {
        Self { history, by_resource, machine, replay: None, n_steps: 0 }
    }

    pub(super) fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.n_steps)
    }

    /// A schedule that leads to two accesses: that of the set, with what the primitives need beyond it. `None` if they do not go along.
    pub(super) fn schedule(&mut self, first: &Access, second: &Access, before: &mut Closure<'_>) -> Option<Schedule> {
        let Some(machine) = self.machine else { return Some(Schedule::InOrder(before.ideal().to_vec())) };
        for _ in 0..RUNS_MAX {
            let mut run = machine.run(None);
            let result = run.up_to(before.ideal());
            self.n_steps += run.log().len() as u64 + self.history.operations.len() as u64 / REPLAYED_PER_STEP;
            let Err(index) = result else {
                let is_next = [first, second].iter().all(|of| run.next(of.event.thread) == Some(of.index));
                return is_next.then(|| in_order_if_it_is(before.ideal(), run.log()));
            };
            before.add(self.missing_move(index, before)?);
            let is_closed = before.close().is_ok();
            if !is_closed || [first, second].iter().any(|of| before.contains(of.event.thread, of.event.lt)) {
                return None;
            }
        }
        None
    }

    /// The first give, or take that makes room, that is not in the set and came before an operation in the run.
    fn missing_move(&self, index: u32, before: &Closure<'_>) -> Option<Event> {
        let operation = self.history.operations[index as usize];
        if operation.kind.target() != Target::Resource {
            return None;
        }
        let needs_room = matches!(operation.kind, Kind::Give | Kind::Confirm);
        let moves = self.by_resource.get(&operation.target)?;
        let moves = &moves[..moves.partition_point(|(at, ..)| *at < index)];
        let is_missing = |of: &&Move| !before.contains(of.2.thread, of.2.lt);
        let helps = |of: &&Move| (of.1 == Kind::Take) == needs_room && is_missing(of);
        // Or what is there is another one's, and he has to take it before.
        moves.iter().find(helps).or_else(|| moves.iter().find(is_missing)).map(|of| of.2)
    }

    /// Goes through a schedule again, with nothing of what found it.
    pub(super) fn replay(&mut self, schedule: &Schedule, accesses: [u32; 2]) -> Result<(), Refuted> {
        let replay = self.replay.get_or_insert_with(|| Replay::new(self.history));
        self.n_steps += self.history.operations.len() as u64 / REPLAYED_PER_STEP + schedule.len() as u64;
        replay.check_race(schedule, accesses)
    }
}

/// The operations of a run as a schedule: without a list, if they are in the order of the history.
fn in_order_if_it_is(ideal: &[u32], log: &[u32]) -> Schedule {
    if log.is_sorted() { Schedule::InOrder(ideal.to_vec()) } else { Schedule::Steps(log.to_vec()) }
}
