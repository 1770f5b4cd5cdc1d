//! What an event that is not about a lock has to wait for, and what it lets go on.
//!
//! These are also the edges of must-order: see [`Sink`].

use super::{FirstPass, Sink, Step};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use trace_format::{Flags, Kind};

/// Notifies that one object keeps until they have woken somebody: an unpark may never be answered.
pub const NOTIFIES_MAX: usize = 256;

/// How far up the line of a thread's starters the owner of a scope is looked for.
const ANCESTORS_MAX: usize = 1024;

/// What a parked thread waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    /// An event on an object.
    Object(u32),
    /// An operation on an atomic variable of a stripe.
    Stripe(u32),
    /// The FORK of a thread.
    Fork(u32),
    /// The end of a thread's body.
    Body(u32),
    /// The last event of a thread.
    End(u32),
}

/// State of all rules but those of locks and stripes.
#[derive(Debug)]
pub(super) struct Rules<M> {
    messages: FxHashMap<(u32, u64), M>,
    /// Messages that were received, of channels without capacity.
    received: FxHashMap<(u32, u64), M>,
    notifies: FxHashMap<u32, Notifies<M>>,
    drops: FxHashMap<u32, Drops<M>>,
    receiver_drops: FxHashMap<u32, Drops<M>>,
    /// By barrier or latch and generation that was not notified: who has arrived.
    arrivals: FxHashMap<(u32, u64), Drops<M>>,
    forks: FxHashMap<u32, M>,
    scopes: FxHashMap<u64, Vec<u32>>,
    threads: Vec<ThreadState<M>>,
}

#[derive(Debug)]
struct ThreadState<M> {
    forked_by: Option<u32>,
    body: Option<M>,
    end: Option<M>,
    is_body_over: bool,
    is_over: bool,
    /// Of a task: whether it was made, and how many of its polls are over.
    is_made: bool,
    n_polls: u64,
}

/// Notifies of one object that may still wake somebody: number, how many, mark.
#[derive(Debug)]
struct Notifies<M> {
    kept: VecDeque<(u64, u64, M)>,
    /// The highest number that was given up to bound `kept`.
    forgotten: u64,
}

/// Senders, or receivers, of one channel that were dropped, or parties that arrived: how many, and the latest mark of
/// each thread.
#[derive(Debug)]
struct Drops<M> {
    n: u64,
    marks: Vec<(u32, M)>,
}

impl<M: Clone> Rules<M> {
    pub(super) fn new(n_threads: usize) -> Self {
        let thread = || ThreadState {
            forked_by: None,
            body: None,
            end: None,
            is_body_over: false,
            is_over: false,
            is_made: false,
            n_polls: 0,
        };
        Self {
            messages: FxHashMap::default(),
            received: FxHashMap::default(),
            notifies: FxHashMap::default(),
            drops: FxHashMap::default(),
            receiver_drops: FxHashMap::default(),
            arrivals: FxHashMap::default(),
            forks: FxHashMap::default(),
            scopes: FxHashMap::default(),
            threads: (0..n_threads).map(|_| thread()).collect(),
        }
    }

    /// Whether the event can come next, else what it waits for.
    pub(super) fn check(&self, first: &FirstPass, step: &Step) -> Result<(), Place> {
        let (event, object) = (step.event, step.object);
        let seq = event.seq();
        let ready_if = |ready: bool, place| if ready { Ok(()) } else { Err(place) };
        match event.kind() {
            Kind::RECEIVE => ready_if(self.messages.contains_key(&(object, seq)), Place::Object(object)),
            Kind::RECEIVE_FAILED if event.flags().has(Flags::DISCONNECTED) => {
                ready_if(all_dropped(&first.sender_drops, &self.drops, object), Place::Object(object))
            }
            Kind::SENT => ready_if(self.received.contains_key(&(object, seq)), Place::Object(object)),
            Kind::SEND_FAILED if event.flags().has(Flags::DISCONNECTED) => {
                ready_if(all_dropped(&first.receiver_drops, &self.receiver_drops, object), Place::Object(object))
            }
            Kind::WAKE if seq > 0 => {
                let notified = |notifies: &Notifies<M>| {
                    notifies.forgotten >= seq || notifies.kept.iter().any(|(number, ..)| *number == seq)
                };
                ready_if(self.notifies.get(&object).is_some_and(notified), Place::Object(object))
            }
            Kind::NOTIFY => {
                let expected = first.n_arrivals(object, seq);
                let arrived = self.arrivals.get(&(object, seq)).map_or(0, |arrivals| arrivals.n);
                ready_if(arrived >= expected, Place::Object(object))
            }
            Kind::BEGIN if event.flags().has(Flags::FORKED) => {
                ready_if(self.forks.contains_key(&step.thread), Place::Fork(step.thread))
            }
            Kind::JOIN | Kind::PROCESS_WAIT => match first.thread(event.object().0) {
                Some(joined) => ready_if(self.thread(joined).is_none_or(|t| t.is_over), Place::End(joined)),
                None => Ok(()),
            },
            Kind::SCOPE_END => self.unended_in_scope(step).map_or(Ok(()), |thread| Err(Place::Body(thread))),
            Kind::TASK_BEGIN => {
                let Some(task) = first.thread(event.object().0) else { return Ok(()) };
                let is_next = |task: &ThreadState<M>| task.is_made && task.n_polls + 1 >= seq;
                ready_if(self.thread(task).is_none_or(is_next), Place::Fork(task))
            }
            _ => Ok(()),
        }
    }

