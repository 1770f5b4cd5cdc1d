//! `current`, `park`, `park_timeout`, `park_timeout_ms`.
//!
//! A thread is the object that it parks on: parking is a WAIT and a WAKE, unparking a NOTIFY.

use super::handle::Thread;
use crate::{
    native,
    probe::{self, Waiting},
};
use std::{
    cell::{Cell, OnceCell},
    panic::Location,
    time::Duration,
};
use trace_format::{Event, Flags, Kind, ObjectId};

thread_local! {
    static CURRENT: OnceCell<Thread> = const { OnceCell::new() };
    /// Number of the latest unpark that ended a park of this thread.
    static CONSUMED: Cell<u64> = const { Cell::new(0) };
}

impl Thread {
    /// Makes this the handle that [`current`] gives; called on the thread that was just started.
    pub(super) fn make_current(self) {
        self.set_native(&native::thread::current());
        // A new thread has no handle yet, and its variables are not yet destroyed.
        let _set = CURRENT.try_with(|current| current.set(self));
    }
}

/// As [`std::thread::current`].
#[must_use]
pub fn current() -> Thread {
    let thread = CURRENT.try_with(|current| current.get_or_init(Thread::foreign).clone());
    // In a destructor that runs after that of `CURRENT`, a handle of its own works as well.
    let thread = thread.unwrap_or_else(|_| Thread::foreign());
    if probe::recording() {
        // Not only if it has none: in a forked child it has that of the parent's thread.
        let object = probe::this_thread();
        if thread.object() != object {
            thread.set_object(object);
        }
    }
    thread
}

/// As [`std::thread::park`].
#[track_caller]
pub fn park() {
    recorded(Location::caller(), Flags::NONE, native::thread::park);
}

/// As [`std::thread::park_timeout`].
#[track_caller]
pub fn park_timeout(dur: Duration) {
    recorded(Location::caller(), Flags::TIMED, || native::thread::park_timeout(dur));
}

/// As [`std::thread::park_timeout_ms`].
#[deprecated(since = "1.6.0", note = "replaced by `park_timeout`")]
#[track_caller]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(u64::from(ms)));
}

fn recorded(site: probe::Site, flags: Flags, park: impl FnOnce()) {
    let Some(site) = probe::recording().then(|| probe::site(site)).flatten() else { return park() };
    let thread = current();
    let object = ObjectId(thread.object());
    let waiting = Waiting::begin(Event::new(Kind::WAIT, flags, site, object, 0), 0);
    park();
    waiting.end();
    let n_unparks = thread.n_unparks();
    // Without a new unpark the wake-up was spurious, or the time was over.
    let notify = if CONSUMED.replace(n_unparks) == n_unparks { 0 } else { n_unparks };
    probe::append(Event::new(Kind::WAKE, flags, site, object, notify));
}
