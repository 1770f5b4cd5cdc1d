//! What is known of an owner that died, or panicked, and how it is handed on.

use super::owner;
use crate::probe::Flags;
use std::{
    cell::Cell,
    error, fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// Who holds a lock, for whoever may have to say so once that is dead: informative, and possibly one step behind.
#[repr(C)]
#[derive(Debug)]
struct Holder {
    /// Process in the upper half, thread in the lower one.
    ids: AtomicU64,
    /// Of thread and program, 16 bytes each.
    names: [AtomicU64; 4],
}

/// As it lies in shared memory.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Words {
    /// Why the lock is poisoned: 0 it is not, 1 its owner died, 2 it panicked.
    cause: AtomicU64,
    holder: Holder,
    culprit: Holder,
}

const DIED: u64 = 1;
const PANICKED: u64 = 2;

/// Word, process and names of this thread, as they were when last asked.
type Mine = (u64, u32, [u64; 4]);

thread_local! {
    static MINE: Cell<Mine> = const { Cell::new((0, 0, [0; 4])) };
}

/// Process and names of the thread with this word, which is this one.
fn mine(me: u64) -> (u32, [u64; 4]) {
    let (of, process, names) = MINE.try_with(Cell::get).unwrap_or_default();
    if of == me {
        return (process, names);
    }
    let process = std::process::id();
    let [thread, program] = owner::names();
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let names = [word(&thread[..8]), word(&thread[8..]), word(&program[..8]), word(&program[8..])];
    let _kept = MINE.try_with(|mine| mine.set((me, process, names)));
    (process, names)
}

impl Holder {
    fn set(&self, ids: u64, names: [u64; 4]) {
        // Relaxed, here and below: the lock that this belongs to orders those who hold it; who died in between says too little.
        self.ids.store(ids, Ordering::Relaxed);
        for (word, name) in self.names.iter().zip(names) {
            word.store(name, Ordering::Relaxed);
        }
    }

    fn get(&self) -> (u64, [u64; 4]) {
        // Relaxed: see `set`.
        (self.ids.load(Ordering::Relaxed), self.names.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }
}

impl Words {
    /// The thread with this word holds the lock from here on.
    pub(super) fn held_by(&self, me: u64) {
        let (process, names) = mine(me);
        self.holder.set(u64::from(process) << 32 | u64::from(owner::tid(me)), names);
    }

    /// The lock was taken over from an owner that is dead, and not said yet who holds it now.
    pub(super) fn died(&self, dead: u64) {
        let (ids, names) = self.holder.get();
        // It may have died before it said who it was.
        let is_it = ids as u32 == owner::tid(dead);
        self.culprit.set(if is_it { ids } else { u64::from(owner::tid(dead)) }, if is_it { names } else { [0; 4] });
        // Relaxed: under the lock.
        self.cause.store(DIED, Ordering::Relaxed);
    }

    /// The thread that holds the lock panics.
    pub(super) fn panicked(&self) {
        let (ids, names) = self.holder.get();
        self.culprit.set(ids, names);
        // Relaxed: under the lock.
        self.cause.store(PANICKED, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        // Relaxed: as std's flag, it orders nothing.
        self.cause.store(0, Ordering::Relaxed);
    }

    /// What an acquire says of it.
    pub(super) fn flags(&self) -> Flags {
        // Relaxed: see `clear`.
        Flags::POISONED.when(self.cause.load(Ordering::Relaxed) != 0)
    }

    /// What was obtained of the lock with this name, or who has left that half changed.
    pub(super) fn handed_on<G>(&self, guard: G, name: &str) -> TryLockResult<G> {
        match self.owner() {
            Some(owner) => Err(TryLockError::Poisoned(PoisonError::new(guard, owner, name))),
            None => Ok(guard),
        }
    }

    /// Who is to blame, if the lock is poisoned.
    pub(super) fn owner(&self) -> Option<Owner> {
        // Relaxed: see `clear`.
        let cause = self.cause.load(Ordering::Relaxed);
        let (ids, names) = self.culprit.get();
        (cause != 0).then(|| Owner {
            process: (ids >> 32) as u32,
            thread: ids as u32,
            thread_name: text([names[0], names[1]]),
            program: text([names[2], names[3]]),
            has_panicked: cause != DIED,
        })
    }
}

/// Bytes of another process: whatever they are, a bounded text without control characters.
fn text(words: [u64; 2]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Who held a lock of shared memory when it died, or panicked.
///
/// What it says was written by that thread: after a crash in the wrong moment names are missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    process: u32,
    thread: u32,
    thread_name: String,
    program: String,
    has_panicked: bool,
}

impl Owner {
    /// Its process id; 0 if that is not known.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process
    }

