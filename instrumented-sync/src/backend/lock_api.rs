//! Locks with the raw traits of `lock_api` 0.4.

mod mutex;
mod rwlock;

use super::traced::{Kept, Recorded, mutex_of, rwlock_of};
#[cfg(feature = "parking_lot")]
use super::traced::{Wait, without_unwinding};
#[cfg(feature = "parking_lot")]
use crate::sync::condvar::tickets::Tickets;
use crate::{
    held::UNRECORDED,
    trace::{Labelled, sealed},
};
use ::lock_api::{RawMutex, RawRwLock};
use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

#[cfg(feature = "parking_lot")]
use trace_format::Mode;

/// The crate itself.
pub use ::lock_api as native;

/// A raw lock that records what is done with `R`.
///
/// Has the raw traits that `R` has, and is used in its place. A lock that was taken before recording began is not recorded until
/// it is taken again.
pub struct Traced<R> {
    recorded: Recorded,
    /// The hold of whoever has it alone, or upgradable. Written by its holder only.
    sole: AtomicU64,
    /// How many shared holds were recorded and not released.
    n_shared: AtomicU32,
    /// Whether any of them was ever recursive: whoever frees a shared lock does not say how it was taken.
    has_recursive: AtomicBool,
    native: R,
}

impl<R> Traced<R> {
    const fn new(native: R) -> Self {
        Self {
            recorded: Recorded::new(),
            sole: AtomicU64::new(UNRECORDED),
            n_shared: AtomicU32::new(0),
            has_recursive: AtomicBool::new(false),
            native,
        }
    }

    /// The lock is held alone, or upgradable.
    #[inline]
    fn keep(&self, kept: Kept) {
        // Relaxed: it is the holder's, and the lock orders one holder after the other.
        self.sole.store(kept, Relaxed);
    }

    /// The holder goes on in another way.
    #[inline]
    fn taken_up(&self) -> Kept {
        // Relaxed: see `keep`. What is read once is not read again: of a lock that is freed by force twice, one release is enough.
        let kept = self.sole.load(Relaxed);
        if kept != UNRECORDED {
            self.sole.store(UNRECORDED, Relaxed);
        }
        kept
    }

    /// One more holds it shared.
    #[inline]
    fn keep_shared(&self, kept: Kept) {
        if kept != UNRECORDED {
            // Relaxed: a count.
            self.n_shared.fetch_add(1, Relaxed);
        }
    }

    /// Records the release of one that holds it shared, if its acquire was.
    #[inline]
    fn release_shared(&self) {
        // Relaxed: a count. It is 0 if recording began after the acquire.
        if self.n_shared.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok() {
            // Relaxed: who took it recursively set it in this thread.
            drop(self.recorded.shared_hold(self.has_recursive.load(Relaxed)));
        }
    }
}

impl<R> fmt::Debug for Traced<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced").finish_non_exhaustive()
    }
}

#[cfg(feature = "parking_lot")]
impl<R: RawMutex> Traced<R> {
    /// Gives the mutex up, waits, and takes it again. Says which notify it was; `None` if the time was over first.
    ///
    /// # Safety
    ///
    /// The mutex is held by this thread.
    pub(crate) unsafe fn wait_for(&self, tickets: &Tickets, wait: Wait) -> Option<u64> {
        let hold = self.recorded.hold(Mode::Exclusive, self.taken_up());
        without_unwinding(|| {
            // SAFETY: it is held, says the caller, and taken again below.
            let notify = tickets.wait(wait.operation, hold, wait.deadline, || unsafe { self.native.unlock() });
            self.relock(wait.site);
            notify
        })
    }
}

impl<R: RawMutex, T: ?Sized> sealed::Sealed for native::Mutex<Traced<R>, T> {}

impl<R: RawMutex, T: ?Sized> Labelled for native::Mutex<Traced<R>, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(mutex_of::<T>, text);
    }
}

impl<R: RawRwLock, T: ?Sized> sealed::Sealed for native::RwLock<Traced<R>, T> {}

impl<R: RawRwLock, T: ?Sized> Labelled for native::RwLock<Traced<R>, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(rwlock_of::<T>, text);
    }
}

impl<R: RawMutex, G: native::GetThreadId, T: ?Sized> sealed::Sealed for native::ReentrantMutex<Traced<R>, G, T> {}

impl<R: RawMutex, G: native::GetThreadId, T: ?Sized> Labelled for native::ReentrantMutex<Traced<R>, G, T> {
    fn label(&self, text: &str) {
        // SAFETY: nothing is locked or freed.
        unsafe { self.raw() }.recorded.label(mutex_of::<T>, text);
    }
}
