//! `OnceLock` and `LazyLock`, of the checker's `Once`; std's cell keeps the value.

use super::once::Once;
use std::{
    cell::Cell,
    fmt,
    ops::Deref,
    sync::{Mutex, OnceLock as Stored, PoisonError},
};

/// As [`std::sync::OnceLock`].
pub struct OnceLock<T> {
    once: Once,
    /// Set while `once` runs, read behind it.
    value: Stored<T>,
}

impl<T> OnceLock<T> {
    /// As std's, but not `const`.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self { once: Once::new(), value: Stored::new() }
    }

    /// As std's.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        if self.once.is_completed() { self.value.get() } else { None }
    }

    /// As std's.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// There is a value already; the error is the new one.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let value = Cell::new(Some(value));
        self.once.call_once_force(|_| self.store(value.take()));
        value.into_inner().map_or(Ok(()), Err)
    }

    /// As std's.
    ///
    /// # Panics
    ///
    /// `f` panics; the cell stays empty.
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        self.once.call_once_force(|_| self.store(Some(f())));
        self.initialised()
    }

    /// As std's.
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait_force();
        self.initialised()
    }

    /// As std's.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// As std's.
    #[track_caller]
    pub fn take(&mut self) -> Option<T> {
        self.once = Once::new();
        self.value.take()
    }

    fn store(&self, value: Option<T>) {
        // Empty, since no initialisation completed: nothing comes back.
        value.and_then(|value| self.value.set(value).err());
    }

    fn initialised(&self) -> &T {
        self.value.get().unwrap_or_else(|| unreachable!("set before `once` is done"))
    }
}

impl<T> Default for OnceLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        let cell = Self::new();
        cell.once.call_once(|| cell.store(Some(value)));
        cell
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        self.get().map_or_else(Self::new, |value| Self::from(value.clone()))
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the value as it lies there: looking through `once` would be a step of the model.
        f.debug_tuple("OnceLock").field(&self.value.get()).finish()
    }
}

/// As [`std::sync::LazyLock`].
pub struct LazyLock<T, F = fn() -> T> {
    cell: OnceLock<T>,
    initialise: Mutex<Option<F>>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// As std's, but not `const`.
    #[track_caller]
    pub fn new(f: F) -> Self {
        Self { cell: OnceLock::new(), initialise: Mutex::new(Some(f)) }
    }

    /// As std's.
    ///
    /// # Panics
    ///
    /// The initialisation panics, or did.
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(|| {
            let initialise = this.initialise.lock().unwrap_or_else(PoisonError::into_inner).take();
            match initialise {
                Some(initialise) => initialise(),
                #[expect(clippy::panic, reason = "std's panics too, with these words")]
                None => panic!("LazyLock instance has previously been poisoned"),
            }
        })
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LazyLock").field(&self.cell.value.get()).finish()
    }
}
