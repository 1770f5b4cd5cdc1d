//! What the locks of a region have in common: data, and a thread that has it for itself.

use super::{
    event,
    object::Object,
    owner,
    poison::{self, TryLockError, TryLockResult},
    protocol::{self, Word},
};
use crate::{
    held::{Held, Hold},
    probe::{self, Acquire, Mode, ObjectKind, Site},
};
use std::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::AtomicU64,
    thread,
};

/// As it lies in shared memory.
#[repr(C)]
#[derive(Debug)]
pub struct Guarded<T> {
    owner: AtomicU64,
    pub(super) event: event::Words,
    pub(super) version: AtomicU64,
    pub(super) poison: poison::Words,
    data: UnsafeCell<T>,
}

/// Where the owner is, whatever is guarded.
pub(super) const OWNER: usize = std::mem::offset_of!(Guarded<()>, owner);

impl<T> Guarded<T> {
    /// The word of the thread that has the data for itself.
    pub(super) fn owner(&self) -> &AtomicU64 {
        &self.owner
    }

    /// Sets the data for the first time.
    ///
    /// # Safety
    ///
    /// Nobody else has found this yet.
    pub(super) unsafe fn begin(&self, initial: T) {
        // SAFETY: nobody else has found this.
        unsafe { self.data.get().write(initial) }
    }

    /// The data, which is its holders' to use.
    pub(super) fn data(&self) -> *mut T {
        self.data.get()
    }
}

/// The memory of a lock.
pub trait Guards {
    /// What is guarded.
    type Data;
    /// Whether it is a read-write lock: several may go on once its owner is gone.
    const HAS_READERS: bool;

    /// What all locks have.
    fn guarded(&self) -> &Guarded<Self::Data>;
}

/// What a [`MutexGuard`](super::MutexGuard) and an [`RwLockWriteGuard`](super::RwLockWriteGuard) lend.
pub struct Exclusive<'a, M: Guards> {
    lock: &'a Object<M>,
    me: u64,
    is_panicking: bool,
    /// Stays with its thread.
    stays: PhantomData<*const ()>,
}

// SAFETY: a shared guard lends `&Data` only.
unsafe impl<M: Guards> Sync for Exclusive<'_, M> where M::Data: Sync {}

impl<M: Guards> Object<M> {
    pub(super) fn guarded(&self) -> &Guarded<M::Data> {
        self.memory().guarded()
    }

    /// The thread with this word, which is in that of the owner, has the data for itself.
    pub(super) fn is_owned_by(&self, me: u64) -> Exclusive<'_, M> {
        self.guarded().poison.held_by(me);
        Exclusive { lock: self, me, is_panicking: thread::panicking(), stays: PhantomData }
    }

    /// An owner is dead that may have changed the data, and this thread has taken its place.
    pub(super) fn owner_died(&self, dead: u64, site: Site) {
        self.guarded().poison.died(dead);
        self.holder_died(Mode::Exclusive, dead, site);
    }

    /// A holder is dead, and this thread has taken its place.
    pub(super) fn holder_died(&self, mode: Mode, dead: u64, site: Site) {
        self.died(Self::class, mode, Some(&self.guarded().version), dead, site);
    }

    /// A guard of what was obtained, or what is wrong with that.
    pub(super) fn handed_on<'a, G>(&'a self, obtained: Option<(Hold<'a>, G)>) -> TryLockResult<Held<'a, G>> {
        let (hold, guard) = obtained.ok_or(TryLockError::WouldBlock)?;
        self.guarded().poison.handed_on(Held::new(hold, guard), self.name())
    }

    pub(super) fn acquire(&self, mode: Mode, site: Site) -> Acquire<'_> {
        Acquire {
            identity: self.identity(Self::class, None),
            version: &self.guarded().version,
            class: Self::class,
            mode,
            site,
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        probe::observed(self.identity(Self::class, None), Self::class);
        self.guarded().poison.owner().is_some()
    }

    pub(super) fn label(&self, text: &str) {
        probe::label(self.identity(Self::class, None), Self::class, text);
    }

    fn class() -> (ObjectKind, &'static str) {
        let kind = if M::HAS_READERS { ObjectKind::RwLock } else { ObjectKind::Mutex };
        (kind, std::any::type_name::<M::Data>())
    }
}

impl<'a, M: Guards> Exclusive<'a, M> {
    /// The lock that is held.
    pub(super) fn lock(&self) -> &'a Object<M> {
        self.lock
    }
}

impl<M: Guards> Deref for Exclusive<'_, M> {
    type Target = M::Data;

    fn deref(&self) -> &M::Data {
        // SAFETY: this thread has the data for itself, so no other one that keeps to the protocol writes; any bytes are valid.
        unsafe { &*self.lock.guarded().data() }
    }
}

impl<M: Guards> DerefMut for Exclusive<'_, M> {
    fn deref_mut(&mut self) -> &mut M::Data {
        // SAFETY: as in `deref`; and the guard is borrowed mutably.
        unsafe { &mut *self.lock.guarded().data() }
    }
}

impl<M: Guards> Drop for Exclusive<'_, M> {
    fn drop(&mut self) {
        let Guarded { owner, event, poison, .. } = self.lock.guarded();
        // In a forked process the lock is that of another thread, and stays so.
        if Word::load(owner) != self.me || self.me != owner::me() {
            return;
        }
        if !self.is_panicking && thread::panicking() {
            poison.panicked();
        }
        protocol::give_back(owner, self.me, &event.at_once(), M::HAS_READERS);
    }
}

impl<M: Guards> fmt::Debug for Exclusive<'_, M>
where
    M::Data: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        M::Data::fmt(self, f)
    }
}

impl<M: Guards> fmt::Display for Exclusive<'_, M>
where
    M::Data: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        M::Data::fmt(self, f)
    }
}
