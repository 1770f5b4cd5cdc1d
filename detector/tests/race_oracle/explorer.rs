//! All correct reorderings of a small history, step by step: which accesses can stand side by side.

use detector::history::{History, Kind, Operation};
use std::collections::{BTreeSet, HashSet};

/// Per thread how many of its operations are done, and per variable the latest write.
type State = (Vec<usize>, Vec<Option<usize>>);

struct Explorer<'a> {
    history: &'a History,
    /// Per thread the indexes of its operations.
    threads: Vec<Vec<usize>>,
    /// Per operation, for reads, the write that it saw.
    saw: Vec<Option<usize>>,
    /// Per thread the operation that starts it.
    forks: Vec<Option<usize>>,
}

/// Pairs of conflicting accesses, the earlier one first, that are next in their threads at once in some reordering.
pub(crate) fn side_by_side(history: &History) -> BTreeSet<(usize, usize)> {
    let n = history.threads.len();
    let mut explorer = Explorer { history, threads: vec![Vec::new(); n], saw: Vec::new(), forks: vec![None; n] };
    let mut written = vec![None; history.variables.len()];
    for (index, operation) in history.operations.iter().enumerate() {
        let target = operation.target as usize;
        explorer.threads[operation.thread as usize].push(index);
        explorer.saw.push(if operation.kind == Kind::Read { written[target] } else { None });
        match operation.kind {
            Kind::Write => written[target] = Some(index),
            Kind::Fork => explorer.forks[target] = Some(index),
            _ => {}
        }
    }
    explorer.explore()
}

impl Explorer<'_> {
    fn explore(&self) -> BTreeSet<(usize, usize)> {
        let first: State = (vec![0; self.threads.len()], vec![None; self.history.variables.len()]);
        let (mut seen, mut open, mut pairs) = (HashSet::from([first.clone()]), vec![first], BTreeSet::new());
        while let Some(state) = open.pop() {
            let next: Vec<usize> = (0..self.threads.len()).filter_map(|thread| self.next(&state, thread)).collect();
            for (n, one) in next.iter().enumerate() {
                let others = next[n + 1..].iter().filter(|other| self.conflict(*one, **other));
                pairs.extend(others.map(|other| (*one.min(other), *one.max(other))));
            }
            for index in next {
                if let Some(after) = self.step(&state, index)
                    && seen.insert(after.clone())
                {
                    open.push(after);
                }
            }
        }
        pairs
    }

    fn conflict(&self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|index| self.history.operations[index]);
        let is_access = |operation: Operation| matches!(operation.kind, Kind::Read | Kind::Write);
        let is_same = is_access(one) && is_access(other) && one.target == other.target;
        is_same && (one.kind == Kind::Write || other.kind == Kind::Write)
    }

    /// The next operation of a thread, if the thread has begun.
    fn next(&self, state: &State, thread: usize) -> Option<usize> {
        let is_begun = self.forks[thread].is_none_or(|fork| {
            let forking = self.history.operations[fork].thread as usize;
            self.threads[forking][..state.0[forking]].contains(&fork)
        });
        self.threads[thread].get(state.0[thread]).copied().filter(|_| is_begun)
    }

    fn step(&self, state: &State, index: usize) -> Option<State> {
        let operation = self.history.operations[index];
        let target = operation.target as usize;
        let (mut done, mut written) = state.clone();
        match operation.kind {
            Kind::Acquire if self.is_excluded(state, operation) => return None,
            Kind::Read if written[target] != self.saw[index] => return None,
            Kind::Join if done[target] < self.threads[target].len() => return None,
            Kind::Write => written[target] = Some(index),
            _ => {}
        }
        done[operation.thread as usize] += 1;
        Some((done, written))
    }

    /// Whether somebody holds a lock so that it cannot be acquired.
    fn is_excluded(&self, state: &State, acquire: Operation) -> bool {
        (0..self.threads.len()).any(|thread| {
            let mut held = Vec::new();
            for index in &self.threads[thread][..state.0[thread]] {
                let operation = self.history.operations[*index];
                match operation.kind {
                    Kind::Acquire if operation.target == acquire.target => held.push(operation.mode),
                    Kind::Release if operation.target == acquire.target => _ = held.pop(),
                    _ => {}
                }
            }
            held.iter().any(|mode| mode.excludes(acquire.mode))
        })
    }
}
