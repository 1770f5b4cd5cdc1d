//! Graphs over a model. Only these modules and analyses know petgraph.

mod components;
pub mod lock_order;
pub mod wait_for;

pub use components::Components;
