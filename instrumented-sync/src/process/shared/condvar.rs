//! `Condvar`.

use super::{
    event, gate,
    mutex::MutexGuard,
    object::Object,
    owner,
    poison::LockResult,
    protocol::{self, Life, Word},
    region::{Lies, Region},
};
use crate::{
    probe::{self, Flags, ObjectKind, Operation, Site},
    sync::deadline::Deadline,
    trace::{Labelled, sealed},
};
use std::{fmt, io, mem::offset_of, panic::Location, sync::atomic::AtomicU64, thread, time::Duration};

/// How many can wait at once; who comes next is woken at once, as a condition variable may.
const WAITERS: usize = 64;

/// Set in the number of a notify that is for all who wait.
const FOR_ALL: u64 = 1 << 63;

/// How long such a waiter stays away.
const CROWDED: Duration = Duration::from_millis(1);

/// As it lies in shared memory.
#[repr(C)]
struct Memory {
    event: event::Words,
    gate: gate::Words,
    n_tickets: AtomicU64,
    n_notifies: AtomicU64,
    waiters: [Waiter; WAITERS],
}

/// A thread that waits. All but the look of the waiter itself is within the gate.
#[repr(C)]
struct Waiter {
    /// 0 if nobody waits here; written last.
    owner: AtomicU64,
    ticket: AtomicU64,
    /// Number of the notify that wakes it, and whether that is for all; 0 until then.
    notify: AtomicU64,
}

/// Where a condition variable keeps its owner, and who waits.
pub(super) fn owners() -> Vec<usize> {
    let waiter = |n: usize| offset_of!(Memory, waiters) + n * size_of::<Waiter>() + offset_of!(Waiter, owner);
    (0..WAITERS).map(waiter).chain([offset_of!(Memory, gate) + gate::OWNER]).collect()
}

/// A condition variable in memory that processes share.
///
/// As [`std::sync::Condvar`], for [`MutexGuard`]s of the same region. Notifies go to those that wait longest; one that was given to a thread
/// that is killed before it wakes goes on to the next, within a tenth of a second. At most 64 threads wait at once: more are woken at once
/// without a notify, as condition variables may.
///
/// ```
/// use instrumented_sync::{process::shared::{Condvar, Mutex, Region}, thread};
///
/// let region = Region::anonymous(4096)?;
/// let ready = Mutex::open(&region, "ready", 0_u8)?;
/// let changed = Condvar::open(&region, "changed")?;
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         *ready.lock().unwrap() = 1;
///         changed.notify_one();
///     });
///     let guard = changed.wait_while(ready.lock().unwrap(), |ready| *ready == 0).unwrap();
///     assert_eq!(*guard, 1);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Condvar {
    object: Object<Memory>,
}

impl Condvar {
    /// Opens the condition variable with this name in a region; made there if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Mutex::open`](super::Mutex::open).
    #[track_caller]
    pub fn open(region: &Region, name: &str) -> io::Result<Self> {
        Ok(Self { object: Object::open::<()>(region, name, Lies::Condvar, |_: &Memory| ())? })
    }

