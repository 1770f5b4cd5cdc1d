//! Reads traces and explains deadlocks.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod finding;
pub mod graph;
pub mod merge;
pub mod model;
pub mod source;
pub mod cli;
pub mod explain;
pub mod identity;
pub mod pipeline;
pub mod render;
pub mod suppress;
pub mod symbolize;
