//! Deadlocks that need two critical sections of one lock in the other order: a bounded search for a schedule, for one
//! choice of acquires at a time, that lets every read see what it saw.
//!
//! The search goes through states, depth first, the order of the trace first. What keeps it small:
//!
//! * Only operations that the acquires need, or that end a section that has to begin ([`Scope`]).
//! * Operations that can only help are done at once: releases, reads, forks, joins, and writes that nobody else sees.
//!   They disable nothing, and whatever order reaches the goal reaches it with them done as well.
//! * A section that cannot end before the goal comes after all others that it excludes and that have to happen.
//! * A write waits for the reads of the value that it replaces, if these have to happen.
//!
//! Each of these keeps a schedule if there is one, so a search that ends without a bound has settled the question. Sound by
//! replay, complete by an exhaustive search in the tests.

use super::{
    MODES,
    moves::{Moves, NONE},
    past::{Event, Occurrence, Past},
};
use crate::history::{History, Kind, Mode};
use rustc_hash::{FxHashMap, FxHashSet};

/// What came of a search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Settled {
    /// This order of operations reaches it.
    Reached(Vec<u32>),
    /// No order does.
    Unreachable,
    /// The bound was reached first.
    Open,
}

/// How much may be done before a question is left open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// States, all searches together.
    pub(super) states: u64,
    /// Operations done or undone, all searches together.
    pub(super) operations: u64,
}

/// Which operations a choice of acquires is about.
struct Scope {
    /// Per thread the local time of the last operation that has to happen.
    must: Vec<u32>,
    /// Per thread the local time of the last operation that may be of use.
    may: Vec<u32>,
    /// Acquires of sections that cannot end before the goal.
    endless: FxHashSet<u32>,
}

impl Scope {
    fn of(past: &Past, choice: &[(u32, Occurrence)]) -> Self {
        let mut scope = Self { must: vec![0; past.n_threads], may: Vec::new(), endless: FxHashSet::default() };
        for (thread, occurrence) in choice {
            let before = Event { thread: *thread, lt: occurrence.lt - 1, clock: occurrence.clock };
            add(past, before, &mut scope.must);
        }
        scope.may.clone_from(&scope.must);
        let mut next = vec![0; past.n_threads];
        let mut pending: Vec<usize> = (0..past.n_threads).collect();
        while let Some(thread) = pending.pop() {
            while let Some(section) = past.sections[thread].get(next[thread]) {
                if section.lt > scope.may[thread] {
                    break;
                }
                next[thread] += 1;
                let needs = |release: &Event| {
                    choice.iter().any(|(thread, occurrence)| {
                        let own = if release.thread == *thread { release.lt } else { 0 };
                        own.max(past.clocks.get(release.clock)[*thread as usize]) >= occurrence.lt
                    })
                };
                match section.release {
                    Some(release) if !needs(&release) => {
                        let before = scope.may.clone();
                        add(past, release, &mut scope.may);
                        let grown = (0..past.n_threads).filter(|thread| scope.may[*thread] > before[*thread]);
                        pending.extend(grown);
                    }
                    _ => _ = scope.endless.insert(section.index),
                }
            }
        }
        scope
    }
}

fn add(past: &Past, event: Event, ideal: &mut [u32]) {
    for (known, lt) in ideal.iter_mut().zip(past.clocks.get(event.clock)) {
        *known = (*known).max(*lt);
    }
    let own = &mut ideal[event.thread as usize];
    *own = (*own).max(event.lt);
}

/// Searches for a schedule after which the acquires of `choice`, each with its thread, are next.
pub(super) fn search(
    history: &History,
    moves: &Moves,
    past: &Past,
    choice: &[(u32, Occurrence)],
    budget: &mut Budget,
) -> Settled {
    // An acquire that comes before another one of the choice, whatever the order, is over when that is next.
    let is_before = |(thread, occurrence): &(u32, Occurrence)| {
        choice.iter().any(|(_, other)| past.clocks.get(other.clock)[*thread as usize] >= occurrence.lt)
    };
    if choice.iter().any(is_before) {
        return Settled::Unreachable;
    }
    if budget.states == 0 || budget.operations == 0 {
        return Settled::Open;
    }
    let scope = Scope::of(past, choice);
    budget.operations = budget.operations.saturating_sub(scope.may.iter().map(|n| u64::from(*n)).sum());
    let is_inside = |(thread, occurrence): &(u32, Occurrence)| scope.may[*thread as usize] >= occurrence.lt;
    if choice.iter().any(is_inside) {
        return Settled::Unreachable;
    }
    let mut search = Search::new(history, moves, past, &scope, budget);
    search.run(choice)
}

