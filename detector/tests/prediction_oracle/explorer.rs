//! Every state that some correct reordering of a history reaches, one step of one thread after the other.

use detector::history::{History, Kind, Operation};
use std::collections::{BTreeSet, HashSet};

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
    owners: Vec<Option<u32>>,
    /// Per lock the index of the latest acquire.
    acquired: Vec<Option<usize>>,
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
    explorer.explore()
}

impl Explorer<'_> {
    fn explore(&self) -> BTreeSet<Deadlock> {
        let first = State {
            done: vec![0; self.threads.len()],
            written: vec![None; self.history.variables.len()],
            owners: vec![None; self.history.locks.len()],
            acquired: vec![None; self.history.locks.len()],
        };
        let mut found = BTreeSet::new();
        let mut seen = HashSet::from([first.clone()]);
        let mut open = vec![first];
        while let Some(state) = open.pop() {
            found.extend((0..self.threads.len()).filter_map(|thread| self.cycle(&state, thread)));
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
                let is_in_order =
                    self.order == Order::Any || state.acquired[target].is_none_or(|before| before < index);
                if state.owners[target].is_some() || !is_in_order {
                    return None;
                }
                next.owners[target] = Some(thread as u32);
                // What was before makes no difference if any order counts: fewer states.
                next.acquired[target] = (self.order == Order::Preserved).then_some(index);
            }
            Kind::Release => next.owners[target] = None,
            Kind::Read if state.written[target] != self.saw[index] => return None,
            Kind::Write => next.written[target] = Some(index),
            Kind::Join if state.done[target] < self.threads[target].len() => return None,
            _ => {}
        }
        Some(next)
    }

    /// The cycle that a thread is in, if it and the others of it wait for each other.
    fn cycle(&self, state: &State, thread: usize) -> Option<Deadlock> {
        let mut cycle = Deadlock::new();
        let mut at = thread;
        loop {
            let (_, operation) = self.next(state, at)?;
            let owner = (operation.kind == Kind::Acquire).then(|| state.owners[operation.target as usize])??;
            if !cycle.insert((operation.thread, operation.target, operation.place)) {
                return None;
            }
            at = owner as usize;
            if at == thread {
                return Some(cycle);
            }
        }
    }
}
