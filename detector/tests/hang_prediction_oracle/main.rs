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

/// Compares so many histories of a kind. In at most `n_missed` of them a hang is reachable and none is found, or in
/// `n_missed_of_all` of all that there are if there is time; these may only shrink. Most of those with conditions and
/// tokens are left out on purpose: what a thread waits for may be an atomic, which a history does not have.
fn compare(which: usize, n: usize, [n_missed, n_missed_of_all]: [usize; 2]) {
    let counts = differential(which, 1 + which as u64, n, engine, |text| println!("{text}"));
    let n_missed = if shapes::times() == 1 { n_missed } else { n_missed_of_all };
    assert!(counts.n_hanging >= 200, "too few hang: {counts:#?}");
    assert!(counts.n_too_large * 50 <= counts.n_histories, "too many are not explored: {counts:#?}");
    assert_eq!((counts.n_false(), counts.n_cut_short), (0, 0), "what was found is no hang: {counts:#?}");
    let n_other = [Verdict::Early, Verdict::Unstarted].map(|verdict| counts.n_found(&verdict));
    assert_eq!(n_other, [0, 0], "schedules end too early, or threads are not started: {counts:#?}");
    assert!(counts.n_missed() <= n_missed, "more are missed: {counts:#?}");
}

#[test]
fn locks_and_joins() {
    compare(0, 600, [0, 2]);
}

#[test]
fn channels() {
    compare(1, 600, [23, 690]);
}

#[test]
fn rendezvous() {
    compare(2, 800, [2, 112]);
}

#[test]
fn bounded_channels() {
    compare(3, 500, [19, 570]);
}

#[test]
fn semaphores() {
    compare(4, 1_000, [76, 2_280]);
}

#[test]
fn park() {
    compare(5, 500, [91, 2_730]);
}

#[test]
fn condvars() {
    // Most are lost notifies whose wait sees no change: what that waits for may be kept where nothing is recorded.
    compare(6, 800, [155, 4_650]);
}

#[test]
fn latches_and_barriers() {
    compare(7, 700, [85, 2_550]);
}

#[test]
fn mixed() {
    compare(8, 600, [65, 1_950]);
}
