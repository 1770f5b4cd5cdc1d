//! `Barrier`.

use super::{
    event, gate,
    object::Object,
    protocol,
    protocol::Word,
    region::{Lies, Region},
};
use crate::{
    probe::{Flags, ObjectKind, Operation, Site},
    sync::deadline::Deadline,
    trace::{Labelled, sealed},
};
use std::{fmt, io, mem::offset_of, panic::Location, sync::atomic::AtomicU64};

/// As it lies in shared memory.
#[repr(C)]
struct Memory {
    event: event::Words,
    n_parties: AtomicU64,
    gate: gate::Words,
    /// Who has arrived, ever: a generation is complete once so many have arrived as it and those before it have parties. It only grows, so that
    /// there is nothing that whoever is killed here could leave half done.
    n_arrived: AtomicU64,
}

/// Where a barrier keeps its owner.
pub(super) fn owners() -> Vec<usize> {
    vec![offset_of!(Memory, gate) + gate::OWNER]
}

/// A barrier for threads of several processes.
///
/// As [`std::sync::Barrier`]. Who dies after it arrived has arrived; for who dies before that the others wait for ever, which is what a report says of them.
///
/// ```
/// use instrumented_sync::{process::shared::{Barrier, Region}, thread};
///
/// let region = Region::anonymous(4096)?;
/// let start = Barrier::open(&region, "start", 2)?;
/// let leaders = thread::scope(|scope| {
///     let other = scope.spawn(|| start.wait().is_leader());
///     u32::from(start.wait().is_leader()) + u32::from(other.join().unwrap())
/// });
/// assert_eq!(leaders, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Barrier {
    object: Object<Memory>,
}

/// Whether this party was the last one to arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether it was: true for one party each time.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// Opens the barrier with this name in a region; made there, for `n` parties, if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Mutex::open`](super::Mutex::open).
    #[track_caller]
    pub fn open(region: &Region, name: &str, n: usize) -> io::Result<Self> {
        let object = Object::open::<()>(region, name, Lies::Barrier, |memory: &Memory| {
            Word::store(&memory.n_parties, n.max(1) as u64);
        })?;
        Ok(Self { object })
    }

    /// Waits until all parties have arrived.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let memory = self.memory();
        let operation = self.operation(Location::caller());
        let gate = memory.gate.enter(&self.object.watch(false));
        let n_arrived = Word::load(&memory.n_arrived).wrapping_add(1);
        let generation = n_arrived.div_ceil(self.n_parties());
        let is_last = n_arrived % self.n_parties() == 0;
        // Before the store that counts, so that every arrival is recorded before the notify, and that before it wakes.
        if let Some(operation) = operation {
            operation.arrives(generation);
            if is_last {
                operation.lets_all(generation, self.n_parties() - 1);
            }
        }
        Word::store(&memory.n_arrived, n_arrived);
        if is_last {
            drop(gate);
            protocol::tell(&memory.event.at_once(), true);
            return BarrierWaitResult(true);
        }
        let waiting = operation.map(|operation| operation.waits(generation, false));
        drop(gate);
        let is_open = |_| (Word::load(&memory.n_arrived) / self.n_parties() >= generation).then_some(());
        while protocol::wait_until(&memory.event.until(Deadline::NEVER), is_open).is_none() {}
        if let Some(waiting) = waiting {
            waiting.end();
        }
        if let Some(operation) = operation {
            operation.woken(generation, Flags::NONE);
        }
        BarrierWaitResult(false)
    }

    fn n_parties(&self) -> u64 {
        // What another process wrote there is a number all the same.
        Word::load(&self.memory().n_parties).max(1)
    }

    fn operation(&self, site: Site) -> Option<Operation> {
        let n_parties = self.n_parties();
        Operation::on(self.object.identity(class, Some(n_parties)), class, n_parties as usize, site)
    }

    fn memory(&self) -> &Memory {
        self.object.memory()
    }
}

fn class() -> (ObjectKind, &'static str) {
    (ObjectKind::Barrier, "")
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("name", &self.object.name()).finish_non_exhaustive()
    }
}

impl sealed::Sealed for Barrier {}

impl Labelled for Barrier {
    fn label(&self, text: &str) {
        self.operation(Location::caller()).into_iter().for_each(|operation| operation.label(text));
    }
}
