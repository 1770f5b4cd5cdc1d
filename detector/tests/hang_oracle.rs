//! The wait graph against an oracle that shares nothing with it: from a state of threads it plays everything that the
//! threads that run could do, step by step, in every order. A thread is stuck if it runs in none of the states reached.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use detector::{
    analysis::{Stopped, hang},
    finding::Certainty,
    graph::wait_for::{Assume, WaitFor},
    model::{Hold, Model, Object, ObjectId, Process, ProcessId, Releasers, Side, Site, SiteId, Thread, ThreadId, Wait},
};
use std::collections::{BTreeSet, HashSet};
use trace_format::{Event, Flags, Kind, Mode, ObjectKind};

const N_STATES: usize = 6_000;
const N_LOCKS: usize = 3;
const N_SIGNALS: usize = 2;

/// A generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Doing {
    Runs,
    HasEnded,
    Locks(usize, Mode),
    Upgrades(usize),
    Joins(usize),
    /// Waits for one of what nobody owns.
    Awaits(usize),
    /// Waits for a lock, and gives up.
    Tries(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    threads: Vec<(Doing, Vec<(usize, Mode)>)>,
}

/// A state that locks allow: no two holds of one lock exclude each other.
fn state(numbers: &mut Numbers) -> (State, Vec<Vec<usize>>) {
    let n = 2 + numbers.below(3);
    let modes = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
    let mut state = State { threads: vec![(Doing::Runs, Vec::new()); n] };
    for _ in 0..numbers.below(2 * n) {
        let (thread, lock, mode) = (numbers.below(n), numbers.below(N_LOCKS), modes[numbers.below(4)]);
        let mut held = state.threads.iter().flat_map(|(_, holds)| holds);
        if held.all(|(held, in_mode)| *held != lock || !in_mode.excludes(mode))
            && !state.threads[thread].1.iter().any(|(held, _)| *held == lock)
        {
            state.threads[thread].1.push((lock, mode));
        }
    }
    for thread in 0..n {
        let lock = numbers.below(N_LOCKS);
        let upgradable = state.threads[thread].1.iter().find(|(_, mode)| *mode == Mode::Upgradable).copied();
        state.threads[thread].0 = match (numbers.below(8), upgradable) {
            (0, _) => Doing::Runs,
            (1, _) => Doing::HasEnded,
            // A thread that joins itself is told so by the operating system.
            (2, _) => Doing::Joins((thread + 1 + numbers.below(n - 1)) % n),
            (3, _) => Doing::Awaits(numbers.below(N_SIGNALS)),
            (4, _) if numbers.below(3) == 0 => Doing::Tries(lock),
            (5, Some((lock, _))) => Doing::Upgrades(lock),
            _ => Doing::Locks(lock, modes[numbers.below(4)]),
        };
    }
    let reach = (0..N_SIGNALS).map(|_| (0..n).filter(|_| numbers.below(2) == 0).collect()).collect();
    (state, reach)
}

fn next_states(state: &State, reach: &[Vec<usize>]) -> Vec<State> {
    let mut next = Vec::new();
    let mut with = |change: &dyn Fn(&mut State)| {
        let mut changed = state.clone();
        change(&mut changed);
        next.push(changed);
    };
    for (thread, (doing, holds)) in state.threads.iter().enumerate() {
        let holders = |lock: usize| {
            let threads = state.threads.iter().enumerate();
            threads.flat_map(move |(of, (_, holds))| {
                holds.iter().filter(move |(held, _)| *held == lock).map(move |(_, mode)| (of, *mode))
            })
        };
        let is_writing = |doing: &Doing, wanted: usize| match doing {
            Doing::Locks(lock, Mode::Exclusive) | Doing::Upgrades(lock) => *lock == wanted,
            _ => false,
        };
        match *doing {
            Doing::Runs => {
                with(&|state| state.threads[thread].0 = Doing::HasEnded);
                for place in 0..holds.len() {
                    with(&|state| {
                        state.threads[thread].1.remove(place);
                    });
                }
                for (other, (doing, _)) in state.threads.iter().enumerate() {
                    if matches!(doing, Doing::Awaits(signal) if reach[*signal].contains(&thread)) {
                        with(&|state| state.threads[other].0 = Doing::Runs);
                    }
                }
            }
            Doing::Tries(_) => with(&|state| state.threads[thread].0 = Doing::Runs),
            Doing::Joins(of) if state.threads[of].0 == Doing::HasEnded => {
                with(&|state| state.threads[thread].0 = Doing::Runs);
            }
            Doing::HasEnded | Doing::Awaits(_) | Doing::Joins(_) => {}
            Doing::Upgrades(lock) => {
                if holders(lock).all(|(holder, _)| holder == thread) {
                    with(&|state| {
                        state.threads[thread].0 = Doing::Runs;
                        state.threads[thread].1.retain(|(held, _)| *held != lock);
                        state.threads[thread].1.push((lock, Mode::Exclusive));
                    });
                }
            }
            Doing::Locks(lock, mode) => {
                let is_free = holders(lock).all(|(_, held)| !held.excludes(mode));
                let queues = matches!(mode, Mode::Shared | Mode::Upgradable)
                    && holders(lock).next().is_some()
                    && state.threads.iter().any(|(doing, _)| is_writing(doing, lock));
                if is_free && !queues {
                    with(&|state| {
                        state.threads[thread].0 = Doing::Runs;
                        state.threads[thread].1.push((lock, mode));
                    });
                }
            }
        }
    }
    next
}

