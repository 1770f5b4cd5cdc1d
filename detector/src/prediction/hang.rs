//! Hangs that another schedule of a run reaches and that are not cycles of locks alone: threads that wait for messages,
//! permits, the end of each other, a notify.
//!
//! ```text
//! waits    who waits for what, with what in its hands; who gives and takes what      one pass
//! circle   threads that each keep from the one before what that waits for            by components
//! hang     the closure for a choice of waits, then a run of the machine              sound by the run
//! lost     a notify, or a second unpark, that comes before the wait                  likewise
//! passed   a conditional wait that was not needed, as if it had been                 never proven
//! ```
//!
//! **Sound.** Every hang comes with a schedule that a machine went through, which does what the primitives do (see `machine`);
//! after it all threads went on as far as they could, and those that hang still wait: for locks that others of them hold or that
//! were left behind by threads that ended, for the end of others of them, for what nobody else gives who has ever had to
//! do with it. [`Hang::is_certain`] says whether that needs no "as far as is known".
//!
//! **Class.** Found are hangs of up to eight threads in a circle whose waits are among the first or the latest sixteen of their
//! kind, if the run's sections, messages and permits in their order, or the sections in another order that a bounded
//! search finds, lead to them; and single waits whose notify or unpark came just too early. A hang of which several givers
//! have to be kept from it is found if the others get stuck by themselves. Not a class with a theorem: what an
//! exhaustive search finds beyond it is counted in `tests/hang_prediction_oracle`.

mod knot;
mod lost;
mod passed;

use super::{
    Budget, Moves,
    circle::Circles,
    closure::Closure,
    machine::{Blocked, Machine, Outcome, Run, Waiting},
    past::{Event, Occurrence, Past},
    reordered_locks,
    replay::{Schedule, Witness},
    reversal::{self, Settled},
    waits::{Flow, Move, Waits},
};
use crate::history::{History, Kind, Resource, Target};
use rustc_hash::FxHashSet;

/// Operations that machines may do, and steps of closures, all candidates together: a few seconds.
const OPERATIONS_MAX: u64 = 120_000_000;

/// Locks and variables of which as many are made ready for a run as an operation takes time.
const PLACES_PER_OPERATION: usize = 8;

/// Circles that are looked at.
const CIRCLES_MAX: usize = 20_000;

/// Runs of the machine for one circle.
const RUNS_MAX: usize = 8;

/// Choices of waits for one circle.
const CHOICES_MAX: usize = 256;

/// What searches for other orders may do, all circles together.
const BUDGET: Budget = Budget { states: 50_000, operations: 50_000_000 };

/// Hangs that are told apart.
const FOUND_MAX: usize = 64;

/// How it comes to a hang.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// Each keeps from the one before what that waits for.
    Circle,
    /// What would have woken it came before it waited.
    Lost,
    /// A conditional wait that was not needed in the run would have been.
    Passed,
}

/// A hang that another schedule reaches.
#[derive(Clone, Debug)]
pub struct Hang {
    /// The schedule, and the operations that wait at its end: in a circle the thread of each waits for that of the next one.
    pub witness: Witness,
    /// How it comes to it.
    pub way: Way,
    /// Of one that is lost: the give that came too early.
    pub too_early: Option<u32>,
    /// Of one that is lost: whether the thread looked at what its lock guards before it waited. If not, what it waits for is
    /// kept elsewhere.
    pub has_looked: bool,
    /// Threads that wait too, or for these: their operations.
    pub behind: Vec<u32>,
    /// Threads that have done all that they did in the run.
    pub ended: Vec<u32>,
    /// Whether no thread can do anything any more.
    pub is_total: bool,
    /// Whether the hang is one whatever threads do of which it is not known what they do.
    pub is_certain: bool,
    /// Locks whose sections come in another order than in the run.
    pub reordered: Vec<u32>,
}

/// What was found, and whether the search was cut short.
#[derive(Clone, Debug, Default)]
pub struct Hangs {
    /// The hangs, each once by where its threads wait.
    pub found: Vec<Hang>,
    /// Whether there may be more.
    pub is_cut_short: bool,
}

/// Predicts hangs in which somebody waits for something else than a lock.
pub fn hangs(history: &History) -> Hangs {
    let Some((past, waits)) = Waits::of(history) else { return Hangs::default() };
    let moves = Moves::of(history);
    let machine = Machine::new(history, &moves);
    let mut hunt = Hunt {
        history,
        past: &past,
        waits: &waits,
        moves: &moves,
        machine: &machine,
        closure: Closure::new(&past),
        budget: BUDGET,
        operations_left: OPERATIONS_MAX,
        seen: FxHashSet::default(),
        hangs: Hangs::default(),
    };
    let mut n_circles = 0;
    let is_cut_short = Circles::new(&waits).for_each(|circle| {
        n_circles += 1;
        hunt.circle(circle);
        n_circles < CIRCLES_MAX && hunt.may_go_on()
    });
    hunt.lost();
    hunt.passed();
    hunt.hangs.is_cut_short |= is_cut_short || !hunt.may_go_on();
    hunt.hangs
}

