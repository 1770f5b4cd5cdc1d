//! Random small runs, with whatever orders threads.

use detector::race::{Access, Kind, Mode, Operations, Ordering, Point};

/// A generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// What a thread does. Atomics are variables too, with the same numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Access(u32, Kind),
    Free(u32),
    Acquire(u32, Mode),
    Release(u32, Mode),
    /// From a mode to another one.
    Downgrade(u32, Mode, Mode),
    Depart,
    /// After the departure with this index.
    Arrive(usize),
    Load(u32, Ordering),
    Store(u32, Ordering),
    Rmw(u32, Ordering),
    Fence(Ordering),
}

impl What {
    /// The variable, if it is an access, and how it accesses it.
    pub(crate) fn access(self) -> Option<(u32, Kind)> {
        match self {
            Self::Access(variable, kind) => Some((variable, kind)),
            Self::Free(variable) => Some((variable, Kind::Write)),
            Self::Load(atomic, _) => Some((atomic, Kind::AtomicRead)),
            Self::Store(atomic, _) | Self::Rmw(atomic, _) => Some((atomic, Kind::AtomicWrite)),
            _ => None,
        }
    }
}

/// Who does what, in order.
pub(crate) type Run = Vec<(u32, What)>;

const LOADS: [Ordering; 3] = [Ordering::Relaxed, Ordering::Acquire, Ordering::SeqCst];
const STORES: [Ordering; 3] = [Ordering::Relaxed, Ordering::Release, Ordering::SeqCst];
const RMWS: [Ordering; 5] =
    [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst];
const FENCES: [Ordering; 4] = [Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst];
const MODES: [Mode; 5] = [Mode::Exclusive, Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];

/// A run that could have been.
pub(crate) fn run(numbers: &mut Numbers) -> Run {
    let (n_threads, n_variables, n_locks) = (2 + numbers.below(3), 1 + numbers.below(3), 1 + numbers.below(2));
    let length = 6 + numbers.below(34);
    let (mut run, mut held) = (Run::new(), vec![Vec::new(); n_locks]);
    let mut thread = 0;
    while run.len() < length {
        // Stretches of one thread.
        if numbers.below(3) == 0 {
            thread = numbers.below(n_threads) as u32;
        }
        let variable = numbers.below(n_variables) as u32;
        let what = match numbers.below(100) {
            0..30 => Some(What::Access(variable, numbers.of(&[Kind::Read, Kind::Write]))),
            30..32 => Some(What::Free(variable)),
            32..43 => Some(What::Load(variable, numbers.of(&LOADS))),
            43..54 => Some(What::Store(variable, numbers.of(&STORES))),
            54..62 => Some(What::Rmw(variable, numbers.of(&RMWS))),
            62..68 => Some(What::Fence(numbers.of(&FENCES))),
            68..72 => Some(What::Depart),
            72..76 => arrival(numbers, &run, thread),
            _ => {
                let lock = numbers.below(n_locks);
                of_lock(numbers, &mut held[lock], lock as u32, thread)
            }
        };
        run.extend(what.map(|what| (thread, what)));
    }
    run
}

fn arrival(numbers: &mut Numbers, run: &Run, thread: u32) -> Option<What> {
    let is_departure = |n: &usize| run[*n].1 == What::Depart && run[*n].0 != thread;
    let departures: Vec<usize> = (0..run.len()).filter(is_departure).collect();
    (!departures.is_empty()).then(|| What::Arrive(numbers.of(&departures)))
}

/// What a thread can do with a lock; `held` is who holds it, and how.
fn of_lock(numbers: &mut Numbers, held: &mut Vec<(u32, Mode)>, lock: u32, thread: u32) -> Option<What> {
    let Some(own) = held.iter().position(|(holder, _)| *holder == thread) else {
        let mode = numbers.of(&MODES);
        if held.iter().any(|(_, other)| other.excludes(mode)) {
            return None;
        }
        held.push((thread, mode));
        return Some(What::Acquire(lock, mode));
    };
    let mode = held[own].1;
    match (numbers.below(4), mode) {
        (0, Mode::Exclusive | Mode::Upgradable) => {
            let to = if mode == Mode::Exclusive { numbers.of(&[Mode::Shared, Mode::Upgradable]) } else { Mode::Shared };
            held[own].1 = to;
            Some(What::Downgrade(lock, mode, to))
        }
        (1, Mode::Upgradable) if held.len() == 1 => {
            held[own].1 = Mode::Exclusive;
            Some(What::Acquire(lock, Mode::Exclusive))
        }
        _ => {
            held.swap_remove(own);
            Some(What::Release(lock, mode))
        }
    }
}

/// Tells what a run does; each operation has a place of its own.
pub(crate) fn drive(run: &Run, operations: &mut impl Operations) {
    let mut marks = Vec::new();
    for (index, (thread, what)) in (0..).zip(run) {
        let at = Point { thread: *thread, place: index, index };
        let access = |variable, kind| Access { at, variable, kind };
        let mut departed = None;
        match *what {
            What::Access(variable, kind) => operations.access(access(variable, kind)),
            What::Free(variable) => {
                operations.access(access(variable, Kind::Write));
                operations.forget(variable);
            }
            What::Acquire(lock, mode) => operations.acquire(at, lock, mode),
            What::Release(lock, mode) => operations.release(at, lock, mode),
            What::Downgrade(lock, _, to) => operations.downgrade(at, lock, to),
            What::Depart => departed = Some(operations.depart(at)),
            What::Arrive(from) => operations.arrive(at, Option::as_ref(&marks[from]).unwrap()),
            What::Load(atomic, order) => operations.load(at, atomic, order),
            What::Store(atomic, order) => operations.store(at, atomic, order),
            What::Rmw(atomic, order) => operations.rmw(at, atomic, order),
            What::Fence(order) => operations.fence(at, order),
        }
        if let (What::Load(..) | What::Store(..) | What::Rmw(..), Some((variable, kind))) = (what, what.access()) {
            operations.access(access(variable, kind));
        }
        marks.push(departed);
    }
}

/// A smaller run that fails as well: operations are left out, as long as that is so.
pub(crate) fn shrunk(run: &Run, fails: impl Fn(&Run) -> bool) -> Run {
    let mut run = run.clone();
    let mut at = 0;
    while at < run.len() {
        let without = without(&run, at);
        if without.as_ref().is_some_and(&fails) {
            run = without.unwrap();
            at = 0;
        } else {
            at += 1;
        }
    }
    run
}

/// A run without an operation that no other one needs.
fn without(run: &Run, at: usize) -> Option<Run> {
    let is_needed = |(_, what): &(u32, What)| *what == What::Arrive(at);
    let is_of_lock = matches!(run[at].1, What::Acquire(..) | What::Release(..) | What::Downgrade(..));
    if is_of_lock || run.iter().any(is_needed) {
        return None;
    }
    let shifted = |(thread, what): &(u32, What)| match what {
        What::Arrive(from) if *from > at => (*thread, What::Arrive(from - 1)),
        _ => (*thread, *what),
    };
    Some(run[..at].iter().chain(&run[at + 1..]).map(shifted).collect())
}
