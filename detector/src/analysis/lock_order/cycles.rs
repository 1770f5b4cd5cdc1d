//! Simple cycles of one component, shortest first, each once.
//!
//! Iterative deepening: for each length and each lock as the smallest of its cycle, a depth-first search that
//! takes only steps from which the start can still be reached in time. The stack is a vector: no depth recurses.

use crate::{
    graph::lock_order::{Component, EdgeIdx, LockOrder},
    model::Model,
};
use rustc_hash::FxHashSet;

/// Cycles, one at a time.
pub(super) struct Cycles {
    /// By lock, numbered in ascending order: edges with the number of the lock that they lead to or come from.
    successors: Vec<Vec<(usize, EdgeIdx)>>,
    predecessors: Vec<Vec<usize>>,
    length: usize,
    length_max: usize,
    start: usize,
    /// By lock: fewest steps to `start` over larger locks, if few enough.
    distance: Vec<Option<usize>>,
    reached: Vec<usize>,
    /// The path: at each depth the lock and how many of its edges were tried; and the edges taken.
    stack: Vec<(usize, usize)>,
    path: Vec<EdgeIdx>,
    on_path: Vec<bool>,
    steps_left: u64,
}

impl Cycles {
    pub(super) fn new(model: &Model, order: &LockOrder, component: &Component, steps_max: u64) -> Self {
        let locks = &component.locks;
        let mut successors = vec![Vec::new(); locks.len()];
        let mut predecessors = vec![Vec::new(); locks.len()];
        let mut threads = FxHashSet::default();
        for (from, lock) in locks.iter().enumerate() {
            for edge_idx in order.edges_from(*lock) {
                let Some(edge) = order.edge(edge_idx) else { continue };
                let Ok(to) = locks.binary_search(&edge.wants) else { continue };
                let instances = edge.instances.iter().filter_map(|instance| model.nested.get(*instance as usize));
                threads.extend(instances.map(|nested| nested.thread));
                if let Some(successors) = successors.get_mut(from) {
                    successors.push((to, edge_idx));
                }
                if let Some(predecessors) = predecessors.get_mut(to) {
                    predecessors.push(from);
                }
            }
        }
        for predecessors in &mut predecessors {
            predecessors.sort_unstable();
            predecessors.dedup();
        }
        Self {
            length: 2,
            // Each edge needs a thread of its own.
            length_max: locks.len().min(threads.len()),
            start: 0,
            distance: vec![None; locks.len()],
            reached: Vec::new(),
            stack: Vec::new(),
            path: Vec::new(),
            on_path: vec![false; locks.len()],
            steps_left: steps_max,
            successors,
            predecessors,
        }
    }

    /// The next cycle as its edges, that out of its smallest lock first.
    pub(super) fn next_cycle(&mut self) -> Option<Vec<EdgeIdx>> {
        while self.length <= self.length_max {
            while self.start < self.successors.len() {
                if self.stack.is_empty() && !self.begin() {
                    self.start += 1;
                    continue;
                }
                if let Some(cycle) = self.search() {
                    return Some(cycle);
                }
                if self.was_cut() {
                    return None;
                }
                self.start += 1;
            }
            self.start = 0;
            self.length += 1;
        }
        None
    }

    /// Whether the steps ran out.
    pub(super) fn was_cut(&self) -> bool {
        self.steps_left == 0
    }

    /// Begins at `start`: finds what is near enough. False if nothing leads back.
    fn begin(&mut self) -> bool {
        for lock in self.reached.drain(..) {
            if let Some(distance) = self.distance.get_mut(lock) {
                *distance = None;
            }
        }
        let mut frontier = vec![self.start];
        for distance in 1..self.length {
            let mut next = Vec::new();
            for lock in frontier {
                for from in self.predecessors.get(lock).into_iter().flatten() {
                    self.steps_left = self.steps_left.saturating_sub(1);
                    if *from > self.start
                        && let Some(known) = self.distance.get_mut(*from)
                        && known.is_none()
                    {
                        *known = Some(distance);
                        self.reached.push(*from);
                        next.push(*from);
                    }
                }
            }
            frontier = next;
        }
        if self.reached.is_empty() || self.was_cut() {
            return false;
        }
        self.stack.push((self.start, 0));
        true
    }

    /// Goes on with the depth-first search; leaves an empty stack at its end.
    fn search(&mut self) -> Option<Vec<EdgeIdx>> {
        while let Some((lock, tried)) = self.stack.last_mut() {
            let (lock, place) = (*lock, *tried);
            *tried += 1;
            self.steps_left = self.steps_left.saturating_sub(1);
            if self.was_cut() {
                return None;
            }
            let Some((to, edge)) = self.successors.get(lock).and_then(|edges| edges.get(place)).copied() else {
                self.stack.pop();
                self.path.pop();
                self.set_on_path(lock, false);
                continue;
            };
            let left = self.length - self.stack.len();
            if left == 0 {
                if to == self.start {
                    return Some(self.path.iter().copied().chain([edge]).collect());
                }
                continue;
            }
            let near = self.distance.get(to).copied().flatten().is_some_and(|distance| distance <= left);
            if near && !self.on_path.get(to).copied().unwrap_or(true) {
                self.set_on_path(to, true);
                self.path.push(edge);
                self.stack.push((to, 0));
            }
        }
        None
    }

    fn set_on_path(&mut self, lock: usize, on_path: bool) {
        if let Some(place) = self.on_path.get_mut(lock) {
            *place = on_path;
        }
    }
}
