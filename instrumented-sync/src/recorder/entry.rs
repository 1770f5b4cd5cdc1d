//! The way into the recorder, of whichever copy: what probes call.
//!
//! A process may hold several copies of this crate. One of them records; in the others each function here calls the
//! same function there, through a table of addresses ([`super::copies`] finds it). One list makes the functions, the
//! table, and what the table leads to, so that the three cannot differ.

use super::{
    copies, here,
    table_abi::{ABI, MAGIC, Pair, RawSlot, Source, Text},
};
use std::sync::atomic::AtomicU64;
use trace_format::Event;

/// Marks a site, so that the site that stands for none differs from an operation that cannot be recorded.
pub(crate) const SITE: u64 = 1 << 32;

/// How a wait begins: with its event in the stream, and without room having been made before.
pub(crate) const APPEND: u32 = 1;
pub(crate) const PREPARE: u32 = 2;

/// What a function returns that records nothing.
trait Nothing {
    const NOTHING: Self;
}

impl Nothing for bool {
    const NOTHING: Self = false;
}

impl Nothing for u32 {
    const NOTHING: Self = 0;
}

impl Nothing for u64 {
    const NOTHING: Self = 0;
}

impl Nothing for RawSlot {
    const NOTHING: Self = Self::NONE;
}

impl Nothing for *const AtomicU64 {
    const NOTHING: Self = std::ptr::null();
}

macro_rules! table {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        /// Addresses of the functions of a copy that records.
        #[repr(C)]
        pub(super) struct Table {
            magic: u64,
            abi: u32,
            n_bytes: u32,
            $($name: extern "C" fn($($kind),*) $(-> $result)?,)*
        }

        /// The functions of this copy.
        pub(super) static TABLE: Table = Table {
            magic: MAGIC,
            abi: ABI,
            n_bytes: size_of::<Table>() as u32,
            $($name: served::$name,)*
        };

        /// Functions that record nothing, and say so.
        pub(super) static NOTHING: Table = Table {
            magic: MAGIC,
            abi: ABI,
            n_bytes: size_of::<Table>() as u32,
            $($name: nothing::$name,)*
        };

        mod nothing {
            #[allow(clippy::wildcard_imports, reason = "the types of the list")]
            use super::*;

            $(pub(super) extern "C" fn $name($(_: $kind),*) $(-> $result)? {
                $(<$result as Nothing>::NOTHING)?
            })*
        }

        /// What other copies call, if this is the one that records.
        mod served {
            #[allow(clippy::wildcard_imports, reason = "the types of the list")]
            use super::*;

            $(pub(super) extern "C" fn $name($($argument: $kind),*) $(-> $result)? {
                here::$name($($argument),*)
            })*
        }

        $(
            $(#[$doc])*
            #[inline]
            pub(crate) fn $name($($argument: $kind),*) $(-> $result)? {
                match copies::owner() {
                    None => here::$name($($argument),*),
                    Some(owner) => (owner.$name)($($argument),*),
                }
            }
        )*
    };
}

table! {
    /// Makes room for an operation's events. False if the operation cannot be recorded.
    fn prepare() -> bool;
    /// Makes room and gives [`SITE`] and the site of an operation at `source`; 0 without room. `stack_pointer` is
    /// that of a frame that the same call always has at the same depth.
    fn site_at(source: Source, stack_pointer: usize) -> u64;
    /// Id of a location without a stack: where something was made.
    fn bare_site(source: Source) -> u32;
    /// Id of a class of objects; `type_name` is part of a static.
    fn class(kind: u32, type_name: Text) -> u32;
    /// Appends an event, if there is room.
    fn append(event: Pair) -> bool;
    /// Appends an event with its extension, or with another that belongs to it, if there is room.
    fn append_pair(event: Pair, extension: Pair) -> bool;
    /// Appends an ACQUIRE, for which room was made, and publishes the hold that it begins.
    fn append_acquire(event: Pair);
    /// Appends a RELEASE, if there is room, and takes back the hold that it ends.
    fn append_release(event: Pair);
    /// Appends an UPGRADE or a DOWNGRADE, for which room was made, and publishes what the hold of the mode with this
    /// number is now.
    fn change_hold(from: u32, event: Pair);
    /// How often this thread holds an object.
    fn n_holds_of(object: u64) -> u64;
    /// Whether this thread holds something that was recorded.
    fn holds_something() -> bool;
    /// Whether this thread holds the object, and something that it acquired after it.
    fn holds_newer(object: u64) -> bool;
    /// Whether this thread has room for an event, and has not asked this before, as far as it remembers. `look` is four
    /// times the id of an object, plus one or two of the first use of what is initialised: one that may wait, or not. Or more
    /// than four times any id, of an object at a site.
    fn is_first_look(look: u64) -> bool;
    /// Publishes what the thread is about to wait for: `how` is a sum of [`APPEND`] and [`PREPARE`]. False without room.
    fn begin_wait(event: Pair, second: u64, how: u32) -> bool;
    /// Publishes that the wait is over.
    fn end_wait();
    /// A new object id, 0 if none can be had.
    fn take_object() -> u64;
    /// This thread's object id, 0 if it cannot be recorded.
    fn this_thread() -> u64;
    /// Begins this thread as the one that a FORK announced; `name` is empty if the recording copy can ask std for it.
    fn begin_thread(object: u64, name: Text);
    /// Names an object.
    fn label(object: u64, text: Text);
    /// Describes a task and gives it a slot.
    fn begin_task(object: u64, name: Text) -> RawSlot;
    /// Takes the slot of a task that has ended and holds nothing.
    fn return_slot(slot: RawSlot);
    /// Monotonic nanoseconds since the process file was made.
    fn elapsed_ns() -> u64;
    /// Differs between a process and what is forked from it.
    fn generation() -> u64;
    /// Appends an access or the end of memory, an event without a site, at `source`, if there is room and nothing stands for
    /// it already; see `local/accesses.rs`. `stack_pointer` as in `site_at`.
    fn access(event: Pair, source: Source, stack_pointer: usize);
    /// The word of the stripe of what lies at an address.
    fn stripe_of(address: u64) -> *const AtomicU64;
    /// Makes room and gives [`SITE`] and the site, without a stack, of an operation at `source`; 0 without room. Then
    /// what an operation `changes` is counted, for it will be missed.
    fn bare_site_at(source: Source, changes: bool) -> u64;
    /// Appends an event, for which room was made.
    fn append_prepared(event: Pair);
    /// Appends an event that publishes nothing, at `source`, if there is room and it does not repeat one.
    fn append_load(event: Pair, source: Source);
    /// Appends a fence at `source`, if there is room and the latest event is not the same.
    fn append_fence(event: Pair, source: Source);
    /// Whether the latest event of this thread is of this kind and at this address.
    fn is_latest(kind: u32, address: u64) -> bool;
    /// Says which object of shared memory an object is.
    fn shared(object: u64, device: u64, inode: u64, offset: u64, birth: u64);
    /// Says which process an object is.
    fn child(object: u64, pid: u32, start: u64);
    /// Names this process.
    fn role(text: Text);
    /// Whether the newest of this thread's holds with which it reads an object is shared-recursive.
    #[cfg_attr(not(feature = "lock_api"), allow(dead_code, reason = "of other crates' locks"))]
    fn is_read_recursively(object: u64) -> bool;
}

/// Whether nothing is to be appended for an access, an event without a site. Says no if another copy records: it is asked
/// in this one's own memory, so that an access that repeats makes no call.
#[inline]
pub(crate) fn is_repeated(access: Event) -> bool {
    here::is_repeated(access)
}
