//! Witness schedules, and their replay: nothing is called proven before its schedule was gone through, step by step,
//! against the trace, by code that shares nothing with what found it.

use crate::history::{History, Kind, Mode, Operation};
use std::fmt;

/// Operations of a history, in an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// In the order of the history: per thread how many of its operations. Ten million operations need no list.
    InOrder(Vec<u32>),
    /// These: indexes, first to last.
    Steps(Vec<u32>),
}

impl Schedule {
    /// The indexes of the operations, first to last.
    pub fn steps<'a>(&'a self, history: &'a History) -> Box<dyn Iterator<Item = u32> + 'a> {
        let threads = match self {
            Self::Steps(steps) => return Box::new(steps.iter().copied()),
            Self::InOrder(threads) => threads,
        };
        let mut done = vec![0_u32; threads.len()];
        let is_in = move |operation: &Operation| {
            let (Some(done), Some(n)) =
                (done.get_mut(operation.thread as usize), threads.get(operation.thread as usize))
            else {
                return false;
            };
            *done += 1;
            *done <= *n
        };
        let mut is_in = is_in;
        Box::new((0..).zip(&history.operations).filter_map(move |(index, operation)| is_in(operation).then_some(index)))
    }

    /// How many operations it has.
    pub fn len(&self) -> usize {
        match self {
            Self::InOrder(threads) => threads.iter().map(|n| *n as usize).sum(),
            Self::Steps(steps) => steps.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A schedule after which each of some threads wants what another one of them holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witness {
    /// What happens before.
    pub schedule: Schedule,
    /// Indexes of the acquires that block then: each wants what the thread of the next one holds, the last one what
    /// that of the first one holds.
    pub blocked: Vec<u32>,
}

/// Why a witness is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refuted {
    /// The operation is not the next one of its thread.
    OutOfTurn(u32),
    /// Its thread was not started before.
    NotStarted(u32),
    /// It acquires what is held.
    Held(u32),
    /// It releases what nobody holds.
    NotHeld(u32),
    /// It reads what another operation wrote than in the trace.
    OtherWrite(u32),
    /// It joins a thread that has not ended.
    NotEnded(u32),
    /// It does not want what the next one's thread holds.
    NotBlocked(u32),
    /// It does not access what the other one accesses, or neither of them writes.
    NotConflicting(u32),
}

impl fmt::Display for Refuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, why) = match self {
            Self::OutOfTurn(index) => (index, "is not the next one of its thread"),
            Self::NotStarted(index) => (index, "comes before its thread is started"),
            Self::Held(index) => (index, "acquires what is held"),
            Self::NotHeld(index) => (index, "releases what nobody holds"),
            Self::OtherWrite(index) => (index, "reads what another operation wrote"),
            Self::NotEnded(index) => (index, "joins a thread that has not ended"),
            Self::NotBlocked(index) => (index, "is not blocked by the next thread"),
            Self::NotConflicting(index) => (index, "is in no conflict with the other one"),
        };
        write!(f, "operation {index} {why}")
    }
}

const NONE: u32 = u32::MAX;

/// What of a history every replay needs.
#[derive(Debug)]
pub struct Replay<'a> {
    history: &'a History,
    /// Per operation its number among those of its thread, from 0.
    turns: Vec<u32>,
    /// Per thread how many operations it has.
    n_turns: Vec<u32>,
    /// Per read the write that it saw; `NONE` is the initial value.
    seen: Vec<u32>,
    /// Which threads are started by an operation of the history.
    is_forked: Vec<bool>,
}

/// The state of a run, at one point of a schedule.
struct State {
    turns: Vec<u32>,
    /// Per lock who holds it, and how.
    holders: Vec<Vec<(u32, Mode)>>,
    writes: Vec<u32>,
    is_started: Vec<bool>,
}

impl<'a> Replay<'a> {
    /// Prepares replays of a history.
    pub fn new(history: &'a History) -> Self {
        let mut n_turns = vec![0; history.threads.len()];
        let mut writes = vec![NONE; history.variables.len()];
        let mut is_forked = vec![false; history.threads.len()];
        let (mut turns, mut seen) = (Vec::new(), Vec::new());
        for (index, operation) in (0..).zip(&history.operations) {
            let turn = &mut n_turns[operation.thread as usize];
            turns.push(*turn);
            *turn += 1;
            seen.push(if matches!(operation.kind, Kind::Read | Kind::Await) {
                writes[operation.target as usize]
            } else {
                NONE
            });
            match operation.kind {
                Kind::Write => writes[operation.target as usize] = index,
                Kind::Fork => is_forked[operation.target as usize] = true,
                _ => {}
            }
        }
        Self { history, turns, n_turns, seen, is_forked }
    }

