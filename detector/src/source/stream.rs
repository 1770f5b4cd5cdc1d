//! Events of one thread in its order, out of segments that threads share one after another.
//!
//! [`scan`] goes once through all segments in order of place and finds the *runs*: stretches of one segment that
//! belong to one thread. A [`Cursor`] then reads the runs of one thread in its order, through one window of
//! [`WINDOW_BYTES`]: memory does not grow with the number of events.

use super::{
    bytes::Bytes,
    family::{Family, Member},
    recorded::{Chunk, ProcessFile},
};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use trace_format::{Event, Flags, Kind, ObjectId};

/// Bytes of events that a cursor keeps.
const WINDOW_BYTES: usize = 32 << 10;

/// Bytes of an event.
const EVENT_BYTES: u64 = 16;

/// Consecutive events of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The member of the family in whose file it is.
    pub member: u32,
    /// How many segments the thread had before this one.
    pub seq: u64,
    /// Offset of the first event, behind the OWNER event.
    pub start: u64,
    /// Offset behind the last event.
    pub end: u64,
}

/// Visits every event of a file but extensions, as it is.
pub(super) fn events(file: &ProcessFile, mut visit: impl FnMut(Event)) {
    for segment in &file.segments {
        let mut window = Window::new(*segment);
        while let Some((event, _)) = window.next(file.bytes()) {
            if event.kind() != Kind::EXTEND {
                visit(event);
            }
        }
    }
}

