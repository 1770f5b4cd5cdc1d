//! Abstract deadlock patterns: cycles of abstract acquires, each of which wants what the next one holds.
//!
//! The graph of abstract acquires is not built: it has an edge for every pair of which the one wants what the other
//! holds, which is quadratic. Its edges are found from lists of who holds a lock, among the locks that lie on cycles.

use super::past::{AbstractAcquire, Past};
use crate::graph::Components;
use rustc_hash::FxHashSet;

/// Steps of the search, so that a graph with exponentially many cycles ends it: a few seconds.
const STEPS_MAX: u64 = 20_000_000;

/// Who may hold a lock while it wants another one on a cycle with it.
#[derive(Debug)]
pub(super) struct Patterns<'a> {
    past: &'a Past,
    /// Per lock the abstract acquires that hold it.
    holding: Vec<Vec<u32>>,
    starts: Vec<u32>,
}

/// The search was cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CutShort;

impl<'a> Patterns<'a> {
    pub(super) fn new(past: &'a Past) -> Self {
        let wants = past.acquires.iter().flat_map(|eta| past.held(eta).iter().map(|held| (*held, eta.lock)));
        // Each edge once: a lock under another one is taken in many sets of held locks.
        let edges: FxHashSet<(u32, u32)> = wants.collect();
        let components = Components::new(past.n_locks, edges);
        let mut holding = vec![Vec::new(); past.n_locks];
        let mut starts = Vec::new();
        for (eta, acquire) in (0..).zip(&past.acquires) {
            let held = past.held(acquire).iter().filter(|held| components.are_together(**held, acquire.lock));
            let n_before = starts.len();
            for lock in held {
                holding[*lock as usize].push(eta);
                if starts.len() == n_before {
                    starts.push(eta);
                }
            }
        }
        Self { past, holding, starts }
    }

    /// Calls `found` with each pattern once: distinct threads, of which the first has the least number, and no lock held
    /// by two of them.
    ///
    /// No pattern contains another one: a thread that could close the cycle early holds what the last one wants, and so
    /// does whoever comes after it.
    pub(super) fn for_each(&self, mut found: impl FnMut(&[u32])) -> Result<(), CutShort> {
        let mut search =
            Search { path: Vec::new(), is_held: vec![false; self.past.n_locks], threads: FxHashSet::default() };
        let mut n_steps = 0;
        for start in &self.starts {
            self.from(*start, &mut search, &mut n_steps, &mut found)?;
        }
        Ok(())
    }

    fn from(
        &self,
        start: u32,
        search: &mut Search,
        n_steps: &mut u64,
        found: &mut impl FnMut(&[u32]),
    ) -> Result<(), CutShort> {
        let first = &self.past.acquires[start as usize];
        // Per member of the path the next of those to try that hold what it wants.
        let mut next = vec![0];
        search.push(self.past, start);
        while let Some(at) = next.last_mut() {
            let last = &self.past.acquires[search.path[search.path.len() - 1] as usize];
            let Some(eta) = self.holding[last.lock as usize].get(*at) else {
                next.pop();
                search.pop(self.past);
                continue;
            };
            *at += 1;
            *n_steps += 1;
            if *n_steps > STEPS_MAX {
                return Err(CutShort);
            }
            let acquire = &self.past.acquires[*eta as usize];
            if acquire.thread <= first.thread || !search.admits(self.past, acquire) {
                continue;
            }
            search.push(self.past, *eta);
            if self.past.held(first).binary_search(&acquire.lock).is_ok() {
                found(&search.path);
                search.pop(self.past);
            } else {
                next.push(0);
            }
        }
        Ok(())
    }
}

/// A path of the search.
struct Search {
    path: Vec<u32>,
    is_held: Vec<bool>,
    threads: FxHashSet<u32>,
}

impl Search {
    fn admits(&self, past: &Past, acquire: &AbstractAcquire) -> bool {
        !self.threads.contains(&acquire.thread) && past.held(acquire).iter().all(|lock| !self.is_held[*lock as usize])
    }

    fn push(&mut self, past: &Past, eta: u32) {
        self.path.push(eta);
        self.mark(past, eta, true);
    }

    fn pop(&mut self, past: &Past) {
        if let Some(eta) = self.path.pop() {
            self.mark(past, eta, false);
        }
    }

    fn mark(&mut self, past: &Past, eta: u32, is_held: bool) {
        let acquire = &past.acquires[eta as usize];
        for lock in past.held(acquire) {
            self.is_held[*lock as usize] = is_held;
        }
        if is_held {
            self.threads.insert(acquire.thread);
        } else {
            self.threads.remove(&acquire.thread);
        }
    }
}
