//! What blocks and is no lock.

mod condvar;
#[allow(clippy::duplicate_mod, reason = "the same text serves another version of the crate")]
mod once;

pub use self::{
    condvar::{Condvar, WaitTimeoutResult},
    once::Once,
};
