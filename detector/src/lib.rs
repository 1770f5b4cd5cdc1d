//! Reads traces and explains deadlocks.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod cli;
pub mod convert;
pub mod explain;
pub mod finding;
pub mod graph;
pub mod history;
pub mod identity;
pub mod merge;
pub mod model;
pub mod pipeline;
pub mod prediction;
pub mod race;
pub mod render;
pub mod source;
pub mod suppress;
pub mod symbolize;
pub mod watch;
