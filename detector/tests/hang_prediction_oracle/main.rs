//! Prediction of hangs against an oracle that shares nothing with it: all reorderings of a small history, step by step.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

mod class;
mod differential;
mod explorer;
mod generator;
mod histories;
mod marks;
mod native;
mod scheduler;
mod self_check;
mod semantics;
mod shapes;
mod verdict;

use detector::{
    history::History,
    prediction::{self, Witness},
};
use differential::{Says, differential};
use verdict::{Found, Verdict, judge};

/// What the engine says, in the oracle's terms.
///
/// Cycles of locks alone are a search of their own, which knows of resources no more than reads and writes say. Of permits,
/// room, latches and barriers they say nothing here, so that of that search counts what happens to be right.
fn engine(history: &History) -> Says {
    let (locks, hangs) = (prediction::predict(history), prediction::hangs(history));
    let found = |witness: &Witness, is_total, is_certain| Found {
        steps: witness.schedule.steps(history).collect(),
        blocked: witness.blocked.clone(),
        is_total,
        is_certain,
    };
    let proven = locks.proven.iter().map(|proven| found(&proven.witness, false, true));
    let proven = proven.filter(|found| judge(history, found) == Verdict::Core);
    let all = proven.chain(hangs.found.iter().map(|hang| found(&hang.witness, hang.is_total, hang.is_certain)));
    (all.collect(), locks.is_cut_short || hangs.is_cut_short)
}

/// What is known to go wrong.
struct AtMost {
    /// Histories in which a hang is reachable, and none is found.
    missed: usize,
    /// Found hangs that are reached later than their schedules say.
    early: usize,
    /// Found hangs of which some threads are not even started.
    unstarted: usize,
}

/// Compares so many histories of a kind.
fn compare(which: usize, n: usize, at_most: &AtMost) {
    let counts = differential(which, 1 + which as u64, n, engine, |text| println!("{text}"));
    // In more histories there are not exactly as many more.
    let scaled = |n: usize| if shapes::times() == 1 { n } else { n * shapes::times() * 3 / 2 };
    assert!(counts.n_hanging >= 200, "too few hang: {counts:#?}");
    assert!(counts.n_too_large * 50 <= counts.n_histories, "too many are not explored: {counts:#?}");
    assert_eq!((counts.n_false(), counts.n_cut_short), (0, 0), "what was found is no hang: {counts:#?}");
    let n_early = counts.n_found(&Verdict::Early);
    assert!(n_early <= scaled(at_most.early), "more are reached later: {counts:#?}");
    let n_unstarted = counts.n_found(&Verdict::Unstarted);
    assert!(n_unstarted <= scaled(at_most.unstarted), "more are not started: {counts:#?}");
    assert!(counts.n_missed() <= scaled(at_most.missed), "more are missed: {counts:#?}");
}

#[test]
fn locks_and_joins() {
    compare(0, 600, &AtMost { missed: 2, early: 4, unstarted: 1 });
}

#[test]
fn channels() {
    compare(1, 600, &AtMost { missed: 43, early: 15, unstarted: 2 });
}

#[test]
fn rendezvous() {
    compare(2, 800, &AtMost { missed: 5, early: 4, unstarted: 1 });
}

#[test]
fn bounded_channels() {
    compare(3, 500, &AtMost { missed: 27, early: 22, unstarted: 4 });
}

#[test]
fn semaphores() {
    compare(4, 1_000, &AtMost { missed: 79, early: 7, unstarted: 1 });
}

#[test]
fn park() {
    compare(5, 500, &AtMost { missed: 57, early: 3, unstarted: 1 });
}

#[test]
fn condvars() {
    compare(6, 800, &AtMost { missed: 121, early: 1, unstarted: 1 });
}

#[test]
fn latches_and_barriers() {
    compare(7, 700, &AtMost { missed: 85, early: 5, unstarted: 3 });
}

#[test]
fn mixed() {
    compare(8, 600, &AtMost { missed: 48, early: 3, unstarted: 1 });
}
