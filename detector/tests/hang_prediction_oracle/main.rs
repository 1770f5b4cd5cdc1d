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