/// A state of the search, with the way back.
struct Search<'a> {
    history: &'a History,
    moves: &'a Moves,
    scope: &'a Scope,
    budget: &'a mut Budget,
    /// Threads with something to do.
    active: Vec<u32>,
    done: Vec<u32>,
    /// Per lock how many hold it in each mode.
    holders: Vec<[u32; 4]>,
    writes: Vec<u32>,
    /// Hash of `writes`.
    written: u64,
    is_started: Vec<bool>,
    /// Reads to come of a value, by write or by variable for initial values: how many have to happen, how many may.
    readers: FxHashMap<(u32, u32), (u32, u32)>,
    /// Per lock and mode, sections to come that have to happen and can end.
    to_come: Vec<[u32; 4]>,
    /// Operations done, with the write that each replaced.
    log: Vec<(u32, u32)>,
    seen: FxHashSet<(Vec<u32>, u64)>,
}

impl<'a> Search<'a> {
    fn new(history: &'a History, moves: &'a Moves, past: &'a Past, scope: &'a Scope, budget: &'a mut Budget) -> Self {
        let mut search = Self {
            history,
            moves,
            scope,
            budget,
            active: (0..).take(past.n_threads).filter(|thread| scope.may[*thread as usize] > 0).collect(),
            done: vec![0; past.n_threads],
            holders: vec![[0; 4]; past.n_locks],
            writes: vec![NONE; history.variables.len()],
            written: 0,
            is_started: moves.is_forked.iter().map(|is_forked| !is_forked).collect(),
            readers: FxHashMap::default(),
            to_come: vec![[0; 4]; past.n_locks],
            log: Vec::new(),
            seen: FxHashSet::default(),
        };
        for thread in search.active.clone() {
            search.count(thread);
        }
        search
    }

    /// Counts what a thread has to do and may do.
    fn count(&mut self, thread: u32) {
        let (must, may) = (self.scope.must[thread as usize], self.scope.may[thread as usize]);
        self.budget.operations = self.budget.operations.saturating_sub(u64::from(may));
        let operations = &self.moves.threads[thread as usize];
        for (lt, index) in (1..=may).zip(operations) {
            let operation = &self.history.operations[*index as usize];
            if matches!(operation.kind, Kind::Read | Kind::Await) && self.moves.is_shared[operation.target as usize] {
                let readers = self.readers.entry(self.value(*index)).or_default();
                readers.0 += u32::from(lt <= must);
                readers.1 += 1;
            } else if operation.kind == Kind::Acquire && lt <= must && !self.scope.endless.contains(index) {
                self.to_come[operation.target as usize][operation.mode as usize] += 1;
            }
        }
    }

    /// The value that a read sees.
    fn value(&self, read: u32) -> (u32, u32) {
        (self.history.operations[read as usize].target, self.moves.sees[read as usize])
    }

    fn run(&mut self, choice: &[(u32, Occurrence)]) -> Settled {
        // Per choice point: how much was done before it, and what else could be done there, the first last.
        let mut points: Vec<(usize, Vec<u32>)> = Vec::new();
        loop {
            self.do_what_helps();
            if choice.iter().all(|(thread, occurrence)| self.done[*thread as usize] == occurrence.lt - 1) {
                return Settled::Reached(self.log.iter().map(|(index, _)| *index).collect());
            }
            if self.budget.states == 0 || self.budget.operations == 0 {
                return Settled::Open;
            }
            self.budget.states -= 1;
            let done = self.active.iter().map(|thread| self.done[*thread as usize]).collect();
            let candidates = if self.seen.insert((done, self.written)) { self.candidates() } else { Vec::new() };
            points.push((self.log.len(), candidates));
            loop {
                let Some((before, candidates)) = points.last_mut() else { return Settled::Unreachable };
                let before = *before;
                let Some(index) = candidates.pop() else {
                    points.pop();
                    continue;
                };
                self.undo_to(before);
                self.perform(index);
                break;
            }
        }
    }

    /// What can be done, in the order of the trace, the first last.
    fn candidates(&self) -> Vec<u32> {
        let mut candidates: Vec<u32> = self.active.iter().filter_map(|thread| self.next(*thread)).collect();
        candidates.retain(|index| self.is_enabled(*index));
        candidates.sort_unstable_by(|one, other| other.cmp(one));
        candidates
    }

    fn next(&self, thread: u32) -> Option<u32> {
        let done = self.done[thread as usize];
        let is_in_scope = done < self.scope.may[thread as usize] && self.is_started[thread as usize];
        is_in_scope.then(|| self.moves.threads[thread as usize][done as usize])
    }

