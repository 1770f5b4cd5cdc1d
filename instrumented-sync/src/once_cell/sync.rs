//! Drop-in for `once_cell::sync`.

use crate::{
    identity::Identity,
    probe::{self, Site},
    sync::{attempt::Attempt, deadline::lock},
    trace::{Labelled, sealed},
};
use ::once_cell::sync as native;
use std::{
    any, fmt,
    ops::{Deref, DerefMut},
    panic::{Location, RefUnwindSafe},
    sync::{Mutex, PoisonError},
};
use trace_format::{Flags, ObjectKind};

/// Drop-in for `once_cell::sync::OnceCell`.
///
/// Whoever initialises holds it exclusively in the trace.
///
/// ```
/// use instrumented_sync::once_cell::sync::OnceCell;
///
/// let cell = OnceCell::new();
/// assert_eq!(cell.try_insert(1), Ok(&1));
/// assert_eq!(cell.try_insert(2), Err((&1, 2)));
/// assert_eq!(cell.get_or_init(|| 3), &1);
/// ```
pub struct OnceCell<T> {
    identity: Identity,
    native: native::OnceCell<T>,
}

impl<T> OnceCell<T> {
    /// As `once_cell::sync::OnceCell::new`.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), native: native::OnceCell::new() }
    }

    /// As `once_cell::sync::OnceCell::with_value`.
    #[must_use]
    #[track_caller]
    pub const fn with_value(value: T) -> Self {
        Self { identity: Identity::new(), native: native::OnceCell::with_value(value) }
    }

    /// As `once_cell::sync::OnceCell::get`.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        let value = self.find(Flags::TRY, Location::caller());
        if value.is_none() {
            probe::observed(&self.identity, Self::class);
        }
        value
    }

    /// As `once_cell::sync::OnceCell::wait`.
    #[track_caller]
    pub fn wait(&self) -> &T {
        let site = Location::caller();
        self.find(Flags::NONE, site).unwrap_or_else(|| {
            let attempt = Attempt::begin(&self.identity, Self::class, site);
            let value = self.native.wait();
            attempt.end();
            value
        })
    }

    /// As `once_cell::sync::OnceCell::get_mut`.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.native.get_mut()
    }

    /// As `once_cell::sync::OnceCell::get_unchecked`.
    ///
    /// # Safety
    ///
    /// It has a value, which this thread has come to know of.
    #[track_caller]
    pub unsafe fn get_unchecked(&self) -> &T {
        probe::used(&self.identity, Self::class, Location::caller(), Flags::TRY);
        // SAFETY: the caller says so.
        unsafe { self.native.get_unchecked() }
    }

    /// As `once_cell::sync::OnceCell::set`.
    ///
    /// # Errors
    ///
    /// It has a value already; the error holds the one that was to be set.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.try_insert(value) {
            Ok(_) => Ok(()),
            Err((_, value)) => Err(value),
        }
    }

    /// As `once_cell::sync::OnceCell::try_insert`.
    ///
    /// # Errors
    ///
    /// It has a value already; the error holds both.
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<&T, (&T, T)> {
        let mut value = Some(value);
        let kept = self.get_or_init(|| match value.take() {
            Some(value) => value,
            None => unreachable!("an initialiser runs once"),
        });
        match value {
            None => Ok(kept),
            Some(value) => Err((kept, value)),
        }
    }

    /// As `once_cell::sync::OnceCell::get_or_init`.
    ///
    /// # Panics
    ///
    /// `f` panics; the cell stays empty.
    #[track_caller]
    pub fn get_or_init<F>(&self, f: F) -> &T
    where
        F: FnOnce() -> T,
    {
        match self.initialised(Location::caller(), || Ok::<T, std::convert::Infallible>(f())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As `once_cell::sync::OnceCell::get_or_try_init`.
    ///
    /// # Errors
    ///
    /// `f` has one; the cell stays empty.
    #[track_caller]
    pub fn get_or_try_init<F, E>(&self, f: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        self.initialised(Location::caller(), f)
    }

    /// As `once_cell::sync::OnceCell::take`.
    pub fn take(&mut self) -> Option<T> {
        self.native.take()
    }

    /// As `once_cell::sync::OnceCell::into_inner`.
    pub fn into_inner(self) -> Option<T> {
        self.native.into_inner()
    }

    /// The value, for what goes on without one in another way than by finding that out: with `flags` [`Flags::NONE`] by
    /// waiting, or by making one.
    fn find(&self, flags: Flags, site: Site) -> Option<&T> {
        let value = self.native.get();
        if value.is_some() {
            probe::used(&self.identity, Self::class, site, flags);
        }
        value
    }

    fn initialised<E>(&self, site: Site, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.find(Flags::NONE, site) {
            return Ok(value);
        }
        let attempt = Attempt::begin(&self.identity, Self::class, site);
        // Where it fails the attempt is over without an end: there is nothing yet to come after.
        let value = self.native.get_or_try_init(|| attempt.run(Flags::NONE, f))?;
        attempt.end();
        Ok(value)
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::Once, any::type_name::<T>())
    }
}

