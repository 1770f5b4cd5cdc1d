//! Predicted races against an oracle that shares nothing with what predicts them: all reorderings of a small history, step by
//! step, and for what is neither lock nor variable, the primitives' own rules along all schedules.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

#[path = "../prediction_oracle/explorer.rs"]
#[allow(dead_code, reason = "deadlocks are for another test")]
mod explorer;
#[path = "../prediction_oracle/generator.rs"]
mod generator;
mod happens_before;

use detector::{
    history::{History, Mode},
    prediction,
};
use explorer::Order;
use generator::{Numbers, Shape, shrunk, text};
use std::collections::BTreeSet;

type Pairs = BTreeSet<[usize; 2]>;

const WORK_MAX: u64 = 1_000_000;

/// Each operation at a place of its own, so that each pair of accesses is told of.
fn apart(mut history: History) -> History {
    for index in 0..history.operations.len() {
        history.operations[index].place = history.places.number(&format!("at {index}"));
    }
    history
}

fn predicted(history: &History) -> Pairs {
    let history = apart(history.clone());
    let races = prediction::races(&history, &|_| true, WORK_MAX);
    assert!(!races.is_cut_short, "a small history is gone over to its end");
    assert_eq!(races.failed, [], "a schedule does not survive its replay:\n{}", text(&history));
    races.found.iter().map(|race| race.accesses.map(|index| index as usize)).collect()
}

/// How many races of which kind were found, and in how many histories.
#[derive(Debug, Default)]
struct Counts {
    /// Histories with races.
    racy: usize,
    /// Those in which nothing races by happens-before.
    beyond: usize,
    /// Races, all of the class.
    races: usize,
    /// Of those, how many happens-before orders.
    ordered: usize,
    /// Races that only reorderings with sections in another order reach.
    outside: usize,
    /// Histories in which all races are such.
    outside_only: usize,
}

fn differential(seed: u64, n: usize, shape: &Shape) -> Counts {
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    for _ in 0..n {
        let history = generator::history(&mut numbers, shape);
        let found = predicted(&history);
        if found != explorer::races(&history, Order::Preserved) {
            let disagree = |history: &History| predicted(history) != explorer::races(history, Order::Preserved);
            let history = shrunk(&history, disagree);
            let (engine, oracle) = (predicted(&history), explorer::races(&history, Order::Preserved));
            assert_eq!(engine, oracle, "engine and oracle, of\n{}", text(&history));
        }
        let all = explorer::races(&history, Order::Any);
        assert!(found.is_subset(&all), "the class is part of all");
        let unordered = happens_before::races(&history);
        counts.racy += usize::from(!found.is_empty());
        counts.beyond += usize::from(!found.is_empty() && unordered.is_empty());
        counts.races += found.len();
        counts.ordered += found.difference(&unordered).count();
        counts.outside += all.len() - found.len();
        counts.outside_only += usize::from(found.is_empty() && !all.is_empty());
    }
    println!("{n} histories: {counts:?}; each race with a schedule that was replayed");
    counts
}

/// Exclusive locks only.
const LOCKS: Shape = Shape {
    n_threads: 2..4,
    n_locks: 2..4,
    n_variables: 2,
    n_nests: 1..4,
    forks: false,
    modes: &[Mode::Exclusive],
    tries: 0,
};

/// Of the least number that shows enough races, so many times more if there is time.
fn times() -> usize {
    if std::env::var_os("CI_FULL").is_some() { 20 } else { 1 }
}

fn check(seed: u64, n: usize, shape: &Shape) {
    let counts = differential(seed, n * times(), shape);
    println!("{counts:?}");
}

#[test]
fn every_race_is_found_and_no_other() {
    check(1, 2_000, &LOCKS);
}

#[test]
fn fork_and_join_keep_their_order() {
    check(2, 2_000, &Shape { forks: true, ..LOCKS });
}

#[test]
fn four_threads_with_many_reads() {
    check(3, 1_000, &Shape { n_threads: 3..5, n_locks: 2..4, n_variables: 3, n_nests: 1..3, ..LOCKS });
}

#[test]
fn readers_exclude_writers_only() {
    check(4, 2_000, &Shape { modes: &[Mode::Exclusive, Mode::Shared], ..LOCKS });
}

#[test]
fn all_modes_and_acquires_that_give_up() {
    let modes = &[Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
    check(5, 2_000, &Shape { modes, tries: 6, n_locks: 1..3, ..LOCKS });
}
