//! Locks with the raw traits of `lock_api` 0.5, in a build that cannot record.

/// The crate itself.
pub use lock_api_0_5 as native;

/// The raw lock itself.
pub type Traced<R> = R;
