//! The sync-preserving closure: the least set of events that has to happen, in the order in which the trace has its
//! critical sections, so that certain events can.
//!
//! `I` of the paper is a set of events closed under `TS`, told by one local time per thread. It is sync-preserving closed
//! if of two sections that exclude each other and both begin in it the earlier one, by the trace, also ends in it.
//!
//! A worklist: whenever a thread's part of `I` grows, its sections that are now in it are looked at, each once. For each
//! lock and mode the latest of the sections in `I` is known, and those that need not end so far. That is a fixpoint by
//! construction. (A published implementation repeats over all locks, once, and misses deadlocks.)
//!
//! Of exclusive sections that is the paper's. Modes are ours: sections that do not exclude each other say nothing of
//! each other, so that two readers may both be left open, and a reader ends only for a later writer, or a writer for any
//! later one.

use super::{
    MODES,
    past::{Event, Occurrence, Past, Section},
};
use crate::history::Mode;

/// An ideal that grows.
#[derive(Debug)]
pub(super) struct Closure<'a> {
    past: &'a Past,
    /// `I`: per thread the local time of its last event in the set.
    ideal: Vec<u32>,
    /// Per thread the first section that was not looked at.
    next: Vec<u32>,
    locks: Vec<Lock>,
    /// Locks that are not as they were at first, to take that back.
    touched: Vec<u32>,
    pending: Vec<u32>,
    is_pending: Vec<bool>,
    /// Events added and sections looked at since this was asked last.
    n_steps: u64,
    /// What has changed since the mark, if one was set.
    trail: Option<Vec<Undo>>,
}

/// A change, by what was there before.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Ideal {
        thread: u32,
        lt: u32,
    },
    Next {
        thread: u32,
        next: u32,
    },
    Latest {
        lock: u32,
        mode: Mode,
        latest: u32,
    },
    /// A section, by thread and index, was added to those that need not end.
    Opened {
        lock: u32,
        section: (u32, u32),
    },
    /// One was taken from them.
    Ended {
        lock: u32,
        section: (u32, u32),
    },
}

/// The sections of one lock that are in the set.
#[derive(Clone, Debug, Default)]
struct Lock {
    /// Per mode the index, in the history, of the latest one's acquire, plus 1.
    latest: [u32; 4],
    /// Those that need not end: thread and index.
    open: Vec<(u32, u32)>,
}

/// The set cannot be closed: a section that has to end never did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Infeasible;

impl<'a> Closure<'a> {
    /// The empty set.
    pub(super) fn new(past: &'a Past) -> Self {
        Self {
            past,
            ideal: vec![0; past.n_threads],
            next: vec![0; past.n_threads],
            locks: vec![Lock::default(); past.n_locks],
            touched: Vec::new(),
            pending: Vec::new(),
            is_pending: vec![false; past.n_threads],
            n_steps: 0,
            trail: None,
        }
    }

    /// Empties the set, for another pattern.
    pub(super) fn clear(&mut self) {
        self.ideal.fill(0);
        self.next.fill(0);
        for lock in self.touched.drain(..) {
            let lock = &mut self.locks[lock as usize];
            lock.latest = [0; 4];
            lock.open.clear();
        }
        for thread in self.pending.drain(..) {
            self.is_pending[thread as usize] = false;
        }
        self.trail = None;
    }

    /// Marks the set as it is, for [`Self::back`]. It should be closed.
    pub(super) fn mark(&mut self) {
        self.trail.get_or_insert_default().clear();
    }

