//! Probes of a build that cannot record: the same names, and nothing behind them.
//!
//! An [`Operation`] can be recorded, so here there is none: the type has no values, and all that is done with one
//! is no code.

use crate::held::Hold;
use std::panic::Location;

pub(crate) type Site = &'static Location<'static>;

pub(crate) type Class = fn() -> (ObjectKind, &'static str);

#[derive(Clone, Copy)]
pub(crate) enum ObjectKind {
    RwLock,
    Semaphore,
    Latch,
    ReentrantMutex,
    Cell,
}

#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Exclusive,
    Shared,
    Upgradable,
    SharedRecursive,
}

impl Mode {
    pub(crate) const fn flags(self) -> Flags {
        Flags(self as u8)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Flags(pub(crate) u8);

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const READ: Self = Self(1 << 3);
    pub(crate) const WROTE: Self = Self(1 << 4);
    pub(crate) const TRY: Self = Self(1 << 3);
    pub(crate) const JOINT: Self = Self(1 << 5);
    pub(crate) const TIMED: Self = Self(1 << 7);
    pub(crate) const LATE: Self = Self(1 << 7);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Nobody asks which object this is.
#[derive(Debug)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) const fn known_object(&self) -> u64 {
        let Self = self;
        0
    }

    pub(crate) const fn next_number(&self) -> u64 {
        let Self = self;
        0
    }
}

/// Nobody asks which cell this is.
#[derive(Debug)]
pub(crate) struct Unnumbered;

impl Unnumbered {
    pub(crate) const fn new() -> Self {
        Self
    }
}

pub(crate) mod access {
    use super::{Class, Site, Unnumbered};

    pub(crate) const fn read(_: &Unnumbered, _: Class, _: Site) {}

    pub(crate) const fn write(_: &Unnumbered, _: Class, _: Site) {}

    pub(crate) fn label(_: &Unnumbered, _: Class, _: &str) {}

    #[derive(Clone, Copy)]
    pub(crate) enum Mark {
        Read,
        Write,
        Free,
    }

    pub(crate) const fn marked(_: Mark, _: *const u8, _: usize, _: Site) {}
}

pub(crate) fn label(_: &Identity, _: Class, _: &str) {}

pub(crate) fn release(_: u64, _: Flags, _: u64) {}

pub(crate) fn release_at(_: u32, _: u64, _: Flags, _: u64) {}

pub(crate) fn observed(_: &Identity, _: Class) {}

pub(crate) const fn holds_newer(_: u64) -> bool {
    false
}

#[derive(Clone, Copy)]
pub(crate) struct Acquire<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) site: Site,
}

impl<'a> Acquire<'a> {
    pub(crate) fn obtaining<N>(
        self,
        _: Flags,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> Option<N>,
    ) -> Option<(Hold<'a>, N)> {
        try_lock().or_else(lock).map(|native| (self.unrecorded(), native))
    }

    pub(crate) fn trying_to_obtain<N>(self, try_lock: impl FnOnce() -> Option<N>) -> Option<(Hold<'a>, N)> {
        try_lock().map(|native| (self.unrecorded(), native))
    }

    fn unrecorded(self) -> Hold<'a> {
        let Self { identity, class: _, mode, site: _ } = self;
        Hold::unrecorded(identity, mode)
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Operation {}

#[derive(Clone, Copy)]
pub(crate) enum Waiting {}

impl Waiting {
    pub(crate) fn end(self) {
        match self {}
    }
}

impl Operation {
    pub(crate) fn on(_: &Identity, _: Class, _: usize, _: Site) -> Option<Self> {
        None
    }

    pub(crate) fn change(_: &Hold<'_>, _: Site) -> Option<Self> {
        None
    }

    pub(crate) fn label(self, _: &str) {
        match self {}
    }

    pub(crate) fn n_holds(self) -> usize {
        match self {}
    }

    pub(crate) fn acquired(self, _: usize, _: Flags) {
        match self {}
    }

    pub(crate) fn released(self, _: usize) {
        match self {}
    }

    pub(crate) fn waits(self, _: u64, _: bool) -> Waiting {
        match self {}
    }

    pub(crate) fn woken(self, _: u64, _: Flags) {
        match self {}
    }

    pub(crate) fn timed_out(self) {
        match self {}
    }

    pub(crate) fn notifies(self, _: u64, _: usize) {
        match self {}
    }

    pub(crate) fn opens(self, _: u64) {
        match self {}
    }

    pub(crate) fn arrives(self, _: u64) {
        match self {}
    }

    pub(crate) fn waits_for_upgrade(self) -> Waiting {
        match self {}
    }

    pub(crate) fn upgraded(self, _: &mut Hold<'_>) {
        match self {}
    }

    pub(crate) fn downgrades(self, _: Mode, _: &mut Hold<'_>) {
        match self {}
    }
}
