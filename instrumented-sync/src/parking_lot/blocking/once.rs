//! `Once`.

use super::super::{OnceState, native};
use crate::{
    identity::Identity,
    probe,
    sync::attempt::Attempt,
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location};
use trace_format::{Flags, ObjectKind};

/// Drop-in for `parking_lot::Once`.
///
/// ```
/// use instrumented_sync::parking_lot::{Once, OnceState};
///
/// static START: Once = Once::new();
/// START.call_once(|| ());
/// assert_eq!(START.state(), OnceState::Done);
/// ```
pub struct Once {
    pub(super) identity: Identity,
    pub(super) native: native::Once,
}

impl Once {
    /// As `parking_lot::Once::new`.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self { identity: Identity::new(), native: native::Once::new() }
    }

    /// As `parking_lot::Once::state`.
    #[track_caller]
    pub fn state(&self) -> OnceState {
        let state = self.native.state();
        if state.done() {
            probe::used(&self.identity, class, Location::caller(), Flags::TRY);
        } else {
            probe::observed(&self.identity, class);
        }
        state
    }

    /// As `parking_lot::Once::call_once`.
    ///
    /// # Panics
    ///
    /// `f` panics, or an earlier one did: it is poisoned.
    #[track_caller]
    #[inline]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_done() {
            let attempt = Attempt::begin(&self.identity, class, Location::caller());
            self.native.call_once(|| attempt.run(Flags::NONE, f));
            attempt.end();
        }
    }

    /// As `parking_lot::Once::call_once_force`.
    ///
    /// # Panics
    ///
    /// `f` panics.
    #[track_caller]
    #[inline]
    pub fn call_once_force<F: FnOnce(OnceState)>(&self, f: F) {
        if !self.is_done() {
            let attempt = Attempt::begin(&self.identity, class, Location::caller());
            self.native.call_once_force(|state| {
                attempt.run(Flags::POISONED.when(state.poisoned()), || f(state));
            });
            attempt.end();
        }
    }

    #[track_caller]
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        let is_done = self.native.state().done();
        if is_done {
            probe::used(&self.identity, class, Location::caller(), Flags::NONE);
        }
        is_done
    }
}

pub(super) fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Once, "")
}

impl Default for Once {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
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
