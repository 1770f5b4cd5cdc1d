//! Programs, and what a random scheduler sees of them: a second account of what primitives do, of values and not of
//! what a history says.

use crate::generator::Numbers;
use detector::history::{History, Kind, Mode, Operation, Resource, Target};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a thread of a program does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An operation on what is there, and how many it is about.
    Plain { kind: Kind, target: u32, mode: Mode, amount: u32, may_wait: bool },
    /// Receives; or all that there is until nobody sends any more.
    Receive { channel: u32, may_wait: bool, is_last: bool },
    /// Begins to wait on a condition.
    Enter { condition: u32, lock: u32 },
    /// Waits on a condition until a variable is written.
    Guard { variable: u32, condition: u32, lock: u32 },
}

/// The steps of each thread.
pub(crate) type Threads = Vec<Vec<Step>>;

/// A program: threads, and what they have between them.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) threads: Threads,
    /// Whether the first thread starts the others.
    pub(crate) forks: bool,
    pub(crate) n_locks: usize,
    pub(crate) n_variables: usize,
    pub(crate) resources: Vec<Resource>,
}

impl Program {
    /// Whether an operation is the program's own: what is recorded of it has variables beyond.
    pub(crate) fn knows(&self, operation: Operation) -> bool {
        operation.kind.target() != Target::Variable || (operation.target as usize) < self.n_variables
    }
}

impl Step {
    pub(crate) const fn plain(kind: Kind, target: u32) -> Self {
        Self::of(kind, target, 1)
    }

    pub(crate) const fn of(kind: Kind, target: u32, amount: u32) -> Self {
        Self::Plain { kind, target, mode: Mode::Exclusive, amount, may_wait: true }
    }

    pub(crate) const fn in_mode(kind: Kind, target: u32, mode: Mode) -> Self {
        Self::Plain { kind, target, mode, amount: 1, may_wait: true }
    }

    pub(crate) const fn receive(channel: u32) -> Self {
        Self::Receive { channel, may_wait: true, is_last: true }
    }

    const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Plain { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// The lock that it is about.
    pub(crate) fn lock(&self) -> Option<u32> {
        match self {
            Self::Plain { kind: Kind::Acquire | Kind::Release, target, .. } => Some(*target),
            Self::Enter { lock, .. } | Self::Guard { lock, .. } => Some(*lock),
            _ => None,
        }
    }

    /// The resource that it gives or receives.
    pub(crate) fn resource(&self) -> Option<u32> {
        match self {
            Self::Plain { kind: Kind::Give | Kind::Take, target, .. } => Some(*target),
            Self::Receive { channel, .. } => Some(*channel),
            _ => None,
        }
    }

    pub(crate) fn is_give(&self) -> bool {
        self.kind() == Some(Kind::Give)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.kind() == Some(Kind::Open)
    }

    pub(crate) fn is_release(&self) -> bool {
        self.kind() == Some(Kind::Release)
    }

    pub(crate) fn is_receive(&self) -> bool {
        matches!(self, Self::Receive { .. })
    }

    /// Whether the step and the next one may be one call.
    pub(crate) fn goes_with(&self, next: Self) -> bool {
        let pair = (self.kind(), next.kind());
        let is_wait = matches!(self, Self::Enter { .. }) || matches!(pair, (Some(Kind::Take), Some(Kind::Acquire)));
        is_wait || next.kind() == Some(Kind::Confirm) || matches!(pair, (Some(Kind::Give), Some(Kind::Take)))
    }

    /// Waits no more, if it did.
    pub(crate) fn give_up(&mut self) {
        match self {
            Self::Plain { kind: Kind::Acquire | Kind::Take | Kind::Give, may_wait, .. }
            | Self::Receive { may_wait, .. } => *may_wait = false,
            _ => {}
        }
    }
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// All threads end.
    Completes,
    /// One waits for ever, as threads do that serve others, and nobody for it.
    Serves,
    /// Threads wait for ever.
    Hangs,
    /// Some would have given up by now.
    GivesUp,
}

/// A resource, as it is now.
#[derive(Clone, Debug, Default)]
struct Thing {
    messages: VecDeque<u32>,
    taken: BTreeSet<u32>,
    senders: u32,
    count: u32,
    waiting: VecDeque<usize>,
    woken: BTreeSet<usize>,
    /// Per thread how many have to arrive before it goes on.
    until: BTreeMap<usize, u32>,
    /// By thread, its latest message.
    latest: BTreeMap<usize, u32>,
}

/// A program while it runs, and what was seen of it.
#[derive(Clone)]
pub(crate) struct World<'a> {
    program: &'a Program,
    todo: Vec<VecDeque<Step>>,
    is_started: Vec<bool>,
    holds: Vec<Vec<(usize, Mode)>>,
    is_written: Vec<bool>,
    things: Vec<Thing>,
    pub(crate) history: History,
}