    /// Goes past an event, ready or forced; returns what it lets go on.
    pub(super) fn apply<S: Sink<Mark = M>>(
        &mut self,
        first: &FirstPass,
        step: &Step,
        n_woken: Option<u64>,
        sink: &mut S,
    ) -> Option<Place> {
        self.arrive(first, step, sink);
        sink.step(step);
        self.depart(first, step, n_woken, sink)
    }

    /// A thread has no more events.
    pub(super) fn end<S: Sink<Mark = M>>(&mut self, thread: u32, sink: &mut S) -> [Place; 2] {
        if let Some(state) = self.threads.get_mut(thread as usize) {
            state.is_over = true;
            state.is_body_over = true;
            state.end = Some(sink.depart(thread));
        }
        [Place::Body(thread), Place::End(thread)]
    }

    fn arrive<S: Sink<Mark = M>>(&mut self, first: &FirstPass, step: &Step, sink: &mut S) {
        let (event, object, thread) = (step.event, step.object, step.thread);
        match event.kind() {
            Kind::RECEIVE => {
                if let Some(mark) = self.messages.remove(&(object, event.seq())) {
                    sink.arrive(thread, &mark);
                }
            }
            Kind::RECEIVE_FAILED if event.flags().has(Flags::DISCONNECTED) => {
                for (_, mark) in self.drops.get(&object).map_or(&[][..], |drops| &drops.marks) {
                    sink.arrive(thread, mark);
                }
            }
            Kind::SENT => {
                if let Some(mark) = self.received.remove(&(object, event.seq())) {
                    sink.arrive(thread, &mark);
                }
            }
            Kind::SEND_FAILED if event.flags().has(Flags::DISCONNECTED) => {
                for (_, mark) in self.receiver_drops.get(&object).map_or(&[][..], |drops| &drops.marks) {
                    sink.arrive(thread, mark);
                }
            }
            Kind::NOTIFY => {
                // A generation is told of once, and a program may have millions.
                let arrivals = self.arrivals.remove(&(object, event.seq()));
                for (_, mark) in arrivals.iter().flat_map(|arrivals| &arrivals.marks) {
                    sink.arrive(thread, mark);
                }
            }
            Kind::WAKE => {
                let Some(notifies) = self.notifies.get_mut(&object) else { return };
                if let Some(mark) = notifies.take(event.seq()) {
                    sink.arrive(thread, &mark);
                }
                // A park takes all unparks before it at once.
                if first.thread(event.object().0).is_some() {
                    notifies.kept.retain(|(number, ..)| *number > event.seq());
                }
            }
            Kind::BEGIN => {
                if let Some(mark) = self.forks.remove(&thread) {
                    sink.arrive(thread, &mark);
                }
            }
            Kind::JOIN | Kind::PROCESS_WAIT => {
                let joined = first.thread(event.object().0).and_then(|joined| self.thread(joined));
                if let Some(mark) = joined.and_then(|joined| joined.end.as_ref()) {
                    sink.arrive(thread, mark);
                }
            }
            Kind::SCOPE_END => self.end_scope(step, sink),
            _ => {}
        }
    }

