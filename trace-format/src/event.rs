//! The 16-byte event.
//!
//! ```text
//!          63                    40 39          16 15    8 7     0
//! word 0  | object, low 24 bits    | site 24      | flags | kind  |
//!          63                                  16 15             0
//! word 1  | sequence 48                          | object, high 16 |
//! ```
//!
//! An [`Kind::EXTEND`] event belongs to the event before it and carries 56 + 64 bits of payload: word 0 from bit
//! 8, and word 1. An event and its extensions are published by one store, so a reader never sees them apart.

use crate::id::{ObjectId, SiteId};
use core::fmt;

/// The largest sequence number or message id: 48 bits.
pub const MESSAGE_MAX: u64 = (1 << 48) - 1;

/// The largest address that an event can name: 48 bits.
pub const ADDRESS_MAX: u64 = (1 << 48) - 1;

/// The largest number beside an address: 40 bits.
pub const BESIDE_MAX: u64 = (1 << 40) - 1;

/// The largest first payload of an extension: 56 bits.
pub const PAYLOAD_MAX: u64 = (1 << 56) - 1;

/// One thing that a thread did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Event {
    words: [u64; 2],
}

const _: () = assert!(size_of::<Event>() == 16 && align_of::<Event>() == 8);

impl Event {
    /// Size of an event in 64-bit words.
    pub const WORDS: usize = 2;

    /// Packs an event; bits of `site`, `object` and `seq` beyond 24, 40 and 48 are cut off.
    #[inline]
    pub const fn new(kind: Kind, flags: Flags, site: u32, object: ObjectId, seq: u64) -> Self {
        let object = object.0 & ObjectId::MAX.0;
        let site = (site & SiteId::MAX.0) as u64;
        Self { words: [kind.0 as u64 | (flags.0 as u64) << 8 | site << 16 | object << 40, object >> 24 | seq << 16] }
    }

    /// Packs an event on memory that is known by its address: the low 40 bits of the address stand where an object does, the
    /// other 8 in the low bits of the sequence number, above them `beside`, of 40 bits: a version, or a length.
    ///
    /// ```
    /// use trace_format::{Event, Flags, Kind};
    ///
    /// let event = Event::at_address(Kind::ATOMIC_STORE, Flags::NONE, 7, 0x7fff_1234_5678, 3);
    /// assert_eq!((event.address(), event.beside()), (0x7fff_1234_5678, 3));
    /// ```
    #[inline]
    pub const fn at_address(kind: Kind, flags: Flags, site: u32, address: u64, beside: u64) -> Self {
        Self::new(kind, flags, site, ObjectId(address), beside << 8 | (address >> 40 & 0xff))
    }

    /// The address of an event on memory.
    #[inline]
    pub const fn address(self) -> u64 {
        self.object().0 | (self.seq() & 0xff) << 40
    }

    /// What stands beside the address of an event on memory.
    #[inline]
    pub const fn beside(self) -> u64 {
        self.seq() >> 8
    }

    /// Whether the event is on memory that is known by its address, and not on an object.
    #[inline]
    pub const fn is_at_address(self) -> bool {
        match self.kind() {
            Kind::ATOMIC_LOAD
            | Kind::ATOMIC_STORE
            | Kind::ATOMIC_RMW
            | Kind::PUBLISH
            | Kind::OBSERVE
            | Kind::CELL_FREE => true,
            Kind::CELL_READ | Kind::CELL_WRITE => self.flags().has(Flags::ADDRESS),
            _ => false,
        }
    }

    /// An extension of the event before it.
    #[inline]
    pub const fn extend(first: u64, second: u64) -> Self {
        Self { words: [Kind::EXTEND.0 as u64 | first << 8, second] }
    }

    /// The two payloads of an extension: 56 and 64 bits.
    #[inline]
    pub const fn payload(self) -> (u64, u64) {
        (self.words[0] >> 8, self.words[1])
    }

