//! Raw read-write locks.

use super::{
    super::traced::{Wish, rwlock_of},
    Guard, Traced,
};
use crate::probe::Site;
use lock_api_0_5::{
    RawRwLock, RawRwLockDowngrade, RawRwLockFair, RawRwLockTimed, RawRwLockUpgrade, RawRwLockUpgradeDowngrade,
    RawRwLockUpgradeFair, RawRwLockUpgradeTimed,
};
use std::panic::Location;
use trace_format::{Flags, Mode};

impl<R: RawRwLock, const RECURSIVE: bool> Traced<R, RECURSIVE> {
    /// Takes the lock, in `lock` if `try_lock` cannot.
    #[inline]
    fn take<G>(
        &self,
        mode: Mode,
        site: Site,
        try_lock: impl FnOnce() -> Option<G>,
        lock: impl FnOnce() -> G,
    ) -> Guard<G> {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::NONE, site };
        Guard::new(self.recorded.obtain(wish, try_lock, lock))
    }

    /// The same of a `lock` that may give up.
    fn take_in_time<G>(
        &self,
        mode: Mode,
        site: Site,
        try_lock: impl FnOnce() -> Option<G>,
        lock: impl FnOnce() -> Option<G>,
    ) -> Option<Guard<G>> {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::TIMED, site };
        self.recorded.obtain_in_time(wish, try_lock, lock).map(Guard::new)
    }

    /// The same, if it is possible at once.
    #[inline]
    fn try_take<G>(&self, mode: Mode, site: Site, try_lock: impl FnOnce() -> Option<G>) -> Option<Guard<G>> {
        let wish = Wish { class: rwlock_of::<R>, mode, flags: Flags::NONE, site };
        self.recorded.attempt(wish, try_lock).map(Guard::new)
    }

    /// Goes on in a mode that excludes fewer, with `change` to make the lock do so.
    #[inline]
    fn downgrade_with<G, H>(
        &self,
        (from, to): (Mode, Mode),
        guard: Guard<G>,
        site: Site,
        change: impl FnOnce(G) -> H,
    ) -> Guard<H> {
        let kept = self.recorded.downgrade(from, to, guard.kept, site);
        Guard { native: change(guard.native), kept }
    }
}

impl<R: RawRwLockUpgrade, const RECURSIVE: bool> Traced<R, RECURSIVE> {
    /// Goes on from upgradable to exclusive, in `wait` if that is not possible at once.
    ///
    /// # Safety
    ///
    /// This thread holds the lock upgradable, with this guard.
    unsafe fn upgrade_or(
        &self,
        guard: Guard<R::UpgradableGuard>,
        site: Site,
        wait: impl FnOnce(R::UpgradableGuard) -> Result<R::ExclusiveGuard, R::UpgradableGuard>,
    ) -> Result<Guard<R::ExclusiveGuard>, Guard<R::UpgradableGuard>> {
        let Guard { native, mut kept } = guard;
        // SAFETY: the caller holds it so.
        let upgrade = |native| unsafe { self.native.try_upgrade(native) };
        let result = self.recorded.upgrade(&mut kept, native, site, upgrade, wait);
        result.map(|native| Guard { native, kept }).map_err(|native| Guard { native, kept })
    }
}

// SAFETY: all of it is done by `R`, which is a read-write lock.
unsafe impl<R: RawRwLock, const RECURSIVE: bool> RawRwLock for Traced<R, RECURSIVE> {
    const INIT: Self = Self::new(R::INIT);

    type SharedGuard = Guard<R::SharedGuard>;
    type ExclusiveGuard = Guard<R::ExclusiveGuard>;

    #[track_caller]
    #[inline]
    fn lock_shared(&self) -> Self::SharedGuard {
        let site = Location::caller();
        self.take(Self::READ, site, || self.native.try_lock_shared(), || self.native.lock_shared())
    }

