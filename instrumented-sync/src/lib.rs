//! Drop-in `std::sync`, `std::thread` and `std::process` that record what
//! [`deadlock-check`](https://crates.io/crates/deadlock-check) needs to explain hangs.
//!
//! Swap `use std::sync::Mutex` for `use instrumented_sync::Mutex` - the same for the other primitives here - and
//! run the program under `deadlock-check run`. Without it, or without `DEADLOCK_CHECK_TRACE` in the environment,
//! each operation costs one predictable branch more than std's. Without the feature `record`, and on every
//! platform but Linux, all paths of std are std's own types and [`label`] is nothing.
//!
//! The paths are std's: [`sync`], [`thread`] and [`process`] hold what `std::sync`, `std::thread` and `std::process`
//! hold; the common names of the first are at the root too. What std lacks is here in every build: [`Semaphore`],
//! [`Latch`], [`ReentrantLock`], [`UpgradableRwLock`], channels with several receivers in [`mpmc`]; and annotations: [`resource`] for blocking
//! primitives that the crate does not know, [`signal`] for signal handlers. What threads share without any of these is recorded
//! in a [`cell`], or marked: [`read_of!`], [`write_of!`], [`free_of!`].
//!
//! ```
//! use instrumented_sync::{Mutex, label, thread};
//!
//! let hits = Mutex::new(0);
//! label(&hits, "hits");
//! thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| *hits.lock().unwrap() += 1);
//!     }
//! });
//! assert_eq!(hits.into_inner().unwrap(), 4);
//! ```
#![cfg_attr(not(recorded), deny(unsafe_code))]

#[doc(hidden)]
#[path = "mark.rs"]
pub mod __mark;
#[cfg(any(feature = "lock_api", feature = "lock_api_05"))]
pub mod backend;
pub mod cell;
#[cfg_attr(not(recorded), allow(dead_code, reason = "the recorded side is used by recording only"))]
mod held;
pub mod model;
mod native;
#[cfg(feature = "once_cell")]
pub mod once_cell;
#[cfg(feature = "parking_lot")]
pub mod parking_lot;
#[cfg(feature = "parking_lot_013")]
pub mod parking_lot_013;
pub mod process;
pub mod resource;
pub mod signal;
pub mod sync;
pub mod task;
pub mod tracked;

#[cfg(not(recorded))]
mod unrecorded;
#[cfg(not(recorded))]
use unrecorded::probe;
#[cfg(not(recorded))]
pub use unrecorded::{label, thread, trace};

#[cfg(recorded)]
mod identity;
#[cfg(recorded)]
mod probe;
#[cfg(recorded)]
mod recorder;
#[cfg(recorded)]
pub mod thread;
#[cfg(recorded)]
pub mod trace;
#[cfg(recorded)]
pub use trace::label;

/// As [`std::hint`]; in a model, spinning lets others run.
pub mod hint {
    #[cfg(not(modelled))]
    pub use std::hint::spin_loop;
    pub use std::hint::{assert_unchecked, black_box, unreachable_unchecked};

    #[cfg(modelled)]
    pub use crate::model::hint::spin_loop;
}

#[cfg(modelled_by = "loom")]
#[doc(hidden)]
pub use loom::thread_local as __loom_thread_local;
#[cfg(not(modelled_by = "loom"))]
pub use native::thread_local;
pub use {held::Held, model::model, trace::Labelled};

#[cfg(modelled)]
pub use crate::sync::*;
#[cfg(not(modelled))]
pub use crate::sync::{
    Arc, Barrier, BarrierWaitResult, Condvar, Latch, LazyLock, LockResult, Mutex, MutexGuard, Once, OnceLock,
    OnceState, Permit, PoisonError, ReentrantLock, ReentrantLockGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    Semaphore, TryLockError, TryLockResult, UpgradableGuard, UpgradableReadGuard, UpgradableRwLock,
    UpgradableWriteGuard, WaitTimeoutResult, Weak, atomic, mpmc, mpsc,
};
