//! Every state that some correct reordering of a history reaches, one step of one thread after the other.

use detector::history::{History, Kind, Mode, Operation};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A cycle of threads: thread, wanted lock, place of each.
pub(crate) type Deadlock = BTreeSet<(u32, u32, u32)>;

/// Which reorderings count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// All.
    Any,
    /// Those in which critical sections of one lock come in the order of the trace.
    Preserved,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    /// Per thread how many of its operations are done.
    done: Vec<usize>,
    /// Per variable the index of the latest write.
    written: Vec<Option<usize>>,
    /// Per lock who holds it, and how.
    holders: Vec<BTreeSet<(u32, Mode)>>,
    /// Per lock the latest acquire in each mode.
    acquired: Vec<BTreeMap<Mode, usize>>,
}

struct Explorer<'a> {
    history: &'a History,
    order: Order,
    /// Per thread the indexes of its operations.
    threads: Vec<Vec<usize>>,
    /// Per operation, for reads, the write that it saw.
    saw: Vec<Option<usize>>,
    forks: Vec<bool>,
}

/// All deadlocks that reorderings of the history reach.
pub(crate) fn deadlocks(history: &History, order: Order) -> BTreeSet<Deadlock> {
    let explorer = Explorer::new(history, order);
    explorer.explore(|state| explorer.cycles(state))
}

/// All pairs of accesses, in the order of the history, that reorderings make the next operations of two threads at once
/// and of which one writes what the other one accesses.
pub(crate) fn races(history: &History, order: Order) -> BTreeSet<[usize; 2]> {
    let explorer = Explorer::new(history, order);
    explorer.explore(|state| explorer.conflicts(state))
}

impl<'a> Explorer<'a> {
    fn new(history: &'a History, order: Order) -> Self {
        let n = history.threads.len();
        let mut explorer =
            Explorer { history, order, threads: vec![Vec::new(); n], saw: Vec::new(), forks: vec![false; n] };
        let mut written = vec![None; history.variables.len()];
        for (index, operation) in history.operations.iter().enumerate() {
            explorer.threads[operation.thread as usize].push(index);
            let is_access = matches!(operation.kind, Kind::Read | Kind::Write);
            explorer.saw.push(if is_access { written[operation.target as usize] } else { None });
            match operation.kind {
                Kind::Write => written[operation.target as usize] = Some(index),
                Kind::Fork => explorer.forks[operation.target as usize] = true,
                _ => {}
            }
        }
        explorer
    }

    /// What is found in any state that can be reached.
    fn explore<T: Ord>(&self, look: impl Fn(&State) -> Vec<T>) -> BTreeSet<T> {
        let first = State {
            done: vec![0; self.threads.len()],
            written: vec![None; self.history.variables.len()],
            holders: vec![BTreeSet::new(); self.history.locks.len()],
            acquired: vec![BTreeMap::new(); self.history.locks.len()],
        };
        let mut found = BTreeSet::new();
        let mut seen = HashSet::from([first.clone()]);
        let mut open = vec![first];
        while let Some(state) = open.pop() {
            found.extend(look(&state));
            for thread in 0..self.threads.len() {
                if let Some(next) = self.step(&state, thread)
                    && seen.insert(next.clone())
                {
                    open.push(next);
                }
            }
        }
        found
    }

    fn next(&self, state: &State, thread: usize) -> Option<(usize, &Operation)> {
        let index = *self.threads[thread].get(state.done[thread])?;
        let is_started = !self.forks[thread]
            || self.history.operations.iter().enumerate().any(|(at, operation)| {
                (operation.kind, operation.target as usize) == (Kind::Fork, thread) && self.is_done(state, at)
            });
        is_started.then(|| (index, &self.history.operations[index]))
    }

    fn is_done(&self, state: &State, index: usize) -> bool {
        let thread = self.history.operations[index].thread as usize;
        self.threads[thread][..state.done[thread]].contains(&index)
    }

    fn step(&self, state: &State, thread: usize) -> Option<State> {
        let (index, operation) = self.next(state, thread)?;
        let target = operation.target as usize;
        let mut next = state.clone();
        next.done[thread] += 1;
        match operation.kind {
            Kind::Acquire => {
                let excluded = |mode: &Mode| mode.excludes(operation.mode);
                let is_held = state.holders[target].iter().any(|(_, mode)| excluded(mode));
                let is_late = state.acquired[target].iter().any(|(mode, latest)| excluded(mode) && *latest > index);
                if is_held || is_late {
                    return None;
                }
                next.holders[target].insert((operation.thread, operation.mode));
                // What was before makes no difference if any order counts: fewer states.
                if self.order == Order::Preserved {
                    let latest = next.acquired[target].entry(operation.mode).or_default();
                    *latest = (*latest).max(index);
                }
            }
            Kind::Release => {
                next.holders[target].remove(&(operation.thread, operation.mode));
            }
            Kind::Read if state.written[target] != self.saw[index] => return None,
            Kind::Write => next.written[target] = Some(index),
            Kind::Join if state.done[target] < self.threads[target].len() => return None,
            _ => {}
        }
        Some(next)
    }

    fn conflicts(&self, state: &State) -> Vec<[usize; 2]> {
        let accesses = (0..self.threads.len())
            .filter_map(|thread| self.next(state, thread))
            .filter(|(_, operation)| matches!(operation.kind, Kind::Read | Kind::Write));
        let accesses: Vec<_> = accesses.collect();
        let mut pairs = Vec::new();
        for (at, (one, first)) in accesses.iter().enumerate() {
            for (other, second) in &accesses[at + 1..] {
                if first.target == second.target && (first.kind == Kind::Write || second.kind == Kind::Write) {
                    pairs.push([*one.min(other), *one.max(other)]);
                }
            }
        }
        pairs
    }

    /// Whom a thread waits for.
    fn waits_for(&self, state: &State, thread: usize) -> Vec<usize> {
        let Some((_, operation)) = self.next(state, thread) else { return Vec::new() };
        if operation.kind != Kind::Acquire || !operation.may_wait {
            return Vec::new();
        }
        let holders = state.holders[operation.target as usize].iter();
        holders.filter(|(_, mode)| mode.excludes(operation.mode)).map(|(thread, _)| *thread as usize).collect()
    }

    /// The cycles of threads that wait for each other, of which none contains another one.
    fn cycles(&self, state: &State) -> Vec<Deadlock> {
        let waits: Vec<Vec<usize>> = (0..self.threads.len()).map(|thread| self.waits_for(state, thread)).collect();
        let mut cycles: Vec<BTreeSet<usize>> = Vec::new();
        for first in 0..waits.len() {
            let mut paths = vec![vec![first]];
            while let Some(path) = paths.pop() {
                for next in &waits[path[path.len() - 1]] {
                    if *next == first {
                        cycles.push(path.iter().copied().collect());
                    } else if *next > first && !path.contains(next) {
                        paths.push([path.as_slice(), &[*next]].concat());
                    }
                }
            }
        }
        let is_least = |cycle: &&BTreeSet<usize>| !cycles.iter().any(|other| other != *cycle && other.is_subset(cycle));
        let key = |thread: &usize| {
            let (_, operation) = self.next(state, *thread).unwrap();
            (operation.thread, operation.target, operation.place)
        };
        cycles.iter().filter(is_least).map(|cycle| cycle.iter().map(key).collect()).collect()
    }
}
