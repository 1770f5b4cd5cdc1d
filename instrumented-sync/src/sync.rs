//! Drop-in for `std::sync`: what waits is wrapped, the rest is std's own. And primitives that std lacks.
//!
//! Where nothing can be recorded, what std has is std's.

#[cfg(recorded)]
pub(crate) mod attempt;
#[cfg(recorded)]
mod barrier;
#[cfg_attr(not(recorded), path = "unrecorded/channel.rs")]
mod channel;
#[cfg(recorded)]
mod completion;
#[cfg(recorded)]
pub(crate) mod condvar;
pub(crate) mod deadline;
mod latch;
#[cfg(recorded)]
mod lazy_lock;
#[cfg(recorded)]
mod mutex;
#[cfg(recorded)]
mod once;
#[cfg(recorded)]
mod once_lock;
mod reentrant_lock;
#[cfg(recorded)]
mod rwlock;
mod semaphore;
mod upgradable;

#[cfg(recorded)]
pub mod atomic;
pub mod mpmc;
#[cfg(recorded)]
pub mod mpsc;

#[cfg(recorded)]
#[allow(deprecated, reason = "std has it")]
pub use self::once::ONCE_INIT;
#[cfg(recorded)]
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
#[cfg(modelled)]
pub mod mpsc {
    //! Drop-in for [`std::sync::mpsc`], of a model's own.
    pub use crate::model::mpsc::*;
}
#[cfg(modelled)]
pub use crate::model::sync::*;
#[cfg(not(any(recorded, modelled)))]
pub use std::sync::*;
#[cfg(recorded)]
pub use std::sync::{Arc, LockResult, OnceState, PoisonError, TryLockError, TryLockResult, Weak};
