//! Random small histories: what a scheduler might have seen of random programs. And smaller ones of those that fail.

use detector::history::{History, Kind, Mode, Operation};
use std::{fmt::Write as _, ops::Range};

/// A generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn within(&mut self, range: &Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }
}

/// What histories look like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) n_threads: Range<usize>,
    pub(crate) n_locks: Range<usize>,
    pub(crate) n_variables: usize,
    /// Nested sections of each thread.
    pub(crate) n_nests: Range<usize>,
    /// Whether the first thread starts the others, and joins some.
    pub(crate) forks: bool,
    /// Modes that acquires have, each as likely as the others.
    pub(crate) modes: &'static [Mode],
    /// One acquire in so many gives up instead of waiting; none if 0.
    pub(crate) tries: usize,
}

/// What a scheduler might have seen of threads that run random programs. If they get stuck, or one of them is forgotten,
/// the history ends there.
pub(crate) fn history(numbers: &mut Numbers, shape: &Shape) -> History {
    let mut history = History::default();
    let (n_threads, n_locks) = (numbers.within(&shape.n_threads), numbers.within(&shape.n_locks));
    (0..n_threads).for_each(|n| _ = history.threads.number(&format!("T{n}")));
    (0..n_locks).for_each(|n| _ = history.locks.number(&format!("L{n}")));
    (0..shape.n_variables).for_each(|n| _ = history.variables.number(&format!("V{n}")));
    let mut programs: Vec<_> = (0..n_threads).map(|_| program(numbers, n_locks, shape)).collect();
    if shape.forks {
        fork_and_join(numbers, &mut programs);
    }
    schedule(numbers, history, &programs, shape.forks)
}

#[derive(Clone, Copy)]
struct Step {
    kind: Kind,
    target: u32,
    mode: Mode,
    may_wait: bool,
}

impl Step {
    const fn new(kind: Kind, target: u32) -> Self {
        Self { kind, target, mode: Mode::Exclusive, may_wait: true }
    }
}

/// Sections in sections, and accesses between.
fn program(numbers: &mut Numbers, n_locks: usize, shape: &Shape) -> Vec<Step> {
    let mut program = Vec::new();
    for _ in 0..numbers.within(&shape.n_nests) {
        let mut held = Vec::new();
        for _ in 0..=numbers.below(3) {
            access(numbers, shape, &mut program);
            let target = numbers.below(n_locks) as u32;
            if !held.iter().any(|step: &Step| step.target == target) {
                let mode = shape.modes[numbers.below(shape.modes.len())];
                let may_wait = shape.tries == 0 || numbers.below(shape.tries) != 0;
                held.push(Step { kind: Kind::Acquire, target, mode, may_wait });
                program.extend(held.last());
            }
        }
        while !held.is_empty() {
            access(numbers, shape, &mut program);
            // Mostly the latest, as guards are dropped.
            let at = if numbers.below(4) == 0 { numbers.below(held.len()) } else { held.len() - 1 };
            program.push(Step { kind: Kind::Release, ..held.remove(at) });
        }
    }
    program
}

fn access(numbers: &mut Numbers, shape: &Shape, program: &mut Vec<Step>) {
    if shape.n_variables > 0 && numbers.below(5) == 0 {
        let kind = if numbers.below(2) == 0 { Kind::Read } else { Kind::Write };
        program.push(Step::new(kind, numbers.below(shape.n_variables) as u32));
    }
}

/// Puts forks, and some joins, into the first program.
fn fork_and_join(numbers: &mut Numbers, programs: &mut [Vec<Step>]) {
    for thread in 1..programs.len() {
        let at = numbers.below(programs[0].len() / 2 + 1);
        programs[0].insert(at, Step::new(Kind::Fork, thread as u32));
        if numbers.below(2) == 0 {
            let at = at + 1 + numbers.below(programs[0].len() - at);
            programs[0].insert(at, Step::new(Kind::Join, thread as u32));
        }
    }
}

/// Where a scheduler is.
struct Scheduler<'a> {
    programs: &'a [Vec<Step>],
    done: Vec<usize>,
    holders: Vec<Vec<Mode>>,
    is_started: Vec<bool>,
    /// A thread that stops half-way, which keeps its locks, and after how many steps.
    stops: Option<(usize, usize)>,
}

