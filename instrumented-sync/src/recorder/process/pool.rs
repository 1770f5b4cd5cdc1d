//! Pools: segments that were drained or left with room, slots, and threads' caches of threads that ended.

use super::{super::table::List, file::ProcessFile};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::{
    chunk::{self, CHUNK_ALIGN, ChunkKind, HEADER_WORDS, State},
    segment::{Segment, unmap},
    slot::{SLOT_BYTES, SLOT_WORDS},
};

/// Full segments that stay mapped, waiting for a reader that drains them. Without one, they only keep the pages
/// of this many megabytes in the program's resident set.
const FULL_SEGMENTS_MAX: usize = 16;

/// Words that a segment must have left for another thread to go on in it.
const IDLE_WORDS_MIN: usize = 256;

/// A slot or overflow record.
#[derive(Clone, Copy, Debug)]
pub(in crate::recorder) struct Slot {
    pub(in crate::recorder) words: &'static [AtomicU64],
    /// Where it lies in the file.
    pub(in crate::recorder) offset: u64,
}

/// What threads give back and take again. Entries of lists are two or three words each.
pub(super) struct Pools {
    idle_segments: Mappings,
    full_segments: Mappings,
    areas: Mappings,
    slots: List,
    slot_offsets: List,
}

impl Pools {
    pub(super) const fn new() -> Self {
        Self {
            idle_segments: Mappings::new(),
            full_segments: Mappings::new(),
            areas: Mappings::new(),
            slots: List::new(),
            slot_offsets: List::new(),
        }
    }

    pub(super) fn take_segment(
        &mut self,
        file: &mut ProcessFile,
        thread: u64,
        bytes: usize,
    ) -> Option<(&'static [AtomicU64], usize)> {
        if let Some(words) = self.idle_segments.pop() {
            if let Some(at) = chunk::try_take(words, thread) {
                return Some((words, at));
            }
            // A reader drains it just now.
            self.idle_segments.push(words);
        }
        // The oldest full segment is the first that a reader drains.
        if let Some(at) = self.full_segments.first().and_then(|words| chunk::try_take(words, thread)) {
            return self.full_segments.remove_first().map(|words| (words, at));
        }
        let bytes = bytes.next_multiple_of(CHUNK_ALIGN);
        file.append(ChunkKind::EVENTS, bytes, thread).map(|(words, _)| (words, HEADER_WORDS))
    }

    pub(super) fn return_segment(&mut self, words: &'static [AtomicU64], full: bool) {
        // Relaxed: the thread that wrote it is this one.
        let head = words[chunk::word::HEAD].load(Relaxed) as usize / 8;
        if !full && head + IDLE_WORDS_MIN < words.len() {
            chunk::finish(words, State::IDLE);
            self.idle_segments.push(words);
            return;
        }
        chunk::finish(words, State::FULL);
        self.full_segments.push(words);
        if self.full_segments.len() > FULL_SEGMENTS_MAX {
            if let Some(words) = self.full_segments.remove_first() {
                // SAFETY: the words were leaked by `ProcessFile::append` and taken out of the only list that
                // knew them; the thread that wrote them has returned them.
                unsafe { unmap(words) };
            }
        }
    }

    pub(super) fn take_slot(&mut self, file: &mut ProcessFile) -> Option<Slot> {
        if self.slots.len() == 0 {
            let (words, offset) = file.append(ChunkKind::SLOTS, CHUNK_ALIGN, 0)?;
            chunk::publish(words, words.len());
            let n_slots = (words.len() - HEADER_WORDS) / SLOT_WORDS;
            for i in (0..n_slots).rev() {
                let first = HEADER_WORDS + i * SLOT_WORDS;
                self.return_slot(Slot {
                    words: &words[first..first + SLOT_WORDS],
                    offset: offset + (first * 8) as u64,
                });
            }
        }
        let (slot, offset) = (self.slots.pop()?, self.slot_offsets.pop()?);
        let words = std::ptr::with_exposed_provenance::<AtomicU64>(slot as usize);
        // SAFETY: the list holds addresses of slots in chunks that are never unmapped, each in the list once.
        Some(Slot { words: unsafe { std::slice::from_raw_parts(words, SLOT_BYTES / 8) }, offset })
    }

    pub(super) fn return_slot(&mut self, slot: Slot) {
        if self.slots.push(slot.words.as_ptr().expose_provenance() as u64) && !self.slot_offsets.push(slot.offset) {
            self.slots.pop();
        }
    }

    pub(super) fn take_area(&mut self, bytes: usize) -> Option<&'static [AtomicU64]> {
        self.areas.pop().or_else(|| Some(Segment::anonymous(bytes).ok()?.leak()))
    }

    pub(super) fn return_area(&mut self, words: &'static [AtomicU64]) {
        self.areas.push(words);
    }
}

/// A list of leaked mappings.
struct Mappings {
    starts: List,
    lengths: List,
}

impl Mappings {
    const fn new() -> Self {
        Self { starts: List::new(), lengths: List::new() }
    }

    const fn len(&self) -> usize {
        self.lengths.len()
    }

    fn push(&mut self, words: &'static [AtomicU64]) {
        // Without memory for the list the mapping is merely never used again.
        if self.starts.push(words.as_ptr().expose_provenance() as u64) && !self.lengths.push(words.len() as u64) {
            self.starts.pop();
        }
    }

    fn pop(&mut self) -> Option<&'static [AtomicU64]> {
        Some(mapping(self.starts.pop()?, self.lengths.pop()?))
    }

    fn first(&self) -> Option<&'static [AtomicU64]> {
        Some(mapping(self.starts.get(0)?, self.lengths.get(0)?))
    }

    fn remove_first(&mut self) -> Option<&'static [AtomicU64]> {
        Some(mapping(self.starts.remove(0)?, self.lengths.remove(0)?))
    }
}

fn mapping(start: u64, len: u64) -> &'static [AtomicU64] {
    let words = std::ptr::with_exposed_provenance::<AtomicU64>(start as usize);
    // SAFETY: both numbers were pushed together from a leaked mapping, and a mapping that is unmapped is taken
    // out of its list first.
    unsafe { std::slice::from_raw_parts(words, len as usize) }
}