    /// The event as it lies in memory.
    #[inline]
    pub const fn words(self) -> [u64; 2] {
        self.words
    }

    /// Any two words are an event; its kind may be unknown.
    #[inline]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self { words }
    }

    /// What happened.
    #[inline]
    pub const fn kind(self) -> Kind {
        Kind(self.words[0] as u8)
    }

    /// Details of what happened; their meaning depends on the kind.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags((self.words[0] >> 8) as u8)
    }

    /// Where it happened: location and stack.
    #[inline]
    pub const fn site(self) -> SiteId {
        SiteId((self.words[0] >> 16) as u32 & SiteId::MAX.0)
    }

    /// What it happened to.
    #[inline]
    pub const fn object(self) -> ObjectId {
        ObjectId(self.words[0] >> 40 | (self.words[1] & 0xffff) << 24)
    }

    /// The number that orders events on one object; its meaning depends on the kind.
    #[inline]
    pub const fn seq(self) -> u64 {
        self.words[1] >> 16
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind() == Kind::EXTEND {
            let (first, second) = self.payload();
            return write!(f, "extend({first:#x}, {second:#x})");
        }
        let (kind, flags, site) = (self.kind(), self.flags().0, self.site().0);
        write!(f, "{kind:?}(flags {flags:#04x}, site {site}, object {}, seq {})", self.object().0, self.seq())
    }
}

/// What an event says happened. An unknown kind is legal: readers skip and count it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kind(pub u8);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// Every kind of this version with its name.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name))),*];
        }
    };
}

