//! Guards of an upgradable lock, and how one becomes another.

use super::{
    super::deadline::Deadline,
    gate::{Gate, Wish},
};
use crate::{
    held::{Held, Hold},
    native,
    probe::{Mode, Operation, Site},
};
use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::PoisonError,
};

/// Guard of [`UpgradableRwLock::read`](crate::UpgradableRwLock::read).
pub type UpgradableReadGuard<'a, T> = Held<'a, Read<'a, T>>;

/// Guard of [`UpgradableRwLock::upgradable_read`](crate::UpgradableRwLock::upgradable_read).
pub type UpgradableGuard<'a, T> = Held<'a, Upgradable<'a, T>>;

/// Guard of [`UpgradableRwLock::write`](crate::UpgradableRwLock::write).
pub type UpgradableWriteGuard<'a, T> = Held<'a, Write<'a, T>>;

/// The way through the gate; dropped, it is free for others.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    mode: Mode,
}

impl<'a> Pass<'a> {
    pub(super) const fn new(gate: &'a Gate, mode: Mode) -> Self {
        Self { gate, mode }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !native::is_over() {
            self.gate.leave(self.mode);
        }
    }
}

// Fields drop in order: the data is let go of before the gate opens, so that who passes finds it free.

/// What a read guard holds.
pub struct Read<'a, T: ?Sized> {
    native: native::RwLockReadGuard<'a, T>,
    #[expect(dead_code, reason = "it is there to be dropped")]
    pass: Pass<'a>,
}

/// What an upgradable guard holds, with the way to the lock that it needs to take it in another way.
pub struct Upgradable<'a, T: ?Sized> {
    native: native::RwLockReadGuard<'a, T>,
    pass: Pass<'a>,
    lock: &'a native::RwLock<T>,
}

/// What a write guard holds, with the way to the lock as [`Upgradable`].
pub struct Write<'a, T: ?Sized> {
    native: native::RwLockWriteGuard<'a, T>,
    pass: Pass<'a>,
    lock: &'a native::RwLock<T>,
}

impl<'a, T: ?Sized> Read<'a, T> {
    pub(super) fn new(pass: Pass<'a>, lock: &'a native::RwLock<T>) -> Self {
        Self { native: lock.read().unwrap_or_else(PoisonError::into_inner), pass }
    }
}

impl<'a, T: ?Sized> Upgradable<'a, T> {
    pub(super) fn new(pass: Pass<'a>, lock: &'a native::RwLock<T>) -> Self {
        Self { native: lock.read().unwrap_or_else(PoisonError::into_inner), pass, lock }
    }
}

impl<'a, T: ?Sized> Write<'a, T> {
    pub(super) fn new(pass: Pass<'a>, lock: &'a native::RwLock<T>) -> Self {
        Self { native: lock.write().unwrap_or_else(PoisonError::into_inner), pass, lock }
    }
}

