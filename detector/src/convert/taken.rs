//! What is taken from the merged order.

use crate::merge::{FirstPass, NO_OBJECT, Sink, Step};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, Mode};

/// What one thread, or task, does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    pub(super) actor: u32,
    pub(super) site: u32,
    pub(super) does: Does,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// Waits for a lock to the end of the trace.
    Request(u32, Mode),
    Acquire(u32, Mode),
    Release(u32, Mode),
    Upgrade(u32),
    Downgrade(u32, Mode),
    Fork(u32),
    Join(u32),
    Begin,
    End,
    /// What was done before comes before what is done after the arrival with this number.
    Depart(u32),
    Arrive(u32),
}

/// What arrives elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Departure {
    /// Said by the operation itself.
    Fork,
    /// Of a thread that had ended; the operation that sees it says so.
    End(u32),
    /// Number and actor.
    Other(u32, u32),
}

/// Everything that is taken of one process.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) actions: Vec<Action>,
    /// Departures that arrived somewhere.
    pub(super) arrived: FxHashSet<u32>,
    /// Who holds an object in a mode that others may hold at once, in order of appearance.
    pub(super) readers: FxHashMap<u32, Vec<u32>>,
    /// Objects that are held upgradable.
    pub(super) upgradable: FxHashSet<u32>,
    /// Classes of the objects that were made.
    pub(super) classes: FxHashMap<u32, u32>,
    pub(super) n_may_fail: u64,
    pub(super) n_lost: u64,
    threads: FxHashMap<u64, u32>,
    async_locks: FxHashSet<u32>,
    running: FxHashMap<u32, u32>,
    requests: FxHashMap<u32, Action>,
    ended: FxHashSet<u32>,
    /// Threads whose end the next operation sees.
    seen_ends: Vec<u32>,
    is_fork: bool,
    n_departures: u32,
}

impl Taken {
    pub(super) fn new(first: &FirstPass) -> Self {
        Self {
            actions: Vec::new(),
            arrived: FxHashSet::default(),
            readers: FxHashMap::default(),
            upgradable: FxHashSet::default(),
            classes: FxHashMap::default(),
            n_may_fail: 0,
            n_lost: 0,
            threads: first.threads.iter().copied().zip(0..).collect(),
            async_locks: first.async_locks.clone(),
            running: FxHashMap::default(),
            requests: FxHashMap::default(),
            ended: FxHashSet::default(),
            seen_ends: Vec::new(),
            is_fork: false,
            n_departures: 0,
        }
    }

    /// Requests that nothing answered, in order of the actors.
    pub(super) fn unanswered(&self) -> Vec<Action> {
        let mut requests: Vec<Action> = self.requests.values().copied().collect();
        requests.sort_unstable_by_key(|request| request.actor);
        requests
    }

    fn actor(&self, thread: u32) -> u32 {
        self.running.get(&thread).copied().unwrap_or(thread)
    }

    /// Who owns an object that is acquired in a thread.
    fn owner(&self, step: &Step) -> u32 {
        if self.async_locks.contains(&step.object) { self.actor(step.thread) } else { step.thread }
    }

    fn push(&mut self, actor: u32, event: Event, does: Does) {
        self.actions.push(Action { actor, site: event.site().0, does });
    }

    fn note_mode(&mut self, actor: u32, object: u32, mode: Mode) {
        match mode {
            Mode::Exclusive => {}
            Mode::Shared | Mode::SharedRecursive => {
                let readers = self.readers.entry(object).or_default();
                if !readers.contains(&actor) {
                    readers.push(actor);
                }
            }
            Mode::Upgradable => {
                self.upgradable.insert(object);
            }
        }
    }

