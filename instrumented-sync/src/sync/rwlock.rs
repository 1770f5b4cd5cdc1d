//! `RwLock`.

use crate::{
    held::Held,
    identity::Identity,
    native,
    probe::{self, Acquire},
    trace::{Labelled, sealed},
};
use std::{
    convert::identity as unchanged,
    fmt,
    panic::Location,
    sync::{LockResult, TryLockResult},
};
use trace_format::{Flags, Mode, ObjectKind};

/// Drop-in for [`std::sync::RwLock`].
///
/// ```
/// use instrumented_sync::RwLock;
///
/// let limits = RwLock::new(3);
/// assert_eq!(*limits.read().unwrap(), 3);
/// *limits.write().unwrap() = 4;
/// assert_eq!(limits.into_inner().unwrap(), 4);
/// ```
pub struct RwLock<T: ?Sized> {
    identity: Identity,
    // Last, so that `RwLock<T>` unsizes to `RwLock<dyn Trait>`.
    native: native::RwLock<T>,
}

/// Drop-in for [`std::sync::RwLockReadGuard`].
#[allow(type_alias_bounds, reason = "as that of `MutexGuard`")]
pub type RwLockReadGuard<'a, T: ?Sized + 'a> = Held<'a, native::RwLockReadGuard<'a, T>>;

/// Drop-in for [`std::sync::RwLockWriteGuard`].
#[allow(type_alias_bounds, reason = "as that of `MutexGuard`")]
pub type RwLockWriteGuard<'a, T: ?Sized + 'a> = Held<'a, native::RwLockWriteGuard<'a, T>>;

impl<T> RwLock<T> {
    /// As [`std::sync::RwLock::new`].
    #[track_caller]
    #[inline]
    pub const fn new(value: T) -> Self {
        Self { identity: Identity::new(), native: native::RwLock::new(value) }
    }

    /// As [`std::sync::RwLock::into_inner`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned; the error holds the value.
    pub fn into_inner(self) -> LockResult<T> {
        self.native.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`std::sync::RwLock::read`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned; the error holds the guard.
    ///
    /// # Panics
    ///
    /// As std's: it may if the calling thread holds the lock already.
    #[track_caller]
    #[inline]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let acquire = self.acquire(Mode::Shared, Location::caller());
        acquire.blocking(Flags::NONE, || self.native.try_read(), || self.native.read(), unchanged)
    }

    /// As [`std::sync::RwLock::try_read`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned, or not free for readers.
    #[track_caller]
    #[inline]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.acquire(Mode::Shared, Location::caller()).trying(|| self.native.try_read(), unchanged)
    }

    /// As [`std::sync::RwLock::write`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned; the error holds the guard.
    ///
    /// # Panics
    ///
    /// As std's: it may if the calling thread holds the lock already.
    #[track_caller]
    #[inline]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let acquire = self.acquire(Mode::Exclusive, Location::caller());
        acquire.blocking(Flags::NONE, || self.native.try_write(), || self.native.write(), unchanged)
    }

    /// As [`std::sync::RwLock::try_write`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned, or held.
    #[track_caller]
    #[inline]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        self.acquire(Mode::Exclusive, Location::caller()).trying(|| self.native.try_write(), unchanged)
    }

    /// As [`std::sync::RwLock::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        probe::observed(&self.identity, Self::class);
        self.native.is_poisoned()
    }

    /// As [`std::sync::RwLock::clear_poison`].
    pub fn clear_poison(&self) {
        self.native.clear_poison();
    }

    /// As [`std::sync::RwLock::get_mut`].
    ///
    /// # Errors
    ///
    /// The lock is poisoned; the error holds the reference.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.native.get_mut()
    }

    #[inline]
    fn acquire(&self, mode: Mode, site: probe::Site) -> Acquire<'_> {
        Acquire { identity: &self.identity, version: self.identity.version_word(), class: Self::class, mode, site }
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::RwLock, std::any::type_name::<T>())
    }
}

#[cfg(since_1_92)]
impl<'rwlock, T: ?Sized> Held<'rwlock, native::RwLockWriteGuard<'rwlock, T>> {
    /// As [`std::sync::RwLockWriteGuard::downgrade`].
    ///
    /// ```
    /// use instrumented_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!(*reader + *lock.read().unwrap(), 4);
    /// ```
    #[track_caller]
    #[expect(clippy::incompatible_msrv, reason = "the build script asked for the version")]
    pub fn downgrade(s: Self) -> RwLockReadGuard<'rwlock, T> {
        let (mut hold, native) = s.into_parts();
        // While others are still kept out: their acquires then come after this in the trace too.
        if let Some(operation) = probe::Operation::change(&hold, Location::caller()) {
            operation.downgrades(Mode::Exclusive, Mode::Shared, &mut hold);
        }
        Held::new(hold, native::RwLockWriteGuard::downgrade(native))
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        probe::observed(&self.identity, Self::class);
        self.native.fmt(f)
    }
}

impl<T: ?Sized> sealed::Sealed for RwLock<T> {}

impl<T: ?Sized> Labelled for RwLock<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}