impl<'a, T: ?Sized> Held<'a, Upgradable<'a, T>> {
    /// Becomes the writer: waits until the readers have gone. Nobody writes in between.
    ///
    /// A thread that has a read guard of the same lock waits for itself.
    ///
    /// ```
    /// use instrumented_sync::{UpgradableGuard, UpgradableRwLock};
    ///
    /// let lock = UpgradableRwLock::new(1);
    /// let mut guard = UpgradableGuard::upgrade(lock.upgradable_read());
    /// *guard += 1;
    /// drop(guard);
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[track_caller]
    pub fn upgrade(this: Self) -> UpgradableWriteGuard<'a, T> {
        let (hold, upgradable) = this.into_parts();
        let operation = Operation::change(&hold, Location::caller());
        let gate = upgradable.pass.gate;
        if !gate.try_enter(Wish::Upgrade) {
            let waiting = operation.map(Operation::waits_for_upgrade);
            // Without a deadline it does not give up.
            gate.enter(Wish::Upgrade, Deadline::NEVER);
            if let Some(waiting) = waiting {
                waiting.end();
            }
        }
        upgraded(hold, upgradable, operation)
    }

    /// Becomes the writer, if there are no readers now.
    ///
    /// # Errors
    ///
    /// There are readers; the error holds the guard.
    ///
    /// ```
    /// use instrumented_sync::{UpgradableGuard, UpgradableRwLock};
    ///
    /// let lock = UpgradableRwLock::new(1);
    /// let reader = lock.read();
    /// let guard = UpgradableGuard::try_upgrade(lock.upgradable_read()).unwrap_err();
    /// drop(reader);
    /// assert!(UpgradableGuard::try_upgrade(guard).is_ok());
    /// ```
    #[track_caller]
    pub fn try_upgrade(this: Self) -> Result<UpgradableWriteGuard<'a, T>, Self> {
        let (hold, upgradable) = this.into_parts();
        let operation = Operation::change(&hold, Location::caller());
        if upgradable.pass.gate.try_enter(Wish::Upgrade) {
            Ok(upgraded(hold, upgradable, operation))
        } else {
            Err(Self::new(hold, upgradable))
        }
    }

    /// Becomes an ordinary reader, and lets another be the upgradable one.
    ///
    /// ```
    /// use instrumented_sync::{UpgradableGuard, UpgradableRwLock};
    ///
    /// let lock = UpgradableRwLock::new(1);
    /// let reader = UpgradableGuard::downgrade(lock.upgradable_read());
    /// assert!(lock.try_upgradable_read().is_some());
    /// assert_eq!(*reader, 1);
    /// ```
    #[track_caller]
    pub fn downgrade(this: Self) -> UpgradableReadGuard<'a, T> {
        let (hold, Upgradable { native, pass, lock: _ }) = this.into_parts();
        downgraded(hold, pass, Location::caller(), |pass| Read { native, pass })
    }
}

impl<'a, T: ?Sized> Held<'a, Write<'a, T>> {
    /// Becomes a reader. Nobody writes in between.
    ///
    /// ```
    /// use instrumented_sync::{UpgradableRwLock, UpgradableWriteGuard};
    ///
    /// let lock = UpgradableRwLock::new(1);
    /// let mut writer = lock.write();
    /// *writer = 2;
    /// let reader = UpgradableWriteGuard::downgrade(writer);
    /// assert_eq!(*reader + *lock.read(), 4);
    /// ```
    #[track_caller]
    pub fn downgrade(this: Self) -> UpgradableReadGuard<'a, T> {
        let (hold, Write { native, pass, lock }) = this.into_parts();
        drop(native);
        downgraded(hold, pass, Location::caller(), |pass| Read::new(pass, lock))
    }
}

/// The rest of an upgrade: the gate is this thread's alone.
fn upgraded<'a, T: ?Sized>(
    mut hold: Hold<'a>,
    upgradable: Upgradable<'a, T>,
    operation: Option<Operation>,
) -> UpgradableWriteGuard<'a, T> {
    let Upgradable { native, mut pass, lock } = upgradable;
    drop(native);
    pass.mode = Mode::Exclusive;
    if let Some(operation) = operation {
        operation.upgraded(&mut hold);
    }
    Held::new(hold, Write::new(pass, lock))
}

fn downgraded<'a, T: ?Sized>(
    mut hold: Hold<'a>,
    mut pass: Pass<'a>,
    site: Site,
    read: impl FnOnce(Pass<'a>) -> Read<'a, T>,
) -> UpgradableReadGuard<'a, T> {
    if let Some(operation) = Operation::change(&hold, site) {
        operation.downgrades(pass.mode, Mode::Shared, &mut hold);
    }
    pass.gate.downgrade(pass.mode);
    pass.mode = Mode::Shared;
    Held::new(hold, read(pass))
}

impl<T: ?Sized> Deref for Read<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.native
    }
}

impl<T: ?Sized> Deref for Upgradable<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.native
    }
}

impl<T: ?Sized> Deref for Write<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.native
    }
}

impl<T: ?Sized> DerefMut for Write<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.native
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

show_as_value!(Read, Upgradable, Write);