kinds! {
    /// Payload of the event before it.
    EXTEND = 1;
    /// Time in microseconds since the process file was made, in `seq`; for display only, never for order.
    TIME = 2;
    /// `seq` operations of this thread from here on were not recorded.
    LOST = 3;
    /// The recording level from here on, in `flags`.
    LEVEL = 4;
    /// From here on the segment's events are those of thread `object`; `seq` counts that thread's segments.
    OWNER = 5;

    /// `object` exists, made at `site` (a location without a stack); `seq` is its class.
    CREATE = 16;
    /// `object` is gone.
    DESTROY = 17;
    /// Another handle of the kind in `flags` to `object`.
    HANDLE_CLONE = 18;
    /// A handle of the kind in `flags` to `object` was dropped.
    HANDLE_DROP = 19;
    /// A guard of `object` was leaked: its lock will not be released.
    GUARD_LEAKED = 20;
    /// A guard of `object` left this thread.
    GUARD_SENT = 21;
    /// `object` lies in shared memory; extended by (device, inode) and (offset, 0).
    SHARED_OBJECT = 22;
    /// What `object` was made with, in `seq`: parties of a barrier, counts of a latch, permits of a semaphore, room
    /// of a channel; [`MESSAGE_MAX`] if there is no bound.
    CAPACITY = 23;

    /// The thread is about to block for `object` in the mode of `flags`; published before it blocks.
    REQUEST = 32;
    /// `object` was acquired; `seq`: see FORMAT.md, "Order".
    ACQUIRE = 33;
    /// `object` was released; recorded before it is free. `seq` is that of the acquire.
    RELEASE = 34;
    /// A try or timed acquire gave up.
    ACQUIRE_FAILED = 35;
    /// An exclusive or upgradable hold became the weaker mode in `flags`.
    DOWNGRADE = 36;
    /// An upgradable hold became exclusive.
    UPGRADE = 37;

    /// The thread waits for `object`, which nobody owns; `seq` is its ticket.
    WAIT = 48;
    /// The wait ended; `seq` is the number of the notify that ended it, 0 if none did.
    WAKE = 49;
    /// `seq` numbers this notify; extended by (tickets woken, highest ticket woken).
    NOTIFY = 50;
    /// A party arrived at a barrier or counted down a latch.
    ARRIVE = 51;
    /// An operation that waited for nothing told this thread something about the object: that it is held, open, over.
    LOOK = 52;
    /// A wait for `object` was not needed, since its condition was false already; `seq` is the mutex that it would have
    /// given up.
    PASS = 53;

    /// Message `seq` is about to be sent through channel `object`.
    SEND = 56;
    /// Message `seq` was handed back to the sender.
    SEND_FAILED = 57;
    /// Message `seq` was received from channel `object`.
    RECEIVE = 58;
    /// Nothing was received.
    RECEIVE_FAILED = 59;
    /// Message `seq` was handed over at a rendezvous: it has been received.
    SENT = 61;

    /// Thread `object` is about to be started; with [`Flags::SCOPED`], `seq` names the scope.
    FORK = 64;
    /// The first event of thread `object`; [`Flags::FORKED`] if a [`Kind::FORK`] announces it.
    BEGIN = 65;
    /// The closure of thread `object` has returned or unwound.
    BODY_END = 66;
    /// The last event of thread `object`.
    END = 67;
    /// Thread `object` was joined.
    JOIN = 68;
    /// Scope `seq` has ended: the bodies of all threads forked in it have.
    SCOPE_END = 69;
    /// Thread `object` could not be started after all.
    FORK_FAILED = 70;

    /// The process is about to duplicate itself.
    PROCESS_FORK = 72;
    /// The process is about to run another program.
    EXEC = 73;
    /// A child process was started; extended by (pid, start time).
    PROCESS_SPAWN = 74;
    /// The thread waits for a child process.
    PROCESS_WAIT = 75;
    /// A child process is known to have ended.
    CHILD_EXIT = 76;

    /// Task `object` runs on this thread from here on.
    TASK_BEGIN = 80;
    /// The task gave the thread back and may go on elsewhere.
    TASK_SUSPEND = 81;
    /// The task has ended.
    TASK_END = 82;

    /// A signal handler runs on this thread; `seq` is the signal.
    SIGNAL_BEGIN = 84;
    /// The signal handler has returned.
    SIGNAL_END = 85;

    /// A memory fence with the ordering in `flags`.
    FENCE = 96;
    /// An atomic load, at an address, that saw this version.
    ATOMIC_LOAD = 97;
    /// An atomic store, at an address, that made this version.
    ATOMIC_STORE = 98;
    /// An atomic read-modify-write, at an address, that made this version.
    ATOMIC_RMW = 99;
    /// A read of a cell, or of so many bytes at an address.
    CELL_READ = 100;
    /// A write of a cell, or of so many bytes at an address.
    CELL_WRITE = 101;
    /// What this thread did so far is published at an address, as this version.
    PUBLISH = 102;
    /// What was published at an address up to this version is known to this thread.
    OBSERVE = 103;
    /// So many bytes at an address end here: what comes later there is something else.
    CELL_FREE = 104;

    /// Bytes were read from a pipe.
    PIPE_READ = 112;
    /// Bytes were written to a pipe.
    PIPE_WRITE = 113;
}

impl Kind {
    /// The name of its constant, or `None` for a kind that this version does not know.
    pub fn name(self) -> Option<&'static str> {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map(|(_, name)| *name)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Kind({})", self.0),
        }
    }
}

/// Details of an event.
///
/// Acquire-like kinds keep a [`Mode`] in the low three bits. Bits above it have one meaning per kind; names
/// below say for which. Unknown bits are ignored by readers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Flags(pub u8);

impl Flags {
    /// No details.
    pub const NONE: Self = Self(0);
    /// REQUEST, ACQUIRE, RELEASE: mode shared.
    pub const SHARED: Self = Self(Mode::Shared as u8);

