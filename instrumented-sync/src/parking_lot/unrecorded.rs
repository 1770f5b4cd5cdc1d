//! The originals, in a build that cannot record.

pub use super::native::{Condvar, Once, WaitTimeoutResult};
