//! Accesses that repeat: of those that nothing separates the first one stands for all.
//!
//! A **stretch** is a run of accesses between which the thread has appended nothing else. Within it, nothing that the thread
//! did tells a second access of the same kind from the first: whoever races with the one races with the other. The end of
//! the latest access in the segment says whether the stretch goes on: if it is where the thread is, nothing came after it.
//! So locks pay nothing for this, and a repeated access is two comparisons and a look into the cache.
//!
//! Entries keep all that tells accesses apart, with the number of their stretch. One place for each object or address: a write
//! stands for reads and takes the place of one. What ends memory ends the stretch.

use super::{super::table_abi::Source, ACCESSES_AT, Area, Local};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::{Event, Kind, ObjectId};

/// Accesses that a thread remembers: of each place the latest.
const PLACES: usize = 64;

/// Words of a place: the two of the event, which has no site, and the stretch.
const PLACE_WORDS: usize = 3;

pub(super) const WORDS: usize = PLACES * PLACE_WORDS;

impl Local {
    /// Appends an access, if there is room for it and it does not repeat one. The event has no site yet.
    #[inline]
    pub(in crate::recorder) fn access(&self, event: Event, source: Source, stack_pointer: usize) {
        // While the thread appends, or has not begun, it is where no access ends.
        let goes_on = self.at.get() == self.access_end.get();
        if !goes_on || !self.is_repeated(event) {
            self.new_access(event, source, stack_pointer);
        }
    }

    /// Whether an access of this stretch stands for this one.
    #[inline]
    fn is_repeated(&self, event: Event) -> bool {
        let Some(area) = self.area.get() else { return false };
        let place = place(area, event);
        // Relaxed: private to the thread.
        let seen = Event::from_words([place[0].load(Relaxed), place[1].load(Relaxed)]);
        let stands_for_it =
            seen == event || (event.kind() == Kind::CELL_READ && seen == with_kind(event, Kind::CELL_WRITE));
        stands_for_it && place[2].load(Relaxed) == self.stretch.get()
    }

    /// Not inlined, so that a repeated access saves no registers.
    #[inline(never)]
    fn new_access(&self, event: Event, source: Source, stack_pointer: usize) {
        if !self.prepare() {
            return;
        }
        let site = self.site(source, stack_pointer);
        let at = self.at.get();
        if at != self.access_end.get() {
            self.stretch.set(self.stretch.get() + 1);
        }
        let stretch = self.stretch.get();
        self.append(Event::new(event.kind(), event.flags(), site, event.object(), event.seq()));
        // The stretch ends here if a signal handler came in between, or memory ends.
        if event.kind() == Kind::CELL_FREE || self.at.get() != at + Event::WORDS {
            self.forget_accesses();
            return;
        }
        self.access_end.set(at + Event::WORDS);
        if let Some(area) = self.area.get() {
            let place = place(area, event);
            let [first, second] = event.words();
            // Relaxed: private to the thread.
            place[0].store(first, Relaxed);
            place[1].store(second, Relaxed);
            place[2].store(stretch, Relaxed);
        }
    }

    /// The stretch ends. Also where the thread goes on elsewhere: it might come to the same number of words there.
    pub(super) fn forget_accesses(&self) {
        self.access_end.set(0);
    }
}

/// The same access of another kind.
#[inline]
fn with_kind(event: Event, kind: Kind) -> Event {
    Event::new(kind, event.flags(), 0, event.object(), event.seq())
}

/// Where an access of this object or address is remembered.
#[inline]
fn place(area: Area, event: Event) -> &'static [AtomicU64] {
    const { assert!(PLACES == 1 << 6) };
    let ObjectId(object) = event.object();
    let place = object.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
    area.words(ACCESSES_AT + place as usize * PLACE_WORDS, PLACE_WORDS)
}