    /// REQUEST, ACQUIRE, SEND, SENT, RECEIVE: came from an operation that never waits, as a `try_` call.
    pub const TRY: Self = Self(1 << 3);
    /// ACQUIRE: a REQUEST of this thread precedes it.
    pub const CONTENDED: Self = Self(1 << 4);
    /// ACQUIRE: the lock was poisoned. Of a semaphore, which cannot be, it is [`Flags::JOINT`].
    pub const POISONED: Self = Self(1 << 5);
    /// ACQUIRE, WAKE of a semaphore: this permit was taken by one operation with the one before it.
    pub const JOINT: Self = Self(1 << 5);
    /// REQUEST, ACQUIRE: a condition variable takes its mutex back.
    pub const REACQUIRE: Self = Self(1 << 6);
    /// REQUEST, ACQUIRE, WAIT, SEND, SENT, RECEIVE: gives up after a time. WAKE, `RECEIVE_FAILED`: came from an operation
    /// that would not have waited for ever, since it gives up after a time or at once.
    pub const TIMED: Self = Self(1 << 7);

    /// RELEASE: the data was read through the guard.
    pub const READ: Self = Self(1 << 3);
    /// RELEASE: the data was borrowed mutably through the guard.
    pub const WROTE: Self = Self(1 << 4);
    /// RELEASE: a condition variable gives the mutex up to wait.
    pub const FOR_WAIT: Self = Self(1 << 5);
    /// RELEASE, `BODY_END`: the thread was unwinding.
    pub const PANICKING: Self = Self(1 << 6);
    /// RELEASE: when the data was first touched through the guard, the thread held something newer, or had waited for
    /// something that is no lock since.
    pub const LATE: Self = Self(1 << 7);

    /// WAKE: the time was over. `RECEIVE_FAILED`, `SEND_FAILED`: same.
    pub const TIMED_OUT: Self = Self(1 << 3);
    /// `RECEIVE_FAILED`, `SEND_FAILED`: the other side is gone.
    pub const DISCONNECTED: Self = Self(1 << 4);
    /// RECEIVE, `RECEIVE_FAILED`: came from an operation that receives from whichever of several channels has a message.
    pub const AMONG: Self = Self(1 << 6);
    /// `CELL_READ`, `CELL_WRITE`: of memory at an address, not of an object.
    pub const ADDRESS: Self = Self(1 << 4);
    /// `ATOMIC_LOAD`, `ATOMIC_STORE`, `ATOMIC_RMW`, `PUBLISH`, `OBSERVE`: which version that was is not certain.
    pub const UNCERTAIN: Self = Self(1 << 3);
    /// NOTIFY: to all waiters.
    pub const ALL: Self = Self(1 << 3);

    /// FORK: in the scope named by `seq`.
    pub const SCOPED: Self = Self(1 << 3);
    /// BEGIN: the thread was started by a FORK.
    pub const FORKED: Self = Self(1 << 3);

    /// `HANDLE_CLONE`, `HANDLE_DROP`: a sender.
    pub const SENDER: Self = Self(1);
    /// `HANDLE_CLONE`, `HANDLE_DROP`: a receiver.
    pub const RECEIVER: Self = Self(2);
    /// `HANDLE_CLONE`, `HANDLE_DROP`: a thread's join handle.
    pub const THREAD: Self = Self(3);

    /// Both sets of flags.
    #[must_use]
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The mode in the low three bits; what this version does not know counts as exclusive.
    #[inline]
    pub const fn mode(self) -> Mode {
        match self.0 & 7 {
            1 => Mode::Shared,
            2 => Mode::Upgradable,
            3 => Mode::SharedRecursive,
            _ => Mode::Exclusive,
        }
    }

    /// The memory ordering in the low three bits of a FENCE or an atomic operation; what this version does not know counts as
    /// the strongest.
    #[inline]
    pub const fn order(self) -> Order {
        match self.0 & 7 {
            0 => Order::Relaxed,
            1 => Order::Acquire,
            2 => Order::Release,
            3 => Order::AcqRel,
            _ => Order::SeqCst,
        }
    }