impl<T> Default for OnceCell<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        probe::observed(&self.identity, Self::class);
        self.native.fmt(f)
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        match self.get() {
            Some(value) => Self::with_value(value.clone()),
            None => Self::new(),
        }
    }

    #[track_caller]
    fn clone_from(&mut self, source: &Self) {
        match (self.get_mut(), source.get()) {
            (Some(this), Some(source)) => this.clone_from(source),
            _ => *self = source.clone(),
        }
    }
}

impl<T> From<T> for OnceCell<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::with_value(value)
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    #[track_caller]
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T> sealed::Sealed for OnceCell<T> {}

impl<T> Labelled for OnceCell<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}

/// Drop-in for `once_cell::sync::Lazy`.
///
/// Whoever initialises holds it exclusively in the trace.
///
/// ```
/// use instrumented_sync::once_cell::sync::Lazy;
///
/// static NAME: Lazy<String> = Lazy::new(|| "name".repeat(2));
/// assert_eq!(*NAME, "namename");
/// ```
pub struct Lazy<T, F = fn() -> T> {
    cell: OnceCell<T>,
    /// Gone once it has run, or has begun to: without it and without a value the cell is poisoned. Locked for that only.
    initialiser: Mutex<Option<F>>,
}

impl<T, F: RefUnwindSafe> RefUnwindSafe for Lazy<T, F> where OnceCell<T>: RefUnwindSafe {}

impl<T, F> Lazy<T, F> {
    /// As `once_cell::sync::Lazy::new`.
    #[track_caller]
    pub const fn new(f: F) -> Self {
        Self { cell: OnceCell::new(), initialiser: Mutex::new(Some(f)) }
    }

    /// As `once_cell::sync::Lazy::into_value`.
    ///
    /// # Errors
    ///
    /// It has not run; the error holds the initialiser.
    ///
    /// # Panics
    ///
    /// It has panicked.
    pub fn into_value(this: Self) -> Result<T, F> {
        let initialiser = this.initialiser.into_inner().unwrap_or_else(PoisonError::into_inner);
        this.cell.into_inner().ok_or_else(|| initialiser.unwrap_or_else(|| poisoned()))
    }
}

impl<T, F: FnOnce() -> T> Lazy<T, F> {
    /// As `once_cell::sync::Lazy::force`.
    ///
    /// # Panics
    ///
    /// The initialiser panics, or did so before.
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(|| {
            // Two statements: the lock must be free while the initialiser runs.
            let initialiser = lock(&this.initialiser).take();
            initialiser.map_or_else(|| poisoned(), |initialiser| initialiser())
        })
    }

    /// As `once_cell::sync::Lazy::force_mut`.
    ///
    /// # Panics
    ///
    /// The initialiser panics, or did so before.
    #[track_caller]
    pub fn force_mut(this: &mut Self) -> &mut T {
        Self::force(this);
        this.cell.get_mut().unwrap_or_else(|| unreachable!("nobody else could take the value"))
    }

    /// As `once_cell::sync::Lazy::get`.
    #[track_caller]
    pub fn get(this: &Self) -> Option<&T> {
        this.cell.get()
    }

    /// As `once_cell::sync::Lazy::get_mut`.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.cell.get_mut()
    }
}

#[cold]
#[expect(clippy::panic, reason = "as the original's")]
fn poisoned() -> ! {
    panic!("Lazy instance has previously been poisoned")
}

impl<T, F: FnOnce() -> T> Deref for Lazy<T, F> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for Lazy<T, F> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        Self::force_mut(self)
    }
}

impl<T: Default> Default for Lazy<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default)
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "as the original's")]
impl<T: fmt::Debug, F> fmt::Debug for Lazy<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").field("cell", &self.cell).field("init", &"..").finish()
    }
}

impl<T, F> sealed::Sealed for Lazy<T, F> {}

impl<T, F> Labelled for Lazy<T, F> {
    fn label(&self, text: &str) {
        self.cell.label(text);
    }
}
