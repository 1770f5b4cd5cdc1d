//! What threads can do that do the operations of a history in another order.
//!
//! A thread whose next operation would go otherwise than in the history - a read that sees another write, a take that
//! gets another message, a try that fails - does nothing more: what it would do is unknown. As a thread may also be left
//! alone for a while, this needs no memory: it counts where nobody else can do anything.

use detector::history::{History, Kind, Mode, Operation, Resource};
use rustc_hash::FxHashMap;

/// Bytes of a state for each resource: a number, and a queue.
const CELL: usize = 1 + QUEUE;
const QUEUE: usize = 10;

/// Where a run is: per thread how many operations are done, per lock and thread the modes in which it is held, per
/// variable its latest write, and a cell per resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State(Vec<u8>);

/// What a thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Has done all that is known of it.
    Ended,
    /// Is not started yet.
    NotStarted,
    /// Can do its next operation.
    Goes,
    /// Waits with its next operation.
    Waits,
    /// Would go on otherwise than in the history.
    Diverges,
}

/// What is the same in all states.
pub(crate) struct Native<'a> {
    pub(crate) history: &'a History,
    /// Per thread the indexes of its operations.
    threads: Vec<Vec<usize>>,
    /// Per operation its number among those of its thread.
    turns: Vec<usize>,
    /// Per read the write that it saw, as states have it.
    saw: Vec<u8>,
    /// Per thread the operation that starts it.
    forks: Vec<Option<usize>>,
    /// By give, the take of its message.
    takes: FxHashMap<u32, u32>,
}

