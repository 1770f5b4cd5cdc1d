//! What is recorded of a resource.

use super::{Mode, Resource};
use crate::{
    identity::Identity,
    probe::{self, Site, Waiting},
    trace::{Labelled, sealed},
};
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, ObjectKind, PAYLOAD_MAX};

pub(super) use crate::held::Hold;

pub(super) struct Object {
    identity: Identity,
    /// Apart from the identity's number, which is that of exclusive acquires and has no holes.
    n_notifies: AtomicU64,
    name: &'static str,
}

#[derive(Clone, Copy)]
struct Operation {
    object: ObjectId,
    site: u32,
}

impl Operation {
    fn event(self, kind: Kind, flags: Flags, number: u64) -> Event {
        Event::new(kind, flags, self.site, self.object, number)
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Resource, "")
}

impl Mode {
    const fn recorded(self) -> trace_format::Mode {
        match self {
            Self::Exclusive => trace_format::Mode::Exclusive,
            Self::Shared => trace_format::Mode::Shared,
        }
    }
}

impl Object {
    #[track_caller]
    pub(super) const fn new(name: &'static str) -> Self {
        Self { identity: Identity::new(), n_notifies: AtomicU64::new(0), name }
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        if !probe::recording() {
            return None;
        }
        if self.identity.known_object() == 0 {
            // Two threads may both come here, and give it the same name twice.
            probe::label(&self.identity, class, self.name);
        }
        let (object, site) = probe::operation(&self.identity, class, site)?;
        Some(Operation { object, site })
    }

    pub(super) fn request(&self, mode: Mode, site: Site) -> Option<Requested> {
        let operation = self.operation(site)?;
        let waiting = Waiting::begin(operation.event(Kind::REQUEST, mode.recorded().flags(), 0), 0);
        Some(Requested { operation, mode, waiting })
    }

    /// The resource is held; `requested` if the thread had to wait for it.
    pub(super) fn acquire(&self, mode: Mode, requested: Option<Requested>, site: Site) -> Hold<'_> {
        let mut flags = mode.recorded().flags();
        let operation = match requested {
            Some(requested) => {
                requested.waiting.end();
                flags = flags.with(Flags::CONTENDED);
                Some(requested.operation)
            }
            None => self.operation(site),
        };
        let Some(Operation { object, site }) = operation else {
            return Hold::unrecorded(&self.identity, mode.recorded());
        };
        probe::acquired_already(&self.identity, mode.recorded(), Event::new(Kind::ACQUIRE, flags, site, object, 0))
    }

    pub(super) fn wait(&self, is_timed: bool, site: Site) -> Option<Waited<'_>> {
        let operation = self.operation(site)?;
        let flags = Flags::TIMED.when(is_timed);
        let waiting = Waiting::begin(operation.event(Kind::WAIT, flags, 0), 0);
        Some(Waited { operation, waiting, flags, of: PhantomData })
    }

    pub(super) fn notify(&self, n_woken: usize, site: Site) -> u64 {
        let Some(operation) = self.operation(site) else { return 0 };
        // Relaxed: all that matters is that numbers are unique.
        let number = (self.n_notifies.fetch_add(1, Ordering::Relaxed) + 1) & MESSAGE_MAX;
        let flags = Flags::ALL.when(n_woken > 1);
        let woken = Event::extend((n_woken as u64).min(PAYLOAD_MAX), 0);
        probe::append_extended(operation.event(Kind::NOTIFY, flags, number), woken);
        number
    }
}

/// A request that is published.
pub(super) struct Requested {
    operation: Operation,
    mode: Mode,
    waiting: Waiting,
}

impl Requested {
    pub(super) fn gave_up(self) {
        self.waiting.end();
        // A request that gives up is one for a time, as far as a reader is concerned.
        let flags = self.mode.recorded().flags().with(Flags::TIMED);
        probe::append(self.operation.event(Kind::ACQUIRE_FAILED, flags, 0));
    }
}

/// A wait that is published.
pub(super) struct Waited<'a> {
    operation: Operation,
    waiting: Waiting,
    /// Those of the WAIT.
    flags: Flags,
    of: PhantomData<&'a Object>,
}

impl Waited<'_> {
    pub(super) fn woke(self, number: u64) {
        self.waiting.end();
        let is_over = number == 0 && self.flags.has(Flags::TIMED);
        let flags = if is_over { self.flags.with(Flags::TIMED_OUT) } else { self.flags };
        probe::append(self.operation.event(Kind::WAKE, flags, number));
    }
}

impl sealed::Sealed for Resource {}

impl Labelled for Resource {
    fn label(&self, text: &str) {
        probe::label(&self.object.identity, class, text);
    }
}
