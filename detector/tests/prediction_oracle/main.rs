//! Prediction against an oracle that shares nothing with it: all reorderings of a small history, step by step.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

mod explorer;
mod generator;

use detector::{history::History, prediction};
use explorer::{Deadlock, Order, deadlocks};
use generator::{Numbers, shrunk, text};
use std::collections::BTreeSet;

/// What the engine says, in the oracle's terms.
fn predicted(history: &History) -> BTreeSet<Deadlock> {
    let prediction = prediction::predict(history);
    assert!(!prediction.is_cut_short);
    assert_eq!(prediction.failed, [], "a schedule does not survive its replay:\n{}", text(history));
    let key = |index: &u32| {
        let operation = &history.operations[*index as usize];
        (operation.thread, operation.target, operation.place)
    };
    prediction.proven.iter().map(|witness| witness.blocked.iter().map(key).collect()).collect()
}

/// Whether engine and oracle disagree about what the engine claims.
fn disagree(history: &History) -> bool {
    predicted(history) != deadlocks(history, Order::Preserved)
}

fn differential(seed: u64, n: usize, shape: &generator::Shape) -> (usize, usize, usize) {
    let mut numbers = Numbers(seed);
    let (mut n_preserved, mut n_deadlocking, mut n_found) = (0, 0, 0);
    for _ in 0..n {
        let history = generator::history(&mut numbers, shape);
        if disagree(&history) {
            let history = shrunk(&history, disagree);
            let (engine, oracle) = (predicted(&history), deadlocks(&history, Order::Preserved));
            panic!("engine: {engine:?}\noracle: {oracle:?}\n{}", text(&history));
        }
        let found = predicted(&history);
        let all = deadlocks(&history, Order::Any);
        assert!(found.is_subset(&all), "{}", text(&history));
        n_found += found.len();
        n_preserved += usize::from(!found.is_empty());
        n_deadlocking += usize::from(!all.is_empty());
    }
    (n_preserved, n_deadlocking, n_found)
}

#[test]
fn every_sync_preserving_deadlock_is_found_and_no_other() {
    let shape = generator::Shape { n_threads: 2..4, n_locks: 2..4, n_variables: 1, n_nests: 1..4, forks: false };
    let n = if std::env::var_os("CI_FULL").is_some() { 40_000 } else { 3_000 };
    let (n_preserved, n_deadlocking, n_found) = differential(1, n, &shape);
    println!(
        "{n} histories, {n_deadlocking} deadlock, {n_preserved} of them sync-preserving; {n_found} cycles, each replayed"
    );
    assert!(n_preserved >= 200, "too few: {n_preserved}");
    // Otherwise the class would not be put to the test.
    assert!(n_deadlocking > n_preserved);
}

#[test]
fn fork_and_join_keep_their_order() {
    let shape = generator::Shape { n_threads: 3..5, n_locks: 2..4, n_variables: 1, n_nests: 1..4, forks: true };
    let n = if std::env::var_os("CI_FULL").is_some() { 40_000 } else { 3_000 };
    let (n_preserved, n_deadlocking, n_found) = differential(2, n, &shape);
    println!(
        "{n} histories, {n_deadlocking} deadlock, {n_preserved} of them sync-preserving; {n_found} cycles, each replayed"
    );
    assert!(n_preserved >= 200, "too few: {n_preserved}");
}
