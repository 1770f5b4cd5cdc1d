//! `Mutex`.

use crate::{
    held::Held,
    identity::Identity,
    native,
    probe::{self, Acquire},
    trace::{Labelled, sealed},
};
use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::{LockResult, TryLockResult},
};
use trace_format::{Flags, Mode, ObjectKind};

/// Drop-in for [`std::sync::Mutex`].
///
/// ```
/// use instrumented_sync::Mutex;
///
/// static HITS: Mutex<u32> = Mutex::new(0);
/// *HITS.lock().unwrap() += 1;
/// assert_eq!(*HITS.lock().unwrap(), 1);
/// ```
pub struct Mutex<T: ?Sized> {
    identity: Identity,
    // Last, so that `Mutex<T>` unsizes to `Mutex<dyn Trait>`.
    native: native::Mutex<T>,
}

/// Drop-in for [`std::sync::MutexGuard`].
#[allow(
    type_alias_bounds,
    reason = "not enforced, but it makes a bare `dyn Trait` in a guard live as long as in std's"
)]
pub type MutexGuard<'a, T: ?Sized + 'a> = Held<'a, Locked<'a, T>>;

/// std's guard with the way back to its mutex, which a condition variable needs to take it again.
pub struct Locked<'a, T: ?Sized> {
    guard: native::MutexGuard<'a, T>,
    mutex: &'a Mutex<T>,
}

// SAFETY: a shared `Locked` gives out `&T` and nothing else: `mutex` is reachable only through `Mutex::parts`,
// which takes the guard by value. So it may be shared between threads exactly if `&T` may, as std's guard may.
unsafe impl<T: ?Sized + Sync> Sync for Locked<'_, T> {}

impl<T> Mutex<T> {
    /// As [`std::sync::Mutex::new`].
    #[track_caller]
    #[inline]
    pub const fn new(value: T) -> Self {
        Self { identity: Identity::new(), native: native::Mutex::new(value) }
    }

    /// As [`std::sync::Mutex::into_inner`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned; the error holds the value.
    pub fn into_inner(self) -> LockResult<T> {
        self.native.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`std::sync::Mutex::lock`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned; the error holds the guard.
    ///
    /// # Panics
    ///
    /// As std's: it may if the calling thread holds the mutex already.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.acquire(Location::caller()).blocking(
            Flags::NONE,
            || self.native.try_lock(),
            || self.native.lock(),
            |guard| self.locked(guard),
        )
    }

    /// As [`std::sync::Mutex::try_lock`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned, or held.
    #[track_caller]
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        self.acquire(Location::caller()).trying(|| self.native.try_lock(), |guard| self.locked(guard))
    }

    /// As [`std::sync::Mutex::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        probe::observed(&self.identity, Self::class);
        self.native.is_poisoned()
    }

    /// As [`std::sync::Mutex::clear_poison`].
    pub fn clear_poison(&self) {
        self.native.clear_poison();
    }

    /// As [`std::sync::Mutex::get_mut`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned; the error holds the reference.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.native.get_mut()
    }

    /// Takes the mutex again after a condition variable's wait.
    pub(crate) fn relock(&self, site: probe::Site) -> LockResult<MutexGuard<'_, T>> {
        let acquire = self.acquire(site);
        acquire.blocking(Flags::REACQUIRE, || self.native.try_lock(), || self.native.lock(), |guard| self.locked(guard))
    }

    /// Records that std's condition variable has taken the mutex again.
    pub(crate) fn retaken<'a>(
        &'a self,
        native: LockResult<native::MutexGuard<'a, T>>,
        site: probe::Site,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.acquire(site).retaken(native, |guard| self.locked(guard))
    }

    /// Takes a guard of `Locked` apart: std's guard, and the mutex.
    pub(crate) fn parts(locked: Locked<'_, T>) -> (native::MutexGuard<'_, T>, &Self) {
        (locked.guard, locked.mutex)
    }

    /// Makes std's guard one of ours again.
    pub(crate) fn locked<'a>(&'a self, guard: native::MutexGuard<'a, T>) -> Locked<'a, T> {
        Locked { guard, mutex: self }
    }

    #[inline]
    fn acquire(&self, site: probe::Site) -> Acquire<'_> {
        Acquire {
            identity: &self.identity,
            version: self.identity.version_word(),
            class: Self::class,
            mode: Mode::Exclusive,
            site,
        }
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::Mutex, std::any::type_name::<T>())
    }
}

impl<T: ?Sized> Deref for Locked<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: ?Sized> DerefMut for Locked<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Locked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Locked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        probe::observed(&self.identity, Self::class);
        self.native.fmt(f)
    }
}

impl<T: ?Sized> sealed::Sealed for Mutex<T> {}

impl<T: ?Sized> Labelled for Mutex<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}