impl<'a> World<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        let mut history = History::default();
        (0..program.threads.len()).for_each(|n| _ = history.threads.number(&format!("T{n}")));
        (0..program.n_locks).for_each(|n| _ = history.locks.number(&format!("L{n}")));
        (0..program.n_variables).for_each(|n| _ = history.variables.number(&format!("V{n}")));
        history.resources.kinds.clone_from(&program.resources);
        let thing = |kind: &Resource| Thing {
            senders: 1,
            count: if let Resource::Permits(n) = kind { *n } else { 0 },
            ..Thing::default()
        };
        Self {
            program,
            todo: program.threads.iter().map(|steps| steps.iter().copied().collect()).collect(),
            is_started: (0..program.threads.len()).map(|thread| thread == 0 || !program.forks).collect(),
            holds: vec![Vec::new(); program.n_locks],
            is_written: vec![false; program.n_variables],
            things: program.resources.iter().map(thing).collect(),
            history,
        }
    }

    /// The program behind steps of one of its runs.
    pub(crate) fn along(program: &'a Program, operations: &[Operation], steps: &[u32]) -> Self {
        let mut world = Self::new(program);
        let mut n_done = vec![0; program.threads.len()];
        for step in steps.iter().filter(|step| program.knows(operations[**step as usize])) {
            let thread = operations[*step as usize].thread as usize;
            n_done[thread] += 1;
            // Some steps of a program are two operations.
            let done = world.history.operations.iter().filter(|operation| operation.thread as usize == thread);
            assert!(done.count() >= n_done[thread] || world.perform(thread), "T{thread} cannot do {step}");
        }
        world
    }

    /// Whether a thread can do its next step; `None` if it has none.
    fn can(&self, thread: usize) -> Option<bool> {
        let step = *self.todo[thread].front().filter(|_| self.is_started[thread])?;
        Some(match step {
            Step::Plain { kind: Kind::Acquire, target, mode, .. } => {
                !self.holds[target as usize].iter().any(|(_, held)| held.excludes(mode))
            }
            Step::Plain { kind: Kind::Join, target, .. } => {
                self.is_started[target as usize] && self.todo[target as usize].is_empty()
            }
            Step::Plain { kind: Kind::Await, target, .. } => self.is_written[target as usize],
            Step::Plain { kind, target, amount, .. } if kind.target() == Target::Resource => {
                self.can_at_thing(thread, kind, target, amount)
            }
            Step::Receive { channel, .. } => {
                let thing = &self.things[channel as usize];
                !thing.messages.is_empty() || thing.senders == 0
            }
            _ => true,
        })
    }

    fn can_at_thing(&self, thread: usize, kind: Kind, target: u32, amount: u32) -> bool {
        let thing = &self.things[target as usize];
        match (self.program.resources[target as usize], kind) {
            (Resource::Channel { room: Some(room) }, Kind::Give) => room == 0 || thing.messages.len() < room as usize,
            (Resource::Channel { .. }, Kind::Confirm) => thing.taken.contains(&thing.latest[&thread]),
            (Resource::Permits(_), Kind::Take) => thing.count >= amount,
            (Resource::Token, Kind::Take) => thing.count > 0,
            (Resource::Condition, Kind::Take) => thing.woken.contains(&thread),
            (Resource::Latch(n), Kind::Take) => thing.count >= n,
            (Resource::Barrier(_), Kind::Take) => thing.count >= thing.until[&thread],
            _ => true,
        }
    }

    /// A thread does its next step, if it can.
    pub(crate) fn perform(&mut self, thread: usize) -> bool {
        if self.can(thread) != Some(true) {
            return false;
        }
        let Some(step) = self.todo[thread].pop_front() else { return false };
        match step {
            Step::Plain { kind, target, mode, amount, may_wait } => {
                let index = self.record(thread, kind, target, mode, may_wait);
                if amount != 1 {
                    self.history.resources.amounts.insert(index, amount);
                }
                self.plain(thread, index, amount);
            }
            Step::Receive { channel, may_wait, is_last } => self.receive(thread, channel, may_wait, is_last),
            Step::Enter { condition, lock } => {
                self.record(thread, Kind::Enter, condition, Mode::Exclusive, true);
                self.record(thread, Kind::Release, lock, Mode::Exclusive, true);
                self.holds[lock as usize].retain(|(holder, _)| *holder != thread);
                self.things[condition as usize].waiting.push_back(thread);
            }
            Step::Guard { variable, condition, lock } => {
                self.record(thread, Kind::Read, variable, Mode::Exclusive, true);
                if self.is_written[variable as usize] {
                    let enters = self.entered(thread, condition);
                    if !enters {
                        let pass = self.record(thread, Kind::Pass, condition, Mode::Exclusive, true);
                        self.history.resources.passes.insert(pass, lock);
                    }
                } else {
                    let wait = [
                        Step::Enter { condition, lock },
                        Step::plain(Kind::Take, condition),
                        Step::plain(Kind::Acquire, lock),
                        step,
                    ];
                    wait.into_iter().rev().for_each(|step| self.todo[thread].push_front(step));
                }
            }
        }
        true
    }

    /// Whether a thread has just waited on a condition: its look at the variable is the third operation behind.
    fn entered(&self, thread: usize, condition: u32) -> bool {
        let mut own = self.history.operations.iter().rev().filter(|operation| operation.thread as usize == thread);
        own.nth(2).is_some_and(|operation| (operation.kind, operation.target) == (Kind::Take, condition))
    }

    fn record(&mut self, thread: usize, kind: Kind, target: u32, mode: Mode, may_wait: bool) -> u32 {
        let index = self.history.operations.len() as u32;
        let place = self.history.places.number(&index.to_string());
        self.history.operations.push(Operation { thread: thread as u32, target, place, kind, mode, may_wait });
        index
    }

    fn plain(&mut self, thread: usize, index: u32, amount: u32) {
        let Operation { kind, target, mode, .. } = self.history.operations[index as usize];
        match kind {
            Kind::Acquire => self.holds[target as usize].push((thread, mode)),
            Kind::Release => {
                let holds = &mut self.holds[target as usize];
                let at = holds.iter().position(|hold| *hold == (thread, mode));
                holds.remove(at.unwrap());
            }
            Kind::Write => self.is_written[target as usize] = true,
            Kind::Fork => self.is_started[target as usize] = true,
            Kind::Read | Kind::Await | Kind::Join => {}
            _ => self.plain_at_thing(thread, index, amount),
        }
    }

    fn plain_at_thing(&mut self, thread: usize, index: u32, amount: u32) {
        let Operation { kind, target, .. } = self.history.operations[index as usize];
        let thing = &mut self.things[target as usize];
        match (self.program.resources[target as usize], kind) {
            (Resource::Channel { .. }, Kind::Give) => {
                thing.messages.push_back(index);
                thing.latest.insert(thread, index);
            }
            (_, Kind::Confirm) => _ = self.history.resources.messages.insert(index, thing.latest[&thread]),
            (_, Kind::Open) => thing.senders += 1,
            (_, Kind::Close) => thing.senders -= 1,
            (Resource::Permits(_) | Resource::Latch(_), Kind::Give) => thing.count += amount,
            (Resource::Permits(_), Kind::Take) => thing.count -= amount,
            (Resource::Token, _) => thing.count = u32::from(kind == Kind::Give),
            (Resource::Barrier(n), Kind::Give) => {
                thing.count += 1;
                thing.until.insert(thread, thing.count.next_multiple_of(n));
            }
            (Resource::Condition, Kind::Give) => thing.woken.extend(thing.waiting.pop_front()),
            (Resource::Condition, Kind::GiveAll) => thing.woken.extend(thing.waiting.drain(..)),
            (Resource::Condition, Kind::Take) => _ = thing.woken.remove(&thread),
            _ => {}
        }
    }

    fn receive(&mut self, thread: usize, channel: u32, may_wait: bool, is_last: bool) {
        let Some(message) = self.things[channel as usize].messages.pop_front() else {
            self.record(thread, Kind::FindClosed, channel, Mode::Exclusive, may_wait);
            return;
        };
        let index = self.record(thread, Kind::Take, channel, Mode::Exclusive, may_wait);
        self.history.resources.messages.insert(index, message);
        self.things[channel as usize].taken.insert(message);
        if !is_last {
            self.todo[thread].push_front(Step::Receive { channel, may_wait, is_last });
        }
    }

    /// The threads that have started, have more to do, and cannot.
    pub(crate) fn blocked(&self) -> Vec<usize> {
        (0..self.todo.len()).filter(|thread| self.can(*thread) == Some(false)).collect()
    }

    /// Whether some thread can do something.
    pub(crate) fn goes(&self) -> bool {
        (0..self.todo.len()).any(|thread| self.goes_on(thread))
    }

    /// Whether a thread can do something.
    pub(crate) fn goes_on(&self, thread: usize) -> bool {
        self.can(thread) == Some(true)
    }

    /// What it is that nobody can do anything.
    pub(crate) fn outcome(&self) -> Outcome {
        let blocked = self.blocked();
        let gives_up = |thread: &usize| {
            matches!(
                self.todo[*thread].front(),
                Some(Step::Plain { may_wait: false, .. } | Step::Receive { may_wait: false, .. })
            )
        };
        let is_unstarted = self.is_started.contains(&false);
        match blocked.as_slice() {
            [] if !is_unstarted => Outcome::Completes,
            _ if blocked.iter().any(gives_up) => Outcome::GivesUp,
            [one] if !is_unstarted && *one != 0 && self.serves(*one) => Outcome::Serves,
            _ => Outcome::Hangs,
        }
    }

    /// Whether a thread waits, empty-handed, for what others may give or not.
    fn serves(&self, thread: usize) -> bool {
        let is_join = matches!(self.todo[thread].front(), Some(Step::Plain { kind: Kind::Acquire | Kind::Join, .. }));
        !is_join && self.holds.iter().flatten().all(|(holder, _)| *holder != thread)
    }
}

/// A run along a random schedule.
pub(crate) fn run<'a>(numbers: &mut Numbers, program: &'a Program) -> (World<'a>, Outcome) {
    let mut world = World::new(program);
    while world.goes() {
        // Long stretches of one thread, as on real machines, and short ones.
        let thread = numbers.below(program.threads.len());
        for _ in 0..=numbers.below(5) {
            if !world.perform(thread) {
                break;
            }
        }
    }
    let outcome = world.outcome();
    (world, outcome)
}