    /// The id of its thread in the operating system.
    #[must_use]
    pub fn thread_id(&self) -> u32 {
        self.thread
    }

    /// The name of its thread there, of which 15 bytes are kept; empty if it is not known.
    #[must_use]
    pub fn thread_name(&self) -> &str {
        &self.thread_name
    }

    /// The name of its program, of which 15 bytes are kept; empty if it is not known.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether it panicked; else it died: was killed, ended, or ran another program.
    #[must_use]
    pub fn has_panicked(&self) -> bool {
        self.has_panicked
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            0 => f.write_str("a process")?,
            process => write!(f, "process {process}")?,
        }
        if !self.program.is_empty() {
            write!(f, " ({})", self.program)?;
        }
        f.write_str(", thread ")?;
        if !self.thread_name.is_empty() {
            write!(f, "`{}` ", self.thread_name)?;
        }
        write!(f, "{}", self.thread)
    }
}

/// The owner of a lock died, or panicked, while it held the lock: what is guarded may be half changed.
///
/// The lock is held all the same, and the guard is in here. Mend what is guarded, and call `clear_poison`.
pub struct PoisonError<G> {
    guard: G,
    /// Who, and of which lock. Apart, since results are large that hold it.
    blamed: Box<(Owner, String)>,
}

impl<G> PoisonError<G> {
    fn new(guard: G, owner: Owner, lock: &str) -> Self {
        Self { guard, blamed: Box::new((owner, lock.to_owned())) }
    }

    /// The guard.
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// The guard, borrowed.
    pub fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, borrowed mutably.
    pub fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// Who it was.
    pub fn owner(&self) -> &Owner {
        &self.blamed.0
    }

    /// The same error about another guard.
    pub(super) fn map<H>(self, with: impl FnOnce(G) -> H) -> PoisonError<H> {
        PoisonError { guard: with(self.guard), blamed: self.blamed }
    }
}

impl<G> fmt::Debug for PoisonError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoisonError")
            .field("owner", &self.blamed.0)
            .field("lock", &self.blamed.1)
            .finish_non_exhaustive()
    }
}

impl<G> fmt::Display for PoisonError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, lock) = &*self.blamed;
        let end = if owner.has_panicked { "panicked" } else { "died" };
        write!(f, "{owner}, {end} while it held `{lock}`")
    }
}

impl<G> error::Error for PoisonError<G> {}

/// A guard, or one of what a dead owner left.
pub type LockResult<G> = Result<G, PoisonError<G>>;

/// Why a lock was not taken, or not without a warning.
pub enum TryLockError<G> {
    /// It was taken over from a dead owner.
    Poisoned(PoisonError<G>),
    /// It is held, and the time is over.
    WouldBlock,
}

impl<G> fmt::Debug for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(poisoned) => f.debug_tuple("Poisoned").field(poisoned).finish(),
            Self::WouldBlock => f.write_str("WouldBlock"),
        }
    }
}

impl<G> fmt::Display for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(poisoned) => poisoned.fmt(f),
            Self::WouldBlock => f.write_str("the lock is held, and was not free in time"),
        }
    }
}

impl<G> error::Error for TryLockError<G> {}

/// As [`LockResult`], of an attempt that may fail.
pub type TryLockResult<G> = Result<G, TryLockError<G>>;

/// Attempts whose time has no end do not give up.
pub(super) fn endless<G>(mut attempt: impl FnMut() -> TryLockResult<G>) -> LockResult<G> {
    loop {
        match attempt() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}
