//! What the crate is without the feature `record`, and on platforms that the recorder does not know: std.

#[allow(dead_code, reason = "the names that a recording build has; not all of them are read here")]
pub(crate) mod probe;

#[cfg(modelled)]
pub mod thread {
    //! Drop-in for [`std::thread`], of a model's threads.
    pub use crate::model::thread::*;
}
#[cfg(not(modelled))]
pub use std::thread;

/// Names an object for reports; here, nothing.
pub fn label<T: ?Sized>(_: &T, _: &str) {}

/// Recording from inside the program; here it cannot be switched on.
pub mod trace {
    use std::{fmt, path::Path};

    /// What can be named with [`label`](super::label), of this crate's own primitives; here, anything can.
    pub trait Labelled: sealed::Sealed {
        #[doc(hidden)]
        fn label(&self, text: &str);
    }

    pub(crate) mod sealed {
        /// Keeps [`Labelled`](super::Labelled) to this crate.
        pub trait Sealed {}
    }

    /// Would switch recording on.
    ///
    /// # Errors
    ///
    /// Always: this build cannot record.
    pub fn start(_: impl AsRef<Path>) -> Result<(), StartError> {
        Err(StartError::NotCompiled)
    }

    /// Whether operations of this process are recorded: no.
    pub fn is_recording() -> bool {
        false
    }

    /// Why recording, which the environment asked for, was refused.
    pub fn refusal() -> Option<StartError> {
        std::env::var_os("DEADLOCK_CHECK_TRACE").map(|_| StartError::NotCompiled)
    }

    /// Says that what this thread has done with `value` comes before what follows an [`acquired`] of it; here, nothing.
    pub fn released<T: ?Sized>(_: &T) {}

    /// Says that what comes next comes after all that was [`released`]; here, nothing.
    pub fn acquired<T: ?Sized>(_: &T) {}

    pub(crate) fn acquired_at<T>(_: *const T) {}

    /// Why recording could not be switched on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum StartError {
        /// The crate was built without the feature `record`, or for a platform that the recorder does not know.
        NotCompiled,
    }

    impl fmt::Display for StartError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("instrumented-sync was built without the feature `record`, or not for Linux")
        }
    }

    impl std::error::Error for StartError {}
}