/// Where a thread waits, and for what, in a finding.
type Key = (Way, Vec<(u32, Blocked, u32)>);

struct Hunt<'a> {
    history: &'a History,
    past: &'a Past,
    waits: &'a Waits,
    moves: &'a Moves,
    machine: &'a Machine<'a>,
    closure: Closure<'a>,
    budget: Budget,
    operations_left: u64,
    seen: FxHashSet<Key>,
    hangs: Hangs,
}

/// What became of a choice of waits.
enum Tried {
    /// It hangs.
    Hangs,
    /// This member of the circle does not, there.
    NotThere(usize),
    /// It cannot be reached like this.
    Not,
}

impl<'a> Hunt<'a> {
    fn may_go_on(&self) -> bool {
        self.operations_left > 0 && self.hangs.found.len() < FOUND_MAX
    }

    /// Takes work from the budget.
    fn charge(&mut self, n: usize) {
        self.operations_left = self.operations_left.saturating_sub(n as u64 + 1);
    }

    /// Takes from the budget what a run costs before its first operation.
    fn charge_run(&mut self) {
        let n_places = self.history.locks.len() + self.history.variables.len() + self.past.n_threads;
        self.charge(n_places / PLACES_PER_OPERATION);
    }

    /// Looks for a choice of waits behind a circle that hangs.
    fn circle(&mut self, circle: &[u32]) {
        let mut at = vec![0; circle.len()];
        if self.seen.contains(&self.key(circle, &at)) || self.sweep(circle, &mut at) {
            return;
        }
        at.fill(0);
        let choice = self.choice(circle, &at);
        let Some(steps) = self.search(&choice) else { return };
        let mut run = self.machine.run(None);
        if run.steps(steps.iter().copied()).is_ok() {
            let outcome = self.go_on(&mut run);
            self.judge(circle, &at, &run, &outcome, steps.len());
        }
    }

    /// Goes over choices in the order of the run; each member only moves on.
    fn sweep(&mut self, circle: &[u32], at: &mut [usize]) -> bool {
        self.closure.clear();
        let mut n_runs = 0;
        for _ in 0..CHOICES_MAX {
            self.charge(self.past.n_threads);
            for (thread, occurrence) in self.choice(circle, at) {
                self.closure.add_past(thread, occurrence);
            }
            let is_closed = self.closure.close().is_ok();
            let n_steps = self.closure.take_steps();
            self.operations_left = self.operations_left.saturating_sub(n_steps);
            if !is_closed || self.operations_left == 0 {
                return false;
            }
            match self.move_on(circle, at) {
                None => return false,
                Some(true) => continue,
                Some(false) => {}
            }
            if n_runs >= RUNS_MAX || !self.may_go_on() {
                return false;
            }
            n_runs += 1;
            match self.try_in_order(circle, at) {
                Tried::Hangs => return true,
                Tried::Not => return false,
                // Others may fill the room that it found.
                Tried::NotThere(member)
                    if self.finds_room(circle[member]) && self.let_others_move(circle, member, 0) => {}
                Tried::NotThere(member) => {
                    at[member] += 1;
                    if at[member] >= self.waits.all[circle[member] as usize].occurrences.len() {
                        return false;
                    }
                }
            }
        }
        false
    }

    fn finds_room(&self, wait: u32) -> bool {
        matches!(self.waits.all[wait as usize].want, Blocked::Room(_))
    }

    fn choice(&self, circle: &[u32], at: &[usize]) -> Vec<(u32, Occurrence)> {
        let of = |(wait, at): (&u32, &usize)| {
            let wait = &self.waits.all[*wait as usize];
            (wait.thread, wait.occurrences[*at])
        };
        circle.iter().zip(at).map(of).collect()
    }

