//! The model's part about one family of processes: takes the merged order, and puts what came of it into the model.

use super::{
    FamilyId, Hold, Model, NestedAcquire, OwnerDeath, Process, ThreadId,
    clock::{Clocks, Mark},
    held::{Held, HeldByThread},
    nested::{Group, Groups, Key, NO_HOLDS},
    orphans::Orphans,
    reach::Reach,
    tables::Tables,
    threads,
};
use crate::{
    merge::{self, FirstPass, Merged, NO_OBJECT, Sink, Step},
    source::{Family, Member},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{mem, rc::Rc};
use trace_format::{Event, Flags, Kind, Mode};

/// Holds of one nested acquire that the model keeps: the newest ones, if there are more.
pub(super) const NESTED_HOLDS_MAX: usize = 128;

/// What remains of a family until its objects are described.
pub(super) struct Part {
    pub(super) tables: Tables,
    pub(super) merged: Merged,
    pub(super) created: Vec<Created>,
    pub(super) has_shared: Vec<bool>,
    pub(super) threads: FxHashMap<u64, u32>,
    /// Capacities of objects that nobody notified: of a semaphore, how many threads can hold it at once.
    pub(super) capacities: FxHashMap<u32, u64>,
    /// Whether some acquire happened with more holds than the model keeps.
    pub(super) holds_cut: bool,
    pub(super) n_unknown: u64,
}

/// What a CREATE says, in the file's ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Created {
    pub(super) class: u32,
    pub(super) site: u32,
}

/// Adds a family to the model.
pub(super) fn add(model: &mut Model, family: FamilyId, file: &Family) -> Part {
    let first = FirstPass::new(file);
    let tables = Tables::new(model.processes.len() as u32, file.ids(), model.threads.len() as u32);
    let (n_threads, n_objects) = (first.threads.len(), first.objects.len());
    let threads: FxHashMap<u64, u32> = first.threads.iter().zip(0..).map(|(thread, idx)| (*thread, idx)).collect();
    let thread_ids = first.threads.clone();
    model.n_events += first.n_events;
    let n_unknown = first.n_unknown + file.dictionary.n_unknown;
    let mut recording = Recording {
        clocks: Clocks::new(n_threads),
        held: HeldByThread::new(n_threads, n_objects),
        nested: Groups::new(n_threads),
        writers: Groups::new(n_threads),
        abandoned: Groups::new(n_threads),
        is_abandoned: threads::held_for_ever(file, &first),
        created: vec![Created::default(); n_objects],
        released: FxHashMap::default(),
        has_shared: (0..n_objects as u32).map(|object| first.has_shared(object)).collect(),
        reach: Reach::new(threads::waited_for(file, &first), n_objects, n_threads),
        states: vec![State::default(); n_threads],
        capacities: FxHashMap::default(),
        async_locks: first.async_locks.clone(),
        running: vec![NO_TASK; n_threads],
        orphans: Orphans::new(file, &first),
        deaths: Vec::new(),
        threads,
    };
    let merged = merge::run(file, first, &mut recording);
    let mut part = Part {
        tables,
        merged,
        created: mem::take(&mut recording.created),
        has_shared: mem::take(&mut recording.has_shared),
        threads: mem::take(&mut recording.threads),
        capacities: mem::take(&mut recording.capacities),
        holds_cut: false,
        n_unknown,
    };
    add_processes(model, family, file);
    threads::add(model, file, &mut part, &mut recording, &thread_ids);
    part.has_shared.resize(part.merged.objects.len(), false);
    let nested = recording.nested.take();
    let nested = materialise(model, file, &mut part, &mut recording, nested);
    model.nested.extend(nested);
    let writers = recording.writers.take();
    let writers = materialise(model, file, &mut part, &mut recording, writers);
    model.writers.extend(writers);
    let abandoned = recording.abandoned.take();
    let abandoned = materialise(model, file, &mut part, &mut recording, abandoned);
    model.abandoned.extend(abandoned);
    add_deaths(model, file, &mut part, &recording.deaths);
    part.tables.add_releases(model, &file.dictionary, &recording.released);
    part.tables.forget_epochs();
    part
}

