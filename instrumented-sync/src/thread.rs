//! Drop-in for `std::thread`: starting, joining, parking and unparking are recorded, the rest is std's own.

mod builder;
mod handle;
mod park;
mod scope;
mod start;
mod unix;

pub use self::{
    builder::Builder,
    handle::{JoinHandle, Thread},
    park::{current, park, park_timeout},
    scope::{Scope, ScopedJoinHandle, scope},
};
pub use std::thread::{AccessError, LocalKey, Result, ThreadId, available_parallelism, panicking, sleep, yield_now};
#[allow(deprecated, reason = "std has them")]
pub use {self::park::park_timeout_ms, std::thread::sleep_ms};

/// As [`std::thread::spawn`].
///
/// # Panics
///
/// As std's: the operating system cannot start a thread.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn(f) {
        Ok(handle) => handle,
        #[expect(clippy::panic, reason = "std's panics too, with these words")]
        Err(error) => panic!("failed to spawn thread: {error:?}"),
    }
}
