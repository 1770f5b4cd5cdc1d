//! `Semaphore`.

use super::{
    event, gate,
    object::Object,
    owner::{self, Watch},
    poison::{self, LockResult, TryLockError, TryLockResult, endless},
    protocol::{self, Life, Word},
    region::{Lies, Region},
};
use crate::{
    probe::{Flags, Mode, ObjectKind, Operation, Site},
    sync::deadline::Deadline,
    trace::{Labelled, sealed},
};
use std::{
    fmt, io,
    marker::PhantomData,
    mem::offset_of,
    panic::Location,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many permits can be owned.
const PERMITS_MAX: usize = 64;

/// As it lies in shared memory.
#[repr(C)]
struct Memory {
    event: event::Words,
    poison: poison::Words,
    /// Those that there were from the start: each free, or owned.
    permits: [AtomicU64; PERMITS_MAX],
    n_permits: AtomicU64,
    /// Permits that were made since, and how many of these were taken; each has a number, from 1.
    gate: gate::Words,
    n_made: AtomicU64,
    n_taken: AtomicU64,
}

/// Where a semaphore keeps its owners.
pub(super) fn owners() -> Vec<usize> {
    let permits = (0..PERMITS_MAX).map(|permit| offset_of!(Memory, permits) + permit * size_of::<AtomicU64>());
    permits.chain([offset_of!(Memory, gate) + gate::OWNER]).collect()
}

/// A counting semaphore in memory that processes share.
///
/// As the private [`Semaphore`](crate::Semaphore): whoever gives back what it took owns a permit in between, whoever releases without having acquired
/// makes a new one, which is a signal. Permits that a dead thread owned come back, within a tenth of a second once somebody waits for
/// one (but for those that were made by a release: of them nobody knows who has them); whoever takes a permit is then told by a [`PoisonError`](super::PoisonError), until [`clear_poison`](Self::clear_poison). There is no queue: a permit goes to whoever comes
/// for it first.
///
/// ```
/// use instrumented_sync::process::shared::{Region, Semaphore};
///
/// let region = Region::anonymous(4096)?;
/// let slots = Semaphore::open(&region, "slots", 2)?;
/// let permit = slots.access().unwrap();
/// slots.acquire().unwrap();
/// assert!(slots.try_acquire().is_err());
/// drop(permit);
/// slots.release();
/// assert_eq!(slots.available_permits(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Semaphore {
    object: Object<Memory>,
}

/// A permit of a [`Semaphore`]: given back when dropped.
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    site: Site,
    /// Who took it.
    me: u64,
    /// Stays with its thread.
    stays: PhantomData<*const ()>,
}

/// A permit that was taken.
enum Grant {
    /// One of those that there were.
    Owned,
    /// One that was made, with its number.
    Made(u64),
}

impl Semaphore {
    /// Opens the semaphore with this name in a region; made there, with so many permits, if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Mutex::open`](super::Mutex::open); or there are more than 64 permits.
    #[track_caller]
    pub fn open(region: &Region, name: &str, permits: usize) -> io::Result<Self> {
        if permits > PERMITS_MAX {
            let text =
                format!("`{name}`: {permits} permits are more than the {PERMITS_MAX} that a shared semaphore has");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let object = Object::open::<()>(region, name, Lies::Semaphore, |memory: &Memory| {
            Word::store(&memory.n_permits, permits as u64);
        })?;
        Ok(Self { object })
    }

    /// Takes a permit, waiting until there is one. It is kept until [`release`](Self::release) gives it back.
    ///
    /// # Errors
    ///
    /// A thread died that owned one, and nobody called [`clear_poison`](Self::clear_poison) since. The permit is taken all the same.
    #[track_caller]
    pub fn acquire(&self) -> LockResult<()> {
        self.acquire_at(Location::caller())
    }

    /// The same, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`], or the time was over.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> TryLockResult<()> {
        self.obtain(Deadline::after(timeout), Location::caller())
    }

    /// Takes a permit, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`], or there is none.
    #[track_caller]
    pub fn try_acquire(&self) -> TryLockResult<()> {
        let site = Location::caller();
        let operation = self.operation(site);
        let Some(grant) = self.attempt(owner::me(), true, &self.object.watch(true), site) else {
            return Err(TryLockError::WouldBlock);
        };
        obtained(operation, &grant, Flags::TRY);
        self.handed_on()
    }