    fn depart<S: Sink<Mark = M>>(
        &mut self,
        first: &FirstPass,
        step: &Step,
        n_woken: Option<u64>,
        sink: &mut S,
    ) -> Option<Place> {
        let (event, object, thread) = (step.event, step.object, step.thread);
        match event.kind() {
            Kind::SEND => {
                self.messages.insert((object, event.seq()), sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::RECEIVE if first.rendezvous.contains(&object) => {
                self.received.insert((object, event.seq()), sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::SEND_FAILED => {
                self.messages.remove(&(object, event.seq()));
                None
            }
            Kind::NOTIFY => {
                // An unpark may come before the park, so it counts even if it woke nobody.
                let is_unpark = first.thread(event.object().0).is_some();
                if n_woken == Some(0) && !is_unpark {
                    return None;
                }
                let notifies = self.notifies.entry(object).or_default();
                notifies.add(event.seq(), n_woken.map_or(u64::MAX, |n| n.max(1)), sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::ARRIVE => {
                self.arrivals.entry((object, event.seq())).or_default().add(thread, sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::HANDLE_DROP if event.flags().handle() == Flags::SENDER => {
                self.drops.entry(object).or_default().add(thread, sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::HANDLE_DROP if event.flags().handle() == Flags::RECEIVER => {
                self.receiver_drops.entry(object).or_default().add(thread, sink.depart(thread));
                Some(Place::Object(object))
            }
            Kind::FORK => {
                let forked = first.thread(event.object().0)?;
                self.fork(step, forked, sink.depart(thread));
                Some(Place::Fork(forked))
            }
            Kind::CREATE => {
                let task = first.thread(event.object().0)?;
                self.threads.get_mut(task as usize)?.is_made = true;
                // At once, since it knows what it was made with even if it is never polled.
                let mark = sink.depart(thread);
                sink.arrive(task, &mark);
                Some(Place::Fork(task))
            }
            Kind::TASK_SUSPEND => {
                let task = first.thread(event.object().0)?;
                let state = self.threads.get_mut(task as usize)?;
                state.n_polls = state.n_polls.max(event.seq());
                Some(Place::Fork(task))
            }
            Kind::BODY_END => {
                let state = self.threads.get_mut(thread as usize)?;
                state.is_body_over = true;
                state.body = Some(sink.depart(thread));
                Some(Place::Body(thread))
            }
            _ => None,
        }
    }

    fn fork(&mut self, step: &Step, forked: u32, mark: M) {
        self.forks.insert(forked, mark);
        if let Some(state) = self.threads.get_mut(forked as usize) {
            state.forked_by.get_or_insert(step.thread);
        }
        if step.event.flags().has(Flags::SCOPED) {
            self.scopes.entry(step.event.seq()).or_default().push(forked);
        }
    }

    /// Whether a thread has no more events.
    pub(super) fn is_over(&self, thread: u32) -> bool {
        self.thread(thread).is_none_or(|thread| thread.is_over)
    }

    /// What a thread that has no more events has behind it.
    pub(super) fn end_of(&self, thread: u32) -> Option<M> {
        self.thread(thread)?.end.clone()
    }

    fn thread(&self, thread: u32) -> Option<&ThreadState<M>> {
        self.threads.get(thread as usize)
    }

    /// A thread of the scope that ends with `step` whose body has not ended.
    fn unended_in_scope(&self, step: &Step) -> Option<u32> {
        let forked = self.scopes.get(&step.event.seq())?;
        let is_over = |thread: u32| self.thread(thread).is_none_or(|state| state.is_body_over);
        forked.iter().copied().find(|forked| !is_over(*forked) && self.descends(*forked, step.thread))
    }

    fn end_scope<S: Sink<Mark = M>>(&mut self, step: &Step, sink: &mut S) {
        let Some(forked) = self.scopes.remove(&step.event.seq()) else { return };
        let (ended, others): (Vec<u32>, Vec<u32>) =
            forked.into_iter().partition(|forked| self.descends(*forked, step.thread));
        let mut arrived = FxHashSet::default();
        for thread in ended {
            let mark = self.thread(thread).and_then(|state| state.body.as_ref().or(state.end.as_ref()));
            if let Some(mark) = mark
                && arrived.insert(thread)
            {
                sink.arrive(step.thread, mark);
            }
        }
        if !others.is_empty() {
            self.scopes.insert(step.event.seq(), others);
        }
    }

    /// Whether `thread` was started by `ancestor` or by one that it started.
    ///
    /// A scope is known by an address on its owner's stack, and another thread's stack may have been there before
    /// or come there later: only the owner's descendants are the scope's.
    fn descends(&self, thread: u32, ancestor: u32) -> bool {
        let starter_of = |thread: &u32| self.thread(*thread).and_then(|state| state.forked_by);
        std::iter::successors(starter_of(&thread), starter_of).take(ANCESTORS_MAX).any(|starter| starter == ancestor)
    }
}

/// Whether all drops of a channel's handles that the trace has were seen.
fn all_dropped<M>(expected: &FxHashMap<u32, u64>, seen: &FxHashMap<u32, Drops<M>>, object: u32) -> bool {
    seen.get(&object).map_or(0, |drops| drops.n) >= expected.get(&object).copied().unwrap_or(0)
}

impl<M: Clone> Notifies<M> {
    fn add(&mut self, number: u64, n_woken: u64, mark: M) {
        if self.kept.len() >= NOTIFIES_MAX
            && let Some((number, ..)) = self.kept.pop_front()
        {
            self.forgotten = self.forgotten.max(number);
        }
        self.kept.push_back((number, n_woken, mark));
    }

    fn take(&mut self, number: u64) -> Option<M> {
        let place = self.kept.iter().position(|(kept, ..)| *kept == number)?;
        let (_, left, mark) = self.kept.get_mut(place)?;
        let mark = mark.clone();
        *left -= 1;
        if *left == 0 {
            self.kept.remove(place);
        }
        Some(mark)
    }
}

impl<M> Default for Notifies<M> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), forgotten: 0 }
    }
}

impl<M> Drops<M> {
    fn add(&mut self, thread: u32, mark: M) {
        self.n += 1;
        match self.marks.iter_mut().find(|(of, _)| *of == thread) {
            Some((_, latest)) => *latest = mark,
            None => self.marks.push((thread, mark)),
        }
    }
}

impl<M> Default for Drops<M> {
    fn default() -> Self {
        Self { n: 0, marks: Vec::new() }
    }
}
