//! Which variables can have races at all: a pass without clocks, over everything, for what the one with clocks need not keep.

use super::super::past::NONE;
use crate::history::{History, Kind, Mode, Operation};
use rustc_hash::FxHashSet;

/// What the pass found.
#[derive(Debug)]
pub(super) struct Screen {
    /// Per variable, whether several threads access it, one of them writes, and no lock is held at all accesses so that it
    /// keeps them apart.
    pub(super) is_candidate: Vec<bool>,
    /// Per operation, whether it is a write that another thread sees.
    pub(super) is_seen: Vec<bool>,
    /// Locks that a thread releases which did not acquire them: such a lock keeps nothing apart.
    pub(super) handed_over: FxHashSet<u32>,
}

/// A lock that is held at all accesses so far: in which modes at writes, and at reads, as bits.
#[derive(Clone, Copy, Debug)]
struct Guard {
    lock: u32,
    writes: u8,
    reads: u8,
}

/// What is known of a variable.
#[derive(Clone, Debug)]
struct Accessed {
    thread: u32,
    by_several: bool,
    is_written: bool,
    guards: Vec<Guard>,
}

impl Screen {
    /// Goes over the history.
    pub(super) fn of(history: &History, is_data: &dyn Fn(u32) -> bool) -> Self {
        let n_variables = history.variables.len();
        let mut accessed: Vec<Option<Accessed>> = vec![None; n_variables];
        let is_data: Vec<bool> = (0..n_variables as u32).map(is_data).collect();
        let mut writes = vec![(NONE, NONE); n_variables];
        let mut held: Vec<Vec<(u32, Mode)>> = vec![Vec::new(); history.threads.len()];
        let mut is_seen = vec![false; history.operations.len()];
        let mut handed_over = FxHashSet::default();
        for (index, operation) in (0..).zip(&history.operations) {
            let Operation { thread, target, kind, mode, .. } = *operation;
            match kind {
                Kind::Acquire => held[thread as usize].push((target, mode)),
                Kind::Release if take(&mut held[thread as usize], target) => {}
                Kind::Release => {
                    handed_over.insert(target);
                    _ = held.iter_mut().any(|held| take(held, target));
                }
                Kind::Read | Kind::Await => {
                    let (write, writer) = writes[target as usize];
                    if write != NONE && writer != thread {
                        is_seen[write as usize] = true;
                    }
                }
                Kind::Write => writes[target as usize] = (index, thread),
                _ => {}
            }
            if matches!(kind, Kind::Read | Kind::Write) && is_data[target as usize] {
                let held = &held[thread as usize];
                match &mut accessed[target as usize] {
                    Some(accessed) => accessed.again(thread, kind, held),
                    none => *none = Some(Accessed::first(thread, kind, held)),
                }
            }
        }
        let is_candidate = |of: &Option<Accessed>| of.as_ref().is_some_and(|of| of.may_race(&handed_over));
        Self { is_candidate: accessed.iter().map(is_candidate).collect(), is_seen, handed_over }
    }
}

/// Takes the latest hold of a lock; says whether there was one.
fn take(held: &mut Vec<(u32, Mode)>, lock: u32) -> bool {
    let at = held.iter().rposition(|(held, _)| *held == lock);
    at.map(|at| held.remove(at)).is_some()
}

impl Accessed {
    fn first(thread: u32, kind: Kind, held: &[(u32, Mode)]) -> Self {
        let guard = |(lock, _): &(u32, Mode)| Guard { lock: *lock, writes: 0, reads: 0 };
        let mut first = Self { thread, by_several: false, is_written: false, guards: held.iter().map(guard).collect() };
        first.again(thread, kind, held);
        first
    }

    fn again(&mut self, thread: u32, kind: Kind, held: &[(u32, Mode)]) {
        self.by_several |= thread != self.thread;
        self.is_written |= kind == Kind::Write;
        self.guards.retain_mut(|guard| {
            let Some((_, mode)) = held.iter().find(|(lock, _)| *lock == guard.lock) else { return false };
            let modes = if kind == Kind::Write { &mut guard.writes } else { &mut guard.reads };
            *modes |= 1 << *mode as u8;
            true
        });
    }

    fn may_race(&self, handed_over: &FxHashSet<u32>) -> bool {
        let keeps_apart = |guard: &Guard| !handed_over.contains(&guard.lock) && guard.keeps_apart();
        self.by_several && self.is_written && !self.guards.iter().any(keeps_apart)
    }
}

impl Guard {
    /// Whether each write excludes every other access.
    fn keeps_apart(self) -> bool {
        let modes = |bits: u8| super::super::MODES.into_iter().filter(move |mode| bits & (1 << *mode as u8) != 0);
        modes(self.writes).all(|write| modes(self.writes | self.reads).all(|other| write.excludes(other)))
    }
}
