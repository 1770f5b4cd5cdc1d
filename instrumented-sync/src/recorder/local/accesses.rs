//! Accesses that repeat: of those that nothing separates the first one stands for all.
//!
//! A **stretch** is a run of accesses between which the thread has appended nothing else. Within it, nothing that the thread
//! did tells a second access of the same kind from the first: whoever races with the one races with the other. The end of
//! the latest access in the segment says whether the stretch goes on: if it is where the thread is, nothing came after it.
//! So locks pay nothing for this, and a repeated access is a comparison and a look into the cache.
//!
//! Entries keep all that tells accesses apart, with the number of their stretch. One place for each object or address: a write
//! stands for reads and takes the place of one. What ends memory ends the stretch.

use super::{super::table_abi::Source, ACCESSES_AT, Area, Local};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::{Event, Kind};

/// Accesses that a thread remembers: of each place the latest.
const PLACES: usize = 64;

/// Words of a place: the two of the event, which has no site, and the stretch.
const PLACE_WORDS: usize = 3;

pub(super) const WORDS: usize = PLACES * PLACE_WORDS;

impl Local {
    /// Whether an access of this stretch stands for this one, which has no site.
    #[inline]
    pub(in crate::recorder) fn is_repeated(&self, event: Event) -> bool {
        // While the thread appends, or has not begun, it is where no access ends.
        if self.at.get() != self.access_end.get() {
            return false;
        }
        let Some(area) = self.area.get() else { return false };
        let [first, second] = event.words();
        let place = place(area, first);
        // Relaxed: private to the thread.
        let [seen_first, seen_second, stretch] = [0, 1, 2].map(|n| place[n].load(Relaxed));
        // A write differs from a read in its lowest bit, which does not matter to a read.
        const { assert!(Kind::CELL_READ.0 & 1 == 0 && Kind::CELL_WRITE.0 == Kind::CELL_READ.0 | 1) };
        let matters = first | !1;
        // One comparison of all: it is nearly always true, and three branches take longer.
        ((seen_first ^ first) & matters) | (seen_second ^ second) | (stretch ^ self.stretch.get()) == 0
    }

    /// Appends an access, if there is room for it. The event has no site yet.
    pub(in crate::recorder) fn access(&self, event: Event, source: Source, stack_pointer: usize) {
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
        if let Some(area) = self.area.get() {
            let [first, second] = event.words();
            let place = place(area, first);
            // Relaxed: private to the thread.
            place[0].store(first, Relaxed);
            place[1].store(second, Relaxed);
            place[2].store(stretch, Relaxed);
        }
        // The stretch ends if memory does, or if a signal handler accessed something meanwhile: it may have been at the same
        // place. Last, so that one that comes now finds the stretch over, or leaves the thread elsewhere.
        let is_alone = self.at.get() == at + Event::WORDS;
        self.access_end.set(if is_alone && event.kind() != Kind::CELL_FREE { at + Event::WORDS } else { 0 });
    }

    /// The stretch ends. Also where the thread goes on elsewhere: it might come to the same number of words there.
    pub(super) fn forget_accesses(&self) {
        self.access_end.set(0);
    }
}

/// Where an access with this first word is remembered: one place for each object or address.
#[inline]
fn place(area: Area, first: u64) -> &'static [AtomicU64] {
    const { assert!(PLACES == 1 << 6) };
    // Without kind and flags; so a write comes where a read does.
    let place = (first >> 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
    area.words(ACCESSES_AT + place as usize * PLACE_WORDS, PLACE_WORDS)
}
