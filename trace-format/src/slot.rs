//! Slots: what each live thread holds and waits for right now.
//!
//! Events say what happened; a slot says what *is*, even when events are no longer kept. A slot is
//! [`SLOT_BYTES`] long and written by its thread alone - that of an asynchronous task under a lock of the task:
//!
//! ```text
//! word  0  state: 0 free, 1 live, 2 ended; an ended slot that still holds something is not reused
//!       1  object id of the thread
//!       2  operating-system id of the thread (low 32 bits), 0 of a task
//!       3  epoch: odd while the thread waits, even while it runs; never falls, whoever's the slot is
//!       4  number of holds
//!       5  wait, first word: packed like an event (REQUEST, UPGRADE, WAIT, SEND, RECEIVE, JOIN, SCOPE_END,
//!          TASK_BEGIN), 0 if none
//!       6  wait, second word
//!       7  a second object that matters to the wait: of a WAIT the mutex that a condition variable will take back,
//!          of a RECEIVE another channel from which a message would do as well; 0 if none
//!       8  overflow: offset in the file of the record that continues the list, 0 if none
//!       9  operations of this thread that were lost
//!      10  start of the wait, monotonic nanoseconds since the process file was made
//! 11…  15  reserved
//! 16… 127  56 holds, oldest first, each packed like its ACQUIRE event
//! ```
//!
//! An overflow record has the same size: word 0 is the offset of the next record, word 1 is reserved, then 63
//! holds. Records stay with their slot.
//!
//! **Protocol.** A hold is written, then the count is raised; the count is lowered when a hold ends. A wait is
//! bracketed by two steps of `epoch`: while it is odd and unchanged, the thread is in its wait, so its list of
//! holds does not change and a snapshot is exact. Without a wait a snapshot is what it is: the thread runs, and
//! nothing that it holds is held for ever. After the death of the process every snapshot is exact.

use crate::{
    event::Event,
    words::{ReadWords, Words},
};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Size of a slot and of an overflow record.
pub const SLOT_BYTES: usize = 1024;
/// The same in words.
pub const SLOT_WORDS: usize = SLOT_BYTES / 8;
/// Holds in the slot itself.
pub const HOLDS_INLINE: usize = (SLOT_WORDS - FIRST_HOLD) / Event::WORDS;
/// Holds in an overflow record.
pub const HOLDS_OVERFLOW: usize = (SLOT_WORDS - FIRST_OVERFLOW_HOLD) / Event::WORDS;
/// Word of the first hold in a slot.
pub const FIRST_HOLD: usize = 16;
/// Word of the first hold in an overflow record.
pub const FIRST_OVERFLOW_HOLD: usize = 2;

const _: () = assert!(HOLDS_INLINE == 56 && HOLDS_OVERFLOW == 63);

/// Words of a slot; the module's picture says what each holds.
pub mod word {
    #![allow(missing_docs, reason = "the picture in the module's documentation describes each")]
    pub const STATE: usize = 0;
    pub const THREAD: usize = 1;
    pub const TID: usize = 2;
    pub const EPOCH: usize = 3;
    pub const N_HOLDS: usize = 4;
    pub const WAIT: usize = 5;
    pub const WAIT_OBJECT: usize = 7;
    pub const OVERFLOW: usize = 8;
    pub const LOST: usize = 9;
    pub const SINCE_NS: usize = 10;
}

/// Life of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Life(pub u64);

impl Life {
    /// Nobody's.
    pub const FREE: Self = Self(0);
    /// Its thread has begun and not ended.
    pub const LIVE: Self = Self(1);
    /// Its thread has ended.
    pub const ENDED: Self = Self(2);
}

/// Publishes hold number `n` (from 0) at word `at` of `holds`, the slot itself or an overflow record.
#[inline]
pub fn push<S: Words + ?Sized, H: Words + ?Sized>(slot: &S, holds: &H, at: usize, n: usize, hold: Event) {
    let [first, second] = hold.words();
    // Relaxed: the count publishes it.
    holds.store(at, first, Relaxed);
    holds.store(at + 1, second, Relaxed);
    // Pairs with the acquire load in `Snapshot::read`: a counted hold is a written one.
    slot.store(word::N_HOLDS, n as u64 + 1, Release);
}

/// Takes back the newest hold, leaving `n`.
#[inline]
pub fn pop<S: Words + ?Sized>(slot: &S, n: usize) {
    // Pairs with the acquire load in `Snapshot::read`.
    slot.store(word::N_HOLDS, n as u64, Release);
}

