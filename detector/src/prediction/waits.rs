//! One more pass over a history, for hangs that are not cycles of locks alone: who waits where for what, with what in its
//! hands, and who gives and takes what.

use super::{
    clocks::ClockId,
    machine::Blocked,
    past::{Hold, NONE, Occurrence, Pass, Past},
};
use crate::history::{History, Kind, Mode, Operation, Resource};
use rustc_hash::{FxHashMap, FxHashSet};

/// Occurrences of one wait that are kept: so many of the first, and so many of the latest.
const KEPT_MAX: usize = 16;

/// How far up the line of a thread's starters those are looked for that keep it from what it does.
const STARTERS_MAX: usize = 8;

/// All waits by one thread for one thing, in one mode, under the same locks.
#[derive(Clone, Debug)]
pub(super) struct AbstractWait {
    pub(super) thread: u32,
    pub(super) want: Blocked,
    /// Of a lock: in which mode it is wanted.
    pub(super) mode: Mode,
    /// What is held meanwhile.
    pub(super) held: Vec<Hold>,
    /// The first of them, and the latest, in order.
    pub(super) occurrences: Vec<Occurrence>,
}

/// A give or a take, or a sender's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) lt: u32,
    pub(super) index: u32,
    pub(super) clock: ClockId,
    /// How much the thread has moved so far, this included.
    pub(super) sum: u64,
}

/// What one thread gives to a resource and takes from it.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) thread: u32,
    pub(super) gives: Vec<Move>,
    pub(super) takes: Vec<Move>,
}

/// A wait that was not needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) thread: u32,
    pub(super) index: u32,
    /// Where its lock was taken.
    pub(super) acquire: Occurrence,
}

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pub(super) all: Vec<AbstractWait>,
    pub(super) flows: FxHashMap<u32, Vec<Flow>>,
    pub(super) passed: Vec<Passed>,
    /// By thread who starts it, and at which of its local times.
    started_by: FxHashMap<u32, (u32, u32)>,
    /// By what is waited for who ends such waits, and when for the last time.
    help: FxHashMap<Blocked, Vec<(u32, u32)>>,
}

impl Waits {
    /// Goes over a history; `None` if nothing but locks is waited for in it.
    pub(super) fn of(history: &History) -> Option<(Past, Self)> {
        if !waits_for_others(history) {
            return None;
        }
        let is_held = locks_held_in_waits(history);
        let mut pass = Pass::new(history);
        let mut collecting = Collecting {
            history,
            waits: Self::default(),
            of: FxHashMap::default(),
            writers: vec![(NONE, 0); history.variables.len()],
            latest: FxHashMap::default(),
            is_passed: history.resources.passes.values().copied().collect(),
        };
        for (index, operation) in (0..).zip(&history.operations) {
            collecting.before(&mut pass, index, operation, &is_held);
            pass.step(index, operation);
            collecting.after(&mut pass, index, operation);
        }
        collecting.waits.find_helpers();
        Some((pass.into_past(), collecting.waits))
    }

    /// The latest time at which `thread` does what ends a wait for `want`, or starts a thread that does, if it ever does.
    pub(super) fn last_help(&self, thread: u32, want: Blocked) -> Option<u32> {
        self.help.get(&want)?.iter().find(|(helper, _)| *helper == thread).map(|(_, lt)| *lt)
    }

    /// Who does what ends a wait for `want`, or starts a thread that does, and when for the last time.
    pub(super) fn helpers(&self, want: Blocked) -> &[(u32, u32)] {
        self.help.get(&want).map_or(&[], Vec::as_slice)
    }

