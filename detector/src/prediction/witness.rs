//! What of a schedule is worth showing: enough to follow it, and never more than a page or two.
//!
//! A schedule may have millions of operations, of which a handful make the deadlock. Shown are
//!
//! * the operations that block, last;
//! * what the blocked threads hold by then, and who started these threads, and those that started them;
//! * the latest sections of the locks that the deadlock is about, what was last given to and taken from other things that it
//!   is about, and the latest messages to its threads.
//!
//! One pass, in the memory of a replay; the schedule itself can be forgotten afterwards.

use super::Witness;
use crate::history::{History, Kind, Operation, Target};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Sections and messages that are shown beside what makes the deadlock.
const CONTEXT_MAX: usize = 40;

/// Steps that are shown in all.
pub const STEPS_MAX: usize = 200;

/// Messages of one event behind which what it took is looked for: of a barrier each party's.
const MESSAGES_MAX: usize = 64;

/// Threads beside the blocked ones of which something is shown.
const OTHER_THREADS_MAX: usize = 6;

/// What a history leaves to those who made it.
pub trait Counts {
    /// Whether people would call this one, by its index, an operation. What is none of them has no number, and is not shown.
    fn counts(&self, index: u32) -> bool;

    /// Whether a write of this variable and the reads that see it stand for something that one thread does before another
    /// one goes on: a start, an end, a message.
    fn is_message(&self, variable: u32) -> bool;
}

/// A step of a schedule that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its number among the operations that count, from 1. Where numbers are missing, others were left out.
    pub number: u32,
    /// The operation: index into [`History::operations`].
    pub index: u32,
    /// What happens.
    pub what: What,
}

/// What happens in a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// What the operation says.
    Happens,
    /// A release of what the operation with this index acquired.
    Ends(u32),
    /// This thread starts here: it does nothing before.
    Starts(u32),
    /// Something without which this thread, at the step behind, would not go on.
    Precedes(u32),
    /// The thread goes on, as this one let it.
    Follows(u32),
    /// The operation cannot happen.
    Blocks,
}

/// A schedule as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its steps, first to last; the last ones block.
    pub steps: Vec<Step>,
    /// Operations of the schedule that count; those that block come on top.
    pub n_operations: u32,
}

/// What was given or taken by the event of which this write, or read, of a message is a part.
pub fn given_or_taken(history: &History, message: u32) -> Option<u32> {
    let of = history.operations.get(message as usize)?;
    let before = (0..message).rev().map_while(|at| Some((at, history.operations.get(at as usize)?)));
    let mut own = before.take(MESSAGES_MAX).take_while(|(_, operation)| operation.thread == of.thread);
    let (at, operation) = own.find(|(_, operation)| !matches!(operation.kind, Kind::Read | Kind::Await))?;
    let is_moved = operation.kind.target() == Target::Resource && !matches!(operation.kind, Kind::Open | Kind::Pass);
    (is_moved && operation.place == of.place).then_some(at)
}

/// The release that is one with the begin of a wait.
pub fn gives_up(history: &History, enter: u32) -> Option<&Operation> {
    let begins = history.operations.get(enter as usize).filter(|operation| operation.kind == Kind::Enter)?;
    let release = history.operations.get(enter as usize + 1)?;
    (release.kind == Kind::Release && release.thread == begins.thread).then_some(release)
}

/// Chooses what of a witness is shown.
pub fn show(history: &History, witness: &Witness, counts: &impl Counts) -> Shown {
    let mut cut = Cut::new(history, witness, counts);
    for index in witness.schedule.steps(history) {
        cut.step(index);
    }
    let n_operations = cut.n_operations;
    Shown { steps: cut.finish(), n_operations }
}

/// Of so many, those with these numbers.
fn marked(n: usize, numbers: impl Iterator<Item = u32>) -> Vec<bool> {
    let mut marked = vec![false; n];
    for number in numbers {
        if let Some(place) = marked.get_mut(number as usize) {
            *place = true;
        }
    }
    marked
}

struct Cut<'a, C> {
    history: &'a History,
    witness: &'a Witness,
    counts: &'a C,
    n_operations: u32,
    /// Whether a thread is blocked, and whether a lock is what one of those wants: asked at each step.
    blocked: Vec<bool>,
    locks: Vec<bool>,
    /// Whether these threads wait for nothing: each comes to an access of a race.
    is_race: bool,
    /// What else these threads wait for.
    resources: FxHashSet<u32>,
    /// By lock, of threads that are blocked, and of locks that are wanted: the acquires that nothing has ended yet, oldest
    /// first.
    holds: FxHashMap<u32, Vec<Step>>,
    /// By variable the latest message: index and number, which is 0 if there is none.
    messages: Vec<(u32, u32)>,
    has_begun: Vec<bool>,
    /// By thread the step that starts it.
    starts: FxHashMap<u32, Step>,
    /// The latest sections and messages.
    context: VecDeque<Step>,
}

