//! One pass over a history: what must come before each event in every correct reordering, and who acquires what.
//!
//! An event is (thread, local time): local times count a thread's operations from 1. `TS(e)` of the papers is the set of
//! the events that come before `e`, itself included, by the order of its thread, by fork and join, and from a write to
//! the reads that see it. The set is closed downwards, so one local time per thread tells it: a vector clock, of which
//! `e`'s own component is its local time and the others are shared with the thread's events around it ([`Clocks`]).

use super::clocks::{ClockId, Clocks};
use crate::history::{History, Kind, Mode, Operation};
use rustc_hash::FxHashMap;

/// Stands for "none" among threads, sections and positions.
pub(super) const NONE: u32 = u32::MAX;

/// An event, with what must come before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) thread: u32,
    /// Local time.
    pub(super) lt: u32,
    /// What comes before it in other threads.
    pub(super) clock: ClockId,
}

/// A critical section, by its acquire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Local time of the acquire.
    pub(super) lt: u32,
    pub(super) lock: u32,
    pub(super) mode: Mode,
    /// Index of the acquire in the history.
    pub(super) index: u32,
    /// The matching release; `None` if the lock was never released.
    pub(super) release: Option<Event>,
}

/// An abstract acquire, `eta` of the paper: all acquires by one thread of one lock, in one mode, under the same locks. Only
/// of those that wait: whoever gives up is in no deadlock.
#[derive(Clone, Debug)]
pub(super) struct AbstractAcquire {
    pub(super) thread: u32,
    pub(super) lock: u32,
    pub(super) mode: Mode,
    /// Index into [`Past::held_sets`].
    pub(super) held: u32,
    /// `F(eta)`: its acquires, in order.
    pub(super) occurrences: Vec<Occurrence>,
}

/// One acquire of an [`AbstractAcquire`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence {
    /// Local time of the acquire. That of its predecessor, with the clock below, is the paper's `TS(pred(e))`.
    pub(super) lt: u32,
    /// What comes before the predecessor, and so before the acquire, in other threads.
    pub(super) clock: ClockId,
    /// Index of the acquire in the history.
    pub(super) index: u32,
    /// Where it is in the program.
    pub(super) place: u32,
}

/// A lock that is held, and how.
pub(super) type Hold = (u32, Mode);

/// What the pass found.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) n_threads: usize,
    pub(super) n_locks: usize,
    pub(super) clocks: Clocks,
    /// Sections of each thread, in order.
    pub(super) sections: Vec<Vec<Section>>,
    pub(super) acquires: Vec<AbstractAcquire>,
    /// Sets of locks with modes, sorted.
    pub(super) held_sets: Vec<Box<[Hold]>>,
}

impl Past {
    /// Goes over the history.
    pub(super) fn of(history: &History) -> Self {
        let mut pass = Pass::new(history);
        for (index, operation) in history.operations.iter().enumerate() {
            pass.step(index as u32, operation);
        }
        pass.past
    }

    pub(super) fn held(&self, acquire: &AbstractAcquire) -> &[Hold] {
        &self.held_sets[acquire.held as usize]
    }
}

/// What a thread knows at this point of the pass.
struct Thread {
    lt: u32,
    clock: Vec<u32>,
    /// The copy of `clock`, if there is one of its present state.
    copy: Option<ClockId>,
    /// Locks held, oldest first, each with the thread's section that holds it.
    held: Vec<(Hold, u32)>,
}

pub(super) struct Pass {
    past: Past,
    threads: Vec<Thread>,
    /// The latest write of each variable that several threads use.
    writes: Vec<Option<Event>>,
    is_shared: Vec<bool>,
    held_sets: FxHashMap<Box<[Hold]>, u32>,
    /// By thread, hold and held set.
    acquires: FxHashMap<(u32, Hold, u32), u32>,
    sorted: Vec<Hold>,
}

impl Pass {
    pub(super) fn new(history: &History) -> Self {
        let (n_threads, n_locks) = (history.threads.len(), history.locks.len());
        let thread = || Thread { lt: 0, clock: vec![0; n_threads], copy: None, held: Vec::new() };
        Self {
            past: Past {
                n_threads,
                n_locks,
                clocks: Clocks::new(n_threads),
                sections: vec![Vec::new(); n_threads],
                acquires: Vec::new(),
                held_sets: Vec::new(),
            },
            threads: (0..n_threads).map(|_| thread()).collect(),
            writes: vec![None; history.variables.len()],
            is_shared: shared_variables(history),
            held_sets: FxHashMap::default(),
            acquires: FxHashMap::default(),
            sorted: Vec::new(),
        }
    }

    pub(super) fn into_past(self) -> Past {
        self.past
    }

    /// How many operations the thread has done.
    pub(super) fn lt(&self, thread: u32) -> u32 {
        self.threads[thread as usize].lt
    }

    /// The same, with what it knows; the clock is kept until it is forgotten.
    pub(super) fn now(&mut self, thread: u32) -> (u32, ClockId) {
        let Event { lt, clock, .. } = self.event(thread);
        (lt, clock)
    }

    /// How many words of memory the clocks take.
    pub(super) fn n_words(&self) -> usize {
        self.past.clocks.n_words()
    }

