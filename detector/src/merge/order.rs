//! The second pass: events in order.

use super::{
    FirstPass, NO_OBJECT, Objects, Sink, Step,
    first_pass::{Names, names_by_kind},
    lock::{Lock, Sections, is_lock_kind},
    rules::{Place, Rules},
    stripes::{self, Stripes},
};
use crate::source::{Bytes, Cursor, ProcessFile};
use rustc_hash::FxHashMap;
use std::{collections::VecDeque, mem};
use trace_format::{Event, Kind};

/// What the second pass leaves.
#[derive(Debug)]
pub struct Merged {
    /// Events that were taken although something that has to come before them never came.
    pub n_gaps: u64,
    /// The objects, as before.
    pub objects: Objects,
    locks: Vec<Lock>,
}

impl Merged {
    /// Whether the order of an object has gaps.
    pub fn is_gapped(&self, object: u32) -> bool {
        self.locks.get(object as usize).is_some_and(|lock| lock.gap)
    }
}

/// Hands the events of all threads of a process to `sink`, in one order.
pub fn run<S: Sink>(file: &ProcessFile, mut first: FirstPass, sink: &mut S) -> Merged {
    let runs = mem::take(&mut first.runs);
    let mut order = Order {
        bytes: file.bytes(),
        names: names_by_kind(),
        queue: (0..runs.len() as u32).collect(),
        parked: vec![None; runs.len()],
        cursors: runs.into_iter().map(Cursor::new).collect(),
        waiting: FxHashMap::default(),
        locks: mem::take(&mut first.locks),
        stripes: Stripes::new(mem::take(&mut first.stripes)),
        rules: Rules::new(first.threads.len()),
        first: &first,
        n_gaps: 0,
    };
    loop {
        while let Some(thread) = order.queue.pop_front() {
            order.run_thread(thread, sink);
        }
        if !order.step_over_gap(sink) {
            break;
        }
    }
    let (n_gaps, locks) = (order.n_gaps, order.locks);
    Merged { n_gaps, objects: first.objects, locks }
}

struct Order<'a, M> {
    bytes: &'a dyn Bytes,
    first: &'a FirstPass,
    names: [Names; 256],
    cursors: Vec<Cursor>,
    /// Threads whose next event may be ready.
    queue: VecDeque<u32>,
    /// What each parked thread would do next, and where it waits.
    parked: Vec<Option<(Step, Place)>>,
    waiting: FxHashMap<Place, Vec<u32>>,
    locks: Vec<Lock>,
    stripes: Stripes,
    rules: Rules<M>,
    n_gaps: u64,
}

