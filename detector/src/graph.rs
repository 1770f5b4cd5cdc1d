//! Graphs over a model. Only these modules and analyses know petgraph.

pub mod lock_order;
pub mod wait_for;
