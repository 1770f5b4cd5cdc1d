//! The guard of every wrapper: a hold and the native guard.

use crate::probe::{self, Flags, Identity, Mode};
use std::{
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

/// Something held: the guard type behind [`MutexGuard`](crate::MutexGuard), and the read and write guards.
///
/// Behaves as std's guard does. The fields drop in order: the release is recorded, then the lock is freed;
/// the other way round another thread's acquire could be recorded before this release.
#[must_use = "if unused the lock is released immediately"]
pub struct Held<'a, G> {
    hold: Hold<'a>,
    guard: G,
}

impl<'a, G> Held<'a, G> {
    pub(crate) const fn new(hold: Hold<'a>, guard: G) -> Self {
        Self { hold, guard }
    }

    pub(crate) fn into_parts(self) -> (Hold<'a>, G) {
        (self.hold, self.guard)
    }

    /// The object that is held, if that was recorded.
    pub(crate) fn recorded_object(&self) -> Option<u64> {
        self.hold.is_recorded().then(|| self.hold.identity().known_object())
    }

    /// Whether the data was borrowed mutably through this guard.
    pub(crate) fn has_written(&mut self) -> bool {
        *self.hold.flags.get_mut() & Flags::WROTE.0 != 0
    }
}

impl<G: Deref> Deref for Held<'_, G> {
    type Target = G::Target;

    #[inline]
    fn deref(&self) -> &G::Target {
        self.hold.touch(Flags::READ);
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<'_, G> {
    #[inline]
    fn deref_mut(&mut self) -> &mut G::Target {
        self.hold.touch_mut(Flags::WROTE);
        &mut self.guard
    }
}

impl<G: fmt::Debug> fmt::Debug for Held<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is shown is read.
        self.hold.touch(Flags::READ);
        self.guard.fmt(f)
    }
}

impl<G: fmt::Display> fmt::Display for Held<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is shown is read.
        self.hold.touch(Flags::READ);
        self.guard.fmt(f)
    }
}

/// The recorded side of a guard: dropping it records the release.
pub(crate) struct Hold<'a> {
    identity: &'a Identity,
    /// Number of the acquire; [`UNRECORDED`] if there is nothing to release.
    seq: u64,
    /// Mode, and what was done to the data so far: the [`Flags`] of the RELEASE.
    flags: AtomicU8,
}

/// Where flags keep the mode.
const MODE: u8 = 7;

/// Larger than every number of an acquire: of a hold that was not recorded, and of which no release will be.
pub(crate) const UNRECORDED: u64 = u64::MAX;

impl<'a> Hold<'a> {
    /// A hold whose acquire was recorded.
    #[inline]
    pub(crate) const fn recorded(identity: &'a Identity, mode: Mode, seq: u64) -> Self {
        Self { identity, seq, flags: AtomicU8::new(mode.flags().0) }
    }

    /// A hold whose acquire was not recorded; its release will not be either.
    #[inline]
    pub(crate) const fn unrecorded(identity: &'a Identity, mode: Mode) -> Self {
        Self { identity, seq: UNRECORDED, flags: AtomicU8::new(mode.flags().0) }
    }

    pub(crate) const fn identity(&self) -> &'a Identity {
        self.identity
    }

    pub(crate) const fn is_recorded(&self) -> bool {
        self.seq != UNRECORDED
    }

    /// The acquire's number, for a primitive that keeps it itself until it is released; see [`Self::taken_up`].
    pub(crate) fn set_aside(self) -> u64 {
        ManuallyDrop::new(self).seq
    }

    /// The hold whose number was set aside.
    pub(crate) fn taken_up(identity: &'a Identity, mode: Mode, seq: u64, touched: Flags) -> Self {
        Self { identity, seq, flags: AtomicU8::new(mode.flags().with(touched).0) }
    }

    /// The hold goes on in another mode, and under the number of that change.
    pub(crate) fn change(&mut self, mode: Mode, seq: u64) {
        let flags = self.flags.get_mut();
        *flags = (*flags & !MODE) | mode.flags().0;
        self.seq = seq;
    }

    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// Records the release with further flags, now instead of when dropped, at a site that is known, unless it is 0.
    pub(crate) fn release_with(self, flags: Flags, site: u32) {
        let mut hold = ManuallyDrop::new(self);
        if hold.is_recorded() {
            let flags = Flags(*hold.flags.get_mut()).with(flags);
            probe::release_at(site, hold.identity.known_object(), flags, hold.seq);
        }
    }

    #[inline]
    fn touch(&self, flag: Flags) {
        // Relaxed: a byte of this guard; threads that share the guard all set this bit, so no store loses it. Which of
        // them says LATE is chance; who reads the trace does not trust it where a thread was started meanwhile. The
        // test keeps the line clean for those who share it.
        let flags = self.flags.load(Relaxed);
        if flags & flag.0 == 0 {
            self.flags.store(flags | flag.0 | self.late(flags), Relaxed);
        }
    }

    #[inline]
    fn touch_mut(&mut self, flag: Flags) {
        let flags = *self.flags.get_mut();
        if flags & flag.0 == 0 {
            *self.flags.get_mut() = flags | flag.0 | self.late(flags);
        }
    }

    /// [`Flags::LATE`], if this is the first touch and the thread has gone on to acquire something else before it.
    #[inline]
    fn late(&self, flags: u8) -> u8 {
        const TOUCHED: u8 = Flags::READ.with(Flags::WROTE).0;
        if flags & TOUCHED == 0 && self.is_recorded() && probe::holds_newer(self.identity.known_object()) {
            Flags::LATE.0
        } else {
            0
        }
    }
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_recorded() {
            probe::release(self.identity.known_object(), Flags(*self.flags.get_mut()), self.seq);
        }
    }
}
