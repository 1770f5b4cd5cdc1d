//! The primitives that the wrappers wrap: the only place that names them.
//!
//! One module, so that other primitives of the same shape can stand in for std's without a change elsewhere: those of
//! a model checker do, in a modelled build.

#[cfg(recorded)]
pub(crate) use std::{
    process,
    sync::{Once, OnceLock, atomic, mpsc},
    thread,
};
#[cfg(not(modelled))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

#[cfg(modelled)]
pub(crate) use crate::model::{
    clock::Instant,
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

#[cfg(modelled_by = "loom")]
pub(crate) use crate::thread_local;
#[cfg(modelled_by = "shuttle")]
pub use shuttle::thread_local;
#[cfg(not(modelled))]
pub use std::thread_local;

/// Whether a destructor must leave the primitives alone: a model that failed unwinds, and nothing in it goes on.
///
/// A destructor that waits for a lock of such a model would end the process. A panic that the model catches unwinds
/// too; it ends what the model says all the same.
#[cfg(modelled)]
pub(crate) fn is_over() -> bool {
    std::thread::panicking()
}

/// Never, where threads are real.
#[cfg(not(modelled))]
pub(crate) const fn is_over() -> bool {
    false
}

/// Makes functions `const` where the primitives can be made at compile time: not in a model, which counts them.
macro_rules! const_unless_modelled {
    ($($(#[$attribute:meta])* $visibility:vis const fn $name:ident($($arguments:tt)*) -> $made:ty $body:block)*) => {
        $(
            #[cfg(not(modelled))]
            $(#[$attribute])*
            $visibility const fn $name($($arguments)*) -> $made $body

            #[cfg(modelled)]
            $(#[$attribute])*
            $visibility fn $name($($arguments)*) -> $made $body
        )*
    };
}

pub(crate) use const_unless_modelled;