    /// Flags of an atomic operation on a variable of `2^log2_bytes` bytes.
    #[must_use]
    #[inline]
    pub const fn atomic(order: Order, log2_bytes: u32) -> Self {
        Self(order as u8 | ((log2_bytes & 7) as u8) << 4)
    }

    /// How many bytes an atomic operation is about.
    #[inline]
    pub const fn n_bytes(self) -> u64 {
        1 << (self.0 >> 4 & 7)
    }

    /// The handle kind of a HANDLE event: the low three bits.
    #[must_use]
    #[inline]
    pub const fn handle(self) -> Self {
        Self(self.0 & 7)
    }
}

/// The memory ordering of an atomic operation or a fence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Order {
    /// Orders nothing.
    Relaxed = 0,
    /// What comes later comes after what was published.
    Acquire = 1,
    /// Publishes what came before.
    Release = 2,
    /// Both.
    AcqRel = 3,
    /// Both, and one order of all such operations.
    SeqCst = 4,
}

impl Order {
    /// Whether it orders as acquire does.
    pub const fn acquires(self) -> bool {
        matches!(self, Self::Acquire | Self::AcqRel | Self::SeqCst)
    }

    /// Whether it orders as release does.
    pub const fn releases(self) -> bool {
        matches!(self, Self::Release | Self::AcqRel | Self::SeqCst)
    }

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
}

/// How a lock is held or wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Mode {
    /// Excludes everybody.
    Exclusive = 0,
    /// Excludes exclusive holders; queues behind waiting writers.
    Shared = 1,
    /// Excludes exclusive and upgradable holders.
    Upgradable = 2,
    /// Excludes exclusive holders; does not queue behind waiting writers.
    SharedRecursive = 3,
}

impl Mode {
    /// The mode as flags of an event.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags(self as u8)
    }

    /// Whether two holds in these modes exclude each other.
    pub const fn excludes(self, other: Self) -> bool {
        matches!((self, other), (Self::Exclusive, _) | (_, Self::Exclusive) | (Self::Upgradable, Self::Upgradable))
    }
}

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum ObjectKind {
    /// Not known, or of a kind newer than this reader.
    Unknown = 0,
    /// `Mutex`.
    Mutex = 1,
    /// `RwLock`.
    RwLock = 2,
    /// `Condvar`.
    Condvar = 3,
    /// A channel, bounded or not.
    Channel = 4,
    /// A thread, as something to join, park or unpark.
    Thread = 5,
    /// `Barrier`.
    Barrier = 6,
    /// `Once`, `OnceLock`, `LazyLock`.
    Once = 7,
    /// A counting semaphore.
    Semaphore = 8,
    /// A latch that opens once.
    Latch = 9,
    /// A mutex that its owner may lock again.
    ReentrantMutex = 10,
    /// A resource that the program describes itself.
    Resource = 11,
    /// An asynchronous task.
    Task = 12,
    /// A child process.
    Process = 13,
    /// A pipe.
    Pipe = 14,
    /// A file lock.
    FileLock = 15,
    /// An atomic variable.
    Atomic = 16,
    /// A cell whose accesses are recorded.
    Cell = 17,
    /// A lock of an asynchronous runtime.
    AsyncLock = 18,
    /// A set of scoped threads.
    Scope = 19,
    /// Threads that poll tasks.
    Workers = 20,
}

