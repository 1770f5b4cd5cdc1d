//! Events of one thread in its order, out of segments that threads share one after another.
//!
//! [`scan`] goes once through all segments in order of place and finds the *runs*: stretches of one segment that
//! belong to one thread. A [`Cursor`] then reads the runs of one thread in its order, through one window of
//! [`WINDOW_BYTES`]: memory does not grow with the number of events.

use super::{
    bytes::Bytes,
    recorded::{Chunk, ProcessFile},
};
use rustc_hash::FxHashMap;
use trace_format::{Event, Flags, Kind, ObjectId};

/// Bytes of events that a cursor keeps.
const WINDOW_BYTES: usize = 32 << 10;

/// Bytes of an event.
const EVENT_BYTES: u64 = 16;

/// Consecutive events of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many segments the thread had before this one.
    pub seq: u64,
    /// Offset of the first event, behind the OWNER event.
    pub start: u64,
    /// Offset behind the last event.
    pub end: u64,
}

/// Visits every event but OWNER, extensions excluded, in order of place, and returns the runs by thread, in the
/// order of each thread, with the threads in order of appearance.
///
/// Events in front of a segment's first OWNER event are nobody's and are left out.
pub fn scan(file: &ProcessFile, mut visit: impl FnMut(Event)) -> Vec<(u64, Vec<Run>)> {
    let mut runs: Vec<(u64, Vec<Run>)> = Vec::new();
    let mut by_thread: FxHashMap<u64, usize> = FxHashMap::default();
    for segment in &file.segments {
        let mut owner: Option<usize> = None;
        let mut window = Window::new(*segment);
        while let Some((event, at)) = window.next(file.bytes()) {
            match event.kind() {
                Kind::OWNER => {
                    let next = runs.len();
                    let thread = *by_thread.entry(event.object().0).or_insert(next);
                    if thread == next {
                        runs.push((event.object().0, Vec::new()));
                    }
                    owner = Some(thread);
                    let start = at + EVENT_BYTES;
                    if let Some((_, runs)) = runs.get_mut(thread) {
                        runs.push(Run { seq: event.seq(), start, end: start });
                    }
                }
                kind => {
                    let Some((_, runs)) = owner.and_then(|owner| runs.get_mut(owner)) else { continue };
                    if let Some(run) = runs.last_mut() {
                        run.end = at + EVENT_BYTES;
                    }
                    if kind != Kind::EXTEND {
                        visit(event);
                    }
                }
            }
        }
    }
    for (_, runs) in &mut runs {
        runs.sort_by_key(|run| run.seq);
    }
    runs
}

/// A part of a file, read event by event.
#[derive(Debug, Default)]
struct Window {
    buffer: Vec<u8>,
    /// Where in the buffer the next event is.
    next: usize,
    /// Offset in the file of the first byte behind the buffer, and of the end of what is to be read.
    at: u64,
    end: u64,
}

impl Window {
    fn new(chunk: Chunk) -> Self {
        Self { at: chunk.start, end: chunk.end, ..Self::default() }
    }

    /// Goes on with another part, keeping the buffer's memory.
    fn restart(&mut self, chunk: Chunk) {
        self.buffer.clear();
        (self.next, self.at, self.end) = (0, chunk.start, chunk.end);
    }

    #[inline]
    fn peek(&mut self, bytes: &dyn Bytes) -> Option<Event> {
        match decode(&self.buffer, self.next) {
            Some(event) => Some(event),
            None if self.fill(bytes) => decode(&self.buffer, self.next),
            None => None,
        }
    }

    #[inline]
    fn skip(&mut self) {
        self.next += EVENT_BYTES as usize;
    }

    fn next(&mut self, bytes: &dyn Bytes) -> Option<(Event, u64)> {
        let event = self.peek(bytes)?;
        let at = self.at - (self.buffer.len() - self.next) as u64;
        self.skip();
        Some((event, at))
    }

    /// Reads the next events. False at the end; what cannot be read ends the part as well.
    #[cold]
    fn fill(&mut self, bytes: &dyn Bytes) -> bool {
        let left = self.end.saturating_sub(self.at);
        let len = left.min(WINDOW_BYTES as u64) as usize / EVENT_BYTES as usize * EVENT_BYTES as usize;
        self.buffer.resize(len, 0);
        let n_read = bytes.read_at(&mut self.buffer, self.at).unwrap_or(0);
        self.buffer.truncate(n_read / EVENT_BYTES as usize * EVENT_BYTES as usize);
        self.next = 0;
        self.at += self.buffer.len() as u64;
        !self.buffer.is_empty()
    }
}

#[inline]
fn decode(buffer: &[u8], at: usize) -> Option<Event> {
    let (first, rest) = buffer.get(at..)?.split_first_chunk::<8>()?;
    let second = rest.first_chunk::<8>()?;
    Some(Event::from_words([u64::from_le_bytes(*first), u64::from_le_bytes(*second)]))
}

/// The events of one thread, in its order.
#[derive(Debug)]
pub struct Cursor {
    runs: std::vec::IntoIter<Run>,
    window: Window,
    next_seq: Option<u64>,
    /// Stands in for segments that are not there.
    hole: Option<Event>,
}

impl Cursor {
    /// A cursor at the first event of `runs`, which must be in the thread's order.
    pub fn new(runs: Vec<Run>) -> Self {
        Self { runs: runs.into_iter(), window: Window::default(), next_seq: None, hole: None }
    }

    /// The next event, without going past it. Where segments of the thread are missing, that is a LOST event
    /// which counts nothing: how much is missing nobody knows.
    #[inline]
    pub fn peek(&mut self, bytes: &dyn Bytes) -> Option<Event> {
        if self.hole.is_some() {
            return self.hole;
        }
        match self.window.peek(bytes) {
            Some(event) => Some(event),
            None => self.next_run(bytes),
        }
    }

    /// Goes past the event that [`Cursor::peek`] showed.
    #[inline]
    pub fn skip(&mut self) {
        if self.hole.take().is_none() {
            self.window.skip();
        }
    }

    #[cold]
    fn next_run(&mut self, bytes: &dyn Bytes) -> Option<Event> {
        loop {
            let Some(run) = self.runs.next() else {
                // An ended thread's window is memory that thousands of threads would keep.
                self.window = Window::default();
                return None;
            };
            self.window.restart(Chunk { start: run.start, end: run.end });
            let is_hole = self.next_seq.is_some_and(|next| next != run.seq);
            self.next_seq = run.seq.checked_add(1);
            if is_hole {
                self.hole = Some(Event::new(Kind::LOST, Flags::NONE, 0, ObjectId::NONE, 0));
                return self.hole;
            }
            if let Some(event) = self.window.peek(bytes) {
                return Some(event);
            }
        }
    }
}