    /// Moves members on that are behind their wait already, or would not wait there. Says whether any moved; `None` if one
    /// cannot.
    fn move_on(&mut self, circle: &[u32], at: &mut [usize]) -> Option<bool> {
        let n = circle.len();
        let mut has_moved = false;
        for member in 0..n {
            let wait = &self.waits.all[circle[member] as usize];
            let is_over = |at: usize| {
                wait.occurrences.get(at).is_some_and(|occurrence| self.closure.contains(wait.thread, occurrence.lt))
            };
            while is_over(at[member]) {
                at[member] += 1;
                has_moved = true;
            }
            let occurrence = wait.occurrences.get(at[member])?;
            // What the one before waits for is still to come.
            let before = &self.waits.all[circle[(member + n - 1) % n] as usize];
            if self.waits.last_help(wait.thread, before.want).is_some_and(|last| occurrence.lt > last) {
                return None;
            }
        }
        if has_moved {
            return Some(true);
        }
        let would_not_wait = |member: &usize| {
            let wait = &self.waits.all[circle[*member] as usize];
            self.would_not_wait(wait.want, wait.occurrences[at[*member]].index)
        };
        // Of several that share what there is each has to come as far as the others.
        let Some(member) = (0..n).filter(would_not_wait).min_by_key(|member| at[*member]) else { return Some(false) };
        if self.let_others_move(circle, member, at[member]) {
            return Some(true);
        }
        at[member] += 1;
        (at[member] < self.waits.all[circle[member] as usize].occurrences.len()).then_some(true)
    }

    /// Lets a thread outside of the circle take what a member would find, or fill the room that it would find: the first
    /// such move that is not in the closure, and of a take that came before the member's. Says whether there is one.
    fn let_others_move(&mut self, circle: &[u32], member: usize, at: usize) -> bool {
        let wait = &self.waits.all[circle[member] as usize];
        let (resource, is_room) = match wait.want {
            Blocked::Resource(resource) => (resource, false),
            Blocked::Room(resource) => (resource, true),
            Blocked::Lock(_) | Blocked::Thread(_) => return false,
        };
        if !matches!(self.history.resources.kind(resource), Resource::Channel { .. } | Resource::Permits(_)) {
            return false;
        }
        let until = if is_room { u32::MAX } else { wait.occurrences[at].index };
        let is_member = |flow: &&Flow| circle.iter().any(|wait| self.waits.all[*wait as usize].thread == flow.thread);
        let flows = self.waits.flows.get(&resource).map_or(&[][..], Vec::as_slice);
        let moves = flows.iter().filter(|flow| !is_member(flow)).filter_map(|flow| {
            let moves: &[Move] = if is_room { &flow.gives } else { &flow.takes };
            let first = moves.partition_point(|one| self.closure.contains(flow.thread, one.lt));
            moves.get(first).map(|one| (one.index, Event { thread: flow.thread, lt: one.lt, clock: one.clock }))
        });
        let Some((_, event)) = moves.min_by_key(|(index, _)| *index).filter(|(index, _)| *index < until) else {
            return false;
        };
        self.closure.add(event);
        true
    }

    /// Whether there is enough of what a thread waits for. Only where counting says so.
    fn would_not_wait(&self, want: Blocked, index: u32) -> bool {
        let Blocked::Resource(resource) = want else { return false };
        let (given, taken) = self.waits.moved(resource, self.closure.ideal());
        match self.history.resources.kind(resource) {
            Resource::Channel { .. } => given > taken,
            Resource::Permits(initial) => {
                (given + u64::from(initial)).saturating_sub(taken) >= u64::from(self.history.resources.amount(index))
            }
            Resource::Latch(counts) => given >= u64::from(counts),
            _ => false,
        }
    }

    /// Runs what the choice needs, in the order of the run, then everything else.
    fn try_in_order(&mut self, circle: &[u32], at: &[usize]) -> Tried {
        let Some(mut run) = self.run_ideal() else { return Tried::Not };
        // What was needed beyond the closure may have gone past a wait.
        let choice = self.choice(circle, at);
        if let Some(member) = choice.iter().position(|(thread, occurrence)| run.done(*thread) >= occurrence.lt) {
            return Tried::NotThere(member);
        }
        let n_steps = run.log().len();
        let outcome = self.go_on(&mut run);
        self.judge(circle, at, &run, &outcome, n_steps)
    }

    /// A run of what is in the closure, with what has to be given so that it can be.
    fn run_ideal(&mut self) -> Option<Run<'a, 'a>> {
        let machine = self.machine;
        for _ in 0..RUNS_MAX {
            self.charge_run();
            let mut run = machine.run(None);
            let result = run.up_to(self.closure.ideal());
            self.charge(run.log().len());
            let Err(index) = result else { return Some(run) };
            let give = self.missing_move(index)?;
            self.closure.add(give);
            self.closure.close().ok()?;
        }
        None
    }

    /// The first give, or take that makes room, that is not in the closure and came before an operation in the run.
    fn missing_move(&self, index: u32) -> Option<Event> {
        let operation = self.history.operations[index as usize];
        if operation.kind.target() != Target::Resource {
            return None;
        }
        let needs_room = matches!(operation.kind, Kind::Give | Kind::Confirm);
        let flows = self.waits.flows.get(&operation.target)?;
        let missing = flows.iter().filter_map(|flow| {
            let moves: &[Move] = if needs_room { &flow.takes } else { &flow.gives };
            let first = moves.partition_point(|one| self.closure.contains(flow.thread, one.lt));
            moves.get(first).map(|one| (one.index, Event { thread: flow.thread, lt: one.lt, clock: one.clock }))
        });
        missing.min_by_key(|(index, _)| *index).filter(|(first, _)| *first < index).map(|(_, event)| event)
    }

