//! Reads traces and explains deadlocks.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod finding;
pub mod model;
pub mod explain;
pub mod identity;
pub mod suppress;
pub mod symbolize;
