//! `LazyLock`: a `OnceLock` with its initialiser.
//!
//! Not std's `LazyLock` with hooks around it: that cannot say whether this thread would initialise, wait, or panic.

use super::once_lock::OnceLock;
use crate::{
    native,
    trace::{Labelled, sealed},
};
#[cfg(since_1_89)]
use std::ops::DerefMut;
use std::{
    fmt,
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::PoisonError,
};

/// Drop-in for [`std::sync::LazyLock`].
///
/// Whoever initialises holds it exclusively in the trace.
///
/// ```
/// use instrumented_sync::LazyLock;
///
/// static NAME: LazyLock<String> = LazyLock::new(|| "name".repeat(2));
/// assert_eq!(*NAME, "namename");
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    cell: OnceLock<T>,
    /// Gone once it has run, or has begun to: without it and without a value the lock is poisoned.
    initialiser: native::Mutex<Option<F>>,
}

// As std's: the lock of the initialiser is never held while foreign code runs, so it protects no one from a panic.
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// As [`std::sync::LazyLock::new`].
    #[track_caller]
    #[inline]
    pub const fn new(f: F) -> Self {
        Self { cell: OnceLock::new(), initialiser: native::Mutex::new(Some(f)) }
    }

    /// As [`std::sync::LazyLock::force`].
    ///
    /// # Panics
    ///
    /// The initialiser panics, or did so before.
    #[track_caller]
    #[inline]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(|| this.initialise())
    }

    /// As `std::sync::LazyLock::force_mut`.
    ///
    /// ```
    /// use instrumented_sync::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 2);
    /// ```
    ///
    /// # Panics
    ///
    /// The initialiser panics, or did so before.
    #[track_caller]
    #[inline]
    pub fn force_mut(this: &mut Self) -> &mut T {
        Self::force(this);
        match this.cell.get_mut() {
            Some(value) => value,
            None => unreachable!("nobody else could take the value"),
        }
    }

    fn initialise(&self) -> T {
        // Nothing panics while this is locked. Two statements: the lock must be free while the initialiser runs.
        let initialiser = self.initialiser.lock().unwrap_or_else(PoisonError::into_inner).take();
        match initialiser {
            Some(initialiser) => initialiser(),
            None => poisoned(),
        }
    }
}

#[cold]
#[expect(clippy::panic, reason = "as std's")]
fn poisoned() -> ! {
    panic!("LazyLock instance has previously been poisoned")
}

impl<T, F> LazyLock<T, F> {
    /// As `std::sync::LazyLock::get`.
    ///
    /// ```
    /// use instrumented_sync::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// assert_eq!(*lazy, 1);
    /// assert_eq!(LazyLock::get(&lazy), Some(&1));
    /// assert_eq!(LazyLock::get_mut(&mut lazy), Some(&mut 1));
    /// ```
    #[track_caller]
    #[inline]
    pub fn get(this: &Self) -> Option<&T> {
        this.cell.get()
    }

    /// As `std::sync::LazyLock::get_mut`.
    #[inline]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.cell.get_mut()
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[track_caller]
    #[inline]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

#[cfg(since_1_89)]
impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[track_caller]
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        Self::force_mut(self)
    }
}

#[cfg(since_1_96)]
impl<T, F> From<T> for LazyLock<T, F> {
    #[track_caller]
    #[inline]
    fn from(value: T) -> Self {
        Self { cell: OnceLock::from(value), initialiser: native::Mutex::new(None) }
    }
}

impl<T: Default> Default for LazyLock<T> {
    #[track_caller]
    #[inline]
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("LazyLock");
        match self.cell.peek() {
            Some(value) => tuple.field(value),
            None => tuple.field(&format_args!("<uninit>")),
        };
        tuple.finish()
    }
}

impl<T, F> sealed::Sealed for LazyLock<T, F> {}

impl<T, F> Labelled for LazyLock<T, F> {
    fn label(&self, text: &str) {
        self.cell.label(text);
    }
}
