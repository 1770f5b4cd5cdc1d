//! The cold way to room: a thread that begins, a page or a segment that is full, or no space at all.

use super::{
    super::process, Local, PAGE_WORDS, ROOM_WORDS, SCRATCH_AT, SCRATCH_WORDS, SEGMENT_BYTES_LAST, SLACK_WORDS, Target,
    room,
};
use std::sync::atomic::{AtomicU64, Ordering};
use trace_format::{
    Event, Flags, Kind, MESSAGE_MAX, ObjectId,
    chunk::{self, HEADER_WORDS},
    segment::RawWords,
    slot,
    words::Words,
};

/// Events that a thread without space loses before it asks for space again.
const LOST_BEFORE_RETRY: u64 = 4096;

impl Local {
    /// Makes room for an operation. False if it cannot be recorded: the thread is busy, or was refused.
    #[cold]
    pub(super) fn refill(&self) -> bool {
        let Some(mut busy) = Self::enter() else { return false };
        let begins = self.target.get() == Target::Nothing;
        if !(if begins { self.can_begin() } else { self.has_stack(room::COLD_BYTES) }) {
            process::count_lost(1);
            return false;
        }
        if begins {
            self.begin();
        }
        // What `enter` saved is out of date: there is a new end.
        busy.end = match self.target.get() {
            Target::Nothing | Target::Refused => return false,
            Target::Segment => self.refill_segment(),
            Target::Scratch => self.refill_scratch(),
        };
        true
    }

    /// Appends while the thread is busy; a segment's slack has room for it.
    pub(super) fn put(&self, event: Event) {
        let words = self.words.get();
        let at = chunk::write(&words, self.at.get(), event);
        chunk::publish(&words, at);
        self.at.set(at);
    }

    /// As [`Self::put`], for any number of events.
    pub(super) fn put_with_room(&self, event: Event) {
        match (self.target.get(), self.segment.get()) {
            (Target::Segment, Some(segment)) if self.at.get() > segment_end(segment) => {
                self.next_segment();
            }
            (Target::Scratch, _) => {
                self.refill_scratch();
            }
            _ => {}
        }
        self.put(event);
    }

    fn put_time(&self) {
        self.put(Event::new(Kind::TIME, Flags::NONE, 0, ObjectId::NONE, process::elapsed_ns() / 1000));
    }

    fn refill_segment(&self) -> usize {
        let Some(segment) = self.segment.get() else { return self.next_segment() };
        if self.at.get() > segment_end(segment) {
            return self.next_segment();
        }
        self.put_time();
        self.page_end(segment)
    }

    /// The end of the room on this page. One operation has room in any case: the slack sees to that.
    fn page_end(&self, segment: &[AtomicU64]) -> usize {
        let at = self.at.get();
        (at + PAGE_WORDS).min(segment_end(segment)).max(at)
    }

    /// Goes on in a new segment, or counts what is lost from here on. Returns the new end.
    pub(super) fn next_segment(&self) -> usize {
        match process::take_segment(self.thread.get(), self.segment_bytes.get()) {
            Some((words, at)) => {
                if let Some(full) = self.segment.get() {
                    process::return_segment(full, true);
                }
                self.use_segment(words, at)
            }
            None => self.lose_from_here(),
        }
    }

    fn use_segment(&self, words: &'static [AtomicU64], at: usize) -> usize {
        self.target.set(Target::Segment);
        self.segment.set(Some(words));
        self.segment_bytes.set((self.segment_bytes.get() * 4).min(SEGMENT_BYTES_LAST));
        // SAFETY: the segment stays mapped until this thread returns it, and `end` keeps appends inside it.
        self.words.set(unsafe { RawWords::new(words.as_ptr()) });
        self.at.set(at);
        self.forget_accesses();
        self.lost_event.set(None);
        self.forget_loads();
        let n = self.n_segments.replace(self.n_segments.get() + 1);
        self.put(Event::new(Kind::OWNER, Flags::NONE, 0, ObjectId(self.thread.get()), n));
        self.put_time();
        self.page_end(words)
    }

    /// From here on events are counted, not recorded; the slot stays exact.
    fn lose_from_here(&self) -> usize {
        let Some(area) = self.area.get() else { return 0 };
        // The segment is kept for its LOST event, whose count goes on growing in place.
        self.lost_event.set(self.segment.get().map(|_| (self.words.get(), self.at.get(), 0)));
        self.target.set(Target::Scratch);
        let scratch = area.words(SCRATCH_AT, SCRATCH_WORDS);
        // SAFETY: private memory is never unmapped, and `end` keeps appends inside the scratch words.
        self.words.set(unsafe { RawWords::new(scratch.as_ptr()) });
        self.empty_scratch();
        HEADER_WORDS
    }

    fn refill_scratch(&self) -> usize {
        let n = (self.at.get() - HEADER_WORDS) as u64 / Event::WORDS as u64;
        self.empty_scratch();
        self.count_lost(n);
        if self.n_lost.get() % LOST_BEFORE_RETRY < n {
            if let Some((words, at)) = process::take_segment(self.thread.get(), self.segment_bytes.get()) {
                if let Some(last) = self.segment.get() {
                    process::return_segment(last, true);
                }
                return self.use_segment(words, at);
            }
        }
        HEADER_WORDS
    }

    /// Counts what lies in the scratch segment as lost; at the thread's end too.
    pub(super) fn count_scratch(&self) {
        if self.target.get() == Target::Scratch {
            self.count_lost((self.at.get() - HEADER_WORDS) as u64 / Event::WORDS as u64);
            self.empty_scratch();
        }
    }

    fn empty_scratch(&self) {
        self.forget_loads();
        self.at.set(HEADER_WORDS);
        self.forget_accesses();
        chunk::publish(&self.words.get(), HEADER_WORDS);
    }

    fn forget_loads(&self) {
        if let Some(area) = self.area.get() {
            area.forget_loads();
        }
    }

    fn count_lost(&self, n: u64) {
        if n == 0 {
            return;
        }
        self.n_lost.set(self.n_lost.get() + n);
        // Relaxed: a statistic.
        self.slot.get().store(slot::word::LOST, self.n_lost.get(), Ordering::Relaxed);
        let Some((words, at, before)) = self.lost_event.get() else {
            process::count_lost(n);
            return;
        };
        let lost = (before + n).min(MESSAGE_MAX);
        self.lost_event.set(Some((words, at, lost)));
        let end = chunk::write(&words, at, Event::new(Kind::LOST, Flags::NONE, 0, ObjectId::NONE, lost));
        if before == 0 {
            chunk::publish(&words, end);
        }
    }
}

/// The last word at which an operation may begin: behind its room lie the slack and the place of a LOST event.
pub(super) fn segment_end(segment: &[AtomicU64]) -> usize {
    segment.len() - Event::WORDS - SLACK_WORDS - ROOM_WORDS
}
