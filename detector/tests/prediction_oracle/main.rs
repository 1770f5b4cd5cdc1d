//! Prediction against an oracle that shares nothing with it: all reorderings of a small history, step by step.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

#[allow(dead_code, reason = "races are for another test")]
mod explorer;
mod generator;

use detector::{
    history::{History, Mode},
    prediction::{self, Proven},
};
use explorer::{Deadlock, Order, deadlocks};
use generator::{Numbers, Shape, shrunk, text};
use std::collections::BTreeSet;

/// What the engine says, in the oracle's terms: the deadlocks that keep the order of sections, and all.
fn predicted(history: &History) -> [BTreeSet<Deadlock>; 2] {
    let prediction = prediction::predict(history);
    assert!(!prediction.is_cut_short && prediction.open.is_empty(), "a small history is settled");
    assert_eq!(prediction.failed, [], "a schedule does not survive its replay:\n{}", text(history));
    let key = |index: &u32| {
        let operation = &history.operations[*index as usize];
        (operation.thread, operation.target, operation.place)
    };
    let deadlock = |proven: &Proven| proven.witness.blocked.iter().map(key).collect();
    [
        prediction.proven.iter().filter(|proven| proven.is_sync_preserving).map(deadlock).collect(),
        prediction.proven.iter().map(deadlock).collect(),
    ]
}

fn explored(history: &History) -> [BTreeSet<Deadlock>; 2] {
    [Order::Preserved, Order::Any].map(|order| deadlocks(history, order))
}

/// Whether engine and oracle disagree.
fn disagree(history: &History) -> bool {
    predicted(history) != explored(history)
}

/// How many histories had a deadlock of the class, how many any, and how many cycles were found.
#[derive(Debug, Default)]
struct Counts {
    preserved: usize,
    deadlocking: usize,
    reversed: usize,
    cycles: usize,
}

fn differential(seed: u64, n: usize, shape: &Shape) -> Counts {
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    for _ in 0..n {
        let history = generator::history(&mut numbers, shape);
        let found = predicted(&history);
        if found != explored(&history) {
            let history = shrunk(&history, disagree);
            let (engine, oracle) = (predicted(&history), explored(&history));
            assert_eq!(engine, oracle, "engine and oracle, of\n{}", text(&history));
        }
        let [preserved, all] = found;
        counts.preserved += usize::from(!preserved.is_empty());
        counts.deadlocking += usize::from(!all.is_empty());
        counts.reversed += usize::from(preserved.is_empty() && !all.is_empty());
        counts.cycles += all.len();
    }
    println!("{n} histories: {counts:?}; each cycle with a schedule that was replayed");
    counts
}

/// Exclusive locks only.
const LOCKS: Shape = Shape {
    n_threads: 2..4,
    n_locks: 2..4,
    n_variables: 1,
    n_nests: 1..4,
    forks: false,
    modes: &[Mode::Exclusive],
    tries: 0,
};

/// Of the least number that shows enough deadlocks, so many times more if there is time.
fn times() -> usize {
    if std::env::var_os("CI_FULL").is_some() { 20 } else { 1 }
}

#[test]
fn every_deadlock_is_found_and_no_other() {
    let shape = Shape { n_threads: 2..4, n_locks: 2..4, n_variables: 1, n_nests: 1..4, forks: false, ..LOCKS };
    let counts = differential(1, 2_000 * times(), &shape);
    assert!(counts.deadlocking >= 200 && counts.reversed >= 20, "too few: {counts:?}");
}

#[test]
fn fork_and_join_keep_their_order() {
    let shape = Shape { n_threads: 2..4, n_locks: 2..4, n_variables: 1, n_nests: 1..4, forks: true, ..LOCKS };
    let counts = differential(2, 2_200 * times(), &shape);
    assert!(counts.deadlocking >= 200 && counts.reversed >= 20, "too few: {counts:?}");
}

#[test]
fn four_threads_with_many_reads() {
    let shape = Shape { n_threads: 3..5, n_locks: 3..5, n_variables: 3, n_nests: 1..3, forks: false, ..LOCKS };
    let counts = differential(3, 1_000 * times(), &shape);
    assert!(counts.deadlocking >= 200 && counts.reversed >= 20, "too few: {counts:?}");
}

#[test]
fn readers_exclude_writers_only() {
    let shape = Shape { modes: &[Mode::Exclusive, Mode::Shared], ..LOCKS };
    let counts = differential(4, 2_000 * times(), &shape);
    assert!(counts.deadlocking >= 200 && counts.reversed >= 20, "too few: {counts:?}");
}

#[test]
fn all_modes_and_acquires_that_give_up() {
    let modes = &[Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
    let shape = Shape { modes, tries: 6, n_locks: 2..3, n_threads: 3..4, ..LOCKS };
    let counts = differential(5, 3_000 * times(), &shape);
    assert!(counts.deadlocking >= 200 && counts.reversed >= 20, "too few: {counts:?}");
}