    /// Gives the mutex up and waits to be notified, or woken for nothing.
    ///
    /// # Errors
    ///
    /// The mutex is poisoned when it is taken again.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, Deadline::NEVER, Location::caller()).0
    }

    /// Waits while a condition holds.
    ///
    /// # Errors
    ///
    /// As [`Self::wait`].
    #[track_caller]
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        let site = Location::caller();
        let is_announced = guard.has_written();
        if !condition(&mut *guard) {
            if let Some(mutex) = guard.recorded_object().filter(|_| !is_announced) {
                probe::passed(self.object.identity(class, None), class, mutex, site);
            }
            return Ok(guard);
        }
        loop {
            guard = self.wait_until(guard, Deadline::NEVER, site).0?;
            if !condition(&mut *guard) {
                return Ok(guard);
            }
        }
    }

    /// As [`Self::wait`], for no longer than `timeout`. Says whether it was notified.
    ///
    /// # Errors
    ///
    /// As [`Self::wait`].
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let (guard, is_notified) = self.wait_until(guard, Deadline::after(timeout), Location::caller());
        match guard {
            Ok(guard) => Ok((guard, is_notified)),
            Err(poisoned) => Err(poisoned.map(|guard| (guard, is_notified))),
        }
    }

    /// Wakes the thread that has waited longest, if any.
    #[track_caller]
    pub fn notify_one(&self) {
        self.notify(Flags::NONE, Location::caller());
    }

    /// Wakes all threads that wait.
    #[track_caller]
    pub fn notify_all(&self) {
        self.notify(Flags::ALL, Location::caller());
    }

    fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
        site: Site,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        let operation = self.operation(site);
        let (hold, locked) = guard.into_parts();
        let mutex = locked.lock();
        // While the mutex is held: whoever takes it from here on and notifies finds this thread waiting.
        let (place, ticket) = self.enter();
        let waiting = operation.map(|operation| operation.waits_without(hold, ticket, deadline.is_timed()));
        drop(locked);
        let notify = if let Some(place) = place {
            self.sleep(place, deadline)
        } else {
            thread::sleep(CROWDED);
            None
        };
        if let Some(waiting) = waiting {
            waiting.end();
        }
        if let Some(operation) = operation {
            let is_over = deadline.is_timed() && notify.is_none();
            operation.wakes(notify.unwrap_or(0), is_over, deadline.is_timed());
        }
        (mutex.retake(site), notify.is_some())
    }

    /// Takes a place among those that wait, and a ticket.
    fn enter(&self) -> (Option<&Waiter>, u64) {
        let (memory, watch) = (self.memory(), self.object.watch(true));
        let _gate = memory.gate.enter(&watch);
        let is_free = |waiter: &&Waiter| Word::load(&waiter.owner) == 0;
        let Some(place) = memory.waiters.iter().find(is_free) else {
            self.bury(&watch);
            return (None, 0);
        };
        let ticket = Word::load(&memory.n_tickets) + 1;
        Word::store(&memory.n_tickets, ticket);
        Word::store(&place.ticket, ticket);
        Word::store(&place.notify, 0);
        // The store that counts.
        Word::store(&place.owner, owner::me());
        (Some(place), ticket)
    }

    /// Waits to be notified, and leaves the place.
    fn sleep(&self, place: &Waiter, deadline: Deadline) -> Option<u64> {
        let (memory, watch) = (self.memory(), self.object.watch(false));
        let notified = |asks: bool| {
            if asks {
                let _gate = memory.gate.enter(&watch);
                self.bury(&watch);
            }
            Some(Word::load(&place.notify)).filter(|notify| *notify != 0)
        };
        loop {
            let notify = protocol::wait_until(&memory.event.until(deadline), notified);
            if notify.is_none() && !deadline.is_timed() {
                continue;
            }
            let _gate = memory.gate.enter(&watch);
            // If a notify was faster, that one counts.
            let notify = Some(Word::load(&place.notify) & !FOR_ALL).filter(|notify| *notify != 0);
            Word::store(&place.owner, 0);
            return notify;
        }
    }

    /// Frees the places of the dead; what one of them was given goes on. Within the gate.
    fn bury(&self, watch: &owner::Watch<'_>) {
        let memory = self.memory();
        for waiter in &memory.waiters {
            let owner = Word::load(&waiter.owner);
            if owner == 0 || !watch.is_dead(owner) {
                continue;
            }
            let notify = Word::load(&waiter.notify);
            // One that was for all is nobody's to have instead.
            let goes_on = notify != 0 && notify & FOR_ALL == 0;
            let next = if goes_on { self.longest(watch) } else { None };
            // First it goes on: whoever is killed in between has woken one more for nothing, and lost none.
            if let Some(next) = next {
                Word::store(&next.notify, notify);
                protocol::tell(&memory.event.at_once(), true);
            }
            Word::store(&waiter.owner, 0);
        }
    }

    /// Who lives, has waited longest, and was not notified.
    fn longest(&self, watch: &owner::Watch<'_>) -> Option<&Waiter> {
        let mut waiting: Vec<&Waiter> = self.memory().waiters.iter().filter(|waiter| is_waiting(waiter)).collect();
        waiting.sort_by_key(|waiter| Word::load(&waiter.ticket));
        waiting.into_iter().find(|waiter| !watch.is_dead(Word::load(&waiter.owner)))
    }

    fn notify(&self, flags: Flags, site: Site) {
        let operation = self.operation(site);
        let (memory, watch) = (self.memory(), self.object.watch(true));
        let gate = memory.gate.enter(&watch);
        let number = Word::load(&memory.n_notifies) + 1;
        Word::store(&memory.n_notifies, number);
        let woken: Vec<&Waiter> = if flags.has(Flags::ALL) {
            memory.waiters.iter().filter(|waiter| is_waiting(waiter)).collect()
        } else {
            self.longest(&watch).into_iter().collect()
        };
        if let Some(operation) = operation {
            let highest = woken.iter().map(|waiter| Word::load(&waiter.ticket)).max().unwrap_or(0);
            operation.notifies_tickets(number, flags, woken.len() as u64, highest);
        }
        for waiter in woken {
            Word::store(&waiter.notify, if flags.has(Flags::ALL) { number | FOR_ALL } else { number });
        }
        drop(gate);
        protocol::tell(&memory.event.at_once(), true);
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        Operation::on(self.object.identity(class, None), class, 0, site)
    }

    fn memory(&self) -> &Memory {
        self.object.memory()
    }
}

/// Whether somebody waits in a place, whom nobody notified.
fn is_waiting(waiter: &Waiter) -> bool {
    Word::load(&waiter.owner) != 0 && Word::load(&waiter.notify) == 0
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Condvar, "")
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("name", &self.object.name()).finish_non_exhaustive()
    }
}

impl sealed::Sealed for Condvar {}

impl Labelled for Condvar {
    fn label(&self, text: &str) {
        self.operation(Location::caller()).into_iter().for_each(|operation| operation.label(text));
    }
}
