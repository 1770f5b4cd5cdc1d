//! Drop-in for [`parking_lot`](https://docs.rs/parking_lot) 0.13. As [`parking_lot`](crate::parking_lot) in all else.
//!
//! ```
//! use instrumented_sync::{label, parking_lot_013::{Condvar, Mutex}};
//!
//! let (hits, counted) = (Mutex::new(0), Condvar::new());
//! label(&hits, "hits");
//! *hits.lock() += 1;
//! assert!(!counted.notify_one());
//! assert_eq!(hits.into_inner(), 1);
//! ```

#[cfg_attr(not(recorded), path = "parking_lot_013/unrecorded.rs")]
mod blocking;
#[allow(clippy::duplicate_mod, reason = "the same text, of another version of the crate")]
#[path = "parking_lot/locks.rs"]
mod locks;

use parking_lot_0_13 as native;

pub use self::blocking::{Once, RawCondvar, RawRwLock, RawRwLockRecursive};
pub use self::locks::*;
pub use lock_api::WaitTimeoutResult;
pub use lock_api::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard,
};
pub use lock_api_0_5 as lock_api;
pub use native::{OnceState, RawThreadId};

/// As `parking_lot::RawMutex`.
pub type RawMutex = crate::backend::lock_api_05::Traced<native::RawMutex>;
/// As `parking_lot::RawFairMutex`.
pub type RawFairMutex = crate::backend::lock_api_05::Traced<native::RawFairMutex>;

/// As `parking_lot::Condvar`.
pub type Condvar = lock_api::Condvar<RawCondvar>;

/// As `parking_lot::RecursiveRwLock`.
pub type RecursiveRwLock<T> = lock_api::RwLock<RawRwLockRecursive, T>;
/// As `parking_lot::RecursiveRwLockReadGuard`.
pub type RecursiveRwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLockRecursive, T>;
/// As `parking_lot::RecursiveRwLockWriteGuard`.
pub type RecursiveRwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLockRecursive, T>;
/// As `parking_lot::RecursiveRwLockUpgradableReadGuard`.
pub type RecursiveRwLockUpgradableReadGuard<'a, T> = lock_api::RwLockUpgradableReadGuard<'a, RawRwLockRecursive, T>;
/// As `parking_lot::MappedRecursiveRwLockReadGuard`.
pub type MappedRecursiveRwLockReadGuard<'a, T> = lock_api::MappedRwLockReadGuard<'a, RawRwLockRecursive, T>;
/// As `parking_lot::MappedRecursiveRwLockWriteGuard`.
pub type MappedRecursiveRwLockWriteGuard<'a, T> = lock_api::MappedRwLockWriteGuard<'a, RawRwLockRecursive, T>;
