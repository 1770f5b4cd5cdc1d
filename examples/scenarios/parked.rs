//! The same primitives as `parking_lot` has them, for scenarios that are run on these.

use super::primitives::{Data, How, Unsupported, no_lock};
use instrumented_sync::{
    label,
    parking_lot::{
        Condvar, Mutex, MutexGuard, Once, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    },
};
use std::time::Duration;

/// What a scenario says to be run on these.
pub(crate) const NAME: &str = "parking_lot";

/// A primitive.
pub(crate) enum Parked {
    /// A mutex with the variables that it guards.
    Mutex(Mutex<Data>),
    /// A read-write lock with the variables that it guards.
    RwLock(RwLock<Data>),
    /// A condition variable.
    Condvar(Condvar),
    /// A once.
    Once(Once),
}

/// The hold of a lock.
pub(crate) enum ParkedGuard {
    /// Of a mutex.
    Mutex(MutexGuard<'static, Data>),
    /// Of a read-write lock, alone.
    Write(RwLockWriteGuard<'static, Data>),
    /// With others.
    Read(RwLockReadGuard<'static, Data>),
    /// With readers, and with the right to become the writer.
    Upgradable(RwLockUpgradableReadGuard<'static, Data>),
}

impl Parked {
    /// What a declaration calls by this name, if it is here.
    pub(crate) fn new(kind: &str, data: impl FnOnce() -> Data) -> Option<Self> {
        Some(match kind {
            "mutex" => Self::Mutex(Mutex::new(data())),
            "rwlock" => Self::RwLock(RwLock::new(data())),
            "condvar" => Self::Condvar(Condvar::new()),
            "once" => Self::Once(Once::new()),
            _ => return None,
        })
    }

    pub(crate) fn label(&self, name: &str) {
        match self {
            Self::Mutex(mutex) => label(mutex, name),
            Self::RwLock(lock) => label(lock, name),
            Self::Condvar(condvar) => label(condvar, name),
            Self::Once(once) => label(once, name),
        }
    }

    /// Takes a lock.
    ///
    /// # Errors
    ///
    /// It is not one that can be held like this.
    pub(crate) fn lock(&'static self, how: How) -> Result<ParkedGuard, Unsupported> {
        Ok(match (self, how) {
            (Self::Mutex(mutex), How::Alone) => ParkedGuard::Mutex(mutex.lock()),
            (Self::RwLock(lock), How::Alone) => ParkedGuard::Write(lock.write()),
            (Self::RwLock(lock), How::Shared) => ParkedGuard::Read(lock.read()),
            (Self::RwLock(lock), How::Recursive) => ParkedGuard::Read(lock.read_recursive()),
            (Self::RwLock(lock), How::Upgradable) => ParkedGuard::Upgradable(lock.upgradable_read()),
            _ => return Err(no_lock()),
        })
    }

    /// The same, if it is possible at once.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`].
    pub(crate) fn try_lock(&'static self, how: How) -> Result<Option<ParkedGuard>, Unsupported> {
        Ok(match (self, how) {
            (Self::Mutex(mutex), How::Alone) => mutex.try_lock().map(ParkedGuard::Mutex),
            (Self::RwLock(lock), How::Alone) => lock.try_write().map(ParkedGuard::Write),
            (Self::RwLock(lock), How::Shared) => lock.try_read().map(ParkedGuard::Read),
            (Self::RwLock(lock), How::Recursive) => lock.try_read_recursive().map(ParkedGuard::Read),
            (Self::RwLock(lock), How::Upgradable) => lock.try_upgradable_read().map(ParkedGuard::Upgradable),
            _ => return Err(no_lock()),
        })
    }

    /// Wakes one that waits, or all; false if this is nothing to wait for.
    pub(crate) fn notify(&self, all: bool) -> bool {
        let Self::Condvar(condvar) = self else { return false };
        if all {
            condvar.notify_all();
        } else {
            condvar.notify_one();
        }
        true
    }

    /// Waits with the mutex of a guard, once or while `waits` says so; false if it cannot.
    pub(crate) fn wait(
        &self,
        guard: &mut ParkedGuard,
        time: Option<Duration>,
        waits: Option<&mut dyn FnMut(&mut Data) -> bool>,
    ) -> bool {
        let (Self::Condvar(condvar), ParkedGuard::Mutex(guard)) = (self, guard) else { return false };
        match (time, waits) {
            (Some(time), _) => drop(condvar.wait_for(guard, time)),
            (None, Some(waits)) => condvar.wait_while(guard, waits),
            (None, None) => condvar.wait(guard),
        }
        true
    }
}

impl ParkedGuard {
    /// How the lock is held.
    pub(crate) fn how(&self) -> How {
        match self {
            Self::Mutex(_) | Self::Write(_) => How::Alone,
            Self::Read(_) => How::Shared,
            Self::Upgradable(_) => How::Upgradable,
        }
    }

    /// The data, to be read.
    pub(crate) fn data(&self) -> &Data {
        match self {
            Self::Mutex(guard) => guard,
            Self::Write(guard) => guard,
            Self::Read(guard) => guard,
            Self::Upgradable(guard) => guard,
        }
    }

    /// The data, to be written.
    pub(crate) fn data_mut(&mut self) -> Option<&mut Data> {
        match self {
            Self::Mutex(guard) => Some(guard),
            Self::Write(guard) => Some(guard),
            Self::Read(_) | Self::Upgradable(_) => None,
        }
    }

    /// The same lock, held alone; `None` if it is not held so that it can be.
    pub(crate) fn upgraded(self) -> Option<Self> {
        let Self::Upgradable(guard) = self else { return None };
        Some(Self::Write(RwLockUpgradableReadGuard::upgrade(guard)))
    }

    /// The same lock, held with others; `None` if it is not held so that it can be.
    pub(crate) fn downgraded(self) -> Option<Self> {
        let Self::Write(guard) = self else { return None };
        Some(Self::Read(RwLockWriteGuard::downgrade(guard)))
    }
}
