//! Drop-in for `std::sync`: what waits is wrapped, the rest is std's own; and channels that std does not have.
//!
//! Where nothing can be recorded, what std has is std's.

#[cfg_attr(not(all(feature = "record", target_os = "linux")), path = "unrecorded/channel.rs")]
mod channel;
#[cfg(all(feature = "record", target_os = "linux"))]
mod condvar;
#[cfg(all(feature = "record", target_os = "linux"))]
mod mutex;
#[cfg(all(feature = "record", target_os = "linux"))]
mod rwlock;

pub mod mpmc;
#[cfg(all(feature = "record", target_os = "linux"))]
pub mod mpsc;

#[cfg(all(feature = "record", target_os = "linux"))]
pub use self::{
    condvar::{Condvar, WaitTimeoutResult},
    mutex::{Mutex, MutexGuard},
    rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};
#[cfg(not(all(feature = "record", target_os = "linux")))]
pub use std::sync::*;
#[cfg(all(feature = "record", target_os = "linux"))]
pub use std::sync::{
    Arc, Barrier, BarrierWaitResult, LazyLock, LockResult, Once, OnceLock, OnceState, PoisonError, TryLockError,
    TryLockResult, Weak, atomic,
};
