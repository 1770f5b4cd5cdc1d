//! Raw mutexes.

use super::{
    super::traced::{Wish, mutex_of},
    Guard, Traced,
};
use crate::probe::Site;
use lock_api_0_5::{RawMutex, RawMutexFair, RawMutexTimed};
use std::panic::Location;
use trace_format::{Flags, Mode};

impl<R: RawMutex> Traced<R> {
    fn wish(flags: Flags, site: Site) -> Wish {
        Wish { class: mutex_of::<R>, mode: Mode::Exclusive, flags, site }
    }

    #[inline]
    fn lock_with(&self, flags: Flags, site: Site) -> Guard<R::Guard> {
        let wish = Self::wish(flags, site);
        Guard::new(self.recorded.obtain(wish, || self.native.try_lock(), || self.native.lock()))
    }

    /// Takes the mutex, in `lock` if it is not free at once.
    fn lock_in_time(&self, site: Site, lock: impl FnOnce() -> Option<R::Guard>) -> Option<Guard<R::Guard>> {
        let wish = Self::wish(Flags::TIMED, site);
        self.recorded.obtain_in_time(wish, || self.native.try_lock(), lock).map(Guard::new)
    }

    /// Takes the mutex again after a wait for something else.
    #[cfg(feature = "parking_lot_013")]
    pub(super) fn relock(&self, site: Site) -> Guard<R::Guard> {
        self.lock_with(Flags::REACQUIRE, site)
    }
}

// SAFETY: all of it is done by `R`, which is a mutex.
unsafe impl<R: RawMutex> RawMutex for Traced<R> {
    const INIT: Self = Self::new(R::INIT);

    type Guard = Guard<R::Guard>;

    #[track_caller]
    #[inline]
    fn lock(&self) -> Self::Guard {
        self.lock_with(Flags::NONE, Location::caller())
    }

    #[track_caller]
    #[inline]
    fn try_lock(&self) -> Option<Self::Guard> {
        let wish = Self::wish(Flags::NONE, Location::caller());
        self.recorded.attempt(wish, || self.native.try_lock()).map(Guard::new)
    }

    #[inline]
    unsafe fn unlock(&self, guard: Self::Guard) {
        let native = self.release(Mode::Exclusive, guard);
        // SAFETY: the caller holds it with that.
        unsafe { self.native.unlock(native) };
    }

    fn is_locked(&self) -> bool {
        self.recorded.observed(mutex_of::<R>);
        self.native.is_locked()
    }
}

// SAFETY: all of it is done by `R`. `bump` is the trait's own: it frees and takes the mutex, which is recorded.
unsafe impl<R: RawMutexFair> RawMutexFair for Traced<R> {
    #[inline]
    unsafe fn unlock_fair(&self, guard: Self::Guard) {
        let native = self.release(Mode::Exclusive, guard);
        // SAFETY: the caller holds it with that.
        unsafe { self.native.unlock_fair(native) };
    }
}

// SAFETY: all of it is done by `R`.
unsafe impl<R: RawMutexTimed> RawMutexTimed for Traced<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[track_caller]
    fn try_lock_for(&self, timeout: Self::Duration) -> Option<Self::Guard> {
        self.lock_in_time(Location::caller(), || self.native.try_lock_for(timeout))
    }

    #[track_caller]
    fn try_lock_until(&self, timeout: Self::Instant) -> Option<Self::Guard> {
        self.lock_in_time(Location::caller(), || self.native.try_lock_until(timeout))
    }
}