    /// Finds out who helps whom.
    fn find_helpers(&mut self) {
        let wants: FxHashSet<Blocked> = self.all.iter().map(|wait| wait.want).filter(|want| !is_lock(*want)).collect();
        for want in wants {
            let mut help: FxHashMap<u32, u32> = self.own_help(want).into_iter().collect();
            for thread in help.keys().copied().collect::<Vec<_>>() {
                let mut thread = thread;
                for _ in 0..STARTERS_MAX {
                    let Some((starter, lt)) = self.started_by.get(&thread).copied() else { break };
                    let latest = help.entry(starter).or_default();
                    *latest = lt.max(*latest);
                    thread = starter;
                }
            }
            let mut help: Vec<(u32, u32)> = help.into_iter().collect();
            help.sort_unstable();
            self.help.insert(want, help);
        }
    }

    fn own_help(&self, want: Blocked) -> Vec<(u32, u32)> {
        let (resource, is_room) = match want {
            Blocked::Thread(of) => return vec![(of, u32::MAX)],
            Blocked::Lock(_) => return Vec::new(),
            Blocked::Resource(resource) => (resource, false),
            Blocked::Room(resource) => (resource, true),
        };
        let flows = self.flows.get(&resource).map_or(&[][..], Vec::as_slice);
        let last = |flow: &Flow| {
            let moves = if is_room { &flow.takes } else { &flow.gives };
            moves.last().map(|last| (flow.thread, last.lt))
        };
        flows.iter().filter_map(last).collect()
    }

    /// How much was given and taken in an ideal.
    pub(super) fn moved(&self, resource: u32, ideal: &[u32]) -> (u64, u64) {
        let until = |moves: &[Move], lt: u32| {
            let n = moves.partition_point(|one| one.lt <= lt);
            n.checked_sub(1).map_or(0, |last| moves[last].sum)
        };
        let flows = self.flows.get(&resource).map_or(&[][..], Vec::as_slice);
        flows.iter().fold((0, 0), |(given, taken), flow| {
            let lt = ideal[flow.thread as usize];
            (given + until(&flow.gives, lt), taken + until(&flow.takes, lt))
        })
    }
}

/// Whether anybody waits for something else than a lock, so that there may be hangs to predict with [`super::hangs`].
pub fn waits_for_others(history: &History) -> bool {
    let is_other = |operation: &Operation| want(history, &[], operation).is_some_and(|want| !is_lock(want));
    history.operations.iter().any(is_other)
}

pub(super) fn is_lock(want: Blocked) -> bool {
    matches!(want, Blocked::Lock(_))
}

/// What an operation waits for, if it may wait for ever.
fn want(history: &History, writers: &[(u32, u32)], operation: &Operation) -> Option<Blocked> {
    let Operation { target, kind, may_wait, .. } = *operation;
    match (kind, history.resources.kind(target)) {
        _ if !may_wait => None,
        (Kind::Acquire, _) => Some(Blocked::Lock(target)),
        (Kind::Join, _) => Some(Blocked::Thread(target)),
        (Kind::Await, _) => {
            Some(Blocked::Thread(writers.get(target as usize).map_or(operation.thread, |(writer, _)| *writer)))
        }
        (Kind::Take | Kind::Confirm | Kind::FindClosed | Kind::Give, Resource::Opaque) => None,
        (Kind::Take | Kind::FindClosed, _) => Some(Blocked::Resource(target)),
        (Kind::Confirm, _) | (Kind::Give, Resource::Channel { room: Some(1..) }) => Some(Blocked::Room(target)),
        _ => None,
    }
}

/// Which locks are held while anything is waited for: waits for others are in no cycle.
fn locks_held_in_waits(history: &History) -> Vec<bool> {
    let mut held: Vec<Vec<u32>> = vec![Vec::new(); history.threads.len()];
    let mut is_held = vec![false; history.locks.len()];
    for operation in &history.operations {
        let held = &mut held[operation.thread as usize];
        if want(history, &[], operation).is_some() {
            for lock in held.iter() {
                is_held[*lock as usize] = true;
            }
        }
        match operation.kind {
            Kind::Acquire => held.push(operation.target),
            Kind::Release => {
                if let Some(at) = held.iter().rposition(|lock| *lock == operation.target) {
                    held.remove(at);
                }
            }
            _ => {}
        }
    }
    is_held
}