impl<M: Clone> Order<'_, M> {
    /// Runs a thread until its next event is not ready, or it has none left.
    fn run_thread<S: Sink<Mark = M>>(&mut self, thread: u32, sink: &mut S) {
        while let Some(event) = self.peek(thread) {
            let object = match self.names[usize::from(event.kind().0)] {
                Names::Object => self.first.object_of(event),
                Names::Nothing => NO_OBJECT,
                Names::Unknown => {
                    self.skip(thread);
                    continue;
                }
            };
            let step = Step { thread, object, event };
            if let Err(place) = self.check(&step) {
                self.park(step, place);
                return;
            }
            self.take(&step, sink);
        }
        for place in self.rules.end(thread, sink) {
            self.wake(place);
        }
    }

    fn peek(&mut self, thread: u32) -> Option<Event> {
        self.cursors.get_mut(thread as usize)?.peek(self.bytes)
    }

    fn skip(&mut self, thread: u32) {
        if let Some(cursor) = self.cursors.get_mut(thread as usize) {
            cursor.skip();
        }
    }

    #[inline]
    fn check(&self, step: &Step) -> Result<(), Place> {
        if is_lock_kind(step.event.kind()) {
            let ready = self.lock(step.object).is_none_or(|lock| lock.is_ready(step.event, self.sections()));
            return if ready { Ok(()) } else { Err(Place::Object(step.object)) };
        }
        if stripes::is_ordered(step.event) {
            let ready = self.stripes.is_ready(step.event, self.sections());
            return if ready { Ok(()) } else { Err(Place::stripe(step.event)) };
        }
        self.rules.check(self.first, step)
    }

    /// Goes past an event, whether it was ready or not.
    fn take<S: Sink<Mark = M>>(&mut self, step: &Step, sink: &mut S) {
        self.skip(step.thread);
        if is_lock_kind(step.event.kind()) {
            sink.step(step);
            let Some(lock) = self.locks.get_mut(step.object as usize) else { return };
            lock.apply(step.event, step.thread);
            if lock.n_waiting > 0 {
                self.wake(Place::Object(step.object));
            }
            return;
        }
        if stripes::is_ordered(step.event) {
            sink.step(step);
            if self.stripes.apply(step.event) {
                self.wake(Place::stripe(step.event));
            }
            return;
        }
        let n_woken = (step.event.kind() == Kind::NOTIFY).then(|| self.extension(step.thread)).flatten();
        if let Some(n) = n_woken {
            sink.notified(step, n);
        }
        if let Some(place) = self.rules.apply(self.first, step, n_woken, sink) {
            self.wake(place);
        }
    }

    /// The first payload of the extension behind the event just taken, if it has one.
    fn extension(&mut self, thread: u32) -> Option<u64> {
        let next = self.peek(thread)?;
        (next.kind() == Kind::EXTEND).then(|| next.payload().0)
    }

    fn park(&mut self, step: Step, place: Place) {
        self.count_waiting(place, 1);
        self.waiting.entry(place).or_default().push(step.thread);
        if let Some(parked) = self.parked.get_mut(step.thread as usize) {
            *parked = Some((step, place));
        }
    }

    /// Looks again at the threads parked at `place`, in the order in which they were.
    fn wake(&mut self, place: Place) {
        let Some(threads) = self.waiting.remove(&place) else { return };
        self.count_waiting(place, -i64::try_from(threads.len()).unwrap_or(0));
        for thread in threads {
            let Some((step, _)) = self.parked.get_mut(thread as usize).and_then(Option::take) else { continue };
            match self.check(&step) {
                Ok(()) => self.queue.push_back(thread),
                Err(place) => self.park(step, place),
            }
        }
    }

    /// When no thread can go on, something is missing: goes past the event that misses the least.
    fn step_over_gap<S: Sink<Mark = M>>(&mut self, sink: &mut S) -> bool {
        let parked = self.parked.iter().flatten();
        let Some((step, place)) = parked.min_by_key(|(step, place)| self.distance(step, *place)).copied() else {
            return false;
        };
        self.n_gaps += 1;
        if let Some(lock) = self.locks.get_mut(step.object as usize) {
            lock.gap = true;
        }
        if let Some(threads) = self.waiting.get_mut(&place) {
            threads.retain(|thread| *thread != step.thread);
            self.count_waiting(place, -1);
        }
        if let Some(parked) = self.parked.get_mut(step.thread as usize) {
            *parked = None;
        }
        self.take(&step, sink);
        self.queue.push_front(step.thread);
        true
    }

    /// How much is missing before an event. Locks come first, and of them one whose holder has no more events:
    /// its release is missing for certain. Ends of threads come last, since what keeps a thread from its end is
    /// parked itself.
    fn distance(&self, step: &Step, place: Place) -> (u8, u64, u32, u32) {
        let (class, missing) = match place {
            Place::Object(_) if is_lock_kind(step.event.kind()) => {
                let lock = self.lock(step.object).copied().unwrap_or_default();
                let missing = step.event.seq().saturating_sub(lock.acquired);
                let holder_parked = self.parked.get(lock.holder as usize).is_some_and(Option::is_some);
                let release_missing = missing == 1 && lock.released < lock.acquired && !holder_parked;
                (u8::from(!release_missing), missing)
            }
            Place::Stripe(_) => (1, self.stripes.distance(step.event)),
            Place::Object(_) => (2, step.event.seq()),
            Place::Fork(_) => (3, 0),
            Place::Body(_) | Place::End(_) => (4, 0),
        };
        (class, missing, step.object, step.thread)
    }

    fn lock(&self, object: u32) -> Option<&Lock> {
        self.locks.get(object as usize)
    }

    fn sections(&self) -> &Sections {
        &self.first.sections
    }

    fn count_waiting(&mut self, place: Place, change: i64) {
        let lock = match place {
            Place::Object(object) => self.locks.get_mut(object as usize),
            Place::Stripe(stripe) => self.stripes.lock_mut(stripe),
            _ => None,
        };
        if let Some(lock) = lock {
            lock.n_waiting = u32::try_from(i64::from(lock.n_waiting) + change).unwrap_or(0);
        }
    }
}
