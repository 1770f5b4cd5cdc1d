//! What locks do not say: permits, messages, tokens, conditions, latches, barriers. No race that there is not; how many of them are found
//! is counted.

use crate::{
    WORK_MAX,
    explorer::Order,
    generator::{Numbers, Shape, program},
    histories::text,
    marks::marked,
    native::{Look, Native, State},
    scheduler::{Outcome, Program, Step, World, run},
    shapes::SHAPES,
    times,
};
use detector::{
    history::{History, Kind, Operation},
    prediction::{self, Race},
};
use std::collections::BTreeSet;

/// Variables that are data.
const N_DATA: u32 = 2;

/// Runs of a program of which one has to complete.
const RUNS_MAX: usize = 12;

/// A run of a random program that accesses data, as a recording has it, with the number of the first variable that is data.
fn history(numbers: &mut Numbers, shape: &Shape) -> (History, u32) {
    loop {
        let mut program = program(numbers, shape);
        let first = program.n_variables as u32;
        program.n_variables += N_DATA as usize;
        for thread in &mut program.threads {
            insert_accesses(numbers, thread, first);
        }
        for _ in 0..RUNS_MAX {
            if let Some(history) = completed(numbers, &program) {
                return (marked(&history), first);
            }
        }
    }
}

fn completed(numbers: &mut Numbers, program: &Program) -> Option<History> {
    let (World { history, .. }, outcome) = run(numbers, program);
    matches!(outcome, Outcome::Completes | Outcome::Serves).then_some(history)
}

fn insert_accesses(numbers: &mut Numbers, thread: &mut Vec<Step>, first: u32) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(thread.len() + 1);
        let is_torn = at > 0 && at < thread.len() && thread[at - 1].goes_with(thread[at]);
        if !is_torn {
            let kind = if numbers.below(2) == 0 { Kind::Read } else { Kind::Write };
            thread.insert(at, Step::plain(kind, first + numbers.below(N_DATA as usize) as u32));
        }
    }
}

/// The accesses of data that are next in a state, of threads that have begun.
fn next_accesses(native: &Native<'_>, state: &State, first: u32) -> Vec<(usize, Operation)> {
    let begun = (0..native.n_threads()).filter(|thread| native.look(state, *thread) != Look::NotStarted);
    let next = begun.filter_map(|thread| native.next(state, thread));
    let next = next.map(|index| (index, native.history.operations[index]));
    let is_data = |operation: &Operation| {
        matches!(operation.kind, Kind::Read | Kind::Write) && (first..first + N_DATA).contains(&operation.target)
    };
    next.filter(|(_, operation)| is_data(operation)).collect()
}

/// The pairs of accesses that race in a state.
fn conflicts(native: &Native<'_>, state: &State, first: u32) -> Vec<[u32; 2]> {
    let accesses = next_accesses(native, state, first);
    let mut pairs = Vec::new();
    for (one, operation) in &accesses {
        for (other, with) in accesses.iter().filter(|(other, _)| other > one) {
            if operation.target == with.target && (operation.kind == Kind::Write || with.kind == Kind::Write) {
                pairs.push([*one as u32, *other as u32]);
            }
        }
    }
    pairs
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    /// Histories in which something can race.
    racy: usize,
    /// Races that some reordering reaches.
    races: usize,
    /// Those that one with the sections of locks in their order reaches.
    in_order: usize,
    /// Those that were found.
    found: usize,
    /// Histories that are too large to be explored.
    too_large: usize,
}

fn compare(which: usize, n: usize) -> Counts {
    let (name, shape) = &SHAPES[which];
    let mut numbers = Numbers(1_000 + which as u64);
    let mut counts = Counts::default();
    for _ in 0..n * times() {
        let (history, first) = history(&mut numbers, shape);
        let mut apart = history.clone();
        for index in 0..apart.operations.len() {
            apart.operations[index].place = apart.places.number(&format!("at {index}"));
        }
        let races = prediction::races(&apart, &|variable| (first..first + N_DATA).contains(&variable), WORK_MAX);
        assert!(!races.is_cut_short && races.failed.is_empty(), "{:?}\n{}", races.failed, text(&history));
        let native = Native::new(&history);
        for race in &races.found {
            check(&native, race, first);
        }
        let reached = |order| -> Option<BTreeSet<[u32; 2]>> {
            let states = native.reachable(native.first(), order)?;
            Some(states.iter().flat_map(|(state, ..)| conflicts(&native, state, first)).collect())
        };
        let (Some(all), Some(in_order)) = (reached(Order::Any), reached(Order::Preserved)) else {
            counts.too_large += 1;
            continue;
        };
        let found: BTreeSet<[u32; 2]> = races.found.iter().map(|race| race.accesses).collect();
        assert!(found.is_subset(&all), "{found:?} are not all among {all:?}:\n{}", text(&history));
        counts.racy += usize::from(!all.is_empty());
        counts.races += all.len();
        counts.in_order += in_order.len();
        counts.found += found.len();
    }
    println!("{name}: {} histories, {counts:?}", n * times());
    counts
}

/// Goes through a schedule by the primitives' own rules: the accesses are next after it.
fn check(native: &Native<'_>, race: &Race, first: u32) {
    let state = native.replay(race.schedule.steps(native.history));
    let is_race = state.as_ref().is_ok_and(|state| conflicts(native, state, first).contains(&race.accesses));
    assert!(is_race, "{race:?} is none: {state:?}, of\n{}", text(native.history));
}

/// Compares so many histories of a kind: nothing that is found is no race, and few that could be found are not.
fn check_kind(which: usize) {
    let n = 300;
    let counts = compare(which, n);
    assert!(counts.racy >= n * times() / 2, "too few race: {counts:?}");
    assert!(counts.too_large * 50 <= n * times(), "too many are not explored: {counts:?}");
    assert!(counts.found * 100 >= counts.in_order * 95, "more are missed: {counts:?}");
}

#[test]
fn locks_and_joins() {
    check_kind(0);
}

#[test]
fn channels() {
    check_kind(1);
}

#[test]
fn rendezvous() {
    check_kind(2);
}

#[test]
fn bounded_channels() {
    check_kind(3);
}

#[test]
fn semaphores() {
    check_kind(4);
}

#[test]
fn park() {
    check_kind(5);
}

#[test]
fn condvars() {
    check_kind(6);
}

#[test]
fn latches_and_barriers() {
    check_kind(7);
}

#[test]
fn mixed() {
    check_kind(8);
}