/// What the sink keeps while the order passes by.
pub(super) struct Recording {
    pub(super) clocks: Clocks,
    pub(super) held: HeldByThread,
    pub(super) reach: Reach,
    nested: Groups,
    writers: Groups,
    /// Acquires of locks that threads still hold which have ended, and by object whether it is such a lock.
    abandoned: Groups,
    is_abandoned: FxHashSet<u32>,
    created: Vec<Created>,
    /// By site of an acquire that of the first release that has one.
    released: FxHashMap<u32, u32>,
    has_shared: Vec<bool>,
    pub(super) states: Vec<State>,
    /// Capacities of objects that nobody notified.
    capacities: FxHashMap<u32, u64>,
    /// Locks that the task owns which the thread runs.
    async_locks: FxHashSet<u32>,
    /// By thread: the task that it runs.
    running: Vec<u32>,
    threads: FxHashMap<u64, u32>,
    /// Locks whose owners died, and were taken over.
    deaths: Vec<Death>,
    pub(super) orphans: Orphans,
}

/// A lock was taken over from a dead thread, in the merge's numbers.
struct Death {
    dead: u32,
    held: Held,
    taker: u32,
    site: u32,
}

/// The task that a thread runs which runs none.
const NO_TASK: u32 = u32::MAX;

/// What a thread has behind it at one moment, and what objects it knows of, if that matters.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    mark: Mark,
    known: Option<Rc<[u64]>>,
}

/// What is known of a thread beside what it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// A REQUEST that nothing has answered yet, with its object.
    pub(super) pending: Option<(Event, u32)>,
    pub(super) forked_by: Option<u32>,
    pub(super) scope: Option<u64>,
    pub(super) ended: bool,
    /// Whether it has given up its mutex to wait without having looked at what that guards.
    pub(super) is_bare: bool,
    pub(super) lost: u64,
}

impl Sink for Recording {
    type Mark = Departure;

    #[inline]
    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        if self.reach.is_watched(object) {
            self.reach.touch(self.actor(thread), object, event);
        }
        match event.kind() {
            Kind::EXTEND => self.reach.extend(self.actor(thread), event),
            Kind::ACQUIRE => {
                self.wants(thread, object, event);
                let owner = self.owner(thread, object);
                self.held.acquire(owner, held(object, event));
                self.orphans.acquired(thread, object, event);
                self.set_pending(owner, None);
                self.reach.lock(self.actor(thread), object, Kind::ACQUIRE);
            }
            Kind::RELEASE => {
                let owner = self.owner(thread, object);
                if !event.site().is_none() && !event.flags().has(Flags::FOR_WAIT) {
                    self.tell_release(owner, object, event);
                }
                if event.flags().has(Flags::FOR_WAIT)
                    && let Some(state) = self.states.get_mut(thread as usize)
                {
                    let flags = event.flags();
                    state.is_bare = !(flags.has(Flags::READ) || flags.has(Flags::WROTE));
                }
                self.held.release(owner, object);
                self.reach.lock(self.actor(thread), object, Kind::RELEASE);
            }
            Kind::REQUEST => self.set_pending(self.owner(thread, object), Some((event, object))),
            Kind::TASK_BEGIN | Kind::TASK_SUSPEND | Kind::TASK_END => self.run(thread, event),
            Kind::ACQUIRE_FAILED => self.set_pending(thread, None),
            Kind::DOWNGRADE | Kind::UPGRADE => {
                let mode = if event.kind() == Kind::UPGRADE { Mode::Exclusive } else { event.flags().mode() };
                self.held.change_mode(thread, object, mode);
                self.reach.lock(thread, object, event.kind());
            }
            Kind::CREATE => {
                if let Some(created) = self.created.get_mut(object as usize) {
                    *created = Created { class: event.seq() as u32, site: event.site().0 };
                }
            }
            Kind::CAPACITY => {
                self.capacities.insert(object, event.seq());
            }
            Kind::NOTIFY if !self.capacities.is_empty() => {
                self.capacities.remove(&object);
            }
            Kind::LOST => self.lose(thread, event.seq()),
            Kind::FORK => self.fork(thread, event),
            Kind::END => {
                if let Some(state) = self.states.get_mut(thread as usize) {
                    state.ended = true;
                }
            }
            _ => {}
        }
    }

    fn died(&mut self, dead: u32, step: &Step) {
        if let Some(held) = self.held.newest(dead, step.object) {
            self.deaths.push(Death { dead, held, taker: step.thread, site: step.event.site().0 });
        }
    }

    fn depart(&mut self, thread: u32) -> Departure {
        let actor = self.actor(thread);
        Departure { mark: self.clocks.depart(actor), known: self.reach.known_to(actor) }
    }

    fn arrive(&mut self, thread: u32, departure: &Departure) {
        let actor = self.actor(thread);
        self.reach.connect(departure.mark.thread(), actor, departure.known.as_deref());
        self.clocks.arrive(actor, &departure.mark);
    }
}

