//! `RwLock`.

use super::{
    guarded::{Exclusive, Guarded, Guards, OWNER},
    object::{Object, Shareable},
    owner::{self, Watch},
    poison::{LockResult, TryLockResult, endless},
    protocol::{self, Taken, WANTS, Word},
    region::{Lies, Region},
};
use crate::{
    held::Held,
    probe::{Mode, Site},
    sync::deadline::Deadline,
    trace::{Labelled, sealed},
};
use std::{
    cell::Cell, fmt, io, marker::PhantomData, mem::offset_of, ops::Deref, panic::Location, sync::atomic::AtomicU64,
    time::Duration,
};

/// How many may read at once, in all processes together.
const READERS: usize = 64;

/// As it lies in shared memory: the readers first, since what follows lies elsewhere for other data.
#[repr(C)]
#[derive(Debug)]
pub struct Memory<T> {
    readers: [AtomicU64; READERS],
    guarded: Guarded<T>,
}

impl<T> Guards for Memory<T> {
    type Data = T;
    const HAS_READERS: bool = true;

    fn guarded(&self) -> &Guarded<T> {
        &self.guarded
    }
}

/// Where a lock keeps its owners.
pub(super) fn owners() -> Vec<usize> {
    let readers = (0..READERS).map(|slot| offset_of!(Memory<()>, readers) + slot * size_of::<AtomicU64>());
    readers.chain([offset_of!(Memory<()>, guarded) + OWNER]).collect()
}

/// A reader-writer lock in memory that processes share.
///
/// As [`std::sync::RwLock`], with the differences of [`Mutex`](super::Mutex): owners may be threads of other processes, and die. A dead writer leaves
/// a [`PoisonError`](super::PoisonError) that names it; a dead reader has changed nothing, and its place is just given to others. Up to 64 may read at
/// once, in all processes together; more wait until one of them is done. Readers that come while a writer waits let it go first, so
/// a thread that reads twice at once may wait for ever, as with std's on Linux.
///
/// ```
/// use instrumented_sync::process::shared::{Region, RwLock};
///
/// let region = Region::anonymous(4096)?;
/// let limits = RwLock::open(&region, "limits", [10_u32, 20])?;
/// assert_eq!(limits.read().unwrap()[1], 20);
/// limits.write().unwrap()[1] = 30;
/// assert_eq!(limits.read().unwrap()[1], 30);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RwLock<T> {
    object: Object<Memory<T>>,
}

/// An [`RwLock`] that is held for reading: freed when dropped.
pub type RwLockReadGuard<'a, T> = Held<'a, Reading<'a, T>>;

/// An [`RwLock`] that is held for writing: freed when dropped.
pub type RwLockWriteGuard<'a, T> = Held<'a, Exclusive<'a, Memory<T>>>;

/// What an [`RwLockReadGuard`] lends.
pub struct Reading<'a, T> {
    lock: &'a Object<Memory<T>>,
    me: u64,
    slot: usize,
    /// Stays with its thread.
    stays: PhantomData<*const ()>,
}

// SAFETY: the lock hands its data to one thread, or, for reading, to several, of whatever process, so it is shared as std's is. That data may be
// read by several at once is asked for where a lock is opened, since another handle of the same lock may be in another thread.
unsafe impl<T: Send + Sync> Sync for Memory<T> {}
// SAFETY: a shared guard lends `&T` only.
unsafe impl<T: Sync> Sync for Reading<'_, T> {}

impl<T: Shareable + Sync> RwLock<T> {
    /// Opens the lock with this name in a region; made there, guarding `initial`, if it is not there.
    ///
    /// # Errors
    ///
    /// What has that name is something else, or guards something of another size; the region is full, or cannot be locked.
    #[track_caller]
    pub fn open(region: &Region, name: &str, initial: T) -> io::Result<Self> {
        let object = Object::open::<T>(region, name, Lies::RwLock, |memory: &Memory<T>| {
            // SAFETY: nobody else has found the memory yet.
            unsafe { memory.guarded.begin(initial) }
        })?;
        Ok(Self { object })
    }
}

impl<T> RwLock<T> {
    /// Acquires the lock for reading, waiting until that is possible.
    ///
    /// # Errors
    ///
    /// A writer died, or panicked, and nobody called [`clear_poison`](Self::clear_poison) since. The lock is held all the same.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let site = Location::caller();
        endless(|| self.object.read(Deadline::NEVER, site))
    }

    /// Acquires the lock for reading if nobody alive writes, or waits to.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or that is not possible now.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let (site, me, object) = (Location::caller(), owner::me(), &self.object);
        object.handed_on(object.acquire(Mode::Shared, site).trying_to_obtain_with(
            || object.enter(me, true, &object.watch(true), site),
            || object.guarded().poison.flags(),
        ))
    }

    /// As [`Self::read`], for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or the time was over.
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.object.read(Deadline::after(timeout), Location::caller())
    }

    /// Acquires the lock for writing, waiting until that is possible.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let site = Location::caller();
        endless(|| self.object.write(Deadline::NEVER, site))
    }

    /// Acquires the lock for writing if nobody alive holds it. Those that come to read meanwhile may be held up for a moment.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or it is held.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let (site, object) = (Location::caller(), &self.object);
        let wants = Wants::new(object);
        object.handed_on(object.acquire(Mode::Exclusive, site).trying_to_obtain_with(
            || wants.attempt(true, &object.watch(true), site),
            || object.guarded().poison.flags(),
        ))
    }

    /// As [`Self::write`], for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or the time was over.
    #[track_caller]
    pub fn write_timeout(&self, timeout: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        self.object.write(Deadline::after(timeout), Location::caller())
    }

    /// Whether a writer died, or panicked, and nobody has mended what it left.
    pub fn is_poisoned(&self) -> bool {
        self.object.is_poisoned()
    }

    /// What the lock guards is whole again.
    pub fn clear_poison(&self) {
        self.object.guarded().poison.clear();
    }
}

