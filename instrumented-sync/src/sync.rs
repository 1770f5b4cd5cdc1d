//! Drop-in for `std::sync`: what waits is wrapped, the rest is std's own.

mod channel;
mod condvar;
mod mutex;
mod rwlock;

pub mod mpsc;

pub use self::{
    condvar::{Condvar, WaitTimeoutResult},
    mutex::{Mutex, MutexGuard},
    rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};
pub use std::sync::{
    Arc, Barrier, BarrierWaitResult, LazyLock, LockResult, Once, OnceLock, OnceState, PoisonError, TryLockError,
    TryLockResult, Weak, atomic,
};
