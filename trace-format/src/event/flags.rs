//! Details of events, and how locks are held and atomic operations ordered.

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
    /// PUBLISH, OBSERVE: of room in a bounded channel, which another schedule may have more of.
    pub const ROOM: Self = Self(1 << 5);
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

    /// These flags if that is so, else none.
    #[must_use]
    #[inline]
    pub const fn when(self, is_so: bool) -> Self {
        if is_so { self } else { Self::NONE }
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
