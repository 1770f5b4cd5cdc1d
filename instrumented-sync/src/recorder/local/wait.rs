//! The wait that a slot shows, and the waits that others interrupt: of a signal handler, or within a request for a
//! resource. When the inner one ends the outer one goes on, and is shown again.

use super::{super::process, Local, WAITS_AT};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::{
    Event,
    segment::RawWords,
    slot::{self, word},
    words::ReadWords,
};

/// Waits that can be shown again; those further out are not.
const DEPTH_MAX: usize = 4;

/// Of an interrupted wait: its two words, the second object, its start.
const WAIT_WORDS: usize = 4;

/// Words of private memory for interrupted waits.
pub(super) const WORDS: usize = DEPTH_MAX * WAIT_WORDS;

impl Local {
    /// Publishes in the slot what the thread is about to wait for.
    pub(crate) fn begin_wait(&self, wait: Event, second: u64) {
        let (slot, outer) = (self.slot.get(), self.n_waits.get());
        // Before anything else: a handler that comes from here on is inside this wait.
        self.n_waits.set(outer + 1);
        if outer > 0 {
            self.interrupt(outer);
        }
        publish(slot, wait, second, process::elapsed_ns());
    }

    /// Publishes in the slot that the wait is over.
    pub(crate) fn end_wait(&self) {
        let slot = self.slot.get();
        slot::end_wait(&slot);
        let outer = self.n_waits.get().saturating_sub(1);
        self.n_waits.set(outer);
        if let Some([first, second, object, since_ns]) = self.interrupted(outer) {
            // Relaxed: as in `begin_wait`.
            let load = |word: &AtomicU64| word.load(Relaxed);
            if load(first) != 0 {
                publish(slot, Event::from_words([load(first), load(second)]), load(object), load(since_ns));
            }
        }
    }

    /// Keeps the wait that wait number `n` interrupts, if there is a place, and ends it for readers in any case: who
    /// looks twice takes what has one epoch for one wait.
    #[cold]
    fn interrupt(&self, n: usize) {
        let slot = self.slot.get();
        if let Some(place) = self.interrupted(n) {
            // Relaxed: this thread wrote it.
            let is_waiting = slot.load(word::EPOCH, Relaxed) & 1 == 1;
            for (saved, word) in place.iter().zip([word::WAIT, word::WAIT + 1, word::WAIT_OBJECT, word::SINCE_NS]) {
                // Relaxed: as above; this thread also reads it back.
                saved.store(if is_waiting { slot.load(word, Relaxed) } else { 0 }, Relaxed);
            }
        }
        slot::end_wait(&slot);
    }

    /// Where the wait is kept that is interrupted by wait number `n`; the first, number 0, interrupts none.
    fn interrupted(&self, n: usize) -> Option<&'static [AtomicU64; WAIT_WORDS]> {
        let n = n.checked_sub(1).filter(|n| *n < DEPTH_MAX)?;
        self.area.get()?.words(WAITS_AT + n * WAIT_WORDS, WAIT_WORDS).first_chunk()
    }
}

/// Publishes a wait, again if a signal handler that waited itself came in between.
fn publish(slot: RawWords, wait: Event, second: u64, since_ns: u64) {
    // A handler cannot come in between for ever; and if it does, its waits are the ones to show.
    for _ in 0..3 {
        slot::begin_wait(&slot, wait, second, since_ns);
        // Relaxed: this thread wrote it.
        if [word::WAIT, word::WAIT + 1].map(|word| slot.load(word, Relaxed)) == wait.words() {
            break;
        }
    }
}
