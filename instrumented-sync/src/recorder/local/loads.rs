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
use trace_format::{Event, Order, chunk, words::ReadWords};

/// Locations whose sites a thread remembers: of each place the latest, and of each location its address and its site.
const LOCATIONS: usize = 64;
pub(super) const LOCATION_WORDS: usize = LOCATIONS * 2;

/// Loads that a thread remembers: of each place the latest. Each is the event without its site, and where it lies.
const LOADS: usize = 16;
const LOAD_WORDS: usize = 3;
/// Before them, where the latest run of loads begins in the segment, and where it ends.
const RUN_WORDS: usize = 2;
pub(super) const WORDS: usize = RUN_WORDS + LOADS * LOAD_WORDS;

impl Area {
    /// Start and end of the run of loads.
    #[inline]
    fn run(self) -> (&'static AtomicU64, &'static AtomicU64) {
        (self.word(LOADS_AT), self.word(LOADS_AT + 1))
    }

    /// Where a load like this one is remembered.
    #[inline]
    fn known(self, load: Event) -> [&'static AtomicU64; LOAD_WORDS] {
        self.word_array(LOADS_AT + RUN_WORDS + place::<LOADS>(load.object().0) * LOAD_WORDS)
    }

    /// Positions mean another segment from now on: the run ends where no event does.
    pub(super) fn forget_loads(self) {
        // Relaxed, here and below: private to the thread.
        self.run().1.store(u64::MAX, Relaxed);
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

    /// Appends an event that publishes nothing, unless it repeats one, or there is no room. The event is without its site,
    /// which is not looked for if the event repeats one: nothing waits for what only looks.
    #[inline]
    pub(in crate::recorder) fn append_load(&self, event: Event, source: Source) {
        if self.area.get().is_some_and(|area| self.repeats(area, event)) {
            return;
        }
        if !self.prepare() {
            return miss();
        }
        let Some(area) = self.area.get() else { return };
        let located = located(event, self.bare_site(source));
        self.write(|words, at| {
            // While no signal handler appends.
            continue_run(area, at as u64);
            area.known(event).iter().zip(event.words().into_iter().chain([at as u64])).for_each(|(word, value)| {
                // Relaxed: private to the thread.
                word.store(value, Relaxed);
            });
            chunk::write(&words, at, located)
        });
    }

    #[inline]
    fn repeats(&self, area: Area, event: Event) -> bool {
        let ([first, second], (start, end)) = (event.words(), area.run());
        // Relaxed: private to the thread.
        let [known_first, known_second, known_at] = area.known(event).map(|word| word.load(Relaxed));
        known_first == first
            && known_second == second
            && known_at >= start.load(Relaxed)
            && end.load(Relaxed) == self.head()
    }

    /// Appends a fence, given without its site, unless the latest event is the same or there is no room.
    pub(in crate::recorder) fn append_fence(&self, fence: Event, source: Source) {
        if !self.prepare() {
            return miss();
        }
        let fence = located(fence, self.bare_site(source));
        if self.latest() == fence {
            return;
        }
        // Such a one publishes nothing either.
        let run = self.area.get().filter(|_| fence.flags().order() == Order::Acquire);
        self.write(|words, at| {
            if let Some(area) = run {
                continue_run(area, at as u64);
            }
            chunk::write(&words, at, fence)
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

/// An event cannot be appended that may order this thread after another one, at once or by a later fence. Without it accesses
/// would seem to race for certain: who reads the trace is to know that something is missing.
#[cold]
#[inline(never)]
fn miss() {
    process::count_lost(1);
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

/// The event with a site, of which it had none.
#[inline]
const fn located(event: Event, site: u32) -> Event {
    Event::new(event.kind(), event.flags(), site, event.object(), event.seq())
}

/// One of `N` places, by Fibonacci hashing.
#[inline]
const fn place<const N: usize>(key: u64) -> usize {
    const { assert!(N.is_power_of_two()) };
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - N.ilog2())) as usize
}
