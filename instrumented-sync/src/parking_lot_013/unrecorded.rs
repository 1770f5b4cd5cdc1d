//! The originals, in a build that cannot record.

pub use super::native::{Once, RawCondvar, RawRwLock, RawRwLockRecursive};