impl<'a, C: Counts> Cut<'a, C> {
    fn new(history: &'a History, witness: &'a Witness, counts: &'a C) -> Self {
        let blocked = witness.blocked.iter().filter_map(|index| history.operations.get(*index as usize));
        let wanted = |kind| {
            let is_of = move |operation: &&Operation| operation.kind.target() == kind;
            blocked.clone().filter(is_of).map(|operation| operation.target)
        };
        // What a condition is kept under.
        let kept = witness.blocked.iter().filter_map(|index| history.resources.passes.get(index)).copied();
        let locks = marked(history.locks.len(), wanted(Target::Lock).chain(kept));
        let resources = wanted(Target::Resource).collect();
        Self {
            history,
            witness,
            counts,
            n_operations: 0,
            locks,
            is_race: blocked.clone().all(|operation| operation.kind.target() == Target::Variable),
            resources,
            blocked: marked(history.threads.len(), blocked.map(|operation| operation.thread)),
            holds: FxHashMap::default(),
            messages: Vec::new(),
            has_begun: vec![false; history.threads.len()],
            starts: FxHashMap::default(),
            context: VecDeque::new(),
        }
    }

    fn step(&mut self, index: u32) {
        let Some(operation) = self.history.operations.get(index as usize) else { return };
        // A wait that the run went past is one in this schedule.
        let is_wait = operation.kind == Kind::Pass && self.witness.blocked.contains(&index);
        self.n_operations += u32::from(is_wait || self.counts.counts(index) && !self.begins(operation));
        let step = Step { number: self.n_operations, index, what: What::Happens };
        match operation.kind {
            Kind::Acquire => self.acquire(operation, step),
            Kind::Release => self.release(operation, step),
            Kind::Fork => {
                self.starts.insert(operation.target, Step { what: What::Starts(operation.target), ..step });
            }
            Kind::Join if self.is_blocked(operation.thread) => self.add_context(step),
            Kind::Write if self.counts.is_message(operation.target) => {
                let place = operation.target as usize;
                if self.messages.len() <= place {
                    self.messages.resize(place + 1, (0, 0));
                }
                self.messages[place] = (index, step.number);
            }
            Kind::Read | Kind::Await if self.counts.is_message(operation.target) => self.receive(operation, step),
            Kind::Pass if is_wait => {
                let lock = self.history.resources.passes.get(&index).copied();
                self.wait(operation, lock, step);
            }
            Kind::Enter if self.resources.contains(&operation.target) => {
                let lock = gives_up(self.history, index).map(|release| release.target);
                self.wait(operation, lock, step);
            }
            Kind::Take | Kind::Confirm | Kind::FindClosed | Kind::Give | Kind::GiveAll | Kind::Enter | Kind::Close
                if self.resources.contains(&operation.target) =>
            {
                self.add_context(step);
            }
            _ => {}
        }
        if let Some(has_begun) = self.has_begun.get_mut(operation.thread as usize) {
            *has_begun = true;
        }
    }

    fn acquire(&mut self, operation: &Operation, step: Step) {
        let is_wanted = self.is_context(operation);
        if is_wanted || self.is_blocked(operation.thread) {
            self.holds.entry(operation.target).or_default().push(step);
        }
        if is_wanted {
            self.add_context(step);
        }
    }

    fn release(&mut self, operation: &Operation, step: Step) {
        let history = self.history;
        let Some(holds) = self.holds.get_mut(&operation.target) else { return };
        let is_of = |hold: &Step, thread: Option<u32>| {
            let acquire = history.operations.get(hold.index as usize);
            let is_of_thread = |acquire: &Operation| thread.is_none_or(|thread| thread == acquire.thread);
            acquire.is_some_and(|acquire| acquire.mode == operation.mode && is_of_thread(acquire))
        };
        // Another thread may drop a guard.
        let own = holds.iter().rposition(|hold| is_of(hold, Some(operation.thread)));
        let Some(at) = own.or_else(|| holds.iter().rposition(|hold| is_of(hold, None))) else { return };
        let acquire = holds.remove(at);
        if self.is_context(operation) {
            self.add_context(Step { what: What::Ends(acquire.index), ..step });
        }
    }

