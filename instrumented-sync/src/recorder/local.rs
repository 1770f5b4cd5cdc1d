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

mod accesses;
mod fork;
mod holds;
mod life;
mod loads;
mod overflow;
mod refill;
mod room;
mod wait;

pub(super) use self::{
    fork::{after_fork_in_child, after_fork_in_parent, before_fork, forked_as},
    life::{at_exit, thread_ends},
};

use self::overflow::Overflow;
use super::{
    platform,
    process::{self, Slot},
    site,
    table::List,
    table_abi::Source,
};
use std::{
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering, compiler_fence},
};
use trace_format::{
    Event,
    chunk::{self, HEADER_WORDS},
    segment::RawWords,
    slot::SLOT_WORDS,
    words::ReadWords,
};

/// A segment's first size; each next one of the thread is four times as long, up to the last size.
const SEGMENT_BYTES_FIRST: usize = 64 << 10;
const SEGMENT_BYTES_LAST: usize = 1 << 20;

/// Room that one operation may need: a CREATE is prepared by itself, REQUEST and ACQUIRE together.
const ROOM_WORDS: usize = 2 * Event::WORDS;

/// Room behind the last room: 16 operations of nested signal handlers, and forks, before which no room is made.
const SLACK_WORDS: usize = 64 + FORK_WORDS;

/// Of these, the first: 16 forks, of which none made room.
const FORK_WORDS: usize = 16 * Event::WORDS;

/// Stands in `at` while the thread appends. Greater than every end.
const APPENDING: usize = usize::MAX;

/// Stands in `end` during cold work. Less than every `at`.
const BUSY: usize = 0;

/// Stand in `end` and `at` while the thread has no words: there is no room, but cold work may find some.
const NO_END: usize = 1;
const NOWHERE: usize = 2;

/// Words between two looks at the clock.
const PAGE_WORDS: usize = 512;

/// Stands in for the words of a thread that has none: before its first operation, and behind its last. Nobody reads
/// them, and such a thread writes there only what it does not read back: that a wait is over.
static NO_WORDS: [AtomicU64; SLOT_WORDS] = [const { AtomicU64::new(0) }; SLOT_WORDS];

// SAFETY: a static is live memory; `Local` reaches at most `SLOT_WORDS` words of it, as it would of a slot.
const NONE: RawWords = unsafe { RawWords::new(NO_WORDS.as_ptr()) };

/// Words of a thread's private memory: the caches, a scratch segment, what fork needs to remember, a slot that nobody
/// reads for a thread that got no other, the waits that others interrupt, what it looked at, and what it accessed.
const SCRATCH_AT: usize = site::CACHE_WORDS;
const SCRATCH_WORDS: usize = HEADER_WORDS + ROOM_WORDS + SLACK_WORDS;
const FORK_AT: usize = SCRATCH_AT + SCRATCH_WORDS;
const OWN_SLOT_AT: usize = FORK_AT + SLOT_WORDS;
const WAITS_AT: usize = OWN_SLOT_AT + SLOT_WORDS;
const LOOKS_AT: usize = WAITS_AT + wait::WORDS;
const ACCESSES_AT: usize = LOOKS_AT + LOOKS;
const LOCATIONS_AT: usize = ACCESSES_AT + accesses::WORDS;
const LOADS_AT: usize = LOCATIONS_AT + loads::LOCATION_WORDS;
const COUNTS_AT: usize = LOADS_AT + loads::WORDS;
const AREA_WORDS: usize = COUNTS_AT + 8;

/// Looks that a thread remembers: of each place the latest.
const LOOKS: usize = 64;

/// A thread's private memory.
#[derive(Clone, Copy)]
pub(super) struct Area(&'static [AtomicU64; AREA_WORDS]);

impl Area {
    #[inline]
    pub(super) fn words(self, at: usize, n: usize) -> &'static [AtomicU64] {
        &self.0[at..at + n]
    }

    #[inline]
    fn word(self, at: usize) -> &'static AtomicU64 {
        &self.0[at]
    }

    #[inline]
    fn word_array<const N: usize>(self, at: usize) -> [&'static AtomicU64; N] {
        std::array::from_fn(|n| &self.0[at + n])
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
    /// How many holds there were when the thread's latest wait was over, and the newest of them.
    waited_with: Cell<(usize, [u64; 2])>,
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
    /// In a forked child, until it begins: what it holds beyond the slot.
    inherited: RefCell<ManuallyDrop<List>>,
    /// The number of the latest fork by this thread, 0 if it was not recorded.
    forks_as: Cell<u64>,
    /// Waits that are published or interrupted by others.
    n_waits: Cell<usize>,
    /// The part of the stack that is known to be one: from its lowest address to where it was looked at from.
    stack: Cell<(usize, usize)>,
    n_lost: Cell<u64>,
    lost_event: Cell<Option<(RawWords, usize, u64)>>,
    /// Where the latest access ended in the segment, 0 if it is not in this one; and the number of the stretch that it is
    /// part of. See [`accesses`].
    access_end: Cell<usize>,
    stretch: Cell<u64>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            words: Cell::new(NONE),
            at: Cell::new(NOWHERE),
            end: AtomicUsize::new(NO_END),
            slot: Cell::new(NONE),
            n_holds: Cell::new(0),
            waited_with: Cell::new((0, [0; 2])),
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
            inherited: RefCell::new(ManuallyDrop::new(List::new())),
            forks_as: Cell::new(0),
            n_waits: Cell::new(0),
            stack: Cell::new((usize::MAX, 0)),
            n_lost: Cell::new(0),
            lost_event: Cell::new(None),
            access_end: Cell::new(0),
            stretch: Cell::new(0),
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
            None => self.new_site(area, source, stack_pointer),
        }
    }

    #[cold]
    #[inline(never)]
    fn new_site(&self, area: Area, source: Source, stack_pointer: usize) -> u32 {
        let Some(_busy) = Self::enter() else { return 0 };
        if self.can_capture() {
            site::enter(area, source, stack_pointer)
        } else if self.has_stack(room::COLD_BYTES) {
            process::intern_site(Some(source), &[])
        } else {
            0
        }
    }

    /// A site for a release, which no location comes with: the stack alone. 0 if it cannot be captured.
    #[cold]
    #[inline(never)]
    fn release_site(&self) -> u32 {
        let Some(_busy) = Self::enter() else { return 0 };
        if self.can_capture() { site::of_stack() } else { 0 }
    }

    /// Whether a stack can be captured here: in a forked child only if that takes no lock that is not the recorder's.
    fn can_capture(&self) -> bool {
        let unwinds = process::generation() == 0 || platform::unwinds_without_lock();
        unwinds && self.has_stack(room::CAPTURE_BYTES)
    }

    /// A new object id; 0 if none can be had.
    pub(crate) fn take_object(&self) -> u64 {
        let Some(_busy) = Self::enter() else { return 0 };
        if self.has_stack(room::COLD_BYTES) {
            return self.next_object();
        }
        process::count_lost(1);
        0
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

    /// Whether this thread has not looked so before, as far as it remembers. Call after [`Self::prepare`].
    pub(crate) fn is_first_look(&self, look: u64) -> bool {
        let Some(area) = self.area.get() else { return false };
        // Relaxed: private to the thread.
        area.words(LOOKS_AT, LOOKS)[look as usize % LOOKS].swap(look, Ordering::Relaxed) != look
    }

    /// Object id of this thread; 0 before its first operation.
    pub(crate) fn thread(&self) -> u64 {
        self.thread.get()
    }
}
