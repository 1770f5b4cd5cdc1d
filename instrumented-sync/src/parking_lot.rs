//! Drop-in for [`parking_lot`](https://docs.rs/parking_lot) 0.12.
//!
//! ```
//! use instrumented_sync::{label, parking_lot::{Mutex, RwLock}};
//!
//! let (hits, limits) = (Mutex::new(0), RwLock::new([10, 20]));
//! label(&hits, "hits");
//! *hits.lock() += limits.read()[1];
//! assert_eq!(*hits.lock(), 20);
//! ```
//!
//! Locks and guards are those of `lock_api`, with all their methods, over a raw lock that records; see
//! [`backend`](crate::backend) for what that cannot know. While recording, and without, a [`Condvar`] is a queue of its own: it may be used with
//! several mutexes at once, where the original panics.

#[cfg_attr(not(recorded), path = "parking_lot/unrecorded.rs")]
mod blocking;
#[allow(clippy::duplicate_mod, reason = "the same text serves another version of the crate")]
mod locks;

use crate::backend::lock_api::Traced;
use ::parking_lot as native;

pub use self::blocking::{Condvar, Once, WaitTimeoutResult};
pub use self::locks::*;
pub use ::lock_api;
pub use lock_api::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard,
};
pub use native::{OnceState, RawThreadId};

/// As `parking_lot::RawMutex`.
pub type RawMutex = Traced<native::RawMutex>;
/// As `parking_lot::RawFairMutex`.
pub type RawFairMutex = Traced<native::RawFairMutex>;
/// As `parking_lot::RawRwLock`.
pub type RawRwLock = Traced<native::RawRwLock>;

/// As `parking_lot::const_mutex`.
pub const fn const_mutex<T>(val: T) -> Mutex<T> {
    Mutex::const_new(<RawMutex as lock_api::RawMutex>::INIT, val)
}

/// As `parking_lot::const_fair_mutex`.
pub const fn const_fair_mutex<T>(val: T) -> FairMutex<T> {
    FairMutex::const_new(<RawFairMutex as lock_api::RawMutex>::INIT, val)
}

/// As `parking_lot::const_rwlock`.
pub const fn const_rwlock<T>(val: T) -> RwLock<T> {
    RwLock::const_new(<RawRwLock as lock_api::RawRwLock>::INIT, val)
}

/// As `parking_lot::const_reentrant_mutex`.
pub const fn const_reentrant_mutex<T>(val: T) -> ReentrantMutex<T> {
    let id = <RawThreadId as lock_api::GetThreadId>::INIT;
    ReentrantMutex::const_new(<RawMutex as lock_api::RawMutex>::INIT, id, val)
}
