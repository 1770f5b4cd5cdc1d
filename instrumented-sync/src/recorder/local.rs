//! A thread's own end of the recorder: the segment that it appends to, its slot, its caches.
//!
//! The variable has no destructor, so it works in every destructor of the program and is never "gone"; that the
//! thread ends is learnt through [`platform::call_at_thread_end`].
//!
//! **Room.** An operation may append while `at` is no greater than `end`. That is at most a page away, so that
//! the comparison that finds the segment full also finds that it is time for a TIME event. Behind the last room
//! a segment keeps [`SLACK_WORDS`] for operations of signal handlers between prepare and append.
//!
//! **Busy.** While the thread appends, `at` is [`APPENDING`]; during cold work `end` is [`BUSY`]. Either way a signal
//! handler that comes in between finds no room, goes the cold way, and finds the thread busy there. So the hot
//! path pays for re-entrancy with one plain store. (Stores are what costs here: the lock's own atomic
//! instructions wait for all of them.)

mod life;
mod overflow;
mod refill;

pub(super) use life::{after_fork_in_child, before_fork, thread_ends};

use self::overflow::Overflow;
use super::{
    platform,
    process::{self, Slot},
    site,
    table_abi::Source,
};
use std::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering, compiler_fence},
};
use trace_format::{
    Event, Kind, Mode, ObjectId,
    chunk::{self, HEADER_WORDS},
    segment::RawWords,
    slot::{self, FIRST_HOLD, FIRST_OVERFLOW_HOLD, HOLDS_INLINE, HOLDS_OVERFLOW, SLOT_WORDS},
    words::{ReadWords, Words},
};

/// A segment's first size; each next one of the thread is four times as long, up to the last size.
const SEGMENT_BYTES_FIRST: usize = 64 << 10;
const SEGMENT_BYTES_LAST: usize = 1 << 20;

/// Room that one operation may need: a CREATE is prepared by itself, REQUEST and ACQUIRE together.
const ROOM_WORDS: usize = 2 * Event::WORDS;

/// Room behind the last room: 16 operations of nested signal handlers.
const SLACK_WORDS: usize = 64;

/// Stands in `at` while the thread appends. Greater than every end.
const APPENDING: usize = usize::MAX;

/// Stands in `end` during cold work. Less than every `at`.
const BUSY: usize = 0;

/// Stand in `end` and `at` while the thread has no words: there is no room, but cold work may find some.
const NO_END: usize = 1;
const NOWHERE: usize = 2;

/// Words between two looks at the clock.
const PAGE_WORDS: usize = 512;

/// Stands in for the words of a thread that has none. Nobody reads them.
static NO_WORDS: [AtomicU64; SLOT_WORDS] = [const { AtomicU64::new(0) }; SLOT_WORDS];

// SAFETY: a static is live memory; `Local` reaches at most `SLOT_WORDS` words of it, as it would of a slot.
const NONE: RawWords = unsafe { RawWords::new(NO_WORDS.as_ptr()) };

/// Words of a thread's private memory: the caches, a scratch segment, and what fork needs to remember.
const SCRATCH_AT: usize = site::CACHE_WORDS;
const SCRATCH_WORDS: usize = HEADER_WORDS + ROOM_WORDS + SLACK_WORDS;
const FORK_AT: usize = SCRATCH_AT + SCRATCH_WORDS;
const COUNTS_AT: usize = FORK_AT + SLOT_WORDS;
const AREA_WORDS: usize = COUNTS_AT + 8;

