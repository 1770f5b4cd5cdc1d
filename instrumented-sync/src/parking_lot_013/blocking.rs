//! What blocks and is no mutex.

mod condvar;
#[allow(clippy::duplicate_mod, reason = "the same text, of another version of the crate")]
#[path = "../parking_lot/blocking/once.rs"]
mod once;

use super::native;
use crate::{backend::lock_api_05::Traced, identity::Identity, sync::attempt::Attempt};
use std::panic::Location;

pub use self::{condvar::RawCondvar, once::Once};

/// As `parking_lot::RawRwLock`.
pub type RawRwLock = Traced<native::RawRwLock, false>;
/// As `parking_lot::RawRwLockRecursive`.
pub type RawRwLockRecursive = Traced<native::RawRwLockRecursive, true>;

impl Once {
    /// As `parking_lot::Once::new_completed`.
    #[must_use]
    #[track_caller]
    pub const fn new_completed() -> Self {
        Self { identity: Identity::new(), native: native::Once::new_completed() }
    }

    /// As `parking_lot::Once::is_completed`.
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        self.state().done()
    }

    /// As `parking_lot::Once::wait`.
    ///
    /// # Panics
    ///
    /// An attempt to initialise has panicked: it is poisoned.
    #[track_caller]
    pub fn wait(&self) {
        self.await_completion(native::Once::wait);
    }

    /// As `parking_lot::Once::wait_force`.
    #[track_caller]
    pub fn wait_force(&self) {
        self.await_completion(native::Once::wait_force);
    }

    #[track_caller]
    fn await_completion(&self, wait: impl FnOnce(&native::Once)) {
        if !self.is_done() {
            let attempt = Attempt::begin(&self.identity, once::class, Location::caller());
            wait(&self.native);
            attempt.end();
        }
    }
}