    fn go_on(&mut self, run: &mut Run<'_, '_>) -> Outcome {
        let n = run.log().len();
        let outcome = run.on();
        self.charge(run.log().len() - n);
        outcome
    }

    /// A schedule with sections in another order after which the threads are where the choice says.
    fn search(&mut self, choice: &[(u32, Occurrence)]) -> Option<Vec<u32>> {
        match reversal::search(self.history, self.moves, self.past, choice, &mut self.budget) {
            Settled::Reached(steps) => Some(steps),
            Settled::Unreachable | Settled::Open => None,
        }
    }

    /// Takes a hang down if all members of the circle hang where they should.
    fn judge(&mut self, circle: &[u32], at: &[usize], run: &Run<'_, '_>, outcome: &Outcome, n_steps: usize) -> Tried {
        let choice = self.choice(circle, at);
        let stuck = knot::stuck(self.history, self.machine, run, outcome);
        // A thread that has not even been started waits for that.
        let is_stuck = |member: &usize| {
            let (thread, occurrence) = choice[*member];
            let want = self.waits.all[circle[*member] as usize].want;
            stuck.iter().any(|one| (one.thread, one.index, one.for_what) == (thread, occurrence.index, want))
        };
        if let Some(member) = (0..choice.len()).find(|member| !is_stuck(member)) {
            return Tried::NotThere(member);
        }
        let blocked: Vec<u32> = choice.iter().map(|(_, occurrence)| occurrence.index).collect();
        let key = self.key(circle, at);
        self.found(key, Way::Circle, blocked, (run, n_steps), outcome, &stuck);
        Tried::Hangs
    }

    fn key(&self, circle: &[u32], at: &[usize]) -> Key {
        let mut key: Vec<_> = circle
            .iter()
            .zip(at)
            .map(|(wait, at)| {
                let wait = &self.waits.all[*wait as usize];
                (wait.thread, wait.want, wait.occurrences[*at].place)
            })
            .collect();
        key.sort_unstable();
        (Way::Circle, key)
    }

    /// How many steps of a run it takes until all that are blocked in the end are where they stay.
    ///
    /// The first so many lead there, as far as is known; others may have to start a thread, or take a message before.
    fn until_blocked(&self, run: &Run<'_, '_>, n_steps: usize, blocked: &[u32]) -> usize {
        let mut again = self.machine.run(run.supposed());
        if again.steps(run.log()[..n_steps].iter().copied()).is_err() {
            return run.log().len();
        }
        for (n, index) in (n_steps..).zip(&run.log()[n_steps..]) {
            if blocked.iter().all(|blocked| again.is_blocked(*blocked)) {
                return n;
            }
            if again.steps(std::iter::once(*index)).is_err() {
                break;
            }
        }
        run.log().len()
    }

    /// Takes a hang down, unless it is known. Of the run so many steps are its schedule; what came behind them only
    /// showed that nobody helps.
    fn found(
        &mut self,
        key: Key,
        way: Way,
        blocked: Vec<u32>,
        (run, n_steps): (&Run<'_, '_>, usize),
        outcome: &Outcome,
        stuck: &[Waiting],
    ) {
        if !self.seen.insert(key) {
            return;
        }
        let n_steps = self.until_blocked(run, n_steps, &blocked);
        let schedule = Schedule::Steps(run.log()[..n_steps].to_vec());
        let is_through = |thread: &u32| !outcome.waiting.iter().any(|waiting| waiting.thread == *thread);
        let is_total = outcome.astray.is_empty() && !self.history.unended.iter().any(is_through);
        let core = stuck.iter().filter(|waiting| blocked.contains(&waiting.index));
        let is_owned = |waiting: &Waiting| matches!(waiting.for_what, Blocked::Lock(_) | Blocked::Thread(_));
        let is_certain = way != Way::Passed && (is_total || core.clone().all(is_owned));
        let behind = stuck.iter().map(|waiting| waiting.index).filter(|index| !blocked.contains(index)).collect();
        let goes_on = |thread: &u32| {
            outcome.astray.contains(thread) || outcome.waiting.iter().any(|waiting| waiting.thread == *thread)
        };
        let ended = (0..self.history.threads.len() as u32).filter(|thread| !goes_on(thread)).collect();
        let reordered = reordered_locks(self.history, &schedule);
        let witness = Witness { schedule, blocked };
        self.hangs.found.push(Hang {
            witness,
            way,
            too_early: None,
            has_looked: true,
            behind,
            ended,
            is_total,
            is_certain,
            reordered,
        });
    }
}
