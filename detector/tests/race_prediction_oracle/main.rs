//! Predicted races against oracles that share nothing with what predicts them: all reorderings of a small history, step by step;
//! where there is more than locks, by an account of its own of what primitives do.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

mod happens_before;
mod locks;
mod pairwise;
mod resources;

#[path = "../prediction_oracle/explorer.rs"]
#[allow(dead_code, reason = "deadlocks are for another test")]
mod lock_explorer;
#[path = "../prediction_oracle/generator.rs"]
mod lock_programs;

// These call each other by their names in the test that they are from.
#[path = "../hang_prediction_oracle/explorer.rs"]
#[allow(dead_code, reason = "hangs are for another test")]
mod explorer;
#[path = "../hang_prediction_oracle/generator.rs"]
#[allow(dead_code, reason = "some shapes are for another test")]
mod generator;
#[path = "../hang_prediction_oracle/histories.rs"]
#[allow(dead_code, reason = "smaller histories are for another test")]
mod histories;
#[path = "../hang_prediction_oracle/marks.rs"]
#[allow(dead_code, reason = "smaller histories are for another test")]
mod marks;
#[path = "../hang_prediction_oracle/native.rs"]
#[allow(dead_code, reason = "hangs are for another test")]
mod native;
#[path = "../hang_prediction_oracle/scheduler.rs"]
#[allow(dead_code, reason = "hangs are for another test")]
mod scheduler;
#[path = "../hang_prediction_oracle/shapes.rs"]
#[allow(dead_code, reason = "programs without accesses are for another test")]
mod shapes;

use std::collections::BTreeSet;

/// Accesses that race, in the order of the history.
type Pairs = BTreeSet<[usize; 2]>;

const WORK_MAX: u64 = 1_000_000;

/// Of the least number that shows enough races, so many times more if there is time.
fn times() -> usize {
    if std::env::var_os("CI_FULL").is_some() { 20 } else { 1 }
}