type Key = (u32, Blocked, Mode, Vec<Hold>);

struct Collecting<'a> {
    history: &'a History,
    waits: Waits,
    of: FxHashMap<Key, u32>,
    /// Per variable the thread that wrote it last, and when.
    writers: Vec<(u32, u32)>,
    /// Of locks that are given up in waits that were not needed: by thread and lock, the latest acquire.
    latest: FxHashMap<(u32, u32), Occurrence>,
    is_passed: FxHashSet<u32>,
}

impl Collecting<'_> {
    fn before(&mut self, pass: &mut Pass, index: u32, operation: &Operation, is_held: &[bool]) {
        let Operation { thread, target, kind, place, mode, .. } = *operation;
        if kind == Kind::Acquire && self.is_passed.contains(&target) {
            let (lt, clock) = pass.now(thread);
            let acquire = Occurrence { lt: lt + 1, clock, index, place };
            self.latest.insert((thread, target), acquire);
        }
        let Some(want) = want(self.history, &self.writers, operation) else { return };
        // Nobody waits for itself to have written; and a thread's first wait is for its start.
        let is_idle = kind == Kind::Await && (pass.lt(thread) == 0 || self.writers[target as usize].0 == thread)
            || matches!(want, Blocked::Lock(lock) if !is_held[lock as usize]);
        if is_idle {
            return;
        }
        let (lt, clock) = pass.now(thread);
        let occurrence = Occurrence { lt: lt + 1, clock, index, place };
        let key = (thread, want, mode, pass.held(thread));
        let waits = &mut self.waits.all;
        let of = *self.of.entry(key).or_insert_with_key(|(thread, want, mode, held)| {
            let held = held.clone();
            waits.push(AbstractWait { thread: *thread, want: *want, mode: *mode, held, occurrences: Vec::new() });
            waits.len() as u32 - 1
        });
        let occurrences = &mut waits[of as usize].occurrences;
        if occurrences.len() == 2 * KEPT_MAX {
            pass.forget(occurrences.remove(KEPT_MAX).clock);
        }
        occurrences.push(occurrence);
    }

    fn start(&mut self, starter: u32, lt: u32, thread: u32) {
        if starter != NONE && starter != thread {
            self.waits.started_by.insert(thread, (starter, lt));
        }
    }

    fn after(&mut self, pass: &mut Pass, index: u32, operation: &Operation) {
        let Operation { thread, target, kind, .. } = *operation;
        match kind {
            Kind::Write => self.writers[target as usize] = (thread, pass.lt(thread)),
            Kind::Fork => self.start(thread, pass.lt(thread), target),
            // A thread begins with waiting for who starts it.
            Kind::Await if pass.lt(thread) == 1 => {
                let (starter, lt) = self.writers[target as usize];
                self.start(starter, lt, thread);
            }
            Kind::Pass => {
                let lock = self.history.resources.passes.get(&index).copied().unwrap_or(NONE);
                if let Some(acquire) = self.latest.get(&(thread, lock)).copied() {
                    self.waits.passed.push(Passed { thread, index, acquire });
                }
            }
            Kind::Give | Kind::GiveAll | Kind::Close | Kind::Take => {
                let (lt, clock) = pass.now(thread);
                let flows = self.waits.flows.entry(target).or_default();
                let at = flows.iter().position(|flow| flow.thread == thread).unwrap_or_else(|| {
                    flows.push(Flow { thread, gives: Vec::new(), takes: Vec::new() });
                    flows.len() - 1
                });
                let moves = if kind == Kind::Take { &mut flows[at].takes } else { &mut flows[at].gives };
                let amount = if kind == Kind::Close { 0 } else { u64::from(self.history.resources.amount(index)) };
                let sum = moves.last().map_or(0, |last| last.sum) + amount;
                moves.push(Move { lt, index, clock, sum });
            }
            _ => {}
        }
    }
}
