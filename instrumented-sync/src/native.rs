//! The primitives that the wrappers wrap: the only place that names them.
//!
//! One module, so that other primitives of the same shape can stand in for std's without a change elsewhere.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(recorded)]
pub(crate) use std::{
    sync::{Once, OnceLock, mpsc},
    thread,
};
