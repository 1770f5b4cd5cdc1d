//! What the start and the end of a child process record.

use crate::{
    native::process,
    probe::{self, Identity, ObjectKind, Site, Waiting},
};
use std::{io, os::unix::process::ExitStatusExt, panic::Location};
use trace_format::{Event, Flags, Kind, ObjectId};

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Process, "")
}

/// Starts a child process by `start`. It is announced before, as threads are: whatever it does comes after that.
pub(super) fn starting(
    identity: &Identity,
    site: Site,
    start: impl FnOnce() -> io::Result<process::Child>,
) -> io::Result<process::Child> {
    let announced = announce(identity, site);
    let started = start();
    if let Some(object) = announced {
        match &started {
            Ok(child) => describe(identity, child),
            Err(_) => probe::append(Event::new(Kind::FORK_FAILED, Flags::NONE, 0, object, 0)),
        }
    }
    started
}

fn announce(identity: &Identity, site: Site) -> Option<ObjectId> {
    if !probe::recording() {
        return None;
    }
    let (object, site) = probe::operation(identity, class, site)?;
    probe::append(Event::new(Kind::PROCESS_SPAWN, Flags::NONE, site, object, 0));
    Some(object)
}

/// Says which process the child is. Its id is its own, and its start known to the system, until it is waited for.
fn describe(identity: &Identity, child: &process::Child) {
    probe::child(identity, class, child.id(), probe::process_start(child.id()));
}

/// Object and site of an operation on a child that has not been waited for, `None` if it is not or cannot be recorded.
fn operation(identity: &Identity, child: &process::Child, site: Site) -> Option<(ObjectId, u32)> {
    if !probe::recording() {
        return None;
    }
    describe_late(identity, child);
    probe::operation(identity, class, site)
}

/// Describes a child that was started before recording began, at the first that is recorded of it.
fn describe_late(identity: &Identity, child: &process::Child) {
    if identity.known_object() == 0 {
        describe(identity, child);
    }
}

/// Names a child, which may have `ended`: then its id may be another's.
pub(super) fn label(identity: &Identity, child: &process::Child, ended: bool, text: &str) {
    if !ended {
        describe_late(identity, child);
    }
    probe::label(identity, class, text);
}

/// A signal that ends the child is about to be sent.
pub(super) fn kills(identity: &Identity, child: &process::Child, site: Site) {
    if let Some((object, site)) = operation(identity, child, site) {
        probe::append(Event::new(Kind::PROCESS_KILL, Flags::NONE, site, object, 0));
    }
}

/// Another program is about to take the place of this one.
pub(super) fn executes(site: &'static Location<'static>) {
    if probe::recording() {
        if let Some(site) = probe::site(site) {
            probe::append(Event::new(Kind::EXEC, Flags::NONE, site, ObjectId::NONE, 0));
        }
    }
}

/// Asks whether the child, whose end is not known yet, has ended.
pub(super) fn asking(
    identity: &Identity,
    child: &mut process::Child,
    site: Site,
) -> io::Result<Option<process::ExitStatus>> {
    if !probe::recording() {
        return child.try_wait();
    }
    // Before its id may be another's.
    describe_late(identity, child);
    let status = child.try_wait()?;
    match status {
        None => probe::observed(identity, class),
        Some(status) => {
            if let Some((object, site)) = probe::operation(identity, class, site) {
                ended(Event::new(Kind::PROCESS_WAIT, Flags::TRY, site, object, 0), status);
            }
        }
    }
    Ok(status)
}

/// This thread knows that the child has ended, and how.
fn ended(wait: Event, status: process::ExitStatus) {
    let status = u64::try_from(status.into_raw()).unwrap_or(0);
    probe::append_extended(wait, Event::new(Kind::CHILD_EXIT, Flags::NONE, 0, wait.object(), status));
}

/// A wait for the end of a child, which is published while the child runs: until this is dropped, at most.
pub(super) struct Awaited {
    wait: Event,
    waiting: Option<Waiting>,
}

impl Awaited {
    /// `None` if the wait is not or cannot be recorded. std has closed the child's standard input by then, and so must
    /// the caller have.
    pub(super) fn begin(identity: &Identity, child: &mut process::Child, site: Site) -> Option<Self> {
        let (object, site) = operation(identity, child, site)?;
        let wait = Event::new(Kind::PROCESS_WAIT, Flags::NONE, site, object, 0);
        let runs = matches!(child.try_wait(), Ok(None));
        Some(Self { wait, waiting: runs.then(|| Waiting::begin_silent(wait, 0)) })
    }

    /// The child has ended.
    pub(super) fn end(mut self, status: process::ExitStatus) {
        self.stop();
        ended(self.wait, status);
    }

    fn stop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.end();
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.stop();
    }
}
