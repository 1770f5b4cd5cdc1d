//! Raw mutexes.

use super::{
    super::traced::{Wish, mutex_of},
    Traced,
};
use crate::probe::Site;
use ::lock_api::{RawMutex, RawMutexFair, RawMutexTimed};
use std::panic::Location;
use trace_format::{Flags, Mode};

impl<R: RawMutex> Traced<R> {
    fn wish(flags: Flags, site: Site) -> Wish {
        Wish { class: mutex_of::<R>, mode: Mode::Exclusive, flags, site }
    }

    #[inline]
    fn lock_with(&self, flags: Flags, site: Site) {
        let try_lock = || self.native.try_lock().then_some(());
        let (kept, ()) = self.recorded.obtain(Self::wish(flags, site), try_lock, || self.native.lock());
        self.keep(kept);
    }

    /// Takes the mutex, in `lock` if it is not free at once; `lock` says whether it was taken.
    fn lock_in_time(&self, site: Site, lock: impl FnOnce() -> bool) -> bool {
        let try_lock = || self.native.try_lock().then_some(());
        let wish = Self::wish(Flags::TIMED, site);
        let obtained = self.recorded.obtain_in_time(wish, try_lock, || lock().then_some(()));
        obtained.map(|(kept, ())| self.keep(kept)).is_some()
    }

    /// Takes the mutex again after a wait for something else.
    #[cfg(feature = "parking_lot")]
    pub(super) fn relock(&self, site: Site) {
        self.lock_with(Flags::REACQUIRE, site);
    }
}

// SAFETY: all of it is done by `R`, which is a mutex.
unsafe impl<R: RawMutex> RawMutex for Traced<R> {
    const INIT: Self = Self::new(R::INIT);

    type GuardMarker = R::GuardMarker;

    #[track_caller]
    #[inline]
    fn lock(&self) {
        self.lock_with(Flags::NONE, Location::caller());
    }

    #[track_caller]
    #[inline]
    fn try_lock(&self) -> bool {
        let wish = Self::wish(Flags::NONE, Location::caller());
        let obtained = self.recorded.attempt(wish, || self.native.try_lock().then_some(()));
        obtained.map(|(kept, ())| self.keep(kept)).is_some()
    }

    #[inline]
    unsafe fn unlock(&self) {
        drop(self.recorded.hold(Mode::Exclusive, self.taken_up()));
        // SAFETY: the caller holds it.
        unsafe { self.native.unlock() };
    }

    fn is_locked(&self) -> bool {
        self.recorded.observed(mutex_of::<R>);
        self.native.is_locked()
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawMutexFair> RawMutexFair for Traced<R> {
    #[inline]
    unsafe fn unlock_fair(&self) {
        drop(self.recorded.hold(Mode::Exclusive, self.taken_up()));
        // SAFETY: the caller holds it.
        unsafe { self.native.unlock_fair() };
    }

    #[track_caller]
    unsafe fn bump(&self) {
        drop(self.recorded.hold(Mode::Exclusive, self.taken_up()));
        // SAFETY: the caller holds it.
        let bump = || unsafe { self.native.bump() };
        // Whether it will have to wait nobody knows: so it says that it may.
        let (kept, ()) = self.recorded.obtain(Self::wish(Flags::NONE, Location::caller()), || None, bump);
        self.keep(kept);
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawMutexTimed> RawMutexTimed for Traced<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[track_caller]
    fn try_lock_for(&self, timeout: Self::Duration) -> bool {
        self.lock_in_time(Location::caller(), || self.native.try_lock_for(timeout))
    }

    #[track_caller]
    fn try_lock_until(&self, timeout: Self::Instant) -> bool {
        self.lock_in_time(Location::caller(), || self.native.try_lock_until(timeout))
    }
}
