//! What makes a primitive one object of the trace.

use crate::recorder::{
    entry, latch,
    table_abi::{Source, Text},
};
use std::{
    fmt,
    panic::Location,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, ObjectKind};

/// Identity of something whose operations nothing numbers: an object id, taken at the first recorded operation.
///
/// The only field of a wrapper with a destructor, and not generic: wrappers keep std's variance and drop check.
pub(crate) struct Unnumbered {
    object: AtomicU64,
    created_at: &'static Location<'static>,
}

/// Identity of a primitive: the same, and the number that orders operations on it.
pub(crate) struct Identity {
    unnumbered: Unnumbered,
    /// Number of the latest exclusive acquire, or of the latest notify or message.
    version: AtomicU64,
}

/// What an object is, as a function so that nothing is computed before it is needed.
pub(crate) type Class = fn() -> (ObjectKind, &'static str);

impl Unnumbered {
    #[track_caller]
    pub(crate) const fn new() -> Self {
        Self { object: AtomicU64::new(0), created_at: Location::caller() }
    }

    /// The object id; takes one if there is none. 0 if none can be had.
    #[inline]
    pub(crate) fn object(&self, class: Class) -> u64 {
        // Relaxed: an id is a number; what orders operations on the object is the object.
        match self.object.load(Relaxed) {
            0 => self.take_object(class, None),
            object => object,
        }
    }

    #[cold]
    fn take_object(&self, class: Class, capacity: Option<u64>) -> u64 {
        let taken = entry::take_object();
        // Relaxed: as in `object`. The thread that comes second uses the first one's id, its own is never used.
        if taken == 0 || self.object.compare_exchange(0, taken, Relaxed, Relaxed).is_err() {
            return self.object.load(Relaxed);
        }
        let (kind, type_name) = class();
        let class = entry::class(kind as u32, Text::of(type_name));
        let site = entry::bare_site(Source::of(self.created_at));
        let create = Event::new(Kind::CREATE, Flags::NONE, site, ObjectId(taken), u64::from(class));
        // Where it is: who can reach a static variable is another question than who can reach the heap.
        entry::append_pair(create.into(), Event::extend(0, std::ptr::from_ref(self) as u64).into());
        if let Some(capacity) = capacity {
            let capacity = capacity.min(MESSAGE_MAX);
            entry::append(Event::new(Kind::CAPACITY, Flags::NONE, site, ObjectId(taken), capacity).into());
        }
        taken
    }
}

impl Identity {
    #[track_caller]
    pub(crate) const fn new() -> Self {
        Self { unnumbered: Unnumbered::new(), version: AtomicU64::new(0) }
    }

    /// As [`Unnumbered::object`].
    #[inline]
    pub(crate) fn object(&self, class: Class) -> u64 {
        self.unnumbered.object(class)
    }

    /// As [`Self::object`], of what was made with a capacity: parties, counts, permits or room. The first of all
    /// operations on such an object has to come this way.
    #[inline]
    pub(crate) fn object_with_capacity(&self, class: Class, capacity: u64) -> u64 {
        match self.known_object() {
            0 => self.unnumbered.take_object(class, Some(capacity)),
            object => object,
        }
    }

    /// The object id, 0 if it has none yet.
    #[inline]
    pub(crate) fn known_object(&self) -> u64 {
        // Relaxed: as in `Unnumbered::object`.
        self.unnumbered.object.load(Relaxed)
    }

    /// Numbers an exclusive acquire; the caller holds the object exclusively.
    #[inline]
    pub(crate) fn next_version(&self) -> u64 {
        // Relaxed, and a load and a store: the object is held, so nobody else is here, and the lock itself
        // orders this holder after the last.
        let version = (self.version.load(Relaxed) + 1) & MESSAGE_MAX;
        self.version.store(version, Relaxed);
        version
    }

    /// Number of the latest exclusive acquire; the caller holds the object at least shared.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        // Relaxed: as in `next_version`; while it is held shared nobody writes.
        self.version.load(Relaxed)
    }

    /// Numbers a message or a notify, of which several may be made at once.
    pub(crate) fn next_number(&self) -> u64 {
        // Relaxed: all that matters is that numbers are unique.
        (self.version.fetch_add(1, Relaxed) + 1) & MESSAGE_MAX
    }
}

impl Drop for Unnumbered {
    #[inline]
    fn drop(&mut self) {
        let object = *self.object.get_mut();
        if object != 0 && latch::recording() {
            destroyed(object);
        }
    }
}

#[cold]
fn destroyed(object: u64) {
    entry::append(Event::new(Kind::DESTROY, Flags::NONE, 0, ObjectId(object), 0).into());
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("created_at", &self.unnumbered.created_at).finish_non_exhaustive()
    }
}