/// Threads that run in no state that can be reached, and have not ended.
fn stuck(start: &State, reach: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = vec![start.clone()];
    let mut ran = BTreeSet::new();
    while let Some(state) = queue.pop() {
        ran.extend((0..state.threads.len()).filter(|thread| state.threads[*thread].0 == Doing::Runs));
        for next in next_states(&state, reach) {
            if seen.insert(next.clone()) {
                queue.push(next);
            }
        }
    }
    let is_stuck = |thread: &usize| start.threads[*thread].0 != Doing::HasEnded && !ran.contains(thread);
    (0..start.threads.len()).filter(is_stuck).collect()
}

/// The state as a model: objects are the locks, then what nobody owns, then the threads.
fn model(state: &State, reach: &[Vec<usize>]) -> Model {
    let n = state.threads.len();
    let kind_of = |object: usize| match object {
        0..N_LOCKS => ObjectKind::RwLock,
        object if object < N_LOCKS + N_SIGNALS => ObjectKind::Condvar,
        _ => ObjectKind::Thread,
    };
    let object = |idx: usize| Object {
        process: ProcessId(0),
        shared_by: Vec::new(),
        kind: kind_of(idx),
        type_name: String::new(),
        label: Some(format!("o{idx}")),
        created_at: None,
        gap: false,
        thread: idx.checked_sub(N_LOCKS + N_SIGNALS).map(|thread| ThreadId(thread as u32)),
        capacity: None,
        holders_max: None,
        id: 0,
    };
    let wait = |doing: &Doing| {
        let (kind, flags, object) = match *doing {
            Doing::Runs | Doing::HasEnded => return None,
            Doing::Locks(lock, mode) => (Kind::REQUEST, mode.flags(), lock),
            Doing::Tries(lock) => (Kind::REQUEST, Flags::TIMED, lock),
            Doing::Upgrades(lock) => (Kind::UPGRADE, Flags::NONE, lock),
            Doing::Joins(thread) => (Kind::JOIN, Flags::NONE, N_LOCKS + N_SIGNALS + thread),
            Doing::Awaits(signal) => (Kind::WAIT, Flags::NONE, N_LOCKS + signal),
        };
        let object = ObjectId(object as u32);
        let event = Event::new(kind, flags, 0, trace_format::ObjectId(u64::from(object.0) + 1), 0);
        Some(Wait { event, object: Some(object), site: SiteId(0), other: None, age: None, is_over: false })
    };
    let threads = state.threads.iter().enumerate().map(|(idx, (doing, holds))| Thread {
        is_left_behind: false,
        process: ProcessId(0),
        number: idx as u32 + 1,
        tid: idx as u32 + 1,
        is_task: false,
        name: None,
        forked_by: None,
        scope: None,
        ended: *doing == Doing::HasEnded,
        holds: holds
            .iter()
            .map(|(lock, mode)| Hold { object: ObjectId(*lock as u32), mode: *mode, site: SiteId(0) })
            .collect(),
        wait: wait(doing),
        lost: 0,
    });
    let releasers = reach.iter().enumerate().map(|(signal, reach)| Releasers {
        object: ObjectId((N_LOCKS + signal) as u32),
        side: Side::Gives,
        acted: reach.iter().take(1).map(|thread| ThreadId(*thread as u32)).collect(),
        reach: reach.iter().map(|thread| ThreadId(*thread as u32)).collect(),
        capacity: None,
        idle_notify: None,
        is_by_touch: true,
    });
    Model {
        processes: vec![Process { pid: 1, ..Process::default() }],
        threads: threads.collect(),
        objects: (0..N_LOCKS + N_SIGNALS + n).map(object).collect(),
        sites: vec![Site { process: ProcessId(0), file: String::new(), line: 0, column: 0, stack: None }],
        releasers: releasers.collect(),
        ..Model::default()
    }
}

#[test]
fn stuck_is_what_no_order_of_steps_frees() {
    let mut numbers = Numbers(3);
    let (mut n_stuck, mut n_findings) = (0, 0);
    for _ in 0..N_STATES {
        let (state, reach) = state(&mut numbers);
        let model = model(&state, &reach);
        let graph = WaitFor::new(&model);
        let says = graph.stuck(Assume::WhoKnows);
        let says: BTreeSet<usize> = (0..says.len()).filter(|thread| says[*thread]).collect();
        assert_eq!(says, stuck(&state, &reach), "{state:?} {reach:?}");
        n_stuck += usize::from(!says.is_empty());
        let everybody: Vec<Vec<usize>> = vec![(0..state.threads.len()).collect(); N_SIGNALS];
        let surely: BTreeSet<usize> = stuck(&state, &everybody);
        n_findings += check_findings(&model, &says, &surely);
    }
    assert!(n_stuck > N_STATES / 4 && n_findings > N_STATES / 4, "{n_stuck} {n_findings}");
}

/// Every stuck thread is in a finding or behind one, and nobody else is; what is observed holds whoever may help.
fn check_findings(model: &Model, stuck: &BTreeSet<usize>, surely: &BTreeSet<usize>) -> usize {
    let findings = hang::run(model, Stopped::No);
    let mut named = BTreeSet::new();
    for finding in &findings {
        let waiting = finding.edges.iter().filter(|edge| edge.wants.is_some());
        let waiting: BTreeSet<usize> = waiting.map(|edge| edge.thread.idx()).collect();
        if finding.certainty == Certainty::Observed {
            assert!(waiting.is_subset(surely), "{finding:?} of {surely:?}");
        }
        named.extend(waiting);
        named.extend(finding.behind.iter().map(|thread| thread.idx()));
    }
    assert_eq!(&named, stuck, "{findings:#?}");
    findings.len()
}