impl<'a> Native<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        assert!(history.operations.len() < 255, "states number operations in bytes");
        let n_threads = history.threads.len();
        let mut written = vec![0_u8; history.variables.len()];
        let mut native = Self {
            history,
            threads: vec![Vec::new(); n_threads],
            turns: Vec::new(),
            saw: Vec::new(),
            forks: vec![None; n_threads],
            takes: FxHashMap::default(),
        };
        for (index, operation) in history.operations.iter().enumerate() {
            let (thread, target) = (operation.thread as usize, operation.target as usize);
            native.turns.push(native.threads[thread].len());
            native.threads[thread].push(index);
            let sees = matches!(operation.kind, Kind::Read | Kind::Await);
            native.saw.push(if sees { written[target] } else { 0 });
            match operation.kind {
                Kind::Write => written[target] = index as u8 + 1,
                Kind::Fork => native.forks[target] = Some(index),
                _ => {}
            }
        }
        let takes = history.resources.messages.iter();
        let is_take = |take: u32| history.operations[take as usize].kind == Kind::Take;
        native.takes = takes.filter(|(take, _)| is_take(**take)).map(|(take, give)| (*give, *take)).collect();
        native
    }

    /// Where the bytes of locks, of variables and of resources begin.
    fn parts(&self) -> [usize; 3] {
        let n_threads = self.threads.len();
        let variables = n_threads + self.history.locks.len() * n_threads;
        [n_threads, variables, variables + self.history.variables.len()]
    }

    pub(crate) fn first(&self) -> State {
        let [_, _, resources] = self.parts();
        let kinds = &self.history.resources.kinds;
        let mut state = State(vec![0; resources + kinds.len() * CELL]);
        for (at, kind) in kinds.iter().enumerate() {
            state.0[resources + at * CELL] = match kind {
                Resource::Channel { .. } => 1,
                Resource::Permits(n) => *n as u8,
                _ => 0,
            };
        }
        state
    }

    /// The cell of a resource: its number, and its queue.
    fn cell<'s>(&self, state: &'s State, target: u32) -> &'s [u8] {
        let [_, _, resources] = self.parts();
        &state.0[resources + target as usize * CELL..][..CELL]
    }

    fn cell_mut<'s>(&self, state: &'s mut State, target: u32) -> &'s mut [u8] {
        let [_, _, resources] = self.parts();
        &mut state.0[resources + target as usize * CELL..][..CELL]
    }

    pub(crate) fn is_done(&self, state: &State, index: usize) -> bool {
        let thread = self.history.operations[index].thread as usize;
        (state.0[thread] as usize) > self.turns[index]
    }

    fn has_ended(&self, state: &State, thread: usize) -> bool {
        state.0[thread] as usize == self.threads[thread].len()
    }

    /// How many operations a thread has done.
    pub(crate) fn n_done(&self, state: &State, thread: usize) -> usize {
        assert!(thread < self.threads.len(), "the bytes behind are others'");
        state.0[thread] as usize
    }

    /// What a thread has not done yet.
    pub(crate) fn rest(&self, state: &State, thread: usize) -> &[usize] {
        &self.threads[thread][self.n_done(state, thread)..]
    }

    /// The operation that starts a thread.
    pub(crate) fn fork(&self, thread: usize) -> Option<usize> {
        self.forks[thread]
    }

    /// The take of a message that was given.
    pub(crate) fn take(&self, give: u32) -> Option<u32> {
        self.takes.get(&give).copied()
    }

    /// The next operation of a thread, by its index.
    pub(crate) fn next(&self, state: &State, thread: usize) -> Option<usize> {
        self.rest(state, thread).first().copied()
    }

    /// Who holds a lock in a mode that excludes another one.
    fn excluding<'s>(&self, state: &'s State, lock: u32, wanted: Mode) -> impl Iterator<Item = usize> + use<'s> {
        let [locks, _, _] = self.parts();
        let n_threads = self.threads.len();
        let held = &state.0[locks + lock as usize * n_threads..][..n_threads];
        let excludes = move |held: u8| MODES.iter().any(|mode| held & bit(*mode) != 0 && mode.excludes(wanted));
        held.iter().enumerate().filter(move |(_, held)| excludes(**held)).map(|(thread, _)| thread)
    }

    pub(crate) fn look(&self, state: &State, thread: usize) -> Look {
        let Some(index) = self.next(state, thread) else { return Look::Ended };
        if self.forks[thread].is_some_and(|fork| !self.is_done(state, fork)) {
            return Look::NotStarted;
        }
        let operation = self.history.operations[index];
        let look = match operation.kind {
            Kind::Acquire => waits_if(self.excluding(state, operation.target, operation.mode).next().is_some()),
            Kind::Join => waits_if(!self.has_ended(state, operation.target as usize)),
            Kind::Read if self.sees_the_same(state, index) => Look::Goes,
            Kind::Read => Look::Diverges,
            Kind::Await => waits_if(!self.sees_the_same(state, index)),
            Kind::Take | Kind::Give | Kind::Confirm | Kind::FindClosed => self.look_at_resource(state, index),
            _ => Look::Goes,
        };
        if look == Look::Waits && !operation.may_wait { Look::Diverges } else { look }
    }

    fn sees_the_same(&self, state: &State, index: usize) -> bool {
        let [_, variables, _] = self.parts();
        state.0[variables + self.history.operations[index].target as usize] == self.saw[index]
    }

    /// The write that an operation saw.
    pub(crate) fn saw(&self, index: usize) -> Option<u32> {
        self.saw[index].checked_sub(1).map(u32::from)
    }

    fn look_at_resource(&self, state: &State, index: usize) -> Look {
        let Operation { thread, target, kind, .. } = self.history.operations[index];
        let cell = self.cell(state, target);
        let (number, queue) = (u32::from(cell[0]), &cell[1..]);
        let amount = self.history.resources.amount(index as u32);
        let message = || self.history.resources.messages[&(index as u32)];
        match (self.history.resources.kind(target), kind) {
            (Resource::Channel { room: Some(room) }, Kind::Give) => waits_if(room > 0 && length(queue) >= room),
            (Resource::Channel { .. }, Kind::Take) if queue[0] != 0 => {
                if u32::from(queue[0]) == message() + 1 {
                    Look::Goes
                } else {
                    Look::Diverges
                }
            }
            (Resource::Channel { .. }, Kind::Take) if number == 0 => Look::Diverges,
            (Resource::Channel { .. }, Kind::Take) => Look::Waits,
            (Resource::Channel { .. }, Kind::Confirm) => {
                waits_if(!self.take(message()).is_some_and(|take| self.is_done(state, take as usize)))
            }
            (Resource::Channel { .. }, Kind::FindClosed) if queue[0] != 0 => Look::Diverges,
            (Resource::Channel { .. }, Kind::FindClosed) => waits_if(number > 0),
            (Resource::Permits(_), Kind::Take) => waits_if(number < amount),
            (Resource::Token, Kind::Take) => waits_if(number == 0),
            // The number is a set of threads that were woken.
            (Resource::Condition, Kind::Take) => waits_if(number & (1 << thread) == 0),
            (Resource::Latch(n), Kind::Take) => waits_if(number < n),
            // Who arrived as which one stands where a queue would.
            (Resource::Barrier(n), Kind::Take) => waits_if(number < u32::from(queue[thread as usize]).div_ceil(n) * n),
            _ => Look::Goes,
        }
    }

    /// A thread does its next operation, which it can.
    pub(crate) fn step(&self, state: &mut State, thread: usize) {
        let index = self.threads[thread][state.0[thread] as usize];
        let operation = self.history.operations[index];
        let [_, variables, _] = self.parts();
        state.0[thread] += 1;
        match operation.kind {
            Kind::Acquire => *self.held(state, operation.target, thread) |= bit(operation.mode),
            Kind::Release => self.release(state, thread, operation),
            Kind::Write => state.0[variables + operation.target as usize] = index as u8 + 1,
            _ => self.step_at_resource(state, thread, index),
        }
        if operation.kind == Kind::Enter && self.fused(index).is_some() {
            self.step(state, thread);
        }
    }

    /// The release that is one with an enter.
    pub(crate) fn fused(&self, index: usize) -> Option<usize> {
        let operation = self.history.operations[index];
        let next = *self.threads[operation.thread as usize].get(self.turns[index] + 1)?;
        let is_fused = operation.kind == Kind::Enter && self.history.operations[next].kind == Kind::Release;
        is_fused.then_some(next)
    }

    fn held<'s>(&self, state: &'s mut State, lock: u32, thread: usize) -> &'s mut u8 {
        let [locks, _, _] = self.parts();
        &mut state.0[locks + lock as usize * self.threads.len() + thread]
    }

    /// Another thread may drop a guard, if it is not the releasing one's own.
    fn release(&self, state: &mut State, thread: usize, operation: Operation) {
        let others = (0..self.threads.len()).filter(|other| *other != thread);
        for holder in std::iter::once(thread).chain(others) {
            let held = self.held(state, operation.target, holder);
            if *held & bit(operation.mode) != 0 {
                *held &= !bit(operation.mode);
                return;
            }
        }
    }

    fn step_at_resource(&self, state: &mut State, thread: usize, index: usize) {
        let Operation { target, kind, .. } = self.history.operations[index];
        let amount = self.history.resources.amount(index as u32) as u8;
        if !matches!(kind, Kind::Enter | Kind::Take | Kind::Give | Kind::GiveAll | Kind::Open | Kind::Close) {
            return;
        }
        let cell = self.cell_mut(state, target);
        match (self.history.resources.kind(target), kind) {
            (Resource::Channel { .. }, Kind::Open) => cell[0] += 1,
            (Resource::Channel { .. }, Kind::Close) => cell[0] -= 1,
            (Resource::Channel { .. }, Kind::Give) => push(&mut cell[1..], index as u8 + 1),
            (Resource::Channel { .. }, Kind::Take) => _ = pop(&mut cell[1..]),
            (Resource::Permits(_) | Resource::Latch(_), Kind::Give) => cell[0] += amount,
            (Resource::Permits(_), Kind::Take) => cell[0] -= amount,
            (Resource::Token, _) => cell[0] = u8::from(kind == Kind::Give),
            (Resource::Condition, Kind::Enter) => push(&mut cell[1..], thread as u8 + 1),
            (Resource::Condition, Kind::Give) => wake(cell),
            (Resource::Condition, Kind::GiveAll) => (0..QUEUE).for_each(|_| wake(cell)),
            (Resource::Condition, Kind::Take) => cell[0] &= !(1 << thread),
            (Resource::Barrier(_), Kind::Give) => {
                cell[0] += 1;
                cell[1 + thread] = cell[0];
            }
            _ => {}
        }
    }

    /// For whom a thread waits that wants a lock, or joins.
    pub(crate) fn waits_for(&self, state: &State, thread: usize) -> Vec<usize> {
        if self.look(state, thread) != Look::Waits {
            return Vec::new();
        }
        let operation = self.history.operations[self.threads[thread][state.0[thread] as usize]];
        match operation.kind {
            Kind::Acquire => self.excluding(state, operation.target, operation.mode).collect(),
            Kind::Join => vec![operation.target as usize],
            _ => Vec::new(),
        }
    }

    pub(crate) fn n_threads(&self) -> usize {
        self.threads.len()
    }

    /// The operations along a way, by the threads that step.
    pub(crate) fn steps(&self, way: &[usize]) -> Vec<u32> {
        let mut state = self.first();
        let mut steps = Vec::new();
        for thread in way {
            let before = state.0[*thread] as usize;
            self.step(&mut state, *thread);
            steps.extend(self.threads[*thread][before..state.0[*thread] as usize].iter().map(|index| *index as u32));
        }
        steps
    }

    /// The state at the end of a schedule, given by indexes of operations.
    pub(crate) fn replay(&self, steps: impl Iterator<Item = u32>) -> Result<State, String> {
        let mut state = self.first();
        let mut steps = steps.map(|index| index as usize);
        while let Some(index) = steps.next() {
            let thread = self.history.operations[index].thread as usize;
            if self.next(&state, thread) != Some(index) {
                return Err(format!("operation {index} is not the next one of its thread"));
            }
            let look = self.look(&state, thread);
            if look != Look::Goes {
                return Err(format!("operation {index}: {look:?}"));
            }
            let fused = self.fused(index);
            if fused.is_some() && steps.next() != fused {
                return Err(format!("operation {index} is torn from its release"));
            }
            self.step(&mut state, thread);
        }
        Ok(state)
    }
}

const MODES: [Mode; 4] = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];

const fn bit(mode: Mode) -> u8 {
    match mode {
        Mode::Exclusive => 1,
        Mode::Shared => 2,
        Mode::Upgradable => 4,
        Mode::SharedRecursive => 8,
    }
}

const fn waits_if(waits: bool) -> Look {
    if waits { Look::Waits } else { Look::Goes }
}

fn length(queue: &[u8]) -> u32 {
    queue.iter().take_while(|place| **place != 0).count() as u32
}

fn push(queue: &mut [u8], what: u8) {
    let free = queue.iter().position(|place| *place == 0);
    queue[free.unwrap()] = what;
}

fn pop(queue: &mut [u8]) -> u8 {
    let first = queue[0];
    queue.rotate_left(1);
    queue[QUEUE - 1] = 0;
    first
}

/// The first that waits on a condition is woken; nobody, if nobody waits.
fn wake(cell: &mut [u8]) {
    let first = pop(&mut cell[1..]);
    if first != 0 {
        cell[0] |= 1 << (first - 1);
    }
}
