//! Prediction of hangs against an oracle that shares nothing with it: all reorderings of a small history, step by step.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

mod class;
mod differential;
mod explorer;
mod generator;
mod histories;
mod native;
mod scheduler;
mod self_check;
mod semantics;
mod shapes;
mod verdict;

use detector::{history::History, prediction};
use differential::{Says, differential};
use verdict::Found;

/// What the engine says, in the oracle's terms.
fn engine(history: &History) -> Says {
    let prediction = prediction::predict(history);
    let found = prediction.proven.iter().map(|proven| Found {
        steps: proven.witness.schedule.steps(history).collect(),
        blocked: proven.witness.blocked.clone(),
        is_total: false,
    });
    (found.collect(), prediction.is_cut_short)
}

/// Of so many histories of a kind, of how many at most no hang is found though there is one.
fn missed_at_most(n_missed: usize, which: usize, n: usize) {
    let counts = differential(which, 1 + which as u64, n, engine);
    assert!(counts.n_hanging >= 200, "too few hang: {counts:#?}");
    assert!(counts.n_too_large * 50 <= counts.n_histories, "too many are not explored: {counts:#?}");
    assert!(counts.n_missed() <= n_missed * shapes::times(), "more are missed: {counts:#?}");
}

#[test]
fn locks_and_joins() {
    missed_at_most(61, 0, 800);
}
