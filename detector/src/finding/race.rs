//! What findings about data races have beside the rest.

use super::{Frame, Place};

/// An access of a data race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whose: index into [`Finding::threads`](super::Finding::threads).
    pub thread: usize,
    /// What it does.
    pub op: AccessOp,
    /// What is accessed: index into [`Finding::objects`](super::Finding::objects); `None` for memory that has no name at all.
    pub object: Option<usize>,
    /// Where.
    pub at: Option<Place>,
    /// On which path, user frames only, innermost first.
    pub stack: Vec<Frame>,
    /// What the thread held, oldest first.
    pub held: Vec<HeldLock>,
}

/// What a thread held when it accessed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// Which: index into [`Finding::objects`](super::Finding::objects).
    pub object: usize,
    /// In which mode: `exclusive`, `shared`, …
    pub mode: String,
    /// Where it took it.
    pub at: Option<Place>,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessOp {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Reads an atomic.
    AtomicRead,
    /// Writes an atomic, or updates it.
    AtomicWrite,
    /// Frees what others access.
    Free,
}

impl AccessOp {
    /// Every kind of access.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::AtomicRead, Self::AtomicWrite, Self::Free];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::AtomicRead => "atomic read",
            Self::AtomicWrite => "atomic write",
            Self::Free => "free",
        }
    }

    /// Whether it is an access of an atomic.
    pub const fn is_atomic(self) -> bool {
        matches!(self, Self::AtomicRead | Self::AtomicWrite)
    }

    /// Whether it does nothing but read.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::AtomicRead)
    }
}

/// The last that one thread of a race knows of the other one: everything before `from` comes before everything after `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSync {
    /// What the one did.
    pub from: SyncPoint,
    /// How the other one came to know of it.
    pub to: SyncPoint,
}

/// An operation that orders what is before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// Whose: index into [`Finding::threads`](super::Finding::threads).
    pub thread: usize,
    /// What it is.
    pub op: SyncOp,
    /// On what: index into [`Finding::objects`](super::Finding::objects).
    pub object: Option<usize>,
    /// Where.
    pub at: Option<Place>,
}

/// What orders threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncOp {
    /// A lock is taken.
    Lock,
    /// A lock is given up.
    Unlock,
    /// A thread is started.
    Fork,
    /// The end of a thread was waited for.
    Join,
    /// A thread begins.
    Begin,
    /// A thread ends.
    End,
    /// Something is sent, or given.
    Send,
    /// Something is received, or taken.
    Receive,
    /// Threads are notified.
    Notify,
    /// A thread was woken.
    Wake,
    /// A store to an atomic.
    AtomicStore,
    /// A load of an atomic.
    AtomicLoad,
    /// An update of an atomic.
    AtomicRmw,
    /// A fence.
    Fence,
    /// What was made is handed to others: something is initialised.
    Publish,
    /// What others made is found.
    Observe,
    /// Anything else.
    Other,
}

impl SyncOp {
    /// Everything that orders threads.
    pub const ALL: [Self; 17] = [
        Self::Lock,
        Self::Unlock,
        Self::Fork,
        Self::Join,
        Self::Begin,
        Self::End,
        Self::Send,
        Self::Receive,
        Self::Notify,
        Self::Wake,
        Self::AtomicStore,
        Self::AtomicLoad,
        Self::AtomicRmw,
        Self::Fence,
        Self::Publish,
        Self::Observe,
        Self::Other,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Fork => "fork",
            Self::Join => "join",
            Self::Begin => "begin",
            Self::End => "end",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Notify => "notify",
            Self::Wake => "wake",
            Self::AtomicStore => "atomic store",
            Self::AtomicLoad => "atomic load",
            Self::AtomicRmw => "atomic rmw",
            Self::Fence => "fence",
            Self::Publish => "publish",
            Self::Observe => "observe",
            Self::Other => "other",
        }
    }
}

/// How many races a trace has by one rule, counted as others count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaceCount {
    /// By which rule.
    pub rule: RaceRule,
    /// Accesses that race with an earlier one.
    pub events: u64,
    /// Places of the program at which there is such an access.
    pub locations: u64,
}

/// What makes two conflicting accesses a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RaceRule {
    /// Happens-before does not order them.
    HappensBefore,
    /// The same, of what an engine by epochs remembers: the first race of each variable, and not all that come later.
    ByEpochs,
    /// Nor does that a read sees the write that it saw: each of them is a race of its own, whatever raced before.
    Schedulable,
    /// A reordering that keeps the order of the critical sections in it brings them together.
    SyncPreserving,
}

impl RaceRule {
    /// Every rule, the one of least work first.
    pub const ALL: [Self; 4] = [Self::HappensBefore, Self::ByEpochs, Self::Schedulable, Self::SyncPreserving];

    /// The name in reports and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HappensBefore => "happens-before",
            Self::ByEpochs => "happens-before by epochs",
            Self::Schedulable => "schedulable happens-before",
            Self::SyncPreserving => "sync-preserving",
        }
    }
}