    fn do_what_helps(&mut self) {
        let mut is_still = false;
        while !is_still {
            is_still = true;
            for at in 0..self.active.len() {
                while let Some(index) = self.next(self.active[at]) {
                    if !(self.helps(index) && self.is_enabled(index)) {
                        break;
                    }
                    self.perform(index);
                    is_still = false;
                }
            }
        }
    }

    /// Whether an operation that can be done may as well be done at once.
    fn helps(&self, index: u32) -> bool {
        let operation = &self.history.operations[index as usize];
        match operation.kind {
            Kind::Acquire => false,
            Kind::Write if self.moves.is_shared[operation.target as usize] => {
                let value = (operation.target, self.writes[operation.target as usize]);
                self.moves.is_quiet[index as usize] && self.readers.get(&value).is_none_or(|readers| readers.1 == 0)
            }
            _ => true,
        }
    }

    fn is_enabled(&self, index: u32) -> bool {
        let operation = &self.history.operations[index as usize];
        let target = operation.target as usize;
        match operation.kind {
            Kind::Acquire => {
                let is_last = !self.scope.endless.contains(&index) || !excludes(self.to_come[target], operation.mode);
                is_last && !excludes(self.holders[target], operation.mode)
            }
            Kind::Read | Kind::Await if self.moves.is_shared[target] => {
                self.writes[target] == self.moves.sees[index as usize]
            }
            Kind::Write if self.moves.is_shared[target] => {
                let value = (operation.target, self.writes[target]);
                self.readers.get(&value).is_none_or(|readers| readers.0 == 0)
            }
            Kind::Join => self.done[target] as usize == self.moves.threads[target].len(),
            _ => true,
        }
    }

    fn perform(&mut self, index: u32) {
        let replaced = self.writes.get(self.history.operations[index as usize].target as usize).copied();
        self.log.push((index, replaced.unwrap_or(NONE)));
        self.change(index, true, index);
    }

    fn undo_to(&mut self, n: usize) {
        while self.log.len() > n {
            if let Some((index, replaced)) = self.log.pop() {
                self.change(index, false, replaced);
            }
        }
    }

    /// Does an operation, or undoes it; a write leaves `write` behind.
    fn change(&mut self, index: u32, is_done: bool, write: u32) {
        self.budget.operations = self.budget.operations.saturating_sub(1);
        let operation = &self.history.operations[index as usize];
        let (thread, target) = (operation.thread as usize, operation.target as usize);
        // Local time of the operation; undoing it, that is what was done.
        let lt = if is_done { self.done[thread] + 1 } else { self.done[thread] };
        self.done[thread] = if is_done { lt } else { lt - 1 };
        let is_must = u32::from(lt <= self.scope.must[thread]);
        let count = |n: &mut u32, by: u32| *n = if is_done { *n - by } else { *n + by };
        match operation.kind {
            Kind::Acquire | Kind::Release => {
                let is_held = is_done == (operation.kind == Kind::Acquire);
                let holders = &mut self.holders[target][operation.mode as usize];
                *holders = if is_held { *holders + 1 } else { holders.saturating_sub(1) };
                if operation.kind == Kind::Acquire && !self.scope.endless.contains(&index) {
                    count(&mut self.to_come[target][operation.mode as usize], is_must);
                }
            }
            Kind::Read | Kind::Await if self.moves.is_shared[target] => {
                if let Some(readers) = self.readers.get_mut(&(operation.target, self.moves.sees[index as usize])) {
                    count(&mut readers.0, is_must);
                    count(&mut readers.1, 1);
                }
            }
            Kind::Write if self.moves.is_shared[target] => {
                self.written ^= mixed(operation.target, self.writes[target]) ^ mixed(operation.target, write);
                self.writes[target] = write;
            }
            Kind::Fork => self.is_started[target] = is_done,
            _ => {}
        }
    }
}

/// Whether any of so many sections in each mode excludes one in `mode`.
fn excludes(sections: [u32; 4], mode: Mode) -> bool {
    MODES.into_iter().any(|other| sections[other as usize] > 0 && other.excludes(mode))
}

/// A number for "this write is the latest of the variable", whose sums rarely agree by chance.
fn mixed(variable: u32, write: u32) -> u64 {
    let mut bits = (u64::from(variable) << 32 | u64::from(write)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    for multiplier in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        bits = (bits ^ (bits >> 29)).wrapping_mul(multiplier);
    }
    bits ^ (bits >> 32)
}
