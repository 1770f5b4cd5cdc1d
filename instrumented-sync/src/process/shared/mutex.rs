//! `Mutex`.

use super::{
    guarded::{Exclusive, Guarded, Guards, OWNER},
    object::{Object, Shareable},
    owner::{self, Watch},
    poison::{LockResult, TryLockResult, endless},
    protocol::{self, Taken},
    region::{Lies, Region},
};
use crate::{
    held::Held,
    probe::{Flags, Mode, Site},
    sync::deadline::Deadline,
    trace::{Labelled, sealed},
};
use std::{fmt, io, panic::Location, time::Duration};

/// As it lies in shared memory.
#[repr(transparent)]
#[derive(Debug)]
pub struct Memory<T>(Guarded<T>);

impl<T> Guards for Memory<T> {
    type Data = T;
    const HAS_READERS: bool = false;

    fn guarded(&self) -> &Guarded<T> {
        &self.0
    }
}

/// Where a mutex keeps its owner.
pub(super) fn owners() -> Vec<usize> {
    vec![OWNER]
}

/// A mutual exclusion lock in memory that processes share.
///
/// As [`std::sync::Mutex`], but for three things. Its owner may be a thread of another process. When the owner is killed, or its process runs
/// another program, whoever waits takes the lock over, within a tenth of a second (a second after an `exec`, unless the new program opens the
/// region: then at once), and is told so by a
/// [`PoisonError`](super::PoisonError) that names it. And what it guards is only bytes: [`FromBytes`](super::FromBytes) and [`IntoBytes`](super::IntoBytes).
///
/// A thread that locks what it holds waits for ever, as with std's; so do all for a guard that was forgotten by a thread that goes on. A guard that a
/// forked process inherited frees nothing: the lock is its parent's. A thread's first use reads `/proc`; without it deaths are not
/// noticed.
///
/// ```
/// use instrumented_sync::process::shared::{Mutex, Region};
///
/// let region = Region::anonymous(4096)?;
/// let accounts = Mutex::open(&region, "accounts", [100_i64, 100])?;
/// let mut guard = accounts.lock().unwrap();
/// guard[0] -= 10;
/// guard[1] += 10;
/// assert!(accounts.try_lock().is_err());
/// # drop(guard);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Mutex<T> {
    object: Object<Memory<T>>,
}

/// A held [`Mutex`]: freed when dropped.
pub type MutexGuard<'a, T> = Held<'a, Exclusive<'a, Memory<T>>>;

// SAFETY: the mutex hands out its data to one thread at a time, of whatever process, so it is shared as std's is.
unsafe impl<T: Send> Sync for Memory<T> {}

impl<T: Shareable> Mutex<T> {
    /// Opens the mutex with this name in a region; made there, guarding `initial`, if it is not there.
    ///
    /// # Errors
    ///
    /// What has that name is something else, or guards something of another size; the region is full, or cannot be locked.
    #[track_caller]
    pub fn open(region: &Region, name: &str, initial: T) -> io::Result<Self> {
        let object = Object::open::<T>(region, name, Lies::Mutex, |memory: &Memory<T>| {
            // SAFETY: nobody else has found the memory yet.
            unsafe { memory.guarded().begin(initial) }
        })?;
        Ok(Self { object })
    }
}

impl<T> Mutex<T> {
    /// Acquires the mutex, waiting until that is possible.
    ///
    /// # Errors
    ///
    /// An owner died, or panicked, while it held the mutex, and nobody called [`clear_poison`](Self::clear_poison) since. The mutex is held all the same.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let site = Location::caller();
        endless(|| self.object.obtain(Deadline::NEVER, Flags::NONE, site))
    }

    /// The same, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`], or the time was over.
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        let deadline = Deadline::after(timeout);
        self.object.obtain(deadline, deadline.flags(), Location::caller())
    }

    /// Acquires the mutex if nobody alive holds it.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`], or it is held.
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let (site, me, object) = (Location::caller(), owner::me(), &self.object);
        object.handed_on(object.acquire(Mode::Exclusive, site).trying_to_obtain_with(
            || object.attempt(me, true, &object.watch(true), site),
            || object.guarded().poison.flags(),
        ))
    }

    /// Whether an owner died, or panicked, and nobody has mended what it left.
    pub fn is_poisoned(&self) -> bool {
        self.object.is_poisoned()
    }

    /// What the mutex guards is whole again.
    pub fn clear_poison(&self) {
        self.object.guarded().poison.clear();
    }
}

impl<T> Object<Memory<T>> {
    /// Takes the mutex again after a wait for something else.
    pub(super) fn retake(&self, site: Site) -> LockResult<MutexGuard<'_, T>> {
        endless(|| self.obtain(Deadline::NEVER, Flags::REACQUIRE, site))
    }

    fn obtain(&self, deadline: Deadline, flags: Flags, site: Site) -> TryLockResult<MutexGuard<'_, T>> {
        let (watch, me, guarded) = (self.watch(false), owner::me(), self.guarded());
        let attempt = |asks| self.attempt(me, asks, &watch, site);
        self.handed_on(self.acquire(Mode::Exclusive, site).obtaining_with(
            flags,
            || attempt(false),
            || protocol::wait_until(&guarded.event.until(deadline), attempt),
            || guarded.poison.flags(),
        ))
    }

    /// Takes it if it is free, or, if `asks` says to find out, its owner is dead.
    fn attempt(&self, me: u64, asks: bool, watch: &Watch<'_>, site: Site) -> Option<Exclusive<'_, Memory<T>>> {
        if let Taken::From(dead) = protocol::take(self.guarded().owner(), me, asks, watch)? {
            self.owner_died(dead, site);
        }
        Some(self.is_owned_by(me))
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("name", &self.object.name()).finish_non_exhaustive()
    }
}

impl<T> sealed::Sealed for Mutex<T> {}

impl<T> Labelled for Mutex<T> {
    fn label(&self, text: &str) {
        self.object.label(text);
    }
}
