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
    /// `None` if that cannot be known: of what begins as a constant.
    created_at: Option<&'static Location<'static>>,
}

/// Identity of a primitive: the same, and the number that orders operations on it.
pub(crate) struct Identity {
    unnumbered: Unnumbered,
    /// Number of the latest exclusive acquire, or of the latest notify or message.
    version: AtomicU64,
}

/// Where in shared memory an object lies: the same for all processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(shared), allow(dead_code, reason = "without the feature nothing lies there"))]
pub(crate) struct Place {
    /// Device and inode of the memory's file.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// In bytes, within the file.
    pub(crate) offset: u64,
    /// Drawn when the object was made.
    pub(crate) birth: u64,
}

/// What an object is, as a function so that nothing is computed before it is needed.
pub(crate) type Class = fn() -> (ObjectKind, &'static str);

impl Unnumbered {
    #[track_caller]
    pub(crate) const fn new() -> Self {
        Self { object: AtomicU64::new(0), created_at: Some(Location::caller()) }
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
        self.describe(entry::take_object(), class, capacity)
    }

    /// Takes the id `taken` for it, unless it has one.
    fn describe(&self, taken: u64, class: Class, capacity: Option<u64>) -> u64 {
        // Relaxed: as in `object`. The thread that comes second uses the first one's id, its own is never used.
        if taken == 0 || self.object.compare_exchange(0, taken, Relaxed, Relaxed).is_err() {
            return self.object.load(Relaxed);
        }
        let (kind, type_name) = class();
        let class = entry::class(kind as u32, Text::of(type_name));
        let site = self.created_at.map_or(0, |at| entry::bare_site(Source::of(at)));
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

    /// The same of what is made as a constant, nobody knows where.
    #[cfg(any(feature = "lock_api", feature = "lock_api_05"))]
    pub(crate) const fn unplaced() -> Self {
        let unnumbered = Unnumbered { object: AtomicU64::new(0), created_at: None };
        Self { unnumbered, version: AtomicU64::new(0) }
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

    /// As [`Self::object_with_capacity`], of what lies in shared memory.
    #[cfg_attr(not(shared), allow(dead_code, reason = "without the feature nothing lies there"))]
    pub(crate) fn object_in_shared_memory(&self, class: Class, place: &Place, capacity: Option<u64>) -> u64 {
        match self.known_object() {
            0 => {
                let taken = entry::take_object();
                if taken == 0 {
                    return 0;
                }
                let taken = ObjectId(taken).in_shared_memory().0;
                // Before any event that has the id. Of two threads that come here one has written for nothing.
                entry::shared(taken, place.device, place.inode, place.offset, place.birth);
                self.unnumbered.describe(taken, class, capacity)
            }
            object => object,
        }
    }

    /// As [`next_version`], of a private object.
    #[inline]
    pub(crate) fn next_version(&self) -> u64 {
        next_version(&self.version)
    }

    /// As [`latest_version`], of a private object.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        latest_version(&self.version)
    }

    /// Where exclusive acquires are numbered, or messages and notifies.
    #[inline]
    pub(crate) const fn version_word(&self) -> &AtomicU64 {
        &self.version
    }

    /// The object id, 0 if it has none yet.
    #[inline]
    pub(crate) fn known_object(&self) -> u64 {
        // Relaxed: as in `Unnumbered::object`.
        self.unnumbered.object.load(Relaxed)
    }

    /// Numbers a message or a notify, of which several may be made at once.
    pub(crate) fn next_number(&self) -> u64 {
        // Relaxed: all that matters is that numbers are unique.
        (self.version.fetch_add(1, Relaxed) + 1) & MESSAGE_MAX
    }
}

/// Numbers an exclusive acquire; the caller holds the object exclusively.
#[inline]
pub(crate) fn next_version(word: &AtomicU64) -> u64 {
    // Relaxed, and a load and a store: the object is held, so nobody else is here, and the lock itself
    // orders this holder after the last.
    let version = (word.load(Relaxed) + 1) & MESSAGE_MAX;
    word.store(version, Relaxed);
    version
}

/// Number of the latest exclusive acquire; the caller holds the object at least shared.
#[inline]
pub(crate) fn latest_version(word: &AtomicU64) -> u64 {
    // Relaxed: as in `next_version`; while it is held shared nobody writes. What lies in shared memory may be anything.
    word.load(Relaxed) & MESSAGE_MAX
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
