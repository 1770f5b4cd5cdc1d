//! `RawCondvar`.

use super::super::{RawMutex, lock_api};
use crate::{
    backend::Wait,
    identity::Identity,
    probe::{self, Site},
    sync::{condvar::tickets::Tickets, deadline::Deadline},
    trace::{Labelled, sealed},
};
use std::{
    fmt,
    panic::Location,
    time::{Duration, Instant},
};
use trace_format::{Flags, ObjectKind};

type Guard = <RawMutex as lock_api::RawMutex>::Guard;

/// As `parking_lot::RawCondvar`: the raw condition variable of [`Condvar`](super::super::Condvar). Waits do not end for no reason.
pub struct RawCondvar {
    identity: Identity,
    tickets: Tickets,
}

impl RawCondvar {
    /// Waits; false if the time was over first.
    ///
    /// # Safety
    ///
    /// The mutex is held by this thread, with this guard.
    unsafe fn wait_within(&self, mutex: &RawMutex, guard: &mut Guard, deadline: Deadline, site: Site) -> bool {
        let operation = probe::operation_if_recording(&self.identity, class, site);
        // SAFETY: the caller holds it, with that.
        unsafe { mutex.wait_for(guard, &self.tickets, Wait { operation, deadline, site }) }.is_some()
    }
}

// SAFETY: a thread has its place in the queue before the mutex is freed, and takes the mutex again before it returns.
unsafe impl lock_api::RawCondvar for RawCondvar {
    const INIT: Self = Self { identity: Identity::unplaced(), tickets: Tickets::new() };

    type RawMutex = RawMutex;

    #[track_caller]
    unsafe fn wait(&self, mutex: &RawMutex, guard: &mut Guard) {
        // SAFETY: the caller holds it.
        unsafe { self.wait_within(mutex, guard, Deadline::NEVER, Location::caller()) };
    }

    #[track_caller]
    fn notify_one(&self) -> bool {
        let operation = probe::operation_if_recording(&self.identity, class, Location::caller());
        self.tickets.notify(operation, Flags::NONE) > 0
    }

    #[track_caller]
    fn notify_all(&self) -> usize {
        let operation = probe::operation_if_recording(&self.identity, class, Location::caller());
        self.tickets.notify(operation, Flags::ALL)
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawCondvarTimed for RawCondvar {
    fn checked_duration_to_instant(timeout: &Duration) -> Option<Instant> {
        Instant::now().checked_add(*timeout)
    }

    #[track_caller]
    unsafe fn wait_until(&self, mutex: &RawMutex, guard: &mut Guard, timeout: &Instant) -> bool {
        // SAFETY: the caller holds it.
        unsafe { !self.wait_within(mutex, guard, Deadline::at(*timeout), Location::caller()) }
    }

    #[track_caller]
    unsafe fn wait_for(&self, mutex: &RawMutex, guard: &mut Guard, timeout: &Duration) -> bool {
        // SAFETY: the caller holds it.
        unsafe { !self.wait_within(mutex, guard, Deadline::after(*timeout), Location::caller()) }
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Condvar, "")
}

impl fmt::Debug for RawCondvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCondvar").finish_non_exhaustive()
    }
}

impl sealed::Sealed for lock_api::Condvar<RawCondvar> {}

impl Labelled for lock_api::Condvar<RawCondvar> {
    fn label(&self, text: &str) {
        probe::label(&self.raw().identity, class, text);
    }
}
