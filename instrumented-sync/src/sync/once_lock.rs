//! `OnceLock`.

use super::{attempt::Attempt, completion::Completion};
use crate::{
    identity::Identity,
    native, probe,
    trace::{Labelled, sealed},
};
use std::{any, fmt, panic::Location};
use trace_format::{Flags, ObjectKind};

/// Drop-in for [`std::sync::OnceLock`].
///
/// Whoever initialises holds it exclusively in the trace.
///
/// ```
/// use instrumented_sync::OnceLock;
///
/// static NAME: OnceLock<String> = OnceLock::new();
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "first".to_owned()), "first");
/// assert_eq!(NAME.set("second".to_owned()), Err("second".to_owned()));
/// ```
pub struct OnceLock<T> {
    identity: Identity,
    completion: Completion,
    native: native::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// As [`std::sync::OnceLock::new`].
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), completion: Completion::new(), native: native::OnceLock::new() }
    }

    /// As [`std::sync::OnceLock::get`].
    #[track_caller]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        let value = self.find(Flags::TRY);
        if value.is_none() {
            probe::observed(&self.identity, Self::class);
        }
        value
    }

    /// The value, for what goes on without one in another way than by finding that out: with `flags` [`Flags::NONE`] by
    /// waiting, or by making one.
    #[track_caller]
    #[inline]
    fn find(&self, flags: Flags) -> Option<&T> {
        let value = self.native.get();
        if value.is_some() {
            probe::used(&self.identity, Self::class, Location::caller(), flags);
        }
        value
    }

    /// As [`std::sync::OnceLock::get_mut`].
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.native.get_mut()
    }

    /// As [`std::sync::OnceLock::set`].
    ///
    /// # Errors
    ///
    /// The cell has a value already; the error holds the one that was to be set.
    #[track_caller]
    #[inline]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| match value.take() {
            Some(value) => value,
            None => unreachable!("an initialiser runs once"),
        });
        value.map_or(Ok(()), Err)
    }

    /// As [`std::sync::OnceLock::get_or_init`].
    ///
    /// # Panics
    ///
    /// `f` panics; the cell stays empty.
    #[track_caller]
    #[inline]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        match self.find(Flags::NONE) {
            Some(value) => value,
            None => self.initialise(Location::caller(), f),
        }
    }

    /// As `std::sync::OnceLock::wait`.
    #[track_caller]
    pub fn wait(&self) -> &T {
        if let Some(value) = self.find(Flags::NONE) {
            return value;
        }
        let attempt = Attempt::begin(&self.identity, Self::class, Location::caller());
        self.completion.wait(|| self.native.get().is_some(), false);
        attempt.end();
        match self.native.get() {
            Some(value) => value,
            None => unreachable!("the wait is over when there is a value"),
        }
    }

    /// As [`std::sync::OnceLock::into_inner`].
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        self.native.into_inner()
    }

    /// As [`std::sync::OnceLock::take`].
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.native.take()
    }

    /// The value, for what looks at it only to print it: not recorded.
    pub(super) fn peek(&self) -> Option<&T> {
        self.native.get()
    }

    #[cold]
    fn initialise(&self, site: probe::Site, f: impl FnOnce() -> T) -> &T {
        let attempt = Attempt::begin(&self.identity, Self::class, site);
        let value = self.native.get_or_init(|| attempt.run(Flags::NONE, f));
        self.completion.complete();
        attempt.end();
        value
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::Once, any::type_name::<T>())
    }
}

impl<T> Default for OnceLock<T> {
    #[track_caller]
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    #[track_caller]
    #[inline]
    fn clone(&self) -> Self {
        match self.get() {
            Some(value) => Self::from(value.clone()),
            None => Self::new(),
        }
    }
}

impl<T> From<T> for OnceLock<T> {
    #[track_caller]
    #[inline]
    fn from(value: T) -> Self {
        Self { native: native::OnceLock::from(value), ..Self::new() }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    #[track_caller]
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        probe::observed(&self.identity, Self::class);
        self.native.fmt(f)
    }
}

impl<T> sealed::Sealed for OnceLock<T> {}

impl<T> Labelled for OnceLock<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}
