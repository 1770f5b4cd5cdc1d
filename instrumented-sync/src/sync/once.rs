//! `Once`.

use super::{attempt::Attempt, completion::Completion};
use crate::{
    identity::Identity,
    native, probe,
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location, sync::OnceState};
use trace_format::{Flags, ObjectKind};

/// Drop-in for [`std::sync::Once`].
///
/// Whoever initialises holds it exclusively in the trace.
///
/// ```
/// use instrumented_sync::Once;
///
/// static START: Once = Once::new();
/// let mut n_runs = 0;
/// START.call_once(|| n_runs += 1);
/// START.call_once(|| n_runs += 1);
/// assert!(START.is_completed() && n_runs == 1);
/// ```
pub struct Once {
    identity: Identity,
    completion: Completion,
    native: native::Once,
}

impl Once {
    /// As [`std::sync::Once::new`].
    #[must_use]
    #[track_caller]
    #[inline]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), completion: Completion::new(), native: native::Once::new() }
    }

    /// As [`std::sync::Once::call_once`].
    ///
    /// # Panics
    ///
    /// `f` panics, or an earlier one did: the `Once` is poisoned.
    #[track_caller]
    #[inline]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_done(Flags::NONE) {
            // Not through a closure: a poisoned `Once` panics at the caller's place.
            let attempt = self.attempt(Location::caller());
            self.native.call_once(|| attempt.run(Flags::NONE, || self.completion.attempt(f)));
            self.completion.complete();
            attempt.end();
        }
    }

    /// As [`std::sync::Once::call_once_force`].
    ///
    /// # Panics
    ///
    /// `f` panics.
    #[track_caller]
    #[inline]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.is_done(Flags::NONE) {
            let attempt = self.attempt(Location::caller());
            self.native.call_once_force(|state| {
                let flags = Flags::POISONED.when(state.is_poisoned());
                attempt.run(flags, || self.completion.attempt(|| f(state)));
            });
            self.completion.complete();
            attempt.end();
        }
    }

    /// As [`std::sync::Once::is_completed`].
    #[track_caller]
    #[inline]
    pub fn is_completed(&self) -> bool {
        let is_completed = self.is_done(Flags::TRY);
        if !is_completed {
            probe::observed(&self.identity, class);
        }
        is_completed
    }

    /// As [`Self::is_completed`], for what goes on in another way than by finding out that it is not: with `flags`
    /// [`Flags::NONE`] by waiting.
    #[track_caller]
    #[inline]
    fn is_done(&self, flags: Flags) -> bool {
        let is_done = self.native.is_completed();
        if is_done {
            probe::used(&self.identity, class, Location::caller(), flags);
        }
        is_done
    }

    /// As `std::sync::Once::wait`.
    ///
    /// # Panics
    ///
    /// An attempt to initialise has panicked: the `Once` is poisoned.
    #[track_caller]
    pub fn wait(&self) {
        if !self.is_done(Flags::NONE) && !self.await_completion(true, Location::caller()) {
            poisoned();
        }
    }

    /// As `std::sync::Once::wait_force`.
    #[track_caller]
    pub fn wait_force(&self) {
        if !self.is_done(Flags::NONE) {
            self.await_completion(false, Location::caller());
        }
    }

    fn await_completion(&self, poison_ends_it: bool, site: probe::Site) -> bool {
        let attempt = self.attempt(site);
        let is_completed = self.completion.wait(|| self.native.is_completed(), poison_ends_it);
        if is_completed {
            attempt.end();
        }
        is_completed
    }

    #[cold]
    fn attempt(&self, site: probe::Site) -> Attempt<'_> {
        Attempt::begin(&self.identity, class, site)
    }
}

/// As [`std::sync::ONCE_INIT`].
#[deprecated(since = "1.38.0", note = "the `Once::new()` function is now preferred")]
#[expect(clippy::declare_interior_mutable_const, reason = "as std's: what it initialises is interior mutable")]
pub const ONCE_INIT: Once = Once::new();

#[cold]
#[track_caller]
#[expect(clippy::panic, reason = "as std's")]
fn poisoned() -> ! {
    panic!("Once instance has previously been poisoned")
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Once, "")
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}

impl sealed::Sealed for Once {}

impl Labelled for Once {
    fn label(&self, text: &str) {
        probe::label(&self.identity, class, text);
    }
}
