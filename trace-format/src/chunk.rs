//! Chunks: what a process file consists of after its header.
//!
//! ```text
//! word  0  magic                              (stored last, release)
//!       1  kind (low 16 bits), size of the chunk in bytes, header included (high 32 bits)
//!       2  state, segments only               (see below)
//!       3  head: bytes published, counted from the start of the chunk
//!       4  thread that writes it: object id   (segments; for display, OWNER events decide)
//!       5  generation: 1, then 2 more each time a drained segment is taken; even while it is being taken
//!       6  reserved
//!       7  reserved
//!       8… payload
//! ```
//!
//! Chunks lie one after the other, each a multiple of [`CHUNK_ALIGN`] bytes, taken from the end of the file
//! under the recorder's lock. The first place without a magic is the end: at most the chunk that was being
//! made when the process was killed lacks one, and nothing had been written into it.
//!
//! **Segments** ([`ChunkKind::EVENTS`]) hold events of 16 bytes. One thread writes a segment at a time. Its
//! state machine, with the actor of each arrow:
//!
//! ```text
//!   WRITING --writer: no room left--> FULL --reader: has copied it--> DRAINED --any thread: takes it--> WRITING
//!      \--writer: thread ended--> IDLE --another thread: goes on behind `head`, with an OWNER event--> WRITING
//! ```
//!
//! Below `head` nothing changes until the segment is taken again, which raises `generation`. A reader that
//! copies a segment while threads run reads the header, copies what lies below `head`, and uses the copy only
//! if the generation is the same after an acquire fence. One reader at a time drains, and only a segment whose
//! header said FULL before the copy.
//!
//! The last event's place of a segment is kept free for a LOST event, whose count goes on growing in place.

use crate::{
    event::Event,
    words::{ReadWords, Words},
};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// First word of a chunk: `DLCCHUNK` in little-endian order.
pub const MAGIC: u64 = u64::from_le_bytes(*b"DLCCHUNK");
/// Chunks begin at multiples of this many bytes after the file header, and are multiples of it in size.
pub const CHUNK_ALIGN: usize = 64 * 1024;
/// Largest chunk that a reader accepts.
pub const CHUNK_BYTES_MAX: usize = 64 << 20;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 64;
/// Words before the payload.
pub const HEADER_WORDS: usize = HEADER_BYTES / 8;

/// Words of a chunk's header; the module's picture says what each holds.
pub mod word {
    #![allow(missing_docs, reason = "the picture in the module's documentation describes each")]
    pub const MAGIC: usize = 0;
    pub const KIND: usize = 1;
    pub const STATE: usize = 2;
    pub const HEAD: usize = 3;
    pub const THREAD: usize = 4;
    pub const GENERATION: usize = 5;
}

/// What a chunk holds. Readers skip kinds that they do not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChunkKind(pub u16);

impl ChunkKind {
    /// Events of threads.
    pub const EVENTS: Self = Self(1);
    /// Slots and overflow records, [`crate::slot::SLOT_BYTES`] each.
    pub const SLOTS: Self = Self(2);
    /// Dictionary records.
    pub const DICTIONARY: Self = Self(3);
    /// Events of one or more segments, compressed; reserved, layout in FORMAT.md.
    pub const COMPRESSED: Self = Self(4);
}

/// State of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State(pub u64);

impl State {
    /// A thread writes it.
    pub const WRITING: Self = Self(1);
    /// No room is left; nothing below `head` will change until a reader has drained it.
    pub const FULL: Self = Self(2);
    /// A reader has copied all of it; threads may take it again from its start.
    pub const DRAINED: Self = Self(3);
    /// Its thread has ended; another one may go on behind `head`.
    pub const IDLE: Self = Self(4);
}

/// A chunk's header, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What it holds.
    pub kind: ChunkKind,
    /// Its size in bytes, header included.
    pub bytes: usize,
    /// Its state, if it is a segment.
    pub state: State,
    /// Bytes published, counted from the start of the chunk.
    pub head: usize,
    /// Rises each time the chunk is taken again; even while that happens, when nothing is published.
    pub generation: u64,
}