impl<T> Object<Memory<T>> {
    fn read(&self, deadline: Deadline, site: Site) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let (watch, me, guarded) = (self.watch(false), owner::me(), self.guarded());
        let attempt = |asks| self.enter(me, asks, &watch, site);
        self.handed_on(self.acquire(Mode::Shared, site).obtaining_with(
            deadline.flags(),
            || attempt(false),
            || protocol::wait_until(&guarded.event.until(deadline), attempt),
            || guarded.poison.flags(),
        ))
    }

    fn write(&self, deadline: Deadline, site: Site) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let (watch, wants, guarded) = (self.watch(false), Wants::new(self), self.guarded());
        let attempt = |asks| wants.attempt(asks, &watch, site);
        self.handed_on(self.acquire(Mode::Exclusive, site).obtaining_with(
            deadline.flags(),
            || attempt(false),
            || protocol::wait_until(&guarded.event.until(deadline), attempt),
            || guarded.poison.flags(),
        ))
    }

    /// Begins to read, if nobody writes or wants to; `asks` says whether to find out about those who do, and about those in all
    /// the slots.
    fn enter(&self, me: u64, asks: bool, watch: &Watch<'_>, site: Site) -> Option<Reading<'_, T>> {
        let Memory { readers, guarded } = self.memory();
        let event = guarded.event.at_once();
        let reading = |slot| Reading { lock: self, me, slot, stays: PhantomData };
        if let Some(slot) = protocol::enter(guarded.owner(), readers, me, &event) {
            return Some(reading(slot));
        }
        if !asks {
            return None;
        }
        match protocol::take(guarded.owner(), me, true, watch)? {
            Taken::From(dead) if dead & WANTS == 0 => self.owner_died(dead, site),
            Taken::From(_) => {}
            // There was no slot.
            Taken::Free => {
                let _is_alone = self.is_alone(true, watch, site);
            }
        }
        // Nobody comes in meanwhile, neither to read nor to write.
        let slot = protocol::occupy(readers, me);
        protocol::give_back(guarded.owner(), me, &event, true);
        slot.map(reading)
    }

    /// Whether no living thread reads; the dead give up their slots.
    fn is_alone(&self, asks: bool, watch: &Watch<'_>, site: Site) -> bool {
        let Memory { readers, guarded } = self.memory();
        protocol::is_alone(readers, asks, watch, &guarded.event.at_once(), |dead| {
            self.holder_died(Mode::Shared, dead, site);
        })
    }
}

/// Somebody that wants to write: has said so in the lock's word, or is about to, and takes that back if nothing comes of it.
struct Wants<'a, T> {
    lock: &'a Object<Memory<T>>,
    me: u64,
    has_said: Cell<bool>,
}

impl<'a, T> Wants<'a, T> {
    fn new(lock: &'a Object<Memory<T>>) -> Self {
        Self { lock, me: owner::me(), has_said: Cell::new(false) }
    }

    fn attempt(&self, asks: bool, watch: &Watch<'_>, site: Site) -> Option<Exclusive<'a, Memory<T>>> {
        let (owner, me) = (self.lock.guarded().owner(), self.me);
        if !self.has_said.get() {
            let taken = protocol::want(owner, me, asks, watch)?;
            self.has_said.set(true);
            match taken {
                Taken::From(dead) if dead & WANTS == 0 => self.lock.owner_died(dead, site),
                _ => {}
            }
        }
        if !self.lock.is_alone(asks, watch, site) {
            return None;
        }
        self.has_said.set(false);
        Word::store(owner, me);
        Some(self.lock.is_owned_by(me))
    }
}

impl<T> Drop for Wants<'_, T> {
    fn drop(&mut self) {
        if self.has_said.get() {
            let guarded = self.lock.guarded();
            protocol::give_back(guarded.owner(), self.me, &guarded.event.at_once(), true);
        }
    }
}

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread has a slot, so nobody that keeps to the protocol writes; any bytes are a `T`.
        unsafe { &*self.lock.guarded().data() }
    }
}

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        let Memory { readers, guarded } = self.lock.memory();
        // In a forked process the slot is that of another thread, and stays so.
        if self.me == owner::me() {
            protocol::leave(readers, self.slot, self.me, &guarded.event.at_once());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reading<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Reading<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("name", &self.object.name()).finish_non_exhaustive()
    }
}

impl<T> sealed::Sealed for RwLock<T> {}

impl<T> Labelled for RwLock<T> {
    fn label(&self, text: &str) {
        self.object.label(text);
    }
}
