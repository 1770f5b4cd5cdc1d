//! `scope`.

use super::{builder::Builder, handle::Thread, start};
use crate::{
    native,
    probe::{self, Waiting},
};
use std::{fmt, panic::Location};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId};

/// Drop-in for [`std::thread::Scope`].
#[repr(transparent)]
pub struct Scope<'scope, 'env: 'scope> {
    native: native::thread::Scope<'scope, 'env>,
}

/// As [`std::thread::scope`].
///
/// # Panics
///
/// A thread of the scope that was not joined panicked.
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let site = Location::caller();
    let mut ending = Ending { address: 0, site: 0, waiting: None };
    let recorded = probe::recording();
    native::thread::scope(|native| {
        let scope = Scope::from_native(native);
        let _waits_when_dropped = recorded.then(|| {
            ending.address = scope.address();
            ending.site = probe::site(site).unwrap_or(0);
            WaitsWhenDropped { ending: &mut ending }
        });
        f(scope)
    })
}

/// Records the end of a scope when std's `scope` has returned or unwound.
struct Ending {
    address: u64,
    site: u32,
    waiting: Option<Waiting>,
}

/// Publishes that the scope waits for its threads, when its closure has returned or unwound.
struct WaitsWhenDropped<'a> {
    ending: &'a mut Ending,
}

impl Drop for WaitsWhenDropped<'_> {
    fn drop(&mut self) {
        let Ending { address, site, .. } = *self.ending;
        let wait = Event::new(Kind::SCOPE_END, Flags::NONE, site, ObjectId::NONE, address);
        self.ending.waiting = Some(Waiting::begin_silent(wait, 0));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.end();
            probe::append(Event::new(Kind::SCOPE_END, Flags::NONE, self.site, ObjectId::NONE, self.address));
        }
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// As [`std::thread::Scope::spawn`].
    ///
    /// # Panics
    ///
    /// The operating system cannot start a thread.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match Builder::new().spawn_scoped(self, f) {
            Ok(handle) => handle,
            #[expect(clippy::panic, reason = "std's panics too, with these words")]
            Err(error) => panic!("failed to spawn thread: {error:?}"),
        }
    }

    fn from_native<'a>(native: &'a native::thread::Scope<'scope, 'env>) -> &'a Self {
        // SAFETY: `Scope` is a transparent wrapper of std's, so a reference to the one is one to the other.
        unsafe { &*std::ptr::from_ref(native).cast::<Self>() }
    }

    pub(super) fn native(&'scope self) -> &'scope native::thread::Scope<'scope, 'env> {
        &self.native
    }

    /// Names the scope in events: no two scopes have one address at one time.
    pub(super) fn address(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64 & MESSAGE_MAX
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}

/// Drop-in for [`std::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    native: native::thread::ScopedJoinHandle<'scope, T>,
    thread: Thread,
}

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    pub(super) fn new(native: native::thread::ScopedJoinHandle<'scope, T>, thread: Thread) -> Self {
        thread.set_native(native.thread());
        Self { native, thread }
    }

    /// As [`std::thread::ScopedJoinHandle::thread`].
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// As [`std::thread::ScopedJoinHandle::join`].
    ///
    /// # Errors
    ///
    /// The thread panicked; the error is what it panicked with.
    #[track_caller]
    pub fn join(self) -> super::Result<T> {
        start::join(self.thread.object(), Location::caller(), || self.native.join())
    }

    /// As [`std::thread::ScopedJoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        probe::observed_while_recording(self.thread.object());
        self.native.is_finished()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}
