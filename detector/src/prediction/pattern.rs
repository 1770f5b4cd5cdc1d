//! Abstract deadlock patterns: cycles of abstract acquires, each of which wants what the next one holds.
//!
//! The graph of abstract acquires is not built: it has an edge for every pair of which the one wants what the other
//! holds, which is quadratic. Its edges are found from lists of who holds a lock, among the locks that lie on cycles.

use super::{
    MODES,
    past::{AbstractAcquire, Past},
};
use crate::{graph::Components, history::Mode};
use rustc_hash::FxHashSet;

/// Steps of the search, so that a graph with exponentially many cycles ends it: a few seconds.
const STEPS_MAX: u64 = 20_000_000;

/// Who may hold a lock while it wants another one on a cycle with it.
#[derive(Debug)]
pub(super) struct Patterns<'a> {
    past: &'a Past,
    /// Per lock the abstract acquires that hold it, and how.
    holding: Vec<Vec<(u32, Mode)>>,
    starts: Vec<u32>,
}

/// The search was cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CutShort;

impl<'a> Patterns<'a> {
    pub(super) fn new(past: &'a Past) -> Self {
        let wants = past.acquires.iter().flat_map(|eta| past.held(eta).iter().map(|(held, _)| (*held, eta.lock)));
        // Each edge once: a lock under another one is taken in many sets of held locks.
        let edges: FxHashSet<(u32, u32)> = wants.collect();
        let components = Components::new(past.n_locks, edges);
        let mut holding = vec![Vec::new(); past.n_locks];
        let mut starts = Vec::new();
        for (eta, acquire) in (0..).zip(&past.acquires) {
            let held = past.held(acquire).iter().filter(|(held, _)| components.are_together(*held, acquire.lock));
            let n_before = starts.len();
            for (lock, mode) in held {
                holding[*lock as usize].push((eta, *mode));
                if starts.len() == n_before {
                    starts.push(eta);
                }
            }
        }
        Self { past, holding, starts }
    }

    /// Calls `found` with each pattern once: distinct threads, of which the first has the least number, each blocked by the
    /// next one, and no two of which hold a lock in modes that exclude each other.
    ///
    /// None contains another one: where a thread is blocked by two of them, a shorter cycle says it all.
    pub(super) fn for_each(&self, mut found: impl FnMut(&[u32])) -> Result<(), CutShort> {
        let mut search =
            Search { path: Vec::new(), held: vec![[0; 4]; self.past.n_locks], threads: FxHashSet::default() };
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
            let Some((eta, mode)) = self.holding[last.lock as usize].get(*at).copied() else {
                next.pop();
                search.pop(self.past);
                continue;
            };
            *at += 1;
            *n_steps += 1;
            if *n_steps > STEPS_MAX {
                return Err(CutShort);
            }
            let acquire = &self.past.acquires[eta as usize];
            if acquire.thread <= first.thread || !mode.excludes(last.mode) || !search.admits(self.past, acquire) {
                continue;
            }
            // Whoever holds what one further back wants makes a shorter cycle.
            let further_back = &search.path[..search.path.len() - 1];
            if further_back.iter().any(|before| blocks(self.past, acquire, &self.past.acquires[*before as usize])) {
                continue;
            }
            let n_blocking = search.n_blocking(acquire);
            let is_closed = blocks(self.past, first, acquire);
            if n_blocking > u32::from(is_closed) {
                continue;
            }
            search.push(self.past, eta);
            if is_closed {
                found(&search.path);
                search.pop(self.past);
            } else {
                next.push(0);
            }
        }
        Ok(())
    }
}

/// Whether one holds what the other wants.
fn blocks(past: &Past, holder: &AbstractAcquire, wanting: &AbstractAcquire) -> bool {
    past.held(holder).iter().any(|(lock, mode)| *lock == wanting.lock && mode.excludes(wanting.mode))
}

/// A path of the search.
struct Search {
    path: Vec<u32>,
    /// Per lock how many of the path hold it in each mode.
    held: Vec<[u32; 4]>,
    threads: FxHashSet<u32>,
}

impl Search {
    /// Whether what an acquire's thread holds can be held together with what those on the path hold.
    fn admits(&self, past: &Past, acquire: &AbstractAcquire) -> bool {
        let is_free = |(lock, mode): &(u32, Mode)| self.n_excluding(*lock, *mode) == 0;
        !self.threads.contains(&acquire.thread) && past.held(acquire).iter().all(is_free)
    }

    /// How many of the path hold what an acquire wants.
    fn n_blocking(&self, acquire: &AbstractAcquire) -> u32 {
        self.n_excluding(acquire.lock, acquire.mode)
    }

    fn n_excluding(&self, lock: u32, mode: Mode) -> u32 {
        let held = &self.held[lock as usize];
        MODES.into_iter().filter(|other| other.excludes(mode)).map(|other| held[other as usize]).sum()
    }

    fn push(&mut self, past: &Past, eta: u32) {
        let acquire = &past.acquires[eta as usize];
        self.path.push(eta);
        self.threads.insert(acquire.thread);
        past.held(acquire).iter().for_each(|(lock, mode)| self.held[*lock as usize][*mode as usize] += 1);
    }

    fn pop(&mut self, past: &Past) {
        let Some(eta) = self.path.pop() else { return };
        let acquire = &past.acquires[eta as usize];
        self.threads.remove(&acquire.thread);
        past.held(acquire).iter().for_each(|(lock, mode)| self.held[*lock as usize][*mode as usize] -= 1);
    }
}
