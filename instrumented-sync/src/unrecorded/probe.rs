//! Probes of a build that cannot record: the same names, and nothing behind them.
//!
//! An [`Operation`] can be recorded, so here there is none: the type has no values, and all that is done with one
//! is no code.

use crate::held::Hold;
use std::{panic::Location, sync::atomic::AtomicU64};

pub(crate) type Site = &'static Location<'static>;

pub(crate) type Class = fn() -> (ObjectKind, &'static str);

#[derive(Clone, Copy)]
pub(crate) enum ObjectKind {
    #[cfg(shared)]
    Mutex,
    RwLock,
    #[cfg(shared)]
    Condvar,
    #[cfg(shared)]
    Barrier,
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
    #[cfg(shared)]
    pub(crate) const POISONED: Self = Self(1 << 5);
    #[cfg(shared)]
    pub(crate) const REACQUIRE: Self = Self(1 << 6);
    #[cfg(shared)]
    pub(crate) const ALL: Self = Self(1 << 3);

    #[cfg(shared)]
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn when(self, is_so: bool) -> Self {
        if is_so { self } else { Self::NONE }
    }
}

/// Where in shared memory an object lies, which nobody asks either.
#[cfg(shared)]
pub(crate) struct Place {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
    pub(crate) birth: u64,
}

#[cfg(shared)]
pub(crate) const fn recording() -> bool {
    false
}

#[cfg(shared)]
pub(crate) const fn in_shared_memory<'a>(
    identity: &'a Identity,
    _: Class,
    Place { device: _, inode: _, offset: _, birth: _ }: &Place,
    _: Option<u64>,
) -> &'a Identity {
    identity
}

#[cfg(shared)]
pub(crate) const fn owner_died(_: &Identity, _: Class, _: Mode, _: Option<&AtomicU64>, _: (u32, u32), _: Site) {}

#[cfg(shared)]
pub(crate) const fn passed(_: &Identity, _: Class, _: u64, _: Site) {}

/// Nobody asks which object this is.
#[derive(Debug)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Nothing is numbered here.
    pub(crate) const fn version_word(&self) -> &AtomicU64 {
        static UNUSED: AtomicU64 = AtomicU64::new(0);
        let Self = self;
        &UNUSED
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

pub(crate) const fn role(_: &str) {}

pub(crate) fn release(_: u64, _: Flags, _: u64) {}

pub(crate) fn release_at(_: u32, _: u64, _: Flags, _: u64) {}

pub(crate) fn observed(_: &Identity, _: Class) {}

pub(crate) const fn holds_newer(_: u64) -> bool {
    false
}

#[derive(Clone, Copy)]
pub(crate) struct Acquire<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) version: &'a AtomicU64,
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

    #[cfg(shared)]
    pub(crate) fn obtaining_with<N>(
        self,
        flags: Flags,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> Option<N>,
        _: impl FnOnce() -> Flags,
    ) -> Option<(Hold<'a>, N)> {
        self.obtaining(flags, try_lock, lock)
    }

    #[cfg(shared)]
    pub(crate) fn trying_to_obtain_with<N>(
        self,
        try_lock: impl FnOnce() -> Option<N>,
        _: impl FnOnce() -> Flags,
    ) -> Option<(Hold<'a>, N)> {
        self.trying_to_obtain(try_lock)
    }

    fn unrecorded(self) -> Hold<'a> {
        let Self { identity, version: _, class: _, mode, site: _ } = self;
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

    #[cfg(shared)]
    pub(crate) fn waits_without(self, _: Hold<'_>, _: u64, _: bool) -> Waiting {
        match self {}
    }

    #[cfg(shared)]
    pub(crate) fn wakes(self, _: u64, _: bool, _: bool) {
        match self {}
    }

    #[cfg(shared)]
    pub(crate) fn notifies_tickets(self, _: u64, _: Flags, _: u64, _: u64) {
        match self {}
    }

    #[cfg(shared)]
    pub(crate) fn lets_all(self, _: u64, _: u64) {
        match self {}
    }

    pub(crate) fn waits_for_upgrade(self) -> Waiting {
        match self {}
    }

    pub(crate) fn upgraded(self, _: &mut Hold<'_>) {
        match self {}
    }

    pub(crate) fn downgrades(self, _: Mode, _: Mode, _: &mut Hold<'_>) {
        match self {}
    }
}