    /// A thread begins to wait, and gives its lock up.
    fn wait(&mut self, operation: &Operation, lock: Option<u32>, step: Step) {
        let history = self.history;
        let is_of_thread = |hold: &Step| {
            history.operations.get(hold.index as usize).is_some_and(|acquire| acquire.thread == operation.thread)
        };
        let holds = lock.and_then(|lock| self.holds.get_mut(&lock));
        let acquire = holds.and_then(|holds| Some(holds.remove(holds.iter().rposition(is_of_thread)?)));
        if let Some(acquire) = acquire {
            self.add_context(acquire);
        }
        self.add_context(step);
    }

    /// A thread goes on, since another one did something.
    fn receive(&mut self, operation: &Operation, step: Step) {
        let Some((index, number)) = self.messages.get(operation.target as usize).copied().filter(|(_, n)| *n > 0)
        else {
            return;
        };
        let Some(sender) = self.history.operations.get(index as usize).map(|sent| sent.thread) else { return };
        if sender == operation.thread {
            return;
        }
        if self.begins(operation) {
            let what = What::Starts(operation.thread);
            self.starts.entry(operation.thread).or_insert(Step { number, index, what });
        } else if self.is_blocked(operation.thread) {
            let sent = Step { number, index, what: What::Precedes(operation.thread) };
            let told = |step: Step| match given_or_taken(self.history, step.index) {
                Some(index) => Step { index, what: What::Happens, ..step },
                None => step,
            };
            let (sent, received) = (told(sent), told(Step { what: What::Follows(sender), ..step }));
            self.add_context(sent);
            self.add_context(received);
        }
    }

    /// Whether a thread begins with this, as what starts it says already.
    fn begins(&self, operation: &Operation) -> bool {
        matches!(operation.kind, Kind::Read | Kind::Await)
            && self.counts.is_message(operation.target)
            && self.has_begun.get(operation.thread as usize).is_some_and(|has_begun| !has_begun)
    }

    fn is_blocked(&self, thread: u32) -> bool {
        self.blocked.get(thread as usize).copied().unwrap_or_default()
    }

    /// Whether the sections of a lock are shown: those of a lock that is wanted; of a race, which wants none, those of its
    /// threads, which are what the run had in another order.
    fn is_context(&self, operation: &Operation) -> bool {
        let is_wanted = self.locks.get(operation.target as usize).copied().unwrap_or_default();
        is_wanted || self.is_race && self.is_blocked(operation.thread)
    }

    fn add_context(&mut self, step: Step) {
        if self.context.len() == CONTEXT_MAX {
            self.context.pop_front();
        }
        self.context.push_back(step);
    }

    fn finish(self) -> Vec<Step> {
        let thread = |step: &Step| self.history.operations.get(step.index as usize).map(|operation| operation.thread);
        let mut steps: Vec<Step> =
            self.holds.values().flatten().filter(|hold| self.is_of_blocked(hold)).copied().collect();
        let mut others: Vec<u32> = Vec::new();
        // Only what few threads do can be shown side by side; the latest are the nearest to the deadlock.
        for step in self.context.iter().rev() {
            let Some(thread) = thread(step) else { continue };
            if !self.is_blocked(thread) && !others.contains(&thread) {
                if others.len() == OTHER_THREADS_MAX {
                    continue;
                }
                others.push(thread);
            }
            steps.push(*step);
        }
        steps.extend(self.starts(&others));
        steps.sort_unstable_by_key(|step| (step.number, step.index, step.what));
        // A hold is also one of the latest sections, perhaps.
        steps.dedup();
        let n_blocked = self.witness.blocked.len();
        let left_out = steps.len().saturating_sub(STEPS_MAX.saturating_sub(n_blocked));
        steps.drain(..left_out);
        let blocked = self.witness.blocked.iter().zip(self.n_operations + 1..);
        steps.extend(blocked.map(|(index, number)| Step { number, index: *index, what: What::Blocks }));
        steps
    }

    fn is_of_blocked(&self, hold: &Step) -> bool {
        let acquire = self.history.operations.get(hold.index as usize);
        acquire.is_some_and(|acquire| self.is_blocked(acquire.thread))
    }

    /// The steps that start the threads that are shown, and those that start their starters.
    fn starts(&self, others: &[u32]) -> Vec<Step> {
        let blocked = (0..).zip(&self.blocked).filter(|(_, is_blocked)| **is_blocked).map(|(thread, _)| thread);
        let mut threads: Vec<u32> = blocked.chain(others.iter().copied()).collect();
        let mut steps = Vec::new();
        let mut at = 0;
        while let Some(thread) = threads.get(at).copied() {
            at += 1;
            let Some(start) = self.starts.get(&thread) else { continue };
            steps.push(*start);
            let starter = self.history.operations.get(start.index as usize).map(|operation| operation.thread);
            if let Some(starter) = starter.filter(|starter| !threads.contains(starter) && threads.len() < STEPS_MAX) {
                threads.push(starter);
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests;
