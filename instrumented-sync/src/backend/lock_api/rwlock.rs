//! Raw read-write locks.

use super::{
    super::traced::{Wish, rwlock_of},
    Traced,
};
use crate::probe::Site;
use ::lock_api::{
    RawRwLock, RawRwLockDowngrade, RawRwLockFair, RawRwLockRecursive, RawRwLockRecursiveTimed, RawRwLockTimed,
    RawRwLockUpgrade, RawRwLockUpgradeDowngrade, RawRwLockUpgradeFair, RawRwLockUpgradeTimed,
};
use std::{panic::Location, sync::atomic::Ordering::Relaxed};
use trace_format::{Flags, Mode};

impl<R: RawRwLock> Traced<R> {
    /// Takes the lock, in `lock` if `try_lock` says that it cannot.
    #[inline]
    fn take(&self, mode: Mode, site: Site, try_lock: impl FnOnce() -> bool, lock: impl FnOnce()) {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::NONE, site };
        let (kept, ()) = self.recorded.obtain(wish, || try_lock().then_some(()), lock);
        self.keep_in(mode, kept);
    }

    /// The same of a `lock` that may give up: both say whether it was taken.
    fn take_in_time(
        &self,
        mode: Mode,
        site: Site,
        try_lock: impl FnOnce() -> bool,
        lock: impl FnOnce() -> bool,
    ) -> bool {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::TIMED, site };
        let obtained = self.recorded.obtain_in_time(wish, || try_lock().then_some(()), || lock().then_some(()));
        obtained.map(|(kept, ())| self.keep_in(mode, kept)).is_some()
    }

    /// The same, if it is possible at once.
    #[inline]
    fn try_take(&self, mode: Mode, site: Site, try_lock: impl FnOnce() -> bool) -> bool {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::NONE, site };
        let obtained = self.recorded.attempt(wish, || try_lock().then_some(()));
        obtained.map(|(kept, ())| self.keep_in(mode, kept)).is_some()
    }

    fn keep_in(&self, mode: Mode, kept: u64) {
        match mode {
            Mode::Exclusive | Mode::Upgradable => self.keep(kept),
            Mode::Shared => self.keep_shared(kept),
            Mode::SharedRecursive => {
                // Relaxed: see `release_shared`.
                self.has_recursive.store(true, Relaxed);
                self.keep_shared(kept);
            }
        }
    }

    #[inline]
    fn release_sole(&self, mode: Mode) {
        drop(self.recorded.hold(mode, self.taken_up()));
    }

    /// From `mode` on the lock is held shared.
    fn downgrade_to_shared(&self, mode: Mode, site: Site) {
        self.keep_shared(self.recorded.downgrade(mode, Mode::Shared, self.taken_up(), site));
    }
}

impl<R: RawRwLockUpgrade> Traced<R> {
    /// Goes on from upgradable to exclusive, in `wait` if that is not possible at once; false if `wait` gave up.
    ///
    /// # Safety
    ///
    /// This thread holds the lock upgradable.
    unsafe fn upgrade_or(&self, site: Site, wait: impl FnOnce() -> bool) -> bool {
        let mut kept = self.taken_up();
        // SAFETY: the caller holds it upgradable.
        let upgrade = |()| so(unsafe { self.native.try_upgrade() });
        let result = self.recorded.upgrade(&mut kept, (), site, upgrade, |()| so(wait()));
        self.keep(kept);
        result.is_ok()
    }
}

/// Whether it was done; where it was not, there is nothing to give back.
fn so(is_done: bool) -> Result<(), ()> {
    is_done.then_some(()).ok_or(())
}

// SAFETY: all of it is done by `R`, which is a read-write lock.
unsafe impl<R: RawRwLock> RawRwLock for Traced<R> {
    const INIT: Self = Self::new(R::INIT);

    type GuardMarker = R::GuardMarker;

    #[track_caller]
    #[inline]
    fn lock_shared(&self) {
        let lock = || self.native.lock_shared();
        self.take(Mode::Shared, Location::caller(), || self.native.try_lock_shared(), lock);
    }

