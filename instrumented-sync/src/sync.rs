//! Drop-in for `std::sync`: what waits is wrapped, the rest is std's own. And primitives that std lacks.
//!
//! Where nothing can be recorded, what std has is std's.

#[cfg(all(feature = "record", target_os = "linux"))]
mod attempt;
#[cfg(all(feature = "record", target_os = "linux"))]
mod barrier;
#[cfg_attr(not(all(feature = "record", target_os = "linux")), path = "unrecorded/channel.rs")]
mod channel;
#[cfg(all(feature = "record", target_os = "linux"))]
mod completion;
#[cfg(all(feature = "record", target_os = "linux"))]
mod condvar;
mod deadline;
mod latch;
#[cfg(all(feature = "record", target_os = "linux"))]
mod lazy_lock;
#[cfg(all(feature = "record", target_os = "linux"))]
mod mutex;
#[cfg(all(feature = "record", target_os = "linux"))]
mod once;
#[cfg(all(feature = "record", target_os = "linux"))]
mod once_lock;
mod reentrant_lock;
#[cfg(all(feature = "record", target_os = "linux"))]
mod rwlock;
mod semaphore;
mod upgradable;

pub mod mpmc;
#[cfg(all(feature = "record", target_os = "linux"))]
pub mod mpsc;

#[cfg(all(feature = "record", target_os = "linux"))]
pub use self::{
    barrier::{Barrier, BarrierWaitResult},
    condvar::{Condvar, WaitTimeoutResult},
    lazy_lock::LazyLock,
    mutex::{Mutex, MutexGuard},
    once::Once,
    once_lock::OnceLock,
    rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};
pub use self::{
    latch::Latch,
    reentrant_lock::{ReentrantLock, ReentrantLockGuard},
    semaphore::{Permit, Semaphore},
    upgradable::{UpgradableGuard, UpgradableReadGuard, UpgradableRwLock, UpgradableWriteGuard},
};
#[cfg(not(all(feature = "record", target_os = "linux")))]
pub use std::sync::*;
#[cfg(all(feature = "record", target_os = "linux"))]
pub use std::sync::{Arc, LockResult, OnceState, PoisonError, TryLockError, TryLockResult, Weak, atomic};