impl Scheduler<'_> {
    /// The next step of a thread, if it can be done.
    fn next(&self, thread: usize) -> Option<Step> {
        let done = self.done[thread];
        let is_stopped = self.stops.is_some_and(|(stopped, at)| thread == stopped && done >= at);
        let step = *self.programs[thread].get(done).filter(|_| self.is_started[thread] && !is_stopped)?;
        let target = step.target as usize;
        let is_enabled = match step.kind {
            Kind::Acquire => !self.holders[target].iter().any(|held| held.excludes(step.mode)),
            Kind::Join => self.done[target] == self.programs[target].len(),
            _ => true,
        };
        is_enabled.then_some(step)
    }

    fn perform(&mut self, thread: usize, step: Step) {
        self.done[thread] += 1;
        let target = step.target as usize;
        match step.kind {
            Kind::Acquire => self.holders[target].push(step.mode),
            Kind::Release => {
                let at = self.holders[target].iter().position(|held| *held == step.mode).unwrap();
                self.holders[target].remove(at);
            }
            Kind::Fork => self.is_started[target] = true,
            _ => {}
        }
    }
}

fn schedule(numbers: &mut Numbers, mut history: History, programs: &[Vec<Step>], forks: bool) -> History {
    let mut scheduler = Scheduler {
        programs,
        done: vec![0; programs.len()],
        holders: vec![Vec::new(); history.locks.len()],
        is_started: (0..programs.len()).map(|thread| thread == 0 || !forks).collect(),
        stops: (numbers.below(6) == 0).then(|| (numbers.below(programs.len()), numbers.below(8))),
    };
    loop {
        let enabled: Vec<usize> = (0..programs.len()).filter(|thread| scheduler.next(*thread).is_some()).collect();
        if enabled.is_empty() {
            return history;
        }
        // Long stretches of one thread, as on real machines, and short ones.
        let thread = enabled[numbers.below(enabled.len())];
        for _ in 0..=numbers.below(4) {
            let Some(step) = scheduler.next(thread) else { break };
            let Step { kind, target, mode, may_wait } = step;
            // Few places, so that acquires share them.
            let place = history.places.number(&(scheduler.done[thread] % 5).to_string());
            history.operations.push(Operation { thread: thread as u32, target, place, kind, mode, may_wait });
            scheduler.perform(thread, step);
        }
    }
}

/// The history as STD text, with what that lacks.
pub(crate) fn text(history: &History) -> String {
    let mut text = String::new();
    for Operation { thread, target, place, kind, mode, may_wait } in &history.operations {
        let (name, target) = match kind {
            Kind::Acquire => ("acq", history.locks.text(*target)),
            Kind::Release => ("rel", history.locks.text(*target)),
            Kind::Read => ("r", history.variables.text(*target)),
            Kind::Write => ("w", history.variables.text(*target)),
            Kind::Fork => ("fork", history.threads.text(*target)),
            Kind::Join => ("join", history.threads.text(*target)),
            _ => ("?", ""),
        };
        writeln!(text, "{}|{name}({target})|{}", history.threads.text(*thread), history.places.text(*place)).unwrap();
        if *kind == Kind::Acquire && (*mode, *may_wait) != (Mode::Exclusive, true) {
            writeln!(text, "  {mode:?}, may wait: {may_wait}").unwrap();
        }
    }
    text
}

/// A smaller history that fails as well: operations are left out, sections whole, as long as that is so.
pub(crate) fn shrunk(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut smallest = history.clone();
    let mut at = 0;
    while at < smallest.operations.len() {
        let smaller = without(&smallest, at);
        if fails(&smaller) {
            smallest = smaller;
            at = 0;
        } else {
            at += 1;
        }
    }
    smallest
}

/// The history without an operation; without its whole section, or its whole thread, if it begins one.
fn without(history: &History, at: usize) -> History {
    let Operation { thread, target, kind, .. } = history.operations[at];
    let mut smaller = history.clone();
    let release = history.operations[at..].iter().position(|operation| {
        kind == Kind::Acquire && (operation.kind, operation.thread, operation.target) == (Kind::Release, thread, target)
    });
    let forked = (kind == Kind::Fork).then_some(target);
    let mut index = 0;
    smaller.operations.retain(|operation| {
        let is_kept = index != at
            && Some(index) != release.map(|release| at + release)
            && Some(operation.thread) != forked
            && (operation.kind != Kind::Join || Some(operation.target) != forked);
        index += 1;
        is_kept
    });
    smaller
}