impl ObjectKind {
    /// The kind with this number; unknown numbers are [`ObjectKind::Unknown`].
    pub const fn from_number(number: u8) -> Self {
        const ALL: [ObjectKind; 21] = [
            ObjectKind::Unknown,
            ObjectKind::Mutex,
            ObjectKind::RwLock,
            ObjectKind::Condvar,
            ObjectKind::Channel,
            ObjectKind::Thread,
            ObjectKind::Barrier,
            ObjectKind::Once,
            ObjectKind::Semaphore,
            ObjectKind::Latch,
            ObjectKind::ReentrantMutex,
            ObjectKind::Resource,
            ObjectKind::Task,
            ObjectKind::Process,
            ObjectKind::Pipe,
            ObjectKind::FileLock,
            ObjectKind::Atomic,
            ObjectKind::Cell,
            ObjectKind::AsyncLock,
            ObjectKind::Scope,
            ObjectKind::Workers,
        ];
        if (number as usize) < ALL.len() { ALL[number as usize] } else { Self::Unknown }
    }

    /// What reports call it, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "object",
            Self::Mutex => "mutex",
            Self::RwLock => "rwlock",
            Self::Condvar => "condvar",
            Self::Channel => "channel",
            Self::Thread => "thread",
            Self::Barrier => "barrier",
            Self::Once => "once",
            Self::Semaphore => "semaphore",
            Self::Latch => "latch",
            Self::ReentrantMutex => "reentrant mutex",
            Self::Resource => "resource",
            Self::Task => "task",
            Self::Process => "process",
            Self::Pipe => "pipe",
            Self::FileLock => "file lock",
            Self::Atomic => "atomic",
            Self::Cell => "cell",
            Self::AsyncLock => "async lock",
            Self::Scope => "thread scope",
            Self::Workers => "workers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_bounds() {
        let event = Event::new(Kind(255), Flags(255), u32::MAX, ObjectId(u64::MAX), u64::MAX);
        assert_eq!(event.kind(), Kind(255));
        assert_eq!(event.flags(), Flags(255));
        assert_eq!(event.site(), SiteId::MAX);
        assert_eq!(event.object(), ObjectId::MAX);
        assert_eq!(event.seq(), MESSAGE_MAX);
    }

    #[test]
    fn addresses_and_what_is_beside_them_keep_their_bounds() {
        let event = Event::at_address(Kind::CELL_READ, Flags::ADDRESS, u32::MAX, u64::MAX, u64::MAX);
        assert_eq!((event.address(), event.beside()), (ADDRESS_MAX, BESIDE_MAX));
        let event = Event::at_address(Kind::ATOMIC_RMW, Flags::NONE, 1, 0x8040_2010_0804, 0);
        assert_eq!((event.address(), event.beside()), (0x8040_2010_0804, 0));
        assert!(event.is_at_address());
        assert!(!Event::new(Kind::CELL_READ, Flags::NONE, 1, ObjectId(1), 0).is_at_address());
    }

    #[test]
    fn flags_of_atomics_keep_order_and_length() {
        for order in [Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst] {
            for log2_bytes in 0..8 {
                let flags = Flags::atomic(order, log2_bytes);
                assert_eq!((flags.order(), flags.n_bytes()), (order, 1 << log2_bytes));
                assert!(!flags.has(Flags::UNCERTAIN));
                assert_eq!(flags.with(Flags::UNCERTAIN).n_bytes(), 1 << log2_bytes);
            }
        }
    }

    #[test]
    fn kinds_are_distinct() {
        for (i, (kind, _)) in Kind::ALL.iter().enumerate() {
            assert!(kind.0 != 0 && Kind::ALL[..i].iter().all(|(other, _)| other < kind), "{kind:?}");
        }
    }

    #[test]
    fn object_kinds_survive_their_number() {
        for number in 0..=255 {
            let kind = ObjectKind::from_number(number);
            assert!(kind as u8 == number || kind == ObjectKind::Unknown);
        }
    }

    #[test]
    fn modes_exclude_symmetrically() {
        let modes = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
        for a in modes {
            assert_eq!(a.flags().mode(), a);
            for b in modes {
                assert_eq!(a.excludes(b), b.excludes(a));
            }
        }
        assert!(!Mode::Shared.excludes(Mode::Upgradable));
        assert!(Mode::Upgradable.excludes(Mode::Upgradable));
    }
}
