//! Goes through operations as the primitives themselves would: every acquire finds its lock free, every take what it
//! takes, and who waits is known at each point. What a schedule is worth is decided here.
//!
//! The order of a history is one that could have been, but for two things of which a trace says less: in which order messages of
//! several senders were queued, and whether a token was taken before it was given again. So operations are done in the order of
//! the history as far as they can be, and a give waits, if anything else can go on, for those whose messages were
//! received before its own.

mod state;

pub(super) use state::Blocked;
use state::{Look, Place, State};

use super::moves::Moves;
use crate::history::{History, Kind, Mode, Resource, Target};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{cmp::Reverse, collections::BinaryHeap};

/// What of a history every run needs.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    history: &'a History,
    moves: &'a Moves,
    /// Per operation its number among those of its thread, from 1: its local time.
    lts: Vec<u32>,
    /// Per channel the gives whose messages were received, in the order in which they were.
    given: FxHashMap<u32, Vec<u32>>,
    /// Where a give is in that order.
    turns: FxHashMap<u32, u32>,
    /// Which threads do anything with which resources.
    touches: FxHashSet<(u32, u32)>,
}

/// A wait that did not happen, taken as if it had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supposed {
    pub(super) thread: u32,
    /// The [`Kind::Pass`], and the acquire of its lock.
    pub(super) pass: u32,
    pub(super) acquire: u32,
}

/// Where a thread cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub(super) thread: u32,
    /// The operation that it cannot do.
    pub(super) index: u32,
    pub(super) for_what: Blocked,
}

/// Where all threads are when none can go on.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Threads that wait, and for what.
    pub(super) waiting: Vec<Waiting>,
    /// Threads that would see something else than they saw: nobody knows what they do.
    pub(super) astray: Vec<u32>,
}

/// A run, at one point.
#[derive(Debug)]
pub(super) struct Run<'m, 'a> {
    machine: &'m Machine<'a>,
    state: State,
    /// Per channel how many of [`Machine::given`] are behind.
    next_give: FxHashMap<u32, usize>,
    /// What was done, in order.
    log: Vec<u32>,
    supposed: Option<Supposed>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(history: &'a History, moves: &'a Moves) -> Self {
        let mut machine = Self {
            history,
            moves,
            lts: Vec::with_capacity(history.operations.len()),
            given: FxHashMap::default(),
            turns: FxHashMap::default(),
            touches: FxHashSet::default(),
        };
        let mut n_done = vec![0; history.threads.len()];
        for (index, operation) in (0..).zip(&history.operations) {
            let n_done = &mut n_done[operation.thread as usize];
            *n_done += 1;
            machine.lts.push(*n_done);
            if operation.kind.target() != Target::Resource {
                continue;
            }
            machine.touches.insert((operation.thread, operation.target));
            let is_message = matches!(history.resources.kind(operation.target), Resource::Channel { .. });
            if operation.kind == Kind::Take
                && is_message
                && let Some(give) = history.resources.messages.get(&index)
            {
                let given = machine.given.entry(operation.target).or_default();
                machine.turns.insert(*give, given.len() as u32);
                given.push(*give);
            }
        }
        machine
    }

    /// Whether the thread has to do with the resource anywhere.
    pub(super) fn touches(&self, thread: u32, resource: u32) -> bool {
        self.touches.contains(&(thread, resource))
    }

    pub(super) fn lt(&self, index: u32) -> u32 {
        self.lts[index as usize]
    }

    pub(super) fn run(&self, supposed: Option<Supposed>) -> Run<'_, 'a> {
        Run {
            machine: self,
            state: State::new(self.history, self.moves),
            next_give: FxHashMap::default(),
            log: Vec::new(),
            supposed,
        }
    }
}

impl Run<'_, '_> {
    /// What was done so far, in order.
    pub(super) fn log(&self) -> &[u32] {
        &self.log
    }

    /// What is supposed in it.
    pub(super) const fn supposed(&self) -> Option<Supposed> {
        self.supposed
    }

    /// Whether the operation is its thread's next one, and waits.
    pub(super) fn is_blocked(&self, index: u32) -> bool {
        let thread = self.machine.history.operations[index as usize].thread;
        self.next(thread) == Some(index) && self.state.has_started(thread) && matches!(self.look(index), Look::Waits(_))
    }

