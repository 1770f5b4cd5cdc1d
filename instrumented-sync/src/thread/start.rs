//! What a thread's start and end record.

use crate::probe;
use trace_format::{Event, Flags, Kind, ObjectId};

/// A thread that is about to be started: its object id, announced by a FORK; 0 if it is not recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced {
    pub(super) object: u64,
}

/// Announces a thread. `scope` is the address of the scope that it belongs to.
pub(super) fn announce(site: probe::Site, scope: Option<u64>) -> Announced {
    if !probe::recording() {
        return Announced { object: 0 };
    }
    let object = probe::take_object();
    let Some(site) = probe::site(site).filter(|_| object != 0) else { return Announced { object: 0 } };
    let flags = Flags::SCOPED.when(scope.is_some());
    probe::append(Event::new(Kind::FORK, flags, site, ObjectId(object), scope.unwrap_or(0)));
    Announced { object }
}

impl Announced {
    /// Starts the thread by `native`. If that fails, or panics over the thread's name, the announcement is taken
    /// back.
    pub(super) fn starting<R>(self, native: impl FnOnce() -> std::io::Result<R>) -> std::io::Result<R> {
        let taken_back = TakenBack { announced: self };
        let started = native();
        if started.is_ok() {
            std::mem::forget(taken_back);
        }
        started
    }

    /// Runs a thread's closure on that thread, between its BEGIN and its `BODY_END`.
    pub(super) fn run<T>(self, f: impl FnOnce() -> T) -> T {
        if self.object == 0 {
            return f();
        }
        probe::begin_thread(self.object);
        let _recorded_when_dropped = Body { announced: self };
        f()
    }

    fn event(self, kind: Kind, flags: Flags) {
        if self.object != 0 {
            probe::append(Event::new(kind, flags, 0, ObjectId(self.object), 0));
        }
    }
}

/// Records that a thread was not started after all.
struct TakenBack {
    announced: Announced,
}

impl Drop for TakenBack {
    fn drop(&mut self) {
        self.announced.event(Kind::FORK_FAILED, Flags::NONE);
    }
}

/// Records the end of the closure, by return or by unwinding.
struct Body {
    announced: Announced,
}

impl Drop for Body {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        self.announced.event(Kind::BODY_END, Flags::PANICKING.when(panicking));
    }
}

/// Joins by `native`, which may block also when the thread's closure is over: its variables have destructors.
pub(super) fn join<R>(object: u64, site: probe::Site, native: impl FnOnce() -> R) -> R {
    let Some(site) = (object != 0).then(|| probe::site(site)).flatten() else { return native() };
    let join = Event::new(Kind::JOIN, Flags::NONE, site, ObjectId(object), 0);
    let waiting = probe::Waiting::begin_silent(join, 0);
    let result = native();
    waiting.end();
    probe::append(join);
    result
}
