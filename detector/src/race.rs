//! Data races: conflicting accesses that nothing orders.
//!
//! Two accesses of a variable conflict if one of them writes and one of them is not atomic. They race if neither happens before the
//! other by what C11 says of locks, threads and atomics. A driver tells what a run does, operation by operation
//! ([`Operations`]); what listens to it finds the races ([`HappensBefore`]) or explains those that were found ([`Explainer`]).
//! Pure data in, data out: where a run comes from and what is told of a race is for others.

mod by_epochs;
mod chains;
mod clocks;
mod explain;
mod found;
mod happens_before;
mod held;
mod of_history;
mod of_trace;
mod synchronisation;
mod variables;

pub use by_epochs::count_by_epochs;
pub use explain::{Done, Explainer, Explanation, Hop, LastSync, Repair, Step};
pub use found::{RACES_MAX, Race, Races, Seen};
pub use happens_before::{HappensBefore, Rule};
pub use held::Held;
pub use of_history::{drive, of_history};
pub use of_trace::{Doubt, Passed, Recorded};
pub use trace_format::Mode;

/// What a run does, as far as it orders accesses, in the order in which it did it.
///
/// Implemented by what finds races and by what explains them, so that each driver is written once. Threads, locks, atomics,
/// variables and places have dense numbers, of each sort its own; none is announced. Indexes of operations rise. An atomic
/// operation is told twice with one index: first what it orders ([`Operations::load`], [`Operations::store`],
/// [`Operations::rmw`]), then the access.
pub trait Operations {
    /// What a thread has behind it, for whoever comes after it.
    type Mark: Clone;

    /// Reads or writes a variable.
    fn access(&mut self, access: Access);
    /// The variable is forgotten: what has its number from here on is something else.
    fn forget(&mut self, variable: u32);
    /// Acquires a lock, or upgrades what the thread holds of it (to [`Mode::Exclusive`]).
    fn acquire(&mut self, at: Point, lock: u32, mode: Mode);
    /// Releases what the thread holds of a lock.
    fn release(&mut self, at: Point, lock: u32, mode: Mode);
    /// Holds a lock in a weaker mode from now on.
    fn downgrade(&mut self, at: Point, lock: u32, mode: Mode);
    /// Does what others come after: starts a thread, sends, notifies, ends.
    fn depart(&mut self, at: Point) -> Self::Mark;
    /// Comes after a departure: begins, receives, is woken, joins.
    fn arrive(&mut self, at: Point, mark: &Self::Mark);
    /// Loads from an atomic; so does a compare-exchange that fails.
    fn load(&mut self, at: Point, atomic: u32, order: Ordering);
    /// Stores to an atomic.
    fn store(&mut self, at: Point, atomic: u32, order: Ordering);
    /// Loads from an atomic and stores to it in one operation.
    fn rmw(&mut self, at: Point, atomic: u32, order: Ordering);
    /// A fence.
    fn fence(&mut self, at: Point, order: Ordering);
}

/// The ordering of an atomic operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ordering {
    /// Orders nothing.
    Relaxed,
    /// What it loads comes after what released it.
    Acquire,
    /// What it stores comes before what acquires it.
    Release,
    /// Both.
    AcqRel,
    /// Both, and more that no race depends on.
    SeqCst,
}

impl Ordering {
    /// Its name in Rust.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "Relaxed",
            Self::Acquire => "Acquire",
            Self::Release => "Release",
            Self::AcqRel => "AcqRel",
            Self::SeqCst => "SeqCst",
        }
    }

    /// Whether a load with it, or a fence, acquires.
    ///
    /// ```
    /// use detector::race::Ordering;
    ///
    /// assert!(Ordering::Acquire.acquires() && Ordering::SeqCst.acquires() && !Ordering::Release.acquires());
    /// ```
    pub const fn acquires(self) -> bool {
        matches!(self, Self::Acquire | Self::AcqRel | Self::SeqCst)
    }

    /// Whether a store with it, or a fence, releases.
    ///
    /// ```
    /// use detector::race::Ordering;
    ///
    /// assert!(Ordering::Release.releases() && Ordering::AcqRel.releases() && !Ordering::Relaxed.releases());
    /// ```
    pub const fn releases(self) -> bool {
        matches!(self, Self::Release | Self::AcqRel | Self::SeqCst)
    }
}

/// One operation: who, where in the program, and which of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Point {
    /// The thread.
    pub thread: u32,
    /// Where in the program.
    pub place: u32,
    /// Which operation of the run; below [`u32::MAX`].
    pub index: u32,
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Reads, not atomically.
    Read,
    /// Writes, not atomically.
    Write,
    /// Reads atomically.
    AtomicRead,
    /// Writes atomically, or reads and writes.
    AtomicWrite,
}

impl Kind {
    /// Whether two such accesses of one variable, unordered, are a race: one writes, and one is not atomic.
    ///
    /// ```
    /// use detector::race::Kind;
    ///
    /// assert!(Kind::Read.conflicts(Kind::Write) && Kind::AtomicRead.conflicts(Kind::Write));
    /// assert!(!Kind::Read.conflicts(Kind::Read) && !Kind::AtomicWrite.conflicts(Kind::AtomicWrite));
    /// ```
    pub const fn conflicts(self, other: Self) -> bool {
        (self.writes() || other.writes()) && !(self.is_atomic() && other.is_atomic())
    }

    /// Whether it writes.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::AtomicWrite)
    }

    /// Whether it is atomic.
    pub const fn is_atomic(self) -> bool {
        matches!(self, Self::AtomicRead | Self::AtomicWrite)
    }
}

/// An access of a variable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Access {
    /// Who, and where.
    pub at: Point,
    /// Of what.
    pub variable: u32,
    /// How.
    pub kind: Kind,
}

/// The element with a number, in a table that grows to have it. Numbers are dense, so it grows with what there is.
#[inline]
fn entry<T: Default>(table: &mut Vec<T>, number: u32) -> &mut T {
    let number = number as usize;
    if number >= table.len() {
        grow(table, number + 1);
    }
    &mut table[number]
}

#[cold]
fn grow<T: Default>(table: &mut Vec<T>, len: usize) {
    table.resize_with(len, T::default);
}