    /// How many operations the thread has done.
    pub(super) fn done(&self, thread: u32) -> u32 {
        self.state.done[thread as usize]
    }

    /// Who holds the lock so that it excludes `mode`.
    pub(super) fn holders(&self, lock: u32, mode: Mode) -> impl Iterator<Item = u32> + '_ {
        self.state.holders(lock, mode)
    }

    /// Who wrote a variable last, by operation.
    pub(super) fn latest_write(&self, variable: u32) -> u32 {
        self.state.writes[variable as usize]
    }

    /// Does operations in this very order; `Err` is the first that could not be done.
    pub(super) fn steps(&mut self, steps: impl Iterator<Item = u32>) -> Result<(), u32> {
        for index in steps {
            let thread = self.machine.history.operations[index as usize].thread;
            let is_next = self.next(thread) == Some(index);
            if !is_next || !matches!(self.look(index), Look::Now | Look::Soon(_)) {
                return Err(index);
            }
            self.perform(index);
        }
        Ok(())
    }

    /// Runs each thread to a local time, in the order of the history as far as possible; `Err` is the first operation
    /// that cannot be done, by that order.
    pub(super) fn up_to(&mut self, ideal: &[u32]) -> Result<(), u32> {
        self.go(|thread| ideal[thread as usize]);
        let is_short = |thread: &u32| self.done(*thread) < ideal[*thread as usize];
        let short = (0..ideal.len() as u32).filter(is_short);
        match short.map(|thread| self.machine.moves.threads[thread as usize][self.done(thread) as usize]).min() {
            None => Ok(()),
            Some(index) => Err(index),
        }
    }

    /// Runs one thread as far as it can go by itself.
    pub(super) fn only(&mut self, of: u32) {
        let done = self.state.done.clone();
        self.go(|thread| if thread == of { u32::MAX } else { done[thread as usize] });
    }

    /// Runs all threads as far as they can go.
    pub(super) fn on(&mut self) -> Outcome {
        self.go(|_| u32::MAX);
        let mut outcome = Outcome::default();
        for thread in 0..self.state.done.len() as u32 {
            let Some(index) = self.next(thread) else { continue };
            match self.look(index) {
                Look::Waits(for_what) => outcome.waiting.push(Waiting { thread, index, for_what }),
                Look::Now | Look::Soon(_) | Look::Astray(_) => outcome.astray.push(thread),
            }
        }
        outcome
    }

    /// Runs threads up to their limits, as far as they can go, least index first.
    pub(super) fn go(&mut self, limit: impl Fn(u32) -> u32) {
        let mut ready: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
        let mut parked: FxHashMap<Place, Vec<u32>> = FxHashMap::default();
        let mut soon: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
        let n_threads = self.state.done.len() as u32;
        let next = |run: &Self, thread: u32| run.next(thread).filter(|_| run.done(thread) < limit(thread));
        ready.extend((0..n_threads).filter_map(|thread| Some(Reverse((next(self, thread)?, thread)))));
        loop {
            let (index, thread, is_forced) = match (ready.pop(), soon.is_empty()) {
                (Some(Reverse((index, thread))), _) => (index, thread, false),
                (None, false) => match soon.pop() {
                    Some(Reverse((index, thread))) => (index, thread, true),
                    None => return,
                },
                (None, true) => return,
            };
            // Woken twice, it may have gone on since.
            if next(self, thread) != Some(index) {
                continue;
            }
            match self.look_within(index, &limit) {
                Look::Now => {}
                Look::Soon(_) if is_forced => {}
                Look::Soon(place) => {
                    soon.push(Reverse((index, thread)));
                    parked.entry(place).or_default().push(thread);
                    continue;
                }
                Look::Waits(blocked) => {
                    parked.entry(self.place(index, blocked)).or_default().push(thread);
                    continue;
                }
                Look::Astray(place) => {
                    parked.entry(place).or_default().push(thread);
                    continue;
                }
            }
            self.perform(index);
            for place in self.lets_go_on(index) {
                for thread in parked.remove(&place).unwrap_or_default() {
                    ready.extend(next(self, thread).map(|index| Reverse((index, thread))));
                }
            }
            ready.extend(next(self, thread).map(|index| Reverse((index, thread))));
        }
    }

    /// The operation that the thread does next.
    pub(super) fn next(&self, thread: u32) -> Option<u32> {
        self.machine.moves.threads[thread as usize].get(self.done(thread) as usize).copied()
    }

    fn look_within(&mut self, index: u32, limit: &impl Fn(u32) -> u32) -> Look {
        let operation = self.machine.history.operations[index as usize];
        if operation.kind == Kind::Give && self.is_early(index, operation.target, limit) {
            return match self.look(index) {
                Look::Now => Look::Soon(Place::Resource(operation.target)),
                look => look,
            };
        }
        self.look(index)
    }

    /// Whether a message that was received before this one's, and may be given, was not given yet.
    fn is_early(&mut self, give: u32, channel: u32, limit: &impl Fn(u32) -> u32) -> bool {
        let Some(turn) = self.machine.turns.get(&give).copied() else { return false };
        let Some(given) = self.machine.given.get(&channel) else { return false };
        let next = self.next_give.entry(channel).or_default();
        while let Some(first) = given.get(*next) {
            let thread = self.machine.history.operations[*first as usize].thread;
            let lt = self.machine.lts[*first as usize];
            let is_behind = lt <= self.state.done[thread as usize];
            if !is_behind && lt <= limit(thread) {
                break;
            }
            *next += 1;
        }
        turn as usize > *next
    }

    /// What an operation that is its thread's next one would meet.
    fn look(&self, index: u32) -> Look {
        let operation = self.machine.history.operations[index as usize];
        if let Some(supposed) = self.supposed.filter(|supposed| supposed.thread == operation.thread) {
            if self.state.is_supposed_to_wait {
                return self.state.look_behind_pass(self.machine.history, &supposed);
            }
            let is_inside = supposed.acquire < index && index < supposed.pass;
            // What it saw there is what it is supposed not to have seen.
            if is_inside && operation.kind == Kind::Read {
                return Look::Now;
            }
        }
        let look = self.state.look(self.machine.history, self.machine.moves, index);
        match look {
            Look::Waits(blocked) if !operation.may_wait => Look::Astray(self.place(index, blocked)),
            look => look,
        }
    }

    fn place(&self, index: u32, blocked: Blocked) -> Place {
        match blocked {
            Blocked::Lock(lock) => Place::Lock(lock),
            Blocked::Resource(resource) | Blocked::Room(resource) => Place::Resource(resource),
            Blocked::Thread(thread) => {
                let operation = self.machine.history.operations[index as usize];
                match operation.kind {
                    Kind::Await => Place::Variable(operation.target),
                    Kind::Join => Place::Thread(thread),
                    // It has not begun.
                    _ => Place::Thread(operation.thread),
                }
            }
        }
    }

    fn perform(&mut self, index: u32) {
        let is_supposed = self.supposed.is_some_and(|supposed| supposed.pass == index);
        self.log.push(index);
        if is_supposed {
            self.state.suppose(self.machine.history, index);
        } else {
            self.state.perform(self.machine.history, index);
        }
    }

    fn lets_go_on(&self, index: u32) -> impl Iterator<Item = Place> + use<> {
        let operation = self.machine.history.operations[index as usize];
        let target = operation.target;
        let is_last = self.state.done[operation.thread as usize] as usize
            == self.machine.moves.threads[operation.thread as usize].len();
        let place = match operation.kind {
            Kind::Release => Some(Place::Lock(target)),
            Kind::Write => Some(Place::Variable(target)),
            Kind::Fork => Some(Place::Thread(target)),
            Kind::Give | Kind::GiveAll | Kind::Take | Kind::Close | Kind::Enter => Some(Place::Resource(target)),
            _ => None,
        };
        // A supposed wait gives its lock up.
        let released = self.machine.history.resources.passes.get(&index).map(|lock| Place::Lock(*lock));
        place.into_iter().chain(is_last.then_some(Place::Thread(operation.thread))).chain(released)
    }
}
