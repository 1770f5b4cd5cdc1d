//! A readers-writer lock of the checker's mutex and condition variable; std's, which is free by then, keeps the value.
//!
//! Not loom's own: that panics when a thread drops the second of two read guards.

use crate::{native, sync::deadline::lock};
use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{self, LockResult, PoisonError, TryLockError, TryLockResult},
};

/// As [`std::sync::RwLock`]. A reader never queues behind a writer that waits.
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    gate: Gate,
    // Last, so that `RwLock<T>` unsizes.
    data: sync::RwLock<T>,
}

/// As [`std::sync::RwLockReadGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // Fields drop in order: who passes the gate finds the data free.
    data: sync::RwLockReadGuard<'a, T>,
    #[expect(dead_code, reason = "it is there to be dropped")]
    pass: Pass<'a>,
}

/// As [`std::sync::RwLockWriteGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    data: sync::RwLockWriteGuard<'a, T>,
    #[expect(dead_code, reason = "it is there to be dropped")]
    pass: Pass<'a>,
}

struct Gate {
    holders: native::Mutex<Holders>,
    left: native::Condvar,
}

#[derive(Default)]
struct Holders {
    n_readers: usize,
    has_writer: bool,
}

impl Holders {
    const fn enter(&mut self, writes: bool) -> bool {
        if self.has_writer || (writes && self.n_readers > 0) {
            return false;
        }
        if writes {
            self.has_writer = true;
        } else {
            self.n_readers += 1;
        }
        true
    }
}

impl Default for Gate {
    #[track_caller]
    fn default() -> Self {
        Self { holders: native::Mutex::default(), left: native::Condvar::new() }
    }
}

impl Gate {
    fn enter(&self, writes: bool) -> Pass<'_> {
        let mut holders = lock(&self.holders);
        while !holders.enter(writes) {
            holders = self.left.wait(holders).unwrap_or_else(PoisonError::into_inner);
        }
        Pass { gate: self, writes }
    }

    fn try_enter(&self, writes: bool) -> Option<Pass<'_>> {
        lock(&self.holders).enter(writes).then(|| Pass { gate: self, writes })
    }
}

/// The way through the gate; dropped, it is free for others.
struct Pass<'a> {
    gate: &'a Gate,
    writes: bool,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if native::is_over() {
            return;
        }
        let mut holders = lock(&self.gate.holders);
        if self.writes {
            holders.has_writer = false;
        } else {
            holders.n_readers -= 1;
        }
        self.gate.left.notify_all();
    }
}

impl<T> RwLock<T> {
    /// As std's, but not `const`.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { gate: Gate::default(), data: sync::RwLock::new(value) }
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// The lock is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// The lock is poisoned.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let pass = self.gate.enter(false);
        with_pass(self.data.read(), |data| RwLockReadGuard { data, pass })
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// The lock is poisoned.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let pass = self.gate.enter(true);
        with_pass(self.data.write(), |data| RwLockWriteGuard { data, pass })
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// Somebody writes, or the lock is poisoned.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let pass = self.gate.try_enter(false).ok_or(TryLockError::WouldBlock)?;
        Ok(with_pass(self.data.read(), |data| RwLockReadGuard { data, pass })?)
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// Somebody reads or writes, or the lock is poisoned.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let pass = self.gate.try_enter(true).ok_or(TryLockError::WouldBlock)?;
        Ok(with_pass(self.data.write(), |data| RwLockWriteGuard { data, pass })?)
    }

    /// As std's.
    pub fn is_poisoned(&self) -> bool {
        self.data.is_poisoned()
    }

    /// As std's.
    pub fn clear_poison(&self) {
        self.data.clear_poison();
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// The lock is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.data.get_mut()
    }
}

/// The lock's answer, with the way through the gate beside what it lends.
fn with_pass<D, G>(locked: LockResult<D>, guard: impl FnOnce(D) -> G) -> LockResult<G> {
    match locked {
        Ok(data) => Ok(guard(data)),
        Err(error) => Err(PoisonError::new(guard(error.into_inner()))),
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}

macro_rules! show_as_value {
    ($($guard:ident),*) => {
        $(
            impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    (**self).fmt(f)
                }
            }

            impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    (**self).fmt(f)
                }
            }
        )*
    };
}

show_as_value!(RwLockReadGuard, RwLockWriteGuard);
