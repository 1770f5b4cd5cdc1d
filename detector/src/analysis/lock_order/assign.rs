//! Finds instances of a cycle's edges that may all be under way at the same time.

use crate::{
    graph::lock_order::Edge,
    model::{Model, NestedAcquire, ObjectId},
};
use rustc_hash::FxHashMap;
use trace_format::Mode;

/// Comparisons for one cycle: two threads that meet in all their kept epochs need 65,536.
const ASSIGNMENT_STEPS_MAX: u64 = 200_000;

/// Finds assignments in one model.
pub(super) struct Assigner<'a> {
    model: &'a Model,
    /// Writers that may wait, by lock.
    writers: FxHashMap<ObjectId, Vec<&'a NestedAcquire>>,
    was_cut: bool,
}

impl<'a> Assigner<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        let mut writers: FxHashMap<ObjectId, Vec<&NestedAcquire>> = FxHashMap::default();
        for writer in model.writers.iter().filter(|writer| writer.may_wait) {
            writers.entry(writer.wants).or_default().push(writer);
        }
        Self { model, writers, was_cut: false }
    }

    /// Whether a search was given up.
    pub(super) fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// One instance per edge of a cycle, such that all may wait at once and each waits for the next.
    pub(super) fn assign(&mut self, edges: &[&Edge]) -> Option<Vec<&'a NestedAcquire>> {
        let next = edges.iter().cycle().skip(1);
        let waits: Option<Vec<Waits>> =
            edges.iter().zip(next).map(|(edge, next)| Waits::of(edge.mode, next.held.mode)).collect();
        let waits = waits?;
        let mut steps_left = ASSIGNMENT_STEPS_MAX;
        // Backtracking: `tried` has, for each edge up to the current one, how many of its instances were tried.
        let (mut chosen, mut tried): (Vec<&NestedAcquire>, Vec<usize>) = (Vec::new(), vec![0]);
        while let Some(n_tried) = tried.last_mut() {
            let instance = edges.get(chosen.len()).and_then(|edge| edge.instances.get(*n_tried));
            *n_tried += 1;
            let Some(instance) = instance else {
                tried.pop();
                chosen.pop();
                continue;
            };
            let Some(candidate) = self.model.nested.get(*instance as usize) else { continue };
            steps_left = steps_left.saturating_sub(1 + chosen.len() as u64);
            if steps_left == 0 {
                self.was_cut = true;
                return None;
            }
            if !chosen.iter().all(|other| self.model.may_overlap(candidate, other)) {
                continue;
            }
            chosen.push(candidate);
            if chosen.len() < edges.len() {
                tried.push(0);
                continue;
            }
            if self.model.have_permits(&chosen) && self.has_writers(edges, &waits, &chosen, &mut steps_left) {
                return Some(chosen);
            }
            chosen.pop();
        }
        None
    }

    /// Whether there is a writer wherever a reader would wait for a reader: in no thread of the cycle, since those
    /// wait elsewhere, and able to be under way together with all of them and with the other writers, each of
    /// which queues at one lock.
    fn has_writers(&self, edges: &[&Edge], waits: &[Waits], chosen: &[&NestedAcquire], steps_left: &mut u64) -> bool {
        let behind = edges.iter().zip(waits).filter(|(_, waits)| **waits == Waits::BehindWriter);
        let writers_of = |(edge, _): (&&Edge, _)| self.writers.get(&edge.wants).map_or(&[][..], Vec::as_slice);
        let candidates: Vec<&[&NestedAcquire]> = behind.map(writers_of).collect();
        if candidates.is_empty() {
            return true;
        }
        // Backtracking as in `assign`.
        let (mut queued, mut tried): (Vec<&NestedAcquire>, Vec<usize>) = (Vec::new(), vec![0]);
        while let Some(n_tried) = tried.last_mut() {
            let writer = candidates.get(queued.len()).and_then(|writers| writers.get(*n_tried));
            *n_tried += 1;
            let Some(writer) = writer else {
                tried.pop();
                queued.pop();
                continue;
            };
            // `assign` sees that the steps are used up.
            *steps_left = steps_left.saturating_sub((chosen.len() + queued.len()) as u64).max(1);
            if *steps_left == 1 {
                return false;
            }
            if !chosen.iter().chain(&queued).all(|other| self.model.may_overlap(writer, other)) {
                continue;
            }
            queued.push(writer);
            if queued.len() == candidates.len() {
                return true;
            }
            tried.push(0);
        }
        false
    }
}

/// How one thread comes to wait for another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// The modes exclude each other.
    Excluded,
    /// Only behind a writer that queues between them.
    BehindWriter,
}

impl Waits {
    /// `None` if it never waits.
    fn of(wanted: Mode, held: Mode) -> Option<Self> {
        if wanted.excludes(held) {
            return Some(Self::Excluded);
        }
        (wanted == Mode::Shared).then_some(Self::BehindWriter)
    }
}