impl Header {
    /// Reads a header; `None` if there is no magic or the size is impossible.
    ///
    /// `head` is cut to the chunk: no byte of another process is trusted.
    pub fn read<W: ReadWords + ?Sized>(words: &W) -> Option<Self> {
        // Pairs with the release store in `begin`.
        if words.load(word::MAGIC, Acquire) != MAGIC {
            return None;
        }
        let kind = words.load(word::KIND, Relaxed);
        let bytes = (kind >> 32) as usize;
        if bytes == 0 || bytes > CHUNK_BYTES_MAX || bytes % CHUNK_ALIGN != 0 {
            return None;
        }
        // Pairs with the release store in `try_take`: head and state are of this generation or a later one.
        let generation = words.load(word::GENERATION, Acquire);
        // Pairs with the release store in `finish`, and comes before the load of `head`: the head of a segment
        // that is seen to be full is final.
        let state = State(words.load(word::STATE, Acquire));
        // Pairs with the release store in `publish`: what lies below `head` was written before.
        let head = words.load(word::HEAD, Acquire) as usize;
        // While the segment is being taken, state and head may be of its old content, which was drained.
        let (state, head) = if generation % 2 == 0 { (State::DRAINED, HEADER_BYTES) } else { (state, head) };
        Some(Self { kind: ChunkKind(kind as u16), bytes, state, head: head.clamp(HEADER_BYTES, bytes), generation })
    }
}

/// Makes a chunk: its header, and last its magic.
pub fn begin<W: Words + ?Sized>(words: &W, kind: ChunkKind, bytes: usize, thread: u64) {
    // Relaxed: the magic publishes all of them.
    words.store(word::KIND, u64::from(kind.0) | (bytes as u64) << 32, Relaxed);
    words.store(word::STATE, State::WRITING.0, Relaxed);
    words.store(word::HEAD, HEADER_BYTES as u64, Relaxed);
    words.store(word::THREAD, thread, Relaxed);
    words.store(word::GENERATION, 1, Relaxed);
    // Pairs with the acquire load in `Header::read`.
    words.store(word::MAGIC, MAGIC, Release);
}

/// Writes an event at word `at` without publishing it; returns the word after it.
#[inline]
pub fn write<W: Words + ?Sized>(words: &W, at: usize, event: Event) -> usize {
    let [first, second] = event.words();
    words.store(at, first, Relaxed);
    words.store(at + 1, second, Relaxed);
    at + Event::WORDS
}

/// Publishes everything before word `end`.
#[inline]
pub fn publish<W: Words + ?Sized>(words: &W, end: usize) {
    // Pairs with the acquire load of `head` in `Header::read`: the only ordered store of an append.
    words.store(word::HEAD, (end * 8) as u64, Release);
}

/// The writer's last word on a segment: no room left, or its thread has ended.
pub fn finish<W: Words + ?Sized>(words: &W, state: State) {
    // Pairs with the acquire load in `try_take` and in a reader that drains: `head` is final.
    words.store(word::STATE, state.0, Release);
}

/// A reader says that it has copied all of a full segment. Returns false if the segment is not full.
pub fn drain<W: Words + ?Sized>(words: &W) -> bool {
    // Pairs with the release store in `finish`.
    if words.load(word::STATE, Acquire) != State::FULL.0 {
        return false;
    }
    // Release: the reader's loads of the events come before any writer's stores into them; pairs with the
    // acquire load in `try_take`.
    words.store(word::STATE, State::DRAINED.0, Release);
    true
}

/// Takes a drained or idle segment for `thread`; callers hold the recorder's lock, so two never take one.
///
/// Returns the word to go on at, or `None` if the segment cannot be taken.
pub fn try_take<W: Words + ?Sized>(words: &W, thread: u64) -> Option<usize> {
    // Pairs with the release stores of `drain` (the reader is done) and `finish` (the last writer is).
    let state = State(words.load(word::STATE, Acquire));
    let at = match state {
        State::DRAINED => HEADER_WORDS,
        State::IDLE => words.load(word::HEAD, Relaxed) as usize / 8,
        _ => return None,
    };
    // A reader that still copies the old content must find out, and none may take the old `head` for one of the
    // new content: the generation is even while `head` falls. The fence pairs with the acquire fence of a reader
    // that checks the generation after its copy.
    let generation = words.load(word::GENERATION, Relaxed);
    if state == State::DRAINED {
        words.store(word::GENERATION, generation.wrapping_add(1), Relaxed);
        words.fence(Release);
        words.store(word::HEAD, HEADER_BYTES as u64, Relaxed);
    }
    words.store(word::THREAD, thread, Relaxed);
    words.store(word::STATE, State::WRITING.0, Relaxed);
    if state == State::DRAINED {
        // Pairs with the acquire load in `Header::read`.
        words.store(word::GENERATION, generation.wrapping_add(2), Release);
    }
    Some(at)
}