/// Visits every event but OWNER, extensions excluded, in order of place, with the member of the family that it is of, and
/// returns the runs by thread, in the order of each thread, with the threads in order of appearance.
///
/// Events in front of a segment's first OWNER event are nobody's and are left out.
pub fn scan(family: &Family, mut visit: impl FnMut(u32, Event)) -> Vec<(u64, Vec<Run>)> {
    let mut runs: Vec<(u64, Vec<Run>)> = Vec::new();
    let mut by_thread: FxHashMap<u64, usize> = FxHashMap::default();
    for (idx, segment) in &family.segments {
        let Some(member) = family.member(*idx) else { continue };
        let mut owner: Option<usize> = None;
        let mut window = Window::new(*segment);
        while let Some((event, at)) = window.next(member.bytes()) {
            match event.kind() {
                Kind::OWNER => {
                    let next = runs.len();
                    let id = member.thread(event.object().0);
                    let thread = *by_thread.entry(id).or_insert(next);
                    if thread == next {
                        runs.push((id, Vec::new()));
                    }
                    owner = Some(thread);
                    let start = at + EVENT_BYTES;
                    if let Some((_, runs)) = runs.get_mut(thread) {
                        runs.push(Run { member: *idx, seq: event.seq(), start, end: start });
                    }
                }
                kind => {
                    let Some((_, runs)) = owner.and_then(|owner| runs.get_mut(owner)) else { continue };
                    if let Some(run) = runs.last_mut() {
                        run.end = at + EVENT_BYTES;
                    }
                    if kind != Kind::EXTEND {
                        visit(*idx, member.translated(event));
                        if member.has_kin() {
                            member.behind(event).into_iter().for_each(|event| visit(*idx, event));
                        }
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

    /// The next event, if it has been read.
    #[inline]
    fn at_hand(&self) -> Option<Event> {
        decode(&self.buffer, self.next)
    }

    #[inline]
    fn peek(&mut self, bytes: &dyn Bytes) -> Option<Event> {
        match decode(&self.buffer, self.next) {
            Some(event) => Some(event),
            None if self.fill(bytes) => decode(&self.buffer, self.next),
            None => None,
        }
    }

    /// The event behind the next one. They are published together, so they lie in one segment.
    fn second(&mut self, bytes: &dyn Bytes) -> Option<Event> {
        self.peek(bytes)?;
        if self.next + 2 * EVENT_BYTES as usize > self.buffer.len() {
            // Reads on from the next one.
            self.at -= (self.buffer.len() - self.next) as u64;
            self.fill(bytes);
        }
        decode(&self.buffer, self.next + EVENT_BYTES as usize)
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
    member: u32,
    /// Whether the member's events are told as they are.
    is_plain: bool,
    next_seq: Option<u64>,
    /// The next events, if they are not those of the window: what relatives did, and what stands in for segments that are not
    /// there.
    inserted: VecDeque<Event>,
    /// The next event of the window, in the family's ids.
    next: Option<Event>,
}

impl Cursor {
    /// A cursor at the first event of a thread, given the family's id of it and its `runs`, in its order.
    pub fn new(family: &Family, thread: u64, runs: Vec<Run>) -> Self {
        let member = runs.first().map_or(0, |run| run.member);
        let before = family.member(member).filter(|_| !runs.is_empty()).map(|member| member.before(thread));
        Self {
            runs: runs.into_iter(),
            window: Window::default(),
            member,
            is_plain: false,
            next_seq: None,
            inserted: before.unwrap_or_default().into(),
            next: None,
        }
    }

    /// The next event, without going past it. Where segments of the thread are missing, that is a LOST event
    /// which counts nothing: how much is missing nobody knows.
    #[inline]
    pub fn peek(&mut self, family: &Family) -> Option<Event> {
        // Inserted events come where the window is empty, if the member's are told as they are.
        let next = if self.is_plain { self.window.at_hand() } else { None };
        if next.is_some() { next } else { self.peek_further(family) }
    }

    fn peek_further(&mut self, family: &Family) -> Option<Event> {
        if self.next.is_some() {
            return self.next;
        }
        if let Some(inserted) = self.inserted.front() {
            return Some(*inserted);
        }
        let member = family.member(self.member)?;
        match self.window.peek(member.bytes()) {
            Some(event) if self.is_plain => Some(event),
            Some(event) => {
                self.next = Some(member.translated(event));
                self.next
            }
            None => self.next_run(family),
        }
    }

    /// The payload of the extension behind the event that [`Cursor::peek`] showed, if it has one.
    pub fn extension(&mut self, family: &Family) -> Option<(u64, u64)> {
        let event = self.window.second(family.member(self.member)?.bytes())?;
        (event.kind() == Kind::EXTEND).then(|| event.payload())
    }

    /// Goes past the event that [`Cursor::peek`] showed.
    #[inline]
    pub fn skip(&mut self, family: &Family) {
        if self.is_plain && self.inserted.is_empty() {
            self.window.skip();
        } else {
            self.skip_further(family);
        }
    }

    fn skip_further(&mut self, family: &Family) {
        if self.next.take().is_none() && self.inserted.pop_front().is_some() {
            return;
        }
        if let Some(member) = family.member(self.member).filter(|member| member.has_kin()) {
            self.insert_behind(member);
        }
        self.window.skip();
    }

    /// Inserts what comes behind the event at which the window is.
    #[cold]
    fn insert_behind(&mut self, member: &Member) {
        if let Some(event) = self.window.peek(member.bytes()) {
            self.inserted.extend(member.behind(event));
        }
    }

    #[cold]
    fn next_run(&mut self, family: &Family) -> Option<Event> {
        loop {
            let Some(run) = self.runs.next() else {
                // An ended thread's window is memory that thousands of threads would keep.
                self.window = Window::default();
                return None;
            };
            self.member = run.member;
            let member = family.member(run.member)?;
            self.is_plain = !member.has_kin();
            self.window.restart(Chunk { start: run.start, end: run.end });
            let is_hole = self.next_seq.is_some_and(|next| next != run.seq);
            self.next_seq = run.seq.checked_add(1);
            if is_hole {
                self.inserted.push_back(Event::new(Kind::LOST, Flags::NONE, 0, ObjectId::NONE, 0));
                return self.inserted.front().copied();
            }
            if let Some(event) = self.window.peek(member.bytes()) {
                self.next = (!self.is_plain).then(|| member.translated(event));
                return self.next.or(Some(event));
            }
        }
    }
}
