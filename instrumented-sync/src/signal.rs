//! Marking code that runs in a signal handler.

#[cfg_attr(not(recorded), path = "unrecorded/signal.rs")]
mod record;

use std::panic::Location;

/// Runs `f` as what a handler of signal `number` does on this thread: in a handler, or in a test that stands for one.
///
/// What `f` acquires is acquired while whatever the thread was interrupted in is still held. Its end is recorded
/// when `f` unwinds too. Inside a handler that interrupted the recorder itself nothing is recorded.
///
/// ```
/// use instrumented_sync::signal;
///
/// assert_eq!(signal::section(15, || 1 + 1), 2);
/// ```
#[track_caller]
pub fn section<R>(number: i32, f: impl FnOnce() -> R) -> R {
    let _section = record::Section::begin(number, Location::caller());
    f()
}