/// A thread's private memory.
#[derive(Clone, Copy)]
pub(super) struct Area(&'static [AtomicU64; AREA_WORDS]);

impl Area {
    #[inline]
    pub(super) fn words(self, at: usize, n: usize) -> &'static [AtomicU64] {
        &self.0[at..at + n]
    }

    /// Stacks captured for this thread's sites.
    #[inline]
    pub(super) fn captures(self) -> u64 {
        // Relaxed, here and below: private to the thread.
        self.0[COUNTS_AT].load(Ordering::Relaxed)
    }

    /// Counts a capture; returns the count.
    pub(super) fn count_capture(self) -> u64 {
        let captures = self.captures() + 1;
        self.0[COUNTS_AT].store(captures, Ordering::Relaxed);
        captures
    }

    fn clear(self) {
        self.0.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

/// Where appends of a thread go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Nowhere yet, or no more: the thread has not begun, or has ended.
    Nothing,
    /// Into its segment.
    Segment,
    /// Into scratch memory, to be counted as lost.
    Scratch,
    /// Nowhere for ever: there is not even private memory.
    Refused,
}

/// A thread's end of the recorder.
pub(crate) struct Local {
    words: Cell<RawWords>,
    at: Cell<usize>,
    /// Atomic for the sake of [`Local::enter`]; only this thread uses it.
    end: AtomicUsize,
    slot: Cell<RawWords>,
    n_holds: Cell<usize>,
    area: Cell<Option<Area>>,

    target: Cell<Target>,
    thread: Cell<u64>,
    announced: Cell<u64>,
    next_object: Cell<u64>,
    objects_end: Cell<u64>,
    segment: Cell<Option<&'static [AtomicU64]>>,
    segment_bytes: Cell<usize>,
    n_segments: Cell<u64>,
    real_slot: Cell<Option<Slot>>,
    overflow: RefCell<Overflow>,
    n_lost: Cell<u64>,
    lost_event: Cell<Option<(RawWords, usize, u64)>>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            words: Cell::new(NONE),
            at: Cell::new(NOWHERE),
            end: AtomicUsize::new(NO_END),
            slot: Cell::new(NONE),
            n_holds: Cell::new(0),
            area: Cell::new(None),
            target: Cell::new(Target::Nothing),
            thread: Cell::new(0),
            announced: Cell::new(0),
            next_object: Cell::new(0),
            objects_end: Cell::new(0),
            segment: Cell::new(None),
            segment_bytes: Cell::new(SEGMENT_BYTES_FIRST),
            n_segments: Cell::new(0),
            real_slot: Cell::new(None),
            overflow: RefCell::new(Overflow::new()),
            n_lost: Cell::new(0),
            lost_event: Cell::new(None),
        }
    };
}

/// While it lives, operations of this thread go through unrecorded.
pub(crate) struct Busy {
    /// What the thread's `end` will be.
    end: usize,
    /// The program's `errno`.
    errno: i32,
}

impl Drop for Busy {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            // Pairs with the fence in `enter`, against a signal handler on this thread: only the compiler may reorder.
            compiler_fence(Ordering::SeqCst);
            // Relaxed: for this thread.
            local.end.store(self.end, Ordering::Relaxed);
            platform::set_errno(self.errno);
        });
    }
}

