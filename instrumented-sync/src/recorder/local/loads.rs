//! What is particular about events on memory: their sites have no stacks, and those that repeat are left out.
//!
//! A loop that waits for an atomic variable would fill the trace. A load of the same address, in the same version and with
//! the same ordering as one before it, since which the thread has appended nothing but loads, says nothing new: it acquires
//! nothing that the first did not, and nothing was published in between. (Compared with the latest event alone, at first: but
//! a loop may look at two variables in turn.)

use super::{
    super::{process, table_abi::Source},
    Area, LOADS_AT, LOCATIONS_AT, Local, room,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::{Event, Kind, Order, chunk, words::ReadWords};

/// Locations whose sites a thread remembers: of each place the latest, and of each location its address and its site.
const LOCATIONS: usize = 64;
pub(super) const LOCATION_WORDS: usize = LOCATIONS * 2;

/// Loads that a thread remembers: of each place the latest. Each is the event without its site, and where it lies.
const LOADS: usize = 16;
const LOAD_WORDS: usize = 3;
/// Before them, where the latest run of loads begins in the segment, and where it ends.
const RUN_WORDS: usize = 2;
pub(super) const WORDS: usize = RUN_WORDS + LOADS * LOAD_WORDS;

/// All of an event's first word but its site.
const WITHOUT_SITE: u64 = !(0xff_ffff << 16);

impl Area {
    /// Start and end of the run of loads.
    #[inline]
    fn run(self) -> (&'static AtomicU64, &'static AtomicU64) {
        (self.word(LOADS_AT), self.word(LOADS_AT + 1))
    }

    /// Positions mean another segment from now on.
    pub(super) fn forget_loads(self) {
        // Relaxed, here and below: private to the thread.
        self.run().1.store(0, Relaxed);
    }
}

impl Local {
    /// The site of an operation that is recorded without a stack. Call after [`Self::prepare`].
    #[inline]
    pub(in crate::recorder) fn bare_site(&self, source: Source) -> u32 {
        let Some(area) = self.area.get() else { return 0 };
        // Relaxed, here and below: private to the thread.
        let at = LOCATIONS_AT + place::<LOCATIONS>(source.key() as u64) * 2;
        if area.word(at).load(Relaxed) == source.key() as u64 {
            area.word(at + 1).load(Relaxed) as u32
        } else {
            self.new_bare_site(area, at, source)
        }
    }

    #[cold]
    #[inline(never)]
    fn new_bare_site(&self, area: Area, at: usize, source: Source) -> u32 {
        let Some(_busy) = Self::enter() else { return 0 };
        if !self.has_stack(room::COLD_BYTES) {
            return 0;
        }
        let site = process::intern_site(Some(source), &[]);
        // Relaxed: as in `bare_site`.
        area.word(at).store(source.key() as u64, Relaxed);
        area.word(at + 1).store(u64::from(site), Relaxed);
        site
    }

    /// Appends an event that publishes nothing, unless it repeats one; there must be room.
    #[inline]
    pub(in crate::recorder) fn append_load(&self, event: Event) {
        let Some(area) = self.area.get() else { return };
        let [first, second] = event.words();
        let first = first & WITHOUT_SITE;
        let (start, end) = area.run();
        let load = LOADS_AT + RUN_WORDS + place::<LOADS>(event.object().0) * LOAD_WORDS;
        let [known_first, known_second, known_at] = [0, 1, 2].map(|n| area.word(load + n));
        // Relaxed, here and below: private to the thread.
        let is_known = known_first.load(Relaxed) == first && known_second.load(Relaxed) == second;
        if is_known && known_at.load(Relaxed) >= start.load(Relaxed) && end.load(Relaxed) == self.head() {
            return;
        }
        self.write(|words, at| {
            // While no signal handler appends.
            continue_run(area, at as u64);
            known_first.store(first, Relaxed);
            known_second.store(second, Relaxed);
            known_at.store(at as u64, Relaxed);
            chunk::write(&words, at, event)
        });
    }

    /// Appends a fence, unless the event before it is the same; there must be room.
    pub(in crate::recorder) fn append_fence(&self, event: Event) {
        if self.latest() == event {
            return;
        }
        let area = self.area.get().filter(|_| event.kind() == Kind::FENCE && event.flags().order() == Order::Acquire);
        self.write(|words, at| {
            // It publishes nothing either.
            if let Some(area) = area {
                continue_run(area, at as u64);
            }
            chunk::write(&words, at, event)
        });
    }

    /// The latest event of the segment; before the first one lie two words of 0.
    pub(in crate::recorder) fn latest(&self) -> Event {
        let (words, head) = (self.words.get(), self.head() as usize);
        // Relaxed: this thread wrote them. A thread that has no words yet has zeros.
        Event::from_words([head.saturating_sub(2), head.saturating_sub(1)].map(|at| words.load(at, Relaxed)))
    }

    /// The word behind the latest event.
    #[inline]
    fn head(&self) -> u64 {
        // Relaxed: this thread wrote it.
        self.words.get().load(chunk::word::HEAD, Relaxed) / 8
    }
}

/// An event that publishes nothing is appended at a word: it belongs to the run that ends there, or begins one.
#[inline]
fn continue_run(area: Area, at: u64) {
    let (start, end) = area.run();
    // Relaxed: private to the thread.
    if end.load(Relaxed) != at {
        start.store(at, Relaxed);
    }
    end.store(at + Event::WORDS as u64, Relaxed);
}

/// One of `N` places, by Fibonacci hashing.
#[inline]
const fn place<const N: usize>(key: u64) -> usize {
    const { assert!(N.is_power_of_two()) };
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - N.ilog2())) as usize
}
