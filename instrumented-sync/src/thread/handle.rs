//! `JoinHandle` and `Thread`.

use super::{ThreadId, start};
use crate::{native, probe};
use std::{
    fmt,
    panic::Location,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use trace_format::{Event, Flags, Kind, ObjectId};

/// Drop-in for [`std::thread::JoinHandle`].
pub struct JoinHandle<T> {
    native: native::thread::JoinHandle<T>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(native: native::thread::JoinHandle<T>, thread: Thread) -> Self {
        thread.set_native(native.thread());
        Self { native, thread }
    }

    pub(super) fn native(&self) -> &native::thread::JoinHandle<T> {
        &self.native
    }

    pub(super) fn into_native(self) -> native::thread::JoinHandle<T> {
        self.native
    }

    /// As [`std::thread::JoinHandle::thread`].
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// As [`std::thread::JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// The thread panicked; the error is what it panicked with.
    #[track_caller]
    pub fn join(self) -> super::Result<T> {
        start::join(self.thread.object(), Location::caller(), || self.native.join())
    }

    /// As [`std::thread::JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        probe::observed_while_recording(self.thread.object());
        self.native.is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}

/// Drop-in for [`std::thread::Thread`].
#[derive(Clone)]
pub struct Thread {
    shared: Arc<Shared>,
}

struct Shared {
    native: OnceLock<native::thread::Thread>,
    /// Object id, 0 while the thread is not recorded.
    object: AtomicU64,
    /// How often it was unparked while recording: numbers its NOTIFY events.
    n_unparks: AtomicU64,
}

impl Thread {
    /// A thread that is about to be started.
    pub(super) fn announced(object: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                native: OnceLock::new(),
                object: AtomicU64::new(object),
                n_unparks: AtomicU64::new(0),
            }),
        }
    }

    /// The calling thread, which was not started through this crate.
    pub(super) fn foreign() -> Self {
        let thread = Self::announced(0);
        thread.set_native(&native::thread::current());
        thread
    }

    /// Says which of std's threads this is; parent and child both know, who comes first says it.
    pub(super) fn set_native(&self, native: &native::thread::Thread) {
        self.shared.native.get_or_init(|| native.clone());
    }

    fn native(&self) -> &native::thread::Thread {
        // Set before a handle gets out of this module's hands; what stands here keeps that from mattering.
        self.shared.native.get_or_init(native::thread::current)
    }

    pub(super) fn object(&self) -> u64 {
        // Relaxed: an id; the thread that it names sets it before others can get at the handle, or never.
        self.shared.object.load(Ordering::Relaxed)
    }

    pub(super) fn set_object(&self, object: u64) {
        // Relaxed: as in `object`.
        self.shared.object.store(object, Ordering::Relaxed);
    }

    pub(super) fn n_unparks(&self) -> u64 {
        // Acquire: pairs with the increment in `unpark`, so that a number seen is one whose NOTIFY is being made.
        self.shared.n_unparks.load(Ordering::Acquire)
    }

    /// As [`std::thread::Thread::unpark`].
    #[track_caller]
    pub fn unpark(&self) {
        let object = self.object();
        if object != 0 && probe::recording() {
            if let Some(site) = probe::site(Location::caller()) {
                // Release: pairs with the load in `n_unparks`.
                let number = self.shared.n_unparks.fetch_add(1, Ordering::Release) + 1;
                let notify = Event::new(Kind::NOTIFY, Flags::NONE, site, ObjectId(object), number);
                probe::append_extended(notify, Event::extend(1, 0));
            }
        }
        self.native().unpark();
    }

    /// As [`std::thread::Thread::id`].
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.native().id()
    }

    /// As [`std::thread::Thread::name`].
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.native().name()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native().fmt(f)
    }
}