    fn lock(&mut self, step: &Step) {
        let Step { object, event, .. } = *step;
        if object == NO_OBJECT {
            return;
        }
        let (owner, mode) = (self.owner(step), event.flags().mode());
        let may_fail = event.flags().has(Flags::TRY) || event.flags().has(Flags::TIMED);
        match event.kind() {
            Kind::REQUEST => {
                let does = Does::Request(object, mode);
                self.note_mode(owner, object, mode);
                self.requests.insert(owner, Action { actor: owner, site: event.site().0, does });
            }
            Kind::ACQUIRE => {
                self.requests.remove(&owner);
                self.n_may_fail += u64::from(may_fail);
                self.note_mode(owner, object, mode);
                self.push(owner, event, Does::Acquire(object, mode));
            }
            Kind::RELEASE => self.push(owner, event, Does::Release(object, mode)),
            Kind::UPGRADE => self.push(owner, event, Does::Upgrade(object)),
            _ => {
                self.note_mode(owner, object, mode);
                self.push(owner, event, Does::Downgrade(object, mode));
            }
        }
    }

    /// A task is polled, or was: what the thread did comes before, what it does after.
    fn run(&mut self, thread: u32, event: Event) {
        let Some(task) = self.threads.get(&event.object().0).copied().filter(|task| *task != thread) else { return };
        let (from, to) = if event.kind() == Kind::TASK_BEGIN { (thread, task) } else { (task, thread) };
        if event.kind() == Kind::TASK_BEGIN {
            self.running.insert(thread, task);
        } else {
            self.running.remove(&thread);
        }
        let number = self.depart_from(from, event.site().0);
        self.arrived.insert(number);
        self.push(to, event, Does::Arrive(number));
    }

    fn depart_from(&mut self, actor: u32, site: u32) -> u32 {
        let number = self.n_departures;
        self.n_departures += 1;
        self.actions.push(Action { actor, site, does: Does::Depart(number) });
        number
    }

    fn see_ends(&mut self, thread: u32, event: Event) {
        for ended in std::mem::take(&mut self.seen_ends) {
            self.push(thread, event, Does::Join(ended));
        }
    }
}

impl Sink for Taken {
    type Mark = Departure;

    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        self.is_fork = event.kind() == Kind::FORK;
        self.see_ends(thread, event);
        match event.kind() {
            Kind::REQUEST | Kind::ACQUIRE | Kind::RELEASE | Kind::UPGRADE | Kind::DOWNGRADE => self.lock(step),
            Kind::ACQUIRE_FAILED => {
                let owner = self.owner(step);
                self.requests.remove(&owner);
            }
            Kind::TASK_BEGIN | Kind::TASK_SUSPEND | Kind::TASK_END => self.run(thread, event),
            Kind::FORK => {
                if let Some(forked) = self.threads.get(&event.object().0).copied() {
                    self.push(thread, event, Does::Fork(forked));
                }
            }
            Kind::BEGIN => self.push(thread, event, Does::Begin),
            Kind::END => {
                self.ended.insert(thread);
                self.push(thread, event, Does::End);
            }
            Kind::CREATE => {
                self.classes.insert(object, event.seq() as u32);
            }
            Kind::LOST => self.n_lost = self.n_lost.saturating_add(event.seq()),
            _ => {}
        }
    }

    fn depart(&mut self, thread: u32) -> Departure {
        if std::mem::take(&mut self.is_fork) {
            return Departure::Fork;
        }
        if self.ended.contains(&thread) {
            return Departure::End(thread);
        }
        let actor = self.actor(thread);
        let site = self.actions.last().filter(|last| last.actor == actor).map_or(0, |last| last.site);
        Departure::Other(self.depart_from(actor, site), actor)
    }

    fn arrive(&mut self, thread: u32, departure: &Departure) {
        match *departure {
            Departure::Fork => {}
            Departure::End(ended) => self.seen_ends.push(ended),
            Departure::Other(number, from) => {
                let actor = self.actor(thread);
                if actor != from {
                    self.arrived.insert(number);
                    self.actions.push(Action { actor, site: 0, does: Does::Arrive(number) });
                }
            }
        }
    }
}