    #[track_caller]
    #[inline]
    fn try_lock_shared(&self) -> bool {
        self.try_take(Mode::Shared, Location::caller(), || self.native.try_lock_shared())
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.release_shared();
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_shared() };
    }

    #[track_caller]
    #[inline]
    fn lock_exclusive(&self) {
        let lock = || self.native.lock_exclusive();
        self.take(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive(), lock);
    }

    #[track_caller]
    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.try_take(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.release_sole(Mode::Exclusive);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_exclusive() };
    }

    fn is_locked(&self) -> bool {
        self.recorded.observed(rwlock_of::<R>);
        self.native.is_locked()
    }

    fn is_locked_exclusive(&self) -> bool {
        self.recorded.observed(rwlock_of::<R>);
        self.native.is_locked_exclusive()
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockFair> RawRwLockFair for Traced<R> {
    unsafe fn unlock_shared_fair(&self) {
        self.release_shared();
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_shared_fair() };
    }

    unsafe fn unlock_exclusive_fair(&self) {
        self.release_sole(Mode::Exclusive);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_exclusive_fair() };
    }

    // Whether a bump has to wait nobody knows: so it says that it may.

    #[track_caller]
    unsafe fn bump_shared(&self) {
        self.release_shared();
        // SAFETY: the caller holds it so.
        let bump = || unsafe { self.native.bump_shared() };
        self.take(Mode::Shared, Location::caller(), || false, bump);
    }

    #[track_caller]
    unsafe fn bump_exclusive(&self) {
        self.release_sole(Mode::Exclusive);
        // SAFETY: the caller holds it so.
        let bump = || unsafe { self.native.bump_exclusive() };
        self.take(Mode::Exclusive, Location::caller(), || false, bump);
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockDowngrade> RawRwLockDowngrade for Traced<R> {
    #[track_caller]
    unsafe fn downgrade(&self) {
        self.downgrade_to_shared(Mode::Exclusive, Location::caller());
        // SAFETY: the caller holds it exclusively.
        unsafe { self.native.downgrade() };
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockTimed> RawRwLockTimed for Traced<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[track_caller]
    fn try_lock_shared_for(&self, timeout: Self::Duration) -> bool {
        let lock = || self.native.try_lock_shared_for(timeout);
        self.take_in_time(Mode::Shared, Location::caller(), || self.native.try_lock_shared(), lock)
    }

    #[track_caller]
    fn try_lock_shared_until(&self, timeout: Self::Instant) -> bool {
        let lock = || self.native.try_lock_shared_until(timeout);
        self.take_in_time(Mode::Shared, Location::caller(), || self.native.try_lock_shared(), lock)
    }

    #[track_caller]
    fn try_lock_exclusive_for(&self, timeout: Self::Duration) -> bool {
        let lock = || self.native.try_lock_exclusive_for(timeout);
        self.take_in_time(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive(), lock)
    }

    #[track_caller]
    fn try_lock_exclusive_until(&self, timeout: Self::Instant) -> bool {
        let lock = || self.native.try_lock_exclusive_until(timeout);
        self.take_in_time(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive(), lock)
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockRecursive> RawRwLockRecursive for Traced<R> {
    #[track_caller]
    fn lock_shared_recursive(&self) {
        let (mode, lock) = (Mode::SharedRecursive, || self.native.lock_shared_recursive());
        self.take(mode, Location::caller(), || self.native.try_lock_shared_recursive(), lock);
    }

    #[track_caller]
    fn try_lock_shared_recursive(&self) -> bool {
        self.try_take(Mode::SharedRecursive, Location::caller(), || self.native.try_lock_shared_recursive())
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockRecursiveTimed> RawRwLockRecursiveTimed for Traced<R> {
    #[track_caller]
    fn try_lock_shared_recursive_for(&self, timeout: Self::Duration) -> bool {
        let (mode, lock) = (Mode::SharedRecursive, || self.native.try_lock_shared_recursive_for(timeout));
        self.take_in_time(mode, Location::caller(), || self.native.try_lock_shared_recursive(), lock)
    }

    #[track_caller]
    fn try_lock_shared_recursive_until(&self, timeout: Self::Instant) -> bool {
        let (mode, lock) = (Mode::SharedRecursive, || self.native.try_lock_shared_recursive_until(timeout));
        self.take_in_time(mode, Location::caller(), || self.native.try_lock_shared_recursive(), lock)
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgrade> RawRwLockUpgrade for Traced<R> {
    #[track_caller]
    fn lock_upgradable(&self) {
        let lock = || self.native.lock_upgradable();
        self.take(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable(), lock);
    }

    #[track_caller]
    fn try_lock_upgradable(&self) -> bool {
        self.try_take(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable())
    }

    unsafe fn unlock_upgradable(&self) {
        self.release_sole(Mode::Upgradable);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_upgradable() };
    }

    #[track_caller]
    unsafe fn upgrade(&self) {
        // SAFETY: the caller holds it upgradable.
        unsafe {
            self.upgrade_or(Location::caller(), || {
                self.native.upgrade();
                true
            })
        };
    }

    #[track_caller]
    unsafe fn try_upgrade(&self) -> bool {
        let mut kept = self.taken_up();
        // SAFETY: the caller holds it upgradable.
        let upgrade = || so(unsafe { self.native.try_upgrade() });
        let result = self.recorded.upgrade_at_once(&mut kept, Location::caller(), upgrade);
        self.keep(kept);
        result.is_ok()
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgradeFair> RawRwLockUpgradeFair for Traced<R> {
    unsafe fn unlock_upgradable_fair(&self) {
        self.release_sole(Mode::Upgradable);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_upgradable_fair() };
    }

    #[track_caller]
    unsafe fn bump_upgradable(&self) {
        self.release_sole(Mode::Upgradable);
        // SAFETY: the caller holds it so.
        let bump = || unsafe { self.native.bump_upgradable() };
        self.take(Mode::Upgradable, Location::caller(), || false, bump);
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgradeDowngrade> RawRwLockUpgradeDowngrade for Traced<R> {
    #[track_caller]
    unsafe fn downgrade_upgradable(&self) {
        self.downgrade_to_shared(Mode::Upgradable, Location::caller());
        // SAFETY: the caller holds it upgradable.
        unsafe { self.native.downgrade_upgradable() };
    }

    #[track_caller]
    unsafe fn downgrade_to_upgradable(&self) {
        let kept = self.taken_up();
        self.keep(self.recorded.downgrade(Mode::Exclusive, Mode::Upgradable, kept, Location::caller()));
        // SAFETY: the caller holds it exclusively.
        unsafe { self.native.downgrade_to_upgradable() };
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgradeTimed> RawRwLockUpgradeTimed for Traced<R> {
    #[track_caller]
    fn try_lock_upgradable_for(&self, timeout: Self::Duration) -> bool {
        let lock = || self.native.try_lock_upgradable_for(timeout);
        self.take_in_time(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable(), lock)
    }

    #[track_caller]
    fn try_lock_upgradable_until(&self, timeout: Self::Instant) -> bool {
        let lock = || self.native.try_lock_upgradable_until(timeout);
        self.take_in_time(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable(), lock)
    }

    #[track_caller]
    unsafe fn try_upgrade_for(&self, timeout: Self::Duration) -> bool {
        // SAFETY: the caller holds it upgradable.
        unsafe { self.upgrade_or(Location::caller(), || self.native.try_upgrade_for(timeout)) }
    }

    #[track_caller]
    unsafe fn try_upgrade_until(&self, timeout: Self::Instant) -> bool {
        // SAFETY: the caller holds it upgradable.
        unsafe { self.upgrade_or(Location::caller(), || self.native.try_upgrade_until(timeout)) }
    }
}