    /// Takes back what was added since the mark; everything, if there is none.
    pub(super) fn back(&mut self) {
        let Some(mut trail) = self.trail.take() else { return self.clear() };
        self.n_steps += trail.len() as u64 / 4;
        for thread in self.pending.drain(..) {
            self.is_pending[thread as usize] = false;
        }
        for undo in trail.drain(..).rev() {
            self.undo(undo);
        }
        self.trail = Some(trail);
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Ideal { thread, lt } => self.ideal[thread as usize] = lt,
            Undo::Next { thread, next } => self.next[thread as usize] = next,
            Undo::Latest { lock, mode, latest } => self.locks[lock as usize].latest[mode as usize] = latest,
            Undo::Opened { lock, section } => {
                let open = &mut self.locks[lock as usize].open;
                if let Some(at) = open.iter().rposition(|one| *one == section) {
                    open.swap_remove(at);
                }
            }
            Undo::Ended { lock, section } => self.locks[lock as usize].open.push(section),
        }
    }

    /// How much work was done since this was asked last, in about the time of an operation.
    pub(super) fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.n_steps)
    }

    /// The set: per thread the local time of its last event in it.
    pub(super) fn ideal(&self) -> &[u32] {
        &self.ideal
    }

    /// Whether an event of `thread` is in the set.
    pub(super) fn contains(&self, thread: u32, lt: u32) -> bool {
        lt <= self.ideal[thread as usize]
    }

    /// Adds what has to happen before an acquire: its predecessor, and what comes before that.
    pub(super) fn add_past(&mut self, thread: u32, occurrence: Occurrence) {
        self.add(Event { thread, lt: occurrence.lt - 1, clock: occurrence.clock });
    }

    /// Adds what has to happen before an event, given what comes before it in other threads.
    pub(super) fn add_before(&mut self, event: Event) {
        self.add(Event { lt: event.lt - 1, ..event });
    }

    /// Closes the set.
    pub(super) fn close(&mut self) -> Result<(), Infeasible> {
        while let Some(thread) = self.pending.pop() {
            self.is_pending[thread as usize] = false;
            self.look_at_sections(thread)?;
        }
        Ok(())
    }

    /// Adds an event and what comes before it.
    pub(super) fn add(&mut self, event: Event) {
        // What is in the set is there with all that comes before it; before a thread's first event comes its fork.
        if event.lt > 0 && self.contains(event.thread, event.lt) {
            return;
        }
        self.n_steps += 1 + past_width(self.past);
        let past = self.past;
        for (thread, lt) in past.clocks.get(event.clock).iter().enumerate() {
            self.raise(thread, *lt);
        }
        self.raise(event.thread as usize, event.lt);
    }

    fn raise(&mut self, thread: usize, lt: u32) {
        if lt > self.ideal[thread] {
            let before = std::mem::replace(&mut self.ideal[thread], lt);
            if let Some(trail) = &mut self.trail {
                trail.push(Undo::Ideal { thread: thread as u32, lt: before });
            }
            if !std::mem::replace(&mut self.is_pending[thread], true) {
                self.pending.push(thread as u32);
            }
        }
    }

    fn look_at_sections(&mut self, thread: u32) -> Result<(), Infeasible> {
        let past = self.past;
        let sections = &past.sections[thread as usize];
        if let Some(trail) = &mut self.trail {
            trail.push(Undo::Next { thread, next: self.next[thread as usize] });
        }
        // Ending a section of this thread raises its own part of the set, so that is read anew each time.
        while let Some(section) = sections.get(self.next[thread as usize] as usize) {
            if section.lt > self.ideal[thread as usize] {
                break;
            }
            let this = (thread, self.next[thread as usize]);
            self.next[thread as usize] += 1;
            self.n_steps += 1;
            self.begin_section(this, section)?;
        }
        Ok(())
    }

    fn begin_section(&mut self, this: (u32, u32), section: &Section) -> Result<(), Infeasible> {
        let past = self.past;
        let lock = &mut self.locks[section.lock as usize];
        if lock.latest == [0; 4] {
            self.touched.push(section.lock);
        }
        let latest = &mut lock.latest[section.mode as usize];
        let before = *latest;
        *latest = before.max(section.index + 1);
        let has_later =
            MODES.iter().any(|mode| mode.excludes(section.mode) && lock.latest[*mode as usize] > section.index + 1);
        let of_lock = section.lock;
        let trail = &mut self.trail;
        if let Some(trail) = trail {
            trail.push(Undo::Latest { lock: of_lock, mode: section.mode, latest: before });
        }
        let mut ends = Vec::new();
        lock.open.retain(|(thread, of)| {
            let other = &past.sections[*thread as usize][*of as usize];
            let must_end = other.index < section.index && other.mode.excludes(section.mode);
            if must_end {
                ends.push(other.release);
                if let Some(trail) = trail {
                    trail.push(Undo::Ended { lock: of_lock, section: (*thread, *of) });
                }
            }
            !must_end
        });
        if has_later {
            ends.push(section.release);
        } else {
            lock.open.push(this);
            if let Some(trail) = trail {
                trail.push(Undo::Opened { lock: of_lock, section: this });
            }
        }
        for release in ends {
            self.add(release.ok_or(Infeasible)?);
        }
        Ok(())
    }
}

/// What going over a clock takes, in about the time of an operation.
const fn past_width(past: &Past) -> u64 {
    past.n_threads as u64 / 16
}
