//! A run as one sequence of operations on numbered things: what prediction works on, wherever it comes from.
//!
//! Plain data. A trace in text or in RAPID's binary form is one already; of a recorded trace it is the merged order.

mod names;
mod problems;
mod resource;
mod well_formed;

pub use names::Names;
pub use problems::{Origin, PROBLEMS_MAX};
pub use resource::{Resource, Resources};
pub use trace_format::Mode;
pub use well_formed::Builder;

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Is about to acquire a lock.
    Request,
    /// Acquires a lock.
    Acquire,
    /// Releases a lock.
    Release,
    /// Reads a variable.
    Read,
    /// Writes a variable.
    Write,
    /// Starts a thread.
    Fork,
    /// Has seen the end of a thread.
    Join,
    /// A thread begins.
    Begin,
    /// A thread ends.
    End,
    /// Depends on what the thread has read before.
    Branch,
    /// Waits for a notify on a lock's condition; its lock is released before and acquired after, by operations of their own.
    Wait,
    /// Wakes one that waits on a lock's condition.
    Notify,
    /// Wakes all that wait on a lock's condition.
    NotifyAll,
    /// Waits until a variable was written as it was: for what another thread must have done before.
    Await,
    /// Begins to wait on a [`Resource::Condition`]; its lock is released right behind it, as one operation with it.
    Enter,
    /// Takes from a resource, or goes on because of it; waits until it can.
    Take,
    /// Has seen that its message was taken, of a channel without room; waits until it was.
    Confirm,
    /// Finds a channel empty, and nobody left to send; waits until that is so.
    FindClosed,
    /// Gives a resource something; wakes the first that waits on a condition.
    Give,
    /// Wakes all that wait on a condition.
    GiveAll,
    /// There is one more who may send. A channel begins with one.
    Open,
    /// There is one less who may send.
    Close,
    /// Would have waited on a condition, but found what it waits for.
    Pass,
}

impl Kind {
    /// Every kind that texts have a name for.
    pub const ALL: [Self; 13] = [
        Self::Request,
        Self::Acquire,
        Self::Release,
        Self::Read,
        Self::Write,
        Self::Fork,
        Self::Join,
        Self::Begin,
        Self::End,
        Self::Branch,
        Self::Wait,
        Self::Notify,
        Self::NotifyAll,
    ];

    /// What texts call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "req",
            Self::Acquire => "acq",
            Self::Release => "rel",
            Self::Read => "r",
            Self::Write => "w",
            Self::Fork => "fork",
            Self::Join => "join",
            Self::Begin => "begin",
            Self::End => "end",
            Self::Branch => "branch",
            Self::Wait => "wait",
            Self::Notify => "notify",
            Self::NotifyAll => "notifyAll",
            Self::Await => "await",
            Self::Enter => "enter",
            Self::Take => "take",
            Self::Confirm => "confirm",
            Self::FindClosed => "findClosed",
            Self::Give => "give",
            Self::GiveAll => "giveAll",
            Self::Open => "open",
            Self::Close => "close",
            Self::Pass => "pass",
        }
    }

    /// What the target of such an operation is.
    pub const fn target(self) -> Target {
        match self {
            Self::Request | Self::Acquire | Self::Release | Self::Wait | Self::Notify | Self::NotifyAll => Target::Lock,
            Self::Read | Self::Write | Self::Await => Target::Variable,
            Self::Fork | Self::Join => Target::Thread,
            Self::Enter
            | Self::Take
            | Self::Confirm
            | Self::FindClosed
            | Self::Give
            | Self::GiveAll
            | Self::Open
            | Self::Close
            | Self::Pass => Target::Resource,
            Self::Begin | Self::End | Self::Branch => Target::Nothing,
        }
    }
}

/// What the number of a target refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// [`History::locks`].
    Lock,
    /// [`History::variables`].
    Variable,
    /// [`History::threads`].
    Thread,
    /// [`History::resources`]; in a recorded history the number of the same object as a lock.
    Resource,
    /// Nothing; the number is 0.
    Nothing,
}

/// One operation of a run. 16 bytes: ten million of them are 160 MB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Who: index into [`History::threads`].
    pub thread: u32,
    /// On what: index by [`Kind::target`].
    pub target: u32,
    /// Where in the program: index into [`History::places`].
    pub place: u32,
    /// What.
    pub kind: Kind,
    /// Of an acquire and its release: which other holders it excludes.
    pub mode: Mode,
    /// Of an acquire, and whatever else waits: whether it waits until it succeeds. One that gives up, at once or after a
    /// time, may hold but does not hang.
    pub may_wait: bool,
}

const _: () = assert!(size_of::<Operation>() == 16);

impl Operation {
    /// An operation; an acquire is exclusive and waits.
    pub const fn new(thread: u32, kind: Kind, target: u32, place: u32) -> Self {
        Self { thread, target, place, kind, mode: Mode::Exclusive, may_wait: true }
    }
}

/// A run: its operations in the order in which they happened, and what their numbers stand for.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The operations, first to last.
    pub operations: Vec<Operation>,
    /// Names of the threads, in order of appearance.
    pub threads: Names,
    /// Names of the locks.
    pub locks: Names,
    /// Names of the variables.
    pub variables: Names,
    /// What operations take and give that is no lock; of a recorded process only.
    pub resources: Resources,
    /// Threads, in order, that did not end: after their last operation here they may do anything.
    pub unended: Vec<u32>,
    /// Places in the program, as the trace calls them.
    pub places: Names,
    /// Where the trace contradicts itself. What was wrong is not among the operations.
    pub flaws: Vec<Flaw>,
    /// Locks, in order, of which the trace does not say when they were held: threads waited with them in their hands.
    /// Nothing about them is proven.
    pub doubtful: Vec<u32>,
    /// Locks, in order, whose holders may have read and written what they guard, which nobody saw.
    pub unseen: Vec<u32>,
}

impl History {
    /// The name of what an operation is about; empty if it is about nothing.
    pub fn target_name(&self, operation: Operation) -> &str {
        match operation.kind.target() {
            Target::Lock => self.locks.text(operation.target),
            Target::Variable => self.variables.text(operation.target),
            Target::Thread => self.threads.text(operation.target),
            Target::Resource | Target::Nothing => "",
        }
    }
}

/// An operation that cannot have happened after those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// Which operation of the trace, from 1: in a text, the line.
    pub at: u64,
    /// Index into [`History::operations`] of the first operation after it.
    pub before: usize,
    /// The operation.
    pub operation: Operation,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with an operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wrong {
    /// Releases a lock that nobody holds.
    ReleasesFree,
    /// Releases a lock that another thread holds.
    ReleasesOthers,
    /// Acquires a lock that another thread holds.
    AcquiresHeld,
    /// Is of a thread that has ended, or was joined.
    AfterEnd,
    /// Starts a thread that has begun already.
    ForksBegun,
}