/// Changes hold number `n` at word `at` of `holds`: its mode, after an upgrade or a downgrade.
pub fn change<H: Words + ?Sized>(holds: &H, at: usize, hold: Event) {
    let [first, second] = hold.words();
    // Relaxed: a thread that changes a hold does not wait, so no snapshot of it claims to be exact; the next wait's
    // release store of the epoch publishes it.
    holds.store(at, first, Relaxed);
    holds.store(at + 1, second, Relaxed);
}

/// Publishes what the thread is about to wait for. `wait` is packed like a REQUEST or WAIT event.
pub fn begin_wait<S: Words + ?Sized>(slot: &S, wait: Event, object: u64, since_ns: u64) {
    let [first, second] = wait.words();
    // Relaxed, down to the epoch's store, which publishes them; the epoch is this thread's own.
    slot.store(word::WAIT, first, Relaxed);
    slot.store(word::WAIT + 1, second, Relaxed);
    slot.store(word::WAIT_OBJECT, object, Relaxed);
    slot.store(word::SINCE_NS, since_ns, Relaxed);
    let epoch = slot.load(word::EPOCH, Relaxed);
    // Pairs with the first acquire load in `Snapshot::read`: who sees the odd epoch sees wait and holds.
    slot.store(word::EPOCH, epoch | 1, Release);
}

/// Publishes that the wait is over.
pub fn end_wait<S: Words + ?Sized>(slot: &S) {
    let epoch = slot.load(word::EPOCH, Relaxed);
    slot.store(word::EPOCH, (epoch | 1).wrapping_add(1), Relaxed);
    // Pairs with the acquire fence in `Snapshot::read`: who sees a store from after this wait sees its end too.
    slot.fence(Release);
    slot.store(word::WAIT, 0, Relaxed);
}

/// One look at a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Life of the slot.
    pub life: Life,
    /// Object id of the thread.
    pub thread: u64,
    /// Operating-system id of the thread.
    pub tid: u32,
    /// Epoch at the time.
    pub epoch: u64,
    /// What the thread waits for, packed like an event.
    pub wait: Option<Event>,
    /// A second object that matters to the wait, 0 if none.
    pub wait_object: u64,
    /// Start of the wait, nanoseconds since the process file was made.
    pub since_ns: u64,
    /// Number of holds, those in overflow records included; bounded by what the reader allows.
    pub n_holds: usize,
    /// The holds in the slot itself, oldest first.
    pub holds: [Event; HOLDS_INLINE],
    /// Offset of the first overflow record, 0 if none.
    pub overflow: u64,
    /// Operations of this thread that were lost.
    pub lost: u64,
    /// Whether the thread was in one and the same wait all the time, so that nothing of this changed.
    pub exact: bool,
}

impl Snapshot {
    /// Looks at a slot once.
    pub fn read<S: ReadWords + ?Sized>(slot: &S) -> Self {
        // Pairs with the release store in `begin_wait`.
        let epoch = slot.load(word::EPOCH, Acquire);
        // Pairs with the release stores in `push` and `pop`.
        let n_holds = slot.load(word::N_HOLDS, Acquire) as usize;
        let load = |word| slot.load(word, Relaxed);
        let mut holds = [Event::default(); HOLDS_INLINE];
        for (i, hold) in holds.iter_mut().take(n_holds).enumerate() {
            let at = FIRST_HOLD + i * Event::WORDS;
            *hold = Event::from_words([load(at), load(at + 1)]);
        }
        let wait = [load(word::WAIT), load(word::WAIT + 1)];
        let mut snapshot = Self {
            life: Life(load(word::STATE)),
            thread: load(word::THREAD),
            tid: load(word::TID) as u32,
            epoch,
            wait: (epoch & 1 == 1 && wait[0] != 0).then(|| Event::from_words(wait)),
            wait_object: load(word::WAIT_OBJECT),
            since_ns: load(word::SINCE_NS),
            n_holds,
            holds,
            overflow: load(word::OVERFLOW),
            lost: load(word::LOST),
            exact: false,
        };
        // Pairs with the release fence in `end_wait`: if any load above saw a store from after the wait, the
        // load below sees another epoch.
        slot.fence(Acquire);
        snapshot.exact = epoch & 1 == 1 && slot.load(word::EPOCH, Relaxed) == epoch;
        snapshot
    }
}