    /// Goes through a witness.
    ///
    /// # Errors
    ///
    /// The first operation that could not have happened there.
    pub fn check(&self, witness: &Witness) -> Result<(), Refuted> {
        let state = self.after(&witness.schedule)?;
        let n = witness.blocked.len();
        for (at, index) in witness.blocked.iter().enumerate() {
            let next = self.operation(witness.blocked[(at + 1) % n])?;
            let operation = self.turn(*index, &state)?;
            let is_blocked = n > 1
                && operation.kind == Kind::Acquire
                && next.thread != operation.thread
                && operation.may_wait
                && state.holders[operation.target as usize]
                    .iter()
                    .any(|(holder, mode)| *holder == next.thread && mode.excludes(operation.mode));
            if !is_blocked {
                return Err(Refuted::NotBlocked(*index));
            }
        }
        Ok(())
    }

    /// Goes through a schedule after which two accesses are next that must not be at the same time.
    ///
    /// # Errors
    ///
    /// The first operation that could not have happened there, or the access that is not next, or in no conflict.
    pub fn check_race(&self, schedule: &Schedule, [first, second]: [u32; 2]) -> Result<(), Refuted> {
        let state = self.after(schedule)?;
        let (one, other) = (self.turn(first, &state)?, self.turn(second, &state)?);
        let is_access = |operation: &Operation| matches!(operation.kind, Kind::Read | Kind::Write);
        let is_conflict = one.thread != other.thread
            && one.target == other.target
            && is_access(one)
            && is_access(other)
            && (one.kind == Kind::Write || other.kind == Kind::Write);
        if is_conflict { Ok(()) } else { Err(Refuted::NotConflicting(second)) }
    }

    /// Goes through a schedule.
    fn after(&self, schedule: &Schedule) -> Result<State, Refuted> {
        let mut state = State {
            turns: vec![0; self.n_turns.len()],
            holders: vec![Vec::new(); self.history.locks.len()],
            writes: vec![NONE; self.history.variables.len()],
            is_started: self.is_forked.iter().map(|is_forked| !is_forked).collect(),
        };
        for index in schedule.steps(self.history) {
            self.step(index, &mut state)?;
        }
        Ok(state)
    }

    fn operation(&self, index: u32) -> Result<&'a Operation, Refuted> {
        self.history.operations.get(index as usize).ok_or(Refuted::OutOfTurn(index))
    }

    /// An operation that is the next one of its thread.
    fn turn(&self, index: u32, state: &State) -> Result<&'a Operation, Refuted> {
        let operation = self.operation(index)?;
        if state.turns[operation.thread as usize] != self.turns[index as usize] {
            return Err(Refuted::OutOfTurn(index));
        }
        if !state.is_started[operation.thread as usize] {
            return Err(Refuted::NotStarted(index));
        }
        Ok(operation)
    }

    fn step(&self, index: u32, state: &mut State) -> Result<(), Refuted> {
        let Operation { thread, target, kind, mode, .. } = *self.turn(index, state)?;
        state.turns[thread as usize] += 1;
        let target = target as usize;
        match kind {
            Kind::Acquire => {
                if state.holders[target].iter().any(|(_, held)| held.excludes(mode)) {
                    return Err(Refuted::Held(index));
                }
                state.holders[target].push((thread, mode));
            }
            Kind::Release => {
                // Another thread may drop a guard.
                let holders = &mut state.holders[target];
                let own = holders.iter().rposition(|(holder, held)| (*holder, *held) == (thread, mode));
                let of_mode = || holders.iter().rposition(|(_, held)| *held == mode);
                let at = own.or_else(of_mode).ok_or(Refuted::NotHeld(index))?;
                holders.remove(at);
            }
            Kind::Read | Kind::Await if state.writes[target] != self.seen[index as usize] => {
                return Err(Refuted::OtherWrite(index));
            }
            Kind::Write => state.writes[target] = index,
            Kind::Fork => state.is_started[target] = true,
            Kind::Join if state.turns[target] != self.n_turns[target] => return Err(Refuted::NotEnded(index)),
            _ => {}
        }
        Ok(())
    }
}
