//! Recording from inside the program: switching it on, asking about it, naming objects.

use crate::{probe, recorder::latch};
use std::{fmt, panic::Location, path::Path};

/// Switches recording on, into the trace directory `dir`.
///
/// What `DEADLOCK_CHECK_TRACE=DIR` in the environment does from outside. The directory is made if it is missing,
/// used if it is empty, joined if it is a trace. Recording stays on until the process ends. Objects and threads
/// are recorded from their first operation after this call.
///
/// If another copy of this crate in the process - another version, or that of a plugin - records already, this one
/// records with it. Into `dir`, that is all; elsewhere, it records there, and the call says that recording is on.
///
/// # Errors
///
/// Recording is on already, or the directory cannot be used; the error says what to do.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// instrumented_sync::trace::start(dir.path())?;
/// assert!(instrumented_sync::trace::is_recording());
/// let lock = instrumented_sync::Mutex::new(1);
/// assert_eq!(*lock.lock().unwrap(), 1);
/// assert!(instrumented_sync::trace::start(dir.path()).is_err(), "recording is a latch");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn start(dir: impl AsRef<Path>) -> Result<(), StartError> {
    latch::start(dir.as_ref())
}

/// Whether operations of this process are recorded.
pub fn is_recording() -> bool {
    latch::recording()
}

/// Why recording, which the environment asked for, was refused; `None` if it was not.
///
/// The recorder prints nothing, so a program that wants to know has to ask; `deadlock-check run` checks the
/// directory before it starts the program.
pub fn refusal() -> Option<StartError> {
    latch::refusal()
}

/// Why recording could not be switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// Recording is on already and stays where it is.
    AlreadyRecording,
    /// Called from inside the recorder, by an allocator or a signal handler.
    Reentrant,
    /// The directory holds something that is not a trace.
    NotATrace(String),
    /// The directory is a trace of another format version.
    OtherVersion(String, String),
    /// The directory cannot be made, read or written.
    Directory(String, String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRecording => f.write_str("recording is on already"),
            Self::Reentrant => f.write_str("recording cannot be started from an allocator or a signal handler"),
            Self::NotATrace(dir) => {
                write!(f, "{dir} is not empty and not a trace: name an empty or new directory")
            }
            Self::OtherVersion(dir, marker) => {
                write!(f, "{dir} is a trace of another version ({marker}): name an empty or new directory")
            }
            Self::Directory(dir, error) => write!(f, "cannot record into {dir}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Names an object for reports: `label(&accounts, "accounts")`.
///
/// Does nothing while recording is off. The name is kept from the first operation on; naming an object again
/// gives it the new name.
///
/// ```
/// use instrumented_sync::{Mutex, label};
///
/// let accounts = Mutex::new([0; 10]);
/// label(&accounts, "accounts");
/// ```
pub fn label<T: Labelled + ?Sized>(object: &T, text: &str) {
    if latch::recording() {
        object.label(text);
    }
}

/// Says that what this thread has done with `value` comes before whatever a later [`acquired`] of the same place is followed by.
///
/// For what orders threads out of the recorder's sight: a reference count of std's or of one's own, a flag that another crate
/// keeps. Called before it is released; told apart by its address, so the type may be any, but another variable may not
/// be at the same place. Nothing that is recorded as an atomic variable needs it.
///
/// ```
/// use instrumented_sync::{
///     thread,
///     trace::{acquired, released},
/// };
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// // Of this flag, std's own, nothing is recorded.
/// let is_done = AtomicBool::new(false);
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         released(&is_done);
///         is_done.store(true, Ordering::Release);
///     });
///     while !is_done.load(Ordering::Acquire) {
///         thread::yield_now();
///     }
///     acquired(&is_done);
/// });
/// ```
#[inline]
#[track_caller]
pub fn released<T: ?Sized>(value: &T) {
    probe::atomic::publish(std::ptr::from_ref(value).cast(), Location::caller());
}

/// Says that whatever comes next on this thread comes after all that was [`released`] at this place so far.
///
/// Called after it is acquired.
#[inline]
#[track_caller]
pub fn acquired<T: ?Sized>(value: &T) {
    probe::atomic::observe(std::ptr::from_ref(value).cast(), Location::caller());
}

/// As [`acquired`], of what has moved away meanwhile.
#[inline]
#[track_caller]
pub(crate) fn acquired_at<T>(address: *const T) {
    probe::atomic::observe(address.cast(), Location::caller());
}

/// What can be named with [`label`]. Implemented by the primitives of this crate only.
pub trait Labelled: sealed::Sealed {
    #[doc(hidden)]
    fn label(&self, text: &str);
}

pub(crate) mod sealed {
    /// Keeps [`Labelled`](super::Labelled) to this crate.
    pub trait Sealed {}
}
