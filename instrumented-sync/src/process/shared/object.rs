//! What all that lies in a region has in common.

use super::{
    owner::{self, Watch},
    protocol::Word,
    region::{Found, Lies, Region, Wanted},
};
use crate::probe::{self, Class, Identity, Mode, Place, Site};
use std::{
    io,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};

/// What may lie in memory that processes share: any bytes are a value, all bytes are of the value, and it is nobody's. Implemented for all
/// that is so.
pub trait Shareable: zerocopy::FromBytes + zerocopy::IntoBytes + Send + 'static {}

impl<T: zerocopy::FromBytes + zerocopy::IntoBytes + Send + 'static> Shareable for T {}

/// An object of a region, as this process has it.
pub(super) struct Object<M> {
    identity: Identity,
    region: Region,
    found: Found,
    name: Box<str>,
    /// Stands for the pointer that is made of the two above.
    memory: PhantomData<*const M>,
}

// SAFETY: it lends `&M` only; the rest is plain data.
unsafe impl<M: Sync> Send for Object<M> {}
// SAFETY: as above.
unsafe impl<M: Sync> Sync for Object<M> {}

impl<M> Object<M> {
    /// Opens what guards a `T`, or makes it: `begin` gets the memory, which is zero but for what it writes, before anybody else can find it. All of `M` but
    /// what `begin` writes is valid as zeros.
    #[track_caller]
    pub(super) fn open<T>(region: &Region, name: &str, kind: Lies, begin: impl FnOnce(&M)) -> io::Result<Self> {
        let identity = Identity::new();
        const { assert!(align_of::<M>() <= 64, "objects lie at multiples of 64") };
        let wanted = Wanted { kind, size: size_of::<M>(), guards: (size_of::<T>(), align_of::<T>()), name };
        let found = region.open(&wanted, |found| {
            let memory = region.at_offset(*found, size_of::<M>()).cast::<M>();
            // SAFETY: `open` found room for an `M` there, at a multiple of 64; it is zero, which is valid for all that is in an `M` beside
            // its data, and that is valid as any bytes.
            begin(unsafe { &*memory });
        })?;
        Ok(Self { identity, region: region.clone(), found, name: name.into(), memory: PhantomData })
    }

    pub(super) fn memory(&self) -> &M {
        // SAFETY: as in `open`, which has compared kind and size; the region is mapped as long as `self` lives. All of an `M` is atomic, or
        // in a cell.
        unsafe { &*self.region.at_offset(self.found, size_of::<M>()).cast::<M>() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Finds out about owners, for a wait, or, `at_once`, for who does not wait.
    pub(super) fn watch(&self, at_once: bool) -> Watch<'_> {
        Watch::new(self.region.shown_as(), at_once)
    }

    /// The identity, which all probes have to get from here.
    pub(super) fn identity(&self, class: Class, capacity: Option<u64>) -> &Identity {
        let place = Place {
            device: self.region.device(),
            inode: self.region.inode(),
            offset: self.found.offset as u64,
            birth: self.found.birth,
        };
        if self.identity.known_object() == 0 && probe::recording() {
            probe::in_shared_memory(&self.identity, class, &place, capacity);
            // It has a name. Two threads may both come here, and say it twice.
            probe::label(&self.identity, class, &self.name);
        }
        &self.identity
    }

    /// Records that this thread takes the place of an owner that is dead; `version` is where acquires are numbered, if they are.
    pub(super) fn died(&self, class: Class, mode: Mode, version: Option<&AtomicU64>, dead: u64, site: Site) {
        let of = (owner::tid(dead), owner::start(dead));
        probe::owner_died(self.identity(class, None), class, mode, version, of, site);
    }
}

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        // Acquire: what came before the store, of whatever process.
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        // Release: pairs with `load` and `exchange`.
        self.store(value, Ordering::Release);
    }

    fn exchange(&self, current: u64, new: u64) -> bool {
        // AcqRel: takes and gives; Relaxed if it does neither.
        self.compare_exchange(current, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