impl Local {
    /// Runs `f` with this thread's end of the recorder.
    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&Self) -> R) -> R {
        let local = LOCAL.with(std::ptr::from_ref);
        // SAFETY: the variable has no destructor, so it lives as long as the thread, and `f` runs on this thread.
        // Through the pointer, since a closure inside std's `with` is not inlined and takes its captures through
        // memory: a nanosecond for each of the three calls of a lock.
        f(unsafe { &*local })
    }

    /// Marks this thread busy; `None` if it is already.
    pub(crate) fn enter() -> Option<Busy> {
        LOCAL.with(|local| {
            if local.at.get() == APPENDING {
                return None;
            }
            // Relaxed: for this thread. One instruction, so that no handler comes between finding the thread free
            // and marking it: it might go on in another segment, of which the end found here is not the end.
            let end = local.end.swap(BUSY, Ordering::Relaxed);
            // Pairs with the fence in `Busy::drop`.
            compiler_fence(Ordering::SeqCst);
            (end != BUSY).then(|| Busy { end, errno: platform::errno() })
        })
    }

    /// Makes room for an operation's events. False if the operation cannot be recorded.
    #[inline]
    pub(crate) fn prepare(&self) -> bool {
        // Relaxed: for this thread.
        self.at.get() <= self.end.load(Ordering::Relaxed) || self.refill()
    }

    /// Appends and publishes one event, for which there must be room.
    #[inline]
    pub(crate) fn append(&self, event: Event) {
        self.write(|words, at| chunk::write(&words, at, event));
    }

    /// Appends an event with its extension, or with another that belongs to it; published together.
    pub(crate) fn append_extended(&self, event: Event, extension: Event) {
        self.write(|words, at| chunk::write(&words, chunk::write(&words, at, event), extension));
    }

    /// Appends an ACQUIRE and publishes the hold that it begins.
    #[inline]
    pub(crate) fn append_acquire(&self, event: Event) {
        let n = self.n_holds.get();
        if n >= HOLDS_INLINE {
            return self.append_overflow(n, event);
        }
        self.write(|words, at| {
            let slot = self.slot.get();
            slot::push(&slot, &slot, FIRST_HOLD + n * Event::WORDS, n, event);
            self.n_holds.set(n + 1);
            chunk::write(&words, at, event)
        });
    }

    /// Appends a RELEASE and takes back the hold that it ends.
    #[inline]
    pub(crate) fn append_release(&self, event: Event) {
        // Without a hold the subtraction wraps, and the comparison sends that the cold way too.
        let newest = self.n_holds.get().wrapping_sub(1);
        if newest >= HOLDS_INLINE || !is_hold_of(self.inline_hold(newest), event) {
            return self.append_remove(event);
        }
        self.write(|words, at| {
            slot::pop(&self.slot.get(), newest);
            self.n_holds.set(newest);
            chunk::write(&words, at, event)
        });
    }

    #[inline]
    fn inline_hold(&self, n: usize) -> Event {
        let (slot, at) = (self.slot.get(), FIRST_HOLD + n * Event::WORDS);
        // Relaxed: this thread wrote it.
        Event::from_words([at, at + 1].map(|at| slot.load(at, Ordering::Relaxed)))
    }

    #[cold]
    #[inline(never)]
    fn append_overflow(&self, n: usize, event: Event) {
        self.write(|words, at| {
            self.push_overflow(n, event);
            self.n_holds.set(n + 1);
            chunk::write(&words, at, event)
        });
    }

    #[cold]
    #[inline(never)]
    fn append_remove(&self, event: Event) {
        self.write(|words, at| {
            self.remove_hold(event);
            chunk::write(&words, at, event)
        });
    }

    #[inline]
    fn write(&self, f: impl FnOnce(RawWords, usize) -> usize) {
        self.at.set(APPENDING);
        // Pairs with the fence below, against a signal handler on this thread that comes in between.
        compiler_fence(Ordering::SeqCst);
        let words = self.words.get();
        // From `head`, not from `at`: a handler that came between a load of `at` and the store above would have its
        // events overwritten. Relaxed: this thread wrote it.
        let at = words.load(chunk::word::HEAD, Ordering::Relaxed) as usize / 8;
        let at = f(words, at);
        chunk::publish(&words, at);
        compiler_fence(Ordering::SeqCst);
        self.at.set(at);
    }

    /// The site of an operation at `source`; captures its stack if it is new. Call after [`Self::prepare`].
    #[inline]
    pub(super) fn site(&self, source: Source, stack_pointer: usize) -> u32 {
        let Some(area) = self.area.get() else { return 0 };
        match site::find(area, source, stack_pointer) {
            Some(site) => site,
            None => Self::enter().map_or(0, |_busy| site::enter(area, source, stack_pointer)),
        }
    }

    /// A new object id; 0 if none can be had.
    pub(crate) fn take_object(&self) -> u64 {
        Self::enter().map_or(0, |_busy| self.next_object())
    }

    fn next_object(&self) -> u64 {
        if self.next_object.get() == self.objects_end.get() {
            let (first, end) = process::take_objects();
            self.next_object.set(first);
            self.objects_end.set(end);
        }
        let object = self.next_object.get();
        if object != 0 {
            self.next_object.set(object + 1);
        }
        object
    }

    /// Whether this thread holds something that was recorded.
    #[inline]
    pub(crate) fn holds_something(&self) -> bool {
        self.n_holds.get() > 0
    }

    /// Object id of this thread; 0 before its first operation.
    pub(crate) fn thread(&self) -> u64 {
        self.thread.get()
    }

    /// Publishes in the slot what the thread is about to wait for.
    pub(crate) fn begin_wait(&self, wait: Event, second: u64) {
        slot::begin_wait(&self.slot.get(), wait, second, process::elapsed_ns());
    }

    /// Publishes in the slot that the wait is over.
    pub(crate) fn end_wait(&self) {
        slot::end_wait(&self.slot.get());
    }

    fn hold(&self, n: usize) -> Event {
        let (words, at) = self.hold_place(n);
        // Relaxed: this thread wrote it.
        Event::from_words([words.load(at, Ordering::Relaxed), words.load(at + 1, Ordering::Relaxed)])
    }

    /// Where hold number `n` lies: in the slot, or in the overflow record that its number leads to.
    fn hold_place(&self, n: usize) -> (RawWords, usize) {
        let slot = self.slot.get();
        if n < HOLDS_INLINE {
            return (slot, FIRST_HOLD + n * Event::WORDS);
        }
        let (record, place) = ((n - HOLDS_INLINE) / HOLDS_OVERFLOW, (n - HOLDS_INLINE) % HOLDS_OVERFLOW);
        (self.overflow.borrow().record(record).unwrap_or(NONE), FIRST_OVERFLOW_HOLD + place * Event::WORDS)
    }

    fn push_overflow(&self, n: usize, hold: Event) {
        if (n - HOLDS_INLINE) % HOLDS_OVERFLOW == 0 {
            self.overflow.borrow_mut().extend_to(self.slot.get(), (n - HOLDS_INLINE) / HOLDS_OVERFLOW);
        }
        let (words, at) = self.hold_place(n);
        slot::push(&self.slot.get(), &words, at, n, hold);
    }

    /// Whether this thread holds the object, and something that it acquired after it.
    #[inline]
    pub(crate) fn holds_newer(&self, object: ObjectId) -> bool {
        let n = self.n_holds.get();
        n > 1 && self.hold(n - 1).object() != object && self.n_holds_of(object) > 0
    }

    /// How often this thread holds an object.
    pub(crate) fn n_holds_of(&self, object: ObjectId) -> usize {
        (0..self.n_holds.get()).filter(|n| self.hold(*n).object() == object).count()
    }

    /// Appends an UPGRADE or a DOWNGRADE, and publishes what the hold of mode `from` is now.
    pub(crate) fn change_hold(&self, from: Mode, event: Event) {
        let is_meant = |n: &usize| {
            let hold = self.hold(*n);
            hold.object() == event.object() && hold.flags().mode() == from
        };
        self.write(|words, at| {
            if let Some(n) = (0..self.n_holds.get()).rev().find(is_meant) {
                let (holds, place) = self.hold_place(n);
                let hold = Event::new(Kind::ACQUIRE, event.flags(), event.site().0, event.object(), event.seq());
                slot::change(&holds, place, hold);
            }
            chunk::write(&words, at, event)
        });
    }

    /// Takes a hold out of the middle: a guard that was not the newest is dropped.
    fn remove_hold(&self, release: Event) {
        let n = self.n_holds.get();
        let Some(found) = (0..n).rev().find(|i| is_hold_of(self.hold(*i), release)) else { return };
        for i in found + 1..n {
            let (words, at) = self.hold_place(i - 1);
            let [first, second] = self.hold(i).words();
            // Relaxed: a thread that is removing does not wait, so no snapshot of it claims to be exact.
            words.store(at, first, Ordering::Relaxed);
            words.store(at + 1, second, Ordering::Relaxed);
        }
        slot::pop(&self.slot.get(), n - 1);
        self.n_holds.set(n - 1);
    }
}

/// Whether this is the hold that a RELEASE ends. The mode counts too: a thread may hold a lock upgradable and shared.
#[inline]
fn is_hold_of(hold: Event, release: Event) -> bool {
    hold.object() == release.object() && hold.flags().mode() == release.flags().mode()
}
