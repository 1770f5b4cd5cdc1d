//! The second pass: events in order.

use super::{
    FirstPass, NO_OBJECT, Objects, Sink, Step,
    first_pass::{Names, names_by_kind},
    lock::{Lock, Sections, is_lock_kind},
    rules::{Place, Rules},
    stripes::{self, Stripes},
};
use crate::source::{Cursor, Family, ThreadRecord};
use rustc_hash::FxHashMap;
use std::{collections::VecDeque, mem};
use trace_format::{Event, Flags, Kind};

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

/// Hands the events of all threads of a family to `sink`, in one order.
pub fn run<S: Sink>(family: &Family, mut first: FirstPass, sink: &mut S) -> Merged {
    let runs = mem::take(&mut first.runs);
    let mut order = Order {
        family,
        names: names_by_kind(),
        queue: (0..runs.len() as u32).collect(),
        parked: vec![None; runs.len()],
        cursors: first.threads.iter().zip(runs).map(|(thread, runs)| Cursor::new(family, *thread, runs)).collect(),
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
    family: &'a Family,
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
                Names::Object => self.first.object_in(thread, event),
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
        self.cursors.get_mut(thread as usize)?.peek(self.family)
    }

    fn skip(&mut self, thread: u32) {
        if let Some(cursor) = self.cursors.get_mut(thread as usize) {
            cursor.skip(self.family);
        }
    }

    #[inline]
    fn check(&mut self, step: &Step) -> Result<(), Place> {
        if is_lock_kind(step.event.kind()) {
            let ready = self.lock(step.object).is_none_or(|lock| lock.is_ready(step.event, self.sections()));
            if ready && step.event.kind() == Kind::OWNER_DIED {
                return self.is_dead(step);
            }
            return if ready { Ok(()) } else { Err(Place::Object(step.object)) };
        }
        if stripes::is_ordered(step.event) {
            let stripe = self.stripe(step);
            let ready = self.stripes.is_ready(stripe, step.event, self.sections());
            return if ready { Ok(()) } else { Err(Place::Stripe(stripe)) };
        }
        self.rules.check(self.first, step)
    }

    /// Goes past an event, whether it was ready or not.
    fn take<S: Sink<Mark = M>>(&mut self, step: &Step, sink: &mut S) {
        let dead = if step.event.kind() == Kind::OWNER_DIED { self.dead(step) } else { None };
        self.skip(step.thread);
        if is_lock_kind(step.event.kind()) {
            if let Some(dead) = dead {
                self.release_of_dead(dead, step, sink);
            }
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
            let stripe = self.stripe(step);
            if self.stripes.apply(stripe, step.event) {
                self.wake(Place::Stripe(stripe));
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

    /// The thread that the `OWNER_DIED` to come is about, if it recorded anything: by the event's extension.
    fn dead(&mut self, step: &Step) -> Option<u32> {
        let cursor = self.cursors.get_mut(step.thread as usize)?;
        let (tid, start) = cursor.extension(self.family)?;
        let is_it = |thread: &&ThreadRecord| u64::from(thread.tid) == tid && thread.start & 0xffff_ffff == start;
        let record = self.family.dictionary.threads.iter().rev().find(is_it)?;
        self.first.thread(record.object)
    }

    /// Whether the thread has no events left whose lock is taken over.
    fn is_dead(&mut self, step: &Step) -> Result<(), Place> {
        match self.dead(step) {
            Some(dead) if dead != step.thread && !self.rules.is_over(dead) => Err(Place::End(dead)),
            _ => Ok(()),
        }
    }

    /// A lock is taken over: to everybody that is a release by the thread that is no more, which had to come first.
    fn release_of_dead<S: Sink<Mark = M>>(&self, dead: u32, step: &Step, sink: &mut S) {
        sink.died(dead, step);
        // What it did to the data by then is not known.
        let flags = step.event.flags().mode().flags().with(Flags::READ).with(Flags::WROTE);
        let event = Event::new(Kind::RELEASE, flags, 0, step.event.object(), step.event.seq());
        sink.step(&Step { thread: dead, event, ..*step });
        if let Some(mark) = self.rules.end_of(dead) {
            sink.arrive(step.thread, &mark);
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
            Place::Stripe(stripe) => (1, self.stripes.distance(stripe, step.event)),
            Place::Object(_) => (2, step.event.seq()),
            Place::Fork(_) => (3, 0),
            Place::Body(_) | Place::End(_) => (4, 0),
        };
        (class, missing, step.object, step.thread)
    }

    fn stripe(&self, step: &Step) -> u32 {
        stripes::of(self.first.member_of(step.thread), step.event)
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