    /// Takes a permit, waiting until there is one; it is given back when the guard is dropped.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`].
    #[track_caller]
    pub fn access(&self) -> LockResult<Permit<'_>> {
        let site = Location::caller();
        let permit = || Permit { semaphore: self, site, me: owner::me(), stays: PhantomData };
        match self.acquire_at(site) {
            Ok(()) => Ok(permit()),
            Err(poisoned) => Err(poisoned.map(|()| permit())),
        }
    }

    /// Gives a permit back that this thread took; if it took none, makes a new one.
    #[track_caller]
    pub fn release(&self) {
        self.release_at(Location::caller());
    }

    /// Permits that nobody has.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        let memory = self.memory();
        let n_free = self.permits().iter().filter(|permit| Word::load(*permit) == 0).count();
        n_free + (Word::load(&memory.n_made).saturating_sub(Word::load(&memory.n_taken))) as usize
    }

    /// Nothing is amiss any more.
    pub fn clear_poison(&self) {
        self.memory().poison.clear();
    }

    fn acquire_at(&self, site: Site) -> LockResult<()> {
        endless(|| self.obtain(Deadline::NEVER, site))
    }

    fn obtain(&self, deadline: Deadline, site: Site) -> TryLockResult<()> {
        let (operation, watch, me) = (self.operation(site), self.object.watch(false), owner::me());
        let attempt = |asks| self.attempt(me, asks, &watch, site);
        if let Some(grant) = attempt(false) {
            obtained(operation, &grant, deadline.flags());
            return self.handed_on();
        }
        let waiting = operation.map(|operation| operation.waits(1, deadline.is_timed()));
        let grant = protocol::wait_until(&self.memory().event.until(deadline), attempt);
        if let Some(waiting) = waiting {
            waiting.end();
        }
        if let Some(grant) = grant {
            obtained(operation, &grant, deadline.flags());
            return self.handed_on();
        }
        operation.into_iter().for_each(Operation::timed_out);
        Err(TryLockError::WouldBlock)
    }

    fn handed_on(&self) -> TryLockResult<()> {
        self.memory().poison.handed_on((), self.object.name())
    }

    /// Takes a permit that is free, or was made, or, if `asks` says to find out, whose owner is dead.
    fn attempt(&self, me: u64, asks: bool, watch: &Watch<'_>, site: Site) -> Option<Grant> {
        let memory = self.memory();
        if self.permits().iter().any(|permit| permit.exchange(0, me)) {
            memory.poison.held_by(me);
            return Some(Grant::Owned);
        }
        loop {
            let (taken, made) = (Word::load(&memory.n_taken), Word::load(&memory.n_made));
            if taken >= made {
                break;
            }
            if memory.n_taken.exchange(taken, taken + 1) {
                return Some(Grant::Made(taken + 1));
            }
        }
        if asks {
            for permit in self.permits() {
                let owner = Word::load(permit);
                if owner != 0 && watch.is_dead(owner) && permit.exchange(owner, me) {
                    memory.poison.died(owner);
                    self.object.died(class, Mode::Shared, None, owner, site);
                    memory.poison.held_by(me);
                    return Some(Grant::Owned);
                }
            }
        }
        None
    }

    fn release_at(&self, site: Site) {
        let (memory, me) = (self.memory(), owner::me());
        let operation = self.operation(site);
        if let Some(permit) = self.permits().iter().find(|permit| Word::load(*permit) == me) {
            if let Some(operation) = operation {
                operation.released(operation.n_holds().min(1));
            }
            Word::store(permit, 0);
        } else {
            let gate = memory.gate.enter(&self.object.watch(false));
            let number = Word::load(&memory.n_made) + 1;
            if let Some(operation) = operation {
                operation.notifies(number, 1);
            }
            // The store that counts.
            Word::store(&memory.n_made, number);
            drop(gate);
        }
        protocol::tell(&memory.event.at_once(), false);
    }

    fn permits(&self) -> &[AtomicU64] {
        let memory = self.memory();
        // Relaxed: it does not change. What another process wrote there is no more than there are.
        let n = memory.n_permits.load(Ordering::Relaxed) as usize;
        &memory.permits[..n.min(PERMITS_MAX)]
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        let n_permits = self.permits().len();
        Operation::on(self.object.identity(class, Some(n_permits as u64)), class, n_permits, site)
    }

    fn memory(&self) -> &Memory {
        self.object.memory()
    }
}

/// Records what was taken: owned, or thanks to whom.
fn obtained(operation: Option<Operation>, grant: &Grant, flags: Flags) {
    if let Some(operation) = operation {
        match grant {
            Grant::Owned => operation.acquired(1, flags),
            Grant::Made(number) => operation.woken(*number, flags),
        }
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Semaphore, "")
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // In a forked process it is that of another thread, and stays so.
        if self.me == owner::me() {
            self.semaphore.release_at(self.site);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available_permits()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl sealed::Sealed for Semaphore {}

impl Labelled for Semaphore {
    fn label(&self, text: &str) {
        self.operation(Location::caller()).into_iter().for_each(|operation| operation.label(text));
    }
}