impl Recording {
    /// Records that a thread acquires, or would, if it holds something or is a writer that readers may meet.
    #[inline]
    pub(super) fn wants(&mut self, thread: u32, object: u32, event: Event) {
        let (flags, mode) = (event.flags(), event.flags().mode());
        // A timed acquire gives up in the end: its thread is not stuck.
        let may_wait = !flags.has(Flags::TRY) && !flags.has(Flags::TIMED);
        // What a task owns, and what it wants while it owns something, is the task's, whichever thread runs it. Locks of
        // threads alone are those of the thread: two tasks that it runs cannot meet there.
        let task = self.actor(thread);
        let is_of_task = task != thread && (self.async_locks.contains(&object) || self.held.set(task) != NO_HOLDS);
        let holds = if is_of_task { self.held.set_of_both(task, thread) } else { self.held.set(thread) };
        let thread = if is_of_task { task } else { thread };
        let is_writer =
            mode == Mode::Exclusive && may_wait && self.has_shared.get(object as usize).is_some_and(|shared| *shared);
        let is_abandoned = !self.is_abandoned.is_empty() && self.is_abandoned.contains(&object);
        if object == NO_OBJECT || holds == NO_HOLDS && !is_writer && !is_abandoned {
            return;
        }
        let key = Key { thread, holds, wants: object, site: event.site().0, mode, may_wait };
        let epoch = self.clocks.epoch(thread);
        if is_writer {
            self.writers.add(key, epoch.clone());
        }
        if is_abandoned {
            self.abandoned.add(key, epoch.clone());
        }
        if holds != NO_HOLDS {
            self.nested.add(key, epoch);
        }
    }

    /// Remembers where what was acquired at a site was dropped first.
    #[cold]
    fn tell_release(&mut self, owner: u32, object: u32, event: Event) {
        if let Some(held) = self.held.newest(owner, object) {
            self.released.entry(held.site).or_insert(event.site().0);
        }
    }

    /// Who acts in a thread: the task that it runs, or itself.
    #[inline]
    fn actor(&self, thread: u32) -> u32 {
        match self.running.get(thread as usize) {
            Some(task) if *task != NO_TASK => *task,
            _ => thread,
        }
    }

    /// Who owns an object that is acquired in a thread.
    #[inline]
    fn owner(&self, thread: u32, object: u32) -> u32 {
        let actor = self.actor(thread);
        if actor == thread || self.async_locks.contains(&object) { actor } else { thread }
    }

    fn run(&mut self, thread: u32, event: Event) {
        let Some(task) = self.threads.get(&event.object().0).copied() else { return };
        if let Some(running) = self.running.get_mut(thread as usize) {
            match event.kind() {
                // A task does not run itself, and nobody runs a thread.
                Kind::TASK_BEGIN if task != thread => *running = task,
                Kind::TASK_SUSPEND => *running = NO_TASK,
                _ => {}
            }
        }
        if let Some(state) = self.states.get_mut(task as usize) {
            state.ended |= event.kind() == Kind::TASK_END;
        }
    }

    #[inline]
    fn set_pending(&mut self, thread: u32, pending: Option<(Event, u32)>) {
        if let Some(state) = self.states.get_mut(thread as usize) {
            state.pending = pending;
        }
    }