    pub(super) fn forget(&mut self, clock: ClockId) {
        self.past.clocks.release(clock);
    }

    /// What the thread holds, in order of number.
    pub(super) fn held(&self, thread: u32) -> Vec<Hold> {
        let mut held: Vec<Hold> = self.threads[thread as usize].held.iter().map(|(hold, _)| *hold).collect();
        held.sort_unstable();
        held
    }

    pub(super) fn step(&mut self, index: u32, operation: &Operation) {
        let Operation { thread, target, .. } = *operation;
        self.threads[thread as usize].lt += 1;
        match operation.kind {
            Kind::Acquire => self.acquire(index, operation),
            Kind::Release => self.release(thread, target),
            Kind::Read | Kind::Await if self.is_shared[target as usize] => {
                if let Some(write) = self.writes[target as usize] {
                    self.join(thread, write);
                }
            }
            Kind::Write if self.is_shared[target as usize] => {
                let write = self.event(thread);
                if let Some(before) = self.writes[target as usize].replace(write) {
                    self.past.clocks.release(before.clock);
                }
            }
            Kind::Fork => {
                let fork = self.event(thread);
                self.join(target, fork);
                self.past.clocks.release(fork.clock);
            }
            Kind::Join => {
                let last = self.event(target);
                self.join(thread, last);
                self.past.clocks.release(last.clock);
            }
            _ => {}
        }
    }

    /// A thread's latest event, with a reference to its clock.
    fn event(&mut self, thread: u32) -> Event {
        let of = &mut self.threads[thread as usize];
        let clock = *of.copy.get_or_insert_with(|| self.past.clocks.copy(&of.clock));
        self.past.clocks.retain(clock);
        Event { thread, lt: of.lt, clock }
    }

    /// `event` comes before the rest of `thread`.
    fn join(&mut self, thread: u32, event: Event) {
        let of = &mut self.threads[thread as usize];
        // Whoever knows an event knows all before it.
        if event.thread == thread || of.clock[event.thread as usize] >= event.lt {
            return;
        }
        for (known, other) in of.clock.iter_mut().zip(self.past.clocks.get(event.clock)) {
            *known = (*known).max(*other);
        }
        of.clock[event.thread as usize] = event.lt;
        if let Some(copy) = of.copy.take() {
            self.past.clocks.release(copy);
        }
    }

    fn acquire(&mut self, index: u32, operation: &Operation) {
        let Operation { thread, target: lock, place, mode, may_wait, .. } = *operation;
        let lt = self.threads[thread as usize].lt;
        if may_wait && !self.threads[thread as usize].held.is_empty() {
            let clock = self.event(thread).clock;
            let acquire = self.abstract_acquire(thread, (lock, mode));
            self.past.acquires[acquire as usize].occurrences.push(Occurrence { lt, clock, index, place });
        }
        let sections = &mut self.past.sections[thread as usize];
        self.threads[thread as usize].held.push(((lock, mode), sections.len() as u32));
        sections.push(Section { lt, lock, mode, index, release: None });
    }

    /// Ends the thread's newest section of the lock, or that of whoever has one: a guard may be dropped by another thread.
    fn release(&mut self, thread: u32, lock: u32) {
        let of = |thread: &Thread| thread.held.iter().rposition(|((held, _), _)| *held == lock);
        let owner = if of(&self.threads[thread as usize]).is_some() {
            Some(thread as usize)
        } else {
            self.threads.iter().position(|thread| of(thread).is_some())
        };
        let Some(owner) = owner else { return };
        let release = self.event(thread);
        if let Some(at) = of(&self.threads[owner]) {
            let (_, section) = self.threads[owner].held.remove(at);
            self.past.sections[owner][section as usize].release = Some(release);
        }
    }

    fn abstract_acquire(&mut self, thread: u32, (lock, mode): Hold) -> u32 {
        self.sorted.clear();
        self.sorted.extend(self.threads[thread as usize].held.iter().map(|(hold, _)| *hold));
        self.sorted.sort_unstable();
        let held = if let Some(held) = self.held_sets.get(self.sorted.as_slice()) {
            *held
        } else {
            let held = self.past.held_sets.len() as u32;
            self.past.held_sets.push(self.sorted.as_slice().into());
            self.held_sets.insert(self.sorted.as_slice().into(), held);
            held
        };
        let acquires = &mut self.past.acquires;
        *self.acquires.entry((thread, (lock, mode), held)).or_insert_with(|| {
            acquires.push(AbstractAcquire { thread, lock, mode, held, occurrences: Vec::new() });
            acquires.len() as u32 - 1
        })
    }
}

/// Which variables several threads use. The others need no clocks: their order is that of their thread.
fn shared_variables(history: &History) -> Vec<bool> {
    let mut users = vec![NONE; history.variables.len()];
    let mut is_shared = vec![false; history.variables.len()];
    for Operation { thread, target, kind, .. } in &history.operations {
        if matches!(kind, Kind::Read | Kind::Await | Kind::Write) {
            let user = &mut users[*target as usize];
            if *user == NONE {
                *user = *thread;
            } else if *user != *thread {
                is_shared[*target as usize] = true;
            }
        }
    }
    is_shared
}
