//! Locks of other crates: what records them, once for each way in which a crate lets others make its locks.
//!
//! Any lock that has the raw traits of `lock_api`, 0.4 or 0.5, is recorded by one alias:
//!
//! ```
//! # #[cfg(feature = "lock_api")] {
//! use instrumented_sync::backend::lock_api::{Traced, native};
//!
//! // Of a crate that has `lock_api::Mutex<RawMutex, T>`, whatever its name.
//! type Mutex<T> = native::Mutex<Traced<parking_lot::RawMutex>, T>;
//!
//! let hits = Mutex::new(0);
//! *hits.lock() += 1;
//! assert_eq!(hits.into_inner(), 1);
//! # }
//! ```
//!
//! Guards are the original ones, so they do not know what is done to the data: every section counts as one that reads and writes
//! it at once, and a hang that rests on sections changing places is `possible` where that of a wrapped lock may be `proven`. Nor does
//! the lock know its data's type, or where it was made; a [`label`](crate::label) names it.

#[cfg(feature = "lock_api")]
#[cfg_attr(not(recorded), path = "backend/unrecorded.rs")]
pub mod lock_api;
#[cfg(feature = "lock_api_05")]
#[cfg_attr(not(recorded), path = "backend/unrecorded_05.rs")]
pub mod lock_api_05;
#[cfg(recorded)]
mod traced;

#[cfg(all(recorded, any(feature = "parking_lot", feature = "parking_lot_013")))]
pub(crate) use self::traced::Wait;
