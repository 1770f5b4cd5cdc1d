//! What events say happened.

use core::fmt;

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
    /// What `object` was made with, in `seq`: parties of a barrier, counts of a latch, permits of a semaphore, room
    /// of a channel; [`MESSAGE_MAX`](super::MESSAGE_MAX) if there is no bound.
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
    /// The thread that acquired `object` as `seq` is no more; this one takes it over. Extended by (its id in the operating
    /// system, low 32 bits of its start time).
    OWNER_DIED = 38;

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

    /// Thread `object` is about to be started; with [`super::Flags::SCOPED`], `seq` names the scope.
    FORK = 64;
    /// The first event of thread `object`; [`super::Flags::FORKED`] if a [`Kind::FORK`] announces it.
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

    /// The process is about to duplicate itself, for the `seq`-th time.
    PROCESS_FORK = 72;
    /// The process is about to run another program.
    EXEC = 73;
    /// Child process `object` is about to be started.
    PROCESS_SPAWN = 74;
    /// The thread waits for child process `object`, or has done so.
    PROCESS_WAIT = 75;
    /// Child process `object` is known to have ended, with the status `seq`.
    CHILD_EXIT = 76;
    /// Child process `object` was sent a signal that ends it.
    PROCESS_KILL = 77;

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