    fn lose(&mut self, thread: u32, n: u64) {
        if let Some(running) = self.running.get_mut(thread as usize) {
            let task = mem::replace(running, NO_TASK);
            if task != NO_TASK {
                self.held.forget(task);
            }
        }
        self.held.forget(thread);
        if let Some(state) = self.states.get_mut(thread as usize) {
            state.lost = state.lost.saturating_add(n);
            state.pending = None;
        }
    }

    fn fork(&mut self, thread: u32, event: Event) {
        let forked = self.threads.get(&event.object().0);
        if let Some(state) = forked.and_then(|forked| self.states.get_mut(*forked as usize)) {
            state.forked_by = Some(thread);
            state.scope = event.flags().has(Flags::SCOPED).then(|| event.seq());
        }
    }
}

pub(super) fn held(object: u32, event: Event) -> Held {
    Held { object, site: event.site().0, mode: event.flags().mode() }
}

fn add_processes(model: &mut Model, family: FamilyId, file: &Family) {
    model.n_lost = model.n_lost.saturating_add(file.n_lost());
    for (idx, member) in file.members.iter().enumerate() {
        let mut modules = member.modules.clone();
        modules.sort_by_key(|module| module.start);
        model.processes.push(Process {
            family,
            pid: member.header.pid,
            program: member.program.clone(),
            role: role(file, member),
            modules,
            exited: member.header.exited,
            alive: member.alive,
            is_over: member.header.exited && !member.alive || file.is_gone(idx),
            unrecorded: Vec::new(),
        });
    }
}

/// What a process called itself; if it did not, whose fork it is.
fn role(file: &Family, member: &Member) -> Option<String> {
    let from = |member: &Member| {
        let (pid, start, _) = member.header.forked_from?;
        file.members.iter().find(|from| (from.header.pid, from.header.start) == (pid, start))
    };
    let mut forks = std::iter::successors(Some(member), |member| from(member)).take(file.members.len());
    let named = forks.find_map(|member| member.role.as_ref())?;
    Some(if member.role.is_some() { named.clone() } else { format!("fork of {named}") })
}

fn add_deaths(model: &mut Model, file: &Family, part: &mut Part, deaths: &[Death]) {
    for Death { dead, held, taker, site } in deaths {
        let thread = |idx: &u32| ThreadId(part.tables.first_thread + idx);
        let (dead, taker) = (thread(dead), thread(taker));
        let hold = part.tables.hold(model, &file.dictionary, &part.merged.objects, *held);
        let site = part.tables.site(model, &file.dictionary, *site);
        model.deaths.push(OwnerDeath { dead, hold, taker, site });
    }
}

fn materialise(
    model: &mut Model,
    file: &Family,
    part: &mut Part,
    recording: &mut Recording,
    groups: Vec<Group>,
) -> Vec<NestedAcquire> {
    // Of many, what doubling would reserve and copy is most of the memory.
    let mut acquires = Vec::with_capacity(groups.iter().map(|group| group.epochs().count()).sum());
    for group in groups {
        let key = group.key;
        let held = recording.held.sets_mut().holds(key.holds, NESTED_HOLDS_MAX + 1);
        part.holds_cut |= held.len() > NESTED_HOLDS_MAX;
        let newest = held.len().saturating_sub(NESTED_HOLDS_MAX);
        let objects = &part.merged.objects;
        let holds: Vec<Hold> = held
            .into_iter()
            .skip(newest)
            .map(|held| part.tables.hold(model, &file.dictionary, objects, held))
            .collect();
        let wants = part.tables.object(model, part.merged.objects.id(key.wants));
        let site = part.tables.site(model, &file.dictionary, key.site);
        for (mark, count) in group.epochs() {
            acquires.push(NestedAcquire {
                thread: ThreadId(part.tables.first_thread + key.thread),
                holds: holds.clone(),
                wants,
                mode: key.mode,
                site,
                may_wait: key.may_wait,
                epoch: part.tables.epoch(model, mark),
                count: *count,
            });
        }
    }
    acquires
}
