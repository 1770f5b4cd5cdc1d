//! Locks with the raw traits of `lock_api` 0.5, whose guards keep what a lock wants to know again.

mod mutex;
mod rwlock;

use super::traced::{Kept, Recorded, mutex_of, rwlock_of};
#[cfg(feature = "parking_lot_013")]
use super::traced::{Wait, without_unwinding};
#[cfg(feature = "parking_lot_013")]
use crate::sync::condvar::tickets::Tickets;
use crate::trace::{Labelled, sealed};
use lock_api_0_5::{GetThreadId, RawMutex, RawRwLock};
use std::fmt;
use trace_format::Mode;

/// The crate itself.
pub use lock_api_0_5 as native;

/// A raw lock that records what is done with `R`; with `RECURSIVE`, one whose readers never queue behind a writer that waits.
///
/// Has the raw traits that `R` has, and is used in its place. A lock that was taken before recording began is not recorded until
/// it is taken again.
pub struct Traced<R, const RECURSIVE: bool = false> {
    recorded: Recorded,
    native: R,
}

/// What a guard keeps: its lock's own, and its hold.
pub struct Guard<G> {
    native: G,
    kept: Kept,
}

impl<G> Guard<G> {
    #[inline]
    fn new((kept, native): (Kept, G)) -> Self {
        Self { native, kept }
    }
}

impl<R, const RECURSIVE: bool> Traced<R, RECURSIVE> {
    /// In which mode readers take the lock.
    const READ: Mode = if RECURSIVE { Mode::SharedRecursive } else { Mode::Shared };

    const fn new(native: R) -> Self {
        Self { recorded: Recorded::new(), native }
    }

    /// Records the release of a hold, before the lock is freed with what is returned.
    #[inline]
    fn release<G>(&self, mode: Mode, guard: Guard<G>) -> G {
        drop(self.recorded.hold(mode, guard.kept));
        guard.native
    }
}

#[cfg(feature = "parking_lot_013")]
impl<R: RawMutex> Traced<R> {
    /// Gives the mutex up, waits, and takes it again. Says which notify it was; `None` if the time was over first.
    ///
    /// # Safety
    ///
    /// The mutex is held by this thread, with this guard.
    pub(crate) unsafe fn wait_for(&self, guard: &mut Guard<R::Guard>, tickets: &Tickets, wait: Wait) -> Option<u64> {
        let hold = self.recorded.hold(Mode::Exclusive, guard.kept);
        without_unwinding(|| {
            // SAFETY: what is moved out here is not looked at before the place is written to below: there is no way out in between.
            let native = unsafe { std::ptr::read(&raw const guard.native) };
            // SAFETY: it is held with that, says the caller.
            let notify = tickets.wait(wait.operation, hold, wait.deadline, || unsafe { self.native.unlock(native) });
            // SAFETY: a reference may be written through; what was there has been moved out.
            unsafe { std::ptr::write(guard, self.relock(wait.site)) };
            notify
        })
    }
}

impl<R, const RECURSIVE: bool> fmt::Debug for Traced<R, RECURSIVE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced").finish_non_exhaustive()
    }
}

impl<G> fmt::Debug for Guard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl<R: RawMutex, T: ?Sized> sealed::Sealed for native::Mutex<Traced<R>, T> {}

impl<R: RawMutex, T: ?Sized> Labelled for native::Mutex<Traced<R>, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(mutex_of::<T>, text);
    }
}

impl<R: RawRwLock, T: ?Sized, const RECURSIVE: bool> sealed::Sealed for native::RwLock<Traced<R, RECURSIVE>, T> {}

impl<R: RawRwLock, T: ?Sized, const RECURSIVE: bool> Labelled for native::RwLock<Traced<R, RECURSIVE>, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(rwlock_of::<T>, text);
    }
}

impl<R: RawMutex, G: GetThreadId, T: ?Sized> sealed::Sealed for native::ReentrantMutex<Traced<R>, G, T> {}

impl<R: RawMutex, G: GetThreadId, T: ?Sized> Labelled for native::ReentrantMutex<Traced<R>, G, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(mutex_of::<T>, text);
    }
}