    #[track_caller]
    #[inline]
    fn try_lock_shared(&self) -> Option<Self::SharedGuard> {
        self.try_take(Self::READ, Location::caller(), || self.native.try_lock_shared())
    }

    #[inline]
    unsafe fn unlock_shared(&self, guard: Self::SharedGuard) {
        let native = self.release(Self::READ, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_shared(native) };
    }

    #[track_caller]
    #[inline]
    fn lock_exclusive(&self) -> Self::ExclusiveGuard {
        let site = Location::caller();
        self.take(Mode::Exclusive, site, || self.native.try_lock_exclusive(), || self.native.lock_exclusive())
    }

    #[track_caller]
    #[inline]
    fn try_lock_exclusive(&self) -> Option<Self::ExclusiveGuard> {
        self.try_take(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, guard: Self::ExclusiveGuard) {
        let native = self.release(Mode::Exclusive, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_exclusive(native) };
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

// SAFETY: all of it is done by `R`. The bumps are the trait's own: they free and take the lock, which is recorded.
unsafe impl<R: RawRwLockFair, const RECURSIVE: bool> RawRwLockFair for Traced<R, RECURSIVE> {
    unsafe fn unlock_shared_fair(&self, guard: Self::SharedGuard) {
        let native = self.release(Self::READ, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_shared_fair(native) };
    }

    unsafe fn unlock_exclusive_fair(&self, guard: Self::ExclusiveGuard) {
        let native = self.release(Mode::Exclusive, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_exclusive_fair(native) };
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockDowngrade, const RECURSIVE: bool> RawRwLockDowngrade for Traced<R, RECURSIVE> {
    #[track_caller]
    unsafe fn downgrade(&self, guard: Self::ExclusiveGuard) -> Self::SharedGuard {
        // SAFETY: the caller holds it exclusively.
        let change = |native| unsafe { self.native.downgrade(native) };
        self.downgrade_with((Mode::Exclusive, Self::READ), guard, Location::caller(), change)
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockTimed, const RECURSIVE: bool> RawRwLockTimed for Traced<R, RECURSIVE> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[track_caller]
    fn try_lock_shared_for(&self, timeout: Self::Duration) -> Option<Self::SharedGuard> {
        let lock = || self.native.try_lock_shared_for(timeout);
        self.take_in_time(Self::READ, Location::caller(), || self.native.try_lock_shared(), lock)
    }

    #[track_caller]
    fn try_lock_shared_until(&self, timeout: Self::Instant) -> Option<Self::SharedGuard> {
        let lock = || self.native.try_lock_shared_until(timeout);
        self.take_in_time(Self::READ, Location::caller(), || self.native.try_lock_shared(), lock)
    }

    #[track_caller]
    fn try_lock_exclusive_for(&self, timeout: Self::Duration) -> Option<Self::ExclusiveGuard> {
        let lock = || self.native.try_lock_exclusive_for(timeout);
        self.take_in_time(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive(), lock)
    }

    #[track_caller]
    fn try_lock_exclusive_until(&self, timeout: Self::Instant) -> Option<Self::ExclusiveGuard> {
        let lock = || self.native.try_lock_exclusive_until(timeout);
        self.take_in_time(Mode::Exclusive, Location::caller(), || self.native.try_lock_exclusive(), lock)
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgrade, const RECURSIVE: bool> RawRwLockUpgrade for Traced<R, RECURSIVE> {
    type UpgradableGuard = Guard<R::UpgradableGuard>;

    #[track_caller]
    fn lock_upgradable(&self) -> Self::UpgradableGuard {
        let site = Location::caller();
        self.take(Mode::Upgradable, site, || self.native.try_lock_upgradable(), || self.native.lock_upgradable())
    }

    #[track_caller]
    fn try_lock_upgradable(&self) -> Option<Self::UpgradableGuard> {
        self.try_take(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable())
    }

    unsafe fn unlock_upgradable(&self, guard: Self::UpgradableGuard) {
        let native = self.release(Mode::Upgradable, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_upgradable(native) };
    }

    #[track_caller]
    unsafe fn upgrade(&self, guard: Self::UpgradableGuard) -> Self::ExclusiveGuard {
        // SAFETY: the caller holds it upgradable.
        let wait = |native| Ok(unsafe { self.native.upgrade(native) });
        // SAFETY: as above.
        match unsafe { self.upgrade_or(guard, Location::caller(), wait) } {
            Ok(guard) => guard,
            Err(_) => unreachable!("who has no time limit does not give up"),
        }
    }

    #[track_caller]
    unsafe fn try_upgrade(&self, guard: Self::UpgradableGuard) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        let Guard { native, mut kept } = guard;
        // SAFETY: the caller holds it upgradable.
        let upgrade = || unsafe { self.native.try_upgrade(native) };
        let result = self.recorded.upgrade_at_once(&mut kept, Location::caller(), upgrade);
        result.map(|native| Guard { native, kept }).map_err(|native| Guard { native, kept })
    }
}

// SAFETY: all of it is done by `R`. The bump is the trait's own.
unsafe impl<R: RawRwLockUpgradeFair, const RECURSIVE: bool> RawRwLockUpgradeFair for Traced<R, RECURSIVE> {
    unsafe fn unlock_upgradable_fair(&self, guard: Self::UpgradableGuard) {
        let native = self.release(Mode::Upgradable, guard);
        // SAFETY: the caller holds it so.
        unsafe { self.native.unlock_upgradable_fair(native) };
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgradeDowngrade, const RECURSIVE: bool> RawRwLockUpgradeDowngrade for Traced<R, RECURSIVE> {
    #[track_caller]
    unsafe fn downgrade_upgradable(&self, guard: Self::UpgradableGuard) -> Self::SharedGuard {
        // SAFETY: the caller holds it upgradable.
        let change = |native| unsafe { self.native.downgrade_upgradable(native) };
        self.downgrade_with((Mode::Upgradable, Self::READ), guard, Location::caller(), change)
    }

    #[track_caller]
    unsafe fn downgrade_to_upgradable(&self, guard: Self::ExclusiveGuard) -> Self::UpgradableGuard {
        // SAFETY: the caller holds it exclusively.
        let change = |native| unsafe { self.native.downgrade_to_upgradable(native) };
        self.downgrade_with((Mode::Exclusive, Mode::Upgradable), guard, Location::caller(), change)
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawRwLockUpgradeTimed, const RECURSIVE: bool> RawRwLockUpgradeTimed for Traced<R, RECURSIVE> {
    #[track_caller]
    fn try_lock_upgradable_for(&self, timeout: Self::Duration) -> Option<Self::UpgradableGuard> {
        let lock = || self.native.try_lock_upgradable_for(timeout);
        self.take_in_time(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable(), lock)
    }

    #[track_caller]
    fn try_lock_upgradable_until(&self, timeout: Self::Instant) -> Option<Self::UpgradableGuard> {
        let lock = || self.native.try_lock_upgradable_until(timeout);
        self.take_in_time(Mode::Upgradable, Location::caller(), || self.native.try_lock_upgradable(), lock)
    }

    #[track_caller]
    unsafe fn try_upgrade_for(
        &self,
        guard: Self::UpgradableGuard,
        timeout: Self::Duration,
    ) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        // SAFETY: the caller holds it upgradable.
        unsafe { self.upgrade_or(guard, Location::caller(), |native| self.native.try_upgrade_for(native, timeout)) }
    }

    #[track_caller]
    unsafe fn try_upgrade_until(
        &self,
        guard: Self::UpgradableGuard,
        timeout: Self::Instant,
    ) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        // SAFETY: the caller holds it upgradable.
        unsafe { self.upgrade_or(guard, Location::caller(), |native| self.native.try_upgrade_until(native, timeout)) }
    }
}
