//! The model's part about one process: takes the merged order, and puts what came of it into the model.

use super::{
    Hold, Model, NestedAcquire, Process, ProcessId, Thread, ThreadId, Wait,
    clock::{Clocks, Mark},
    held::{Held, HeldByThread},
    nested::{Group, Groups, Key, NO_HOLDS},
    tables::Tables,
};
use crate::{
    merge::{self, FirstPass, Merged, NO_OBJECT, Sink, Step},
    source::{ProcessFile, SlotState},
};
use rustc_hash::FxHashMap;
use std::mem;
use trace_format::{Event, Flags, Kind, Mode};

/// Holds of one nested acquire that the model keeps: the newest ones, if there are more.
pub(super) const NESTED_HOLDS_MAX: usize = 128;

/// What remains of a process until all processes are known.
pub(super) struct Part {
    pub(super) tables: Tables,
    pub(super) merged: Merged,
    pub(super) created: Vec<Created>,
    pub(super) has_shared: Vec<bool>,
    pub(super) threads: FxHashMap<u64, u32>,
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

/// Adds a process to the model.
pub(super) fn add(model: &mut Model, file: &ProcessFile) -> Part {
    let first = FirstPass::new(file);
    let process = ProcessId(model.processes.len() as u32);
    let tables = Tables::new(process, model.threads.len() as u32);
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
        created: vec![Created::default(); n_objects],
        has_shared: (0..n_objects as u32).map(|object| first.has_shared(object)).collect(),
        states: vec![State::default(); n_threads],
        threads,
    };
    let merged = merge::run(file, first, &mut recording);
    let mut part = Part {
        tables,
        merged,
        created: mem::take(&mut recording.created),
        has_shared: mem::take(&mut recording.has_shared),
        threads: mem::take(&mut recording.threads),
        holds_cut: false,
        n_unknown,
    };
    add_process(model, file);
    add_threads(model, file, &mut part, &mut recording, &thread_ids);
    part.has_shared.resize(part.merged.objects.len(), false);
    let nested = recording.nested.take();
    let nested = materialise(model, file, &mut part, &mut recording, nested);
    model.nested.extend(nested);
    let writers = recording.writers.take();
    let writers = materialise(model, file, &mut part, &mut recording, writers);
    model.writers.extend(writers);
    part.tables.forget_epochs();
    part
}

/// What the sink keeps while the order passes by.
struct Recording {
    clocks: Clocks,
    held: HeldByThread,
    nested: Groups,
    writers: Groups,
    created: Vec<Created>,
    has_shared: Vec<bool>,
    states: Vec<State>,
    threads: FxHashMap<u64, u32>,
}

/// What is known of a thread beside what it holds.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// A REQUEST that nothing has answered yet, with its object.
    pending: Option<(Event, u32)>,
    forked_by: Option<u32>,
    ended: bool,
    lost: u64,
}

impl Sink for Recording {
    type Mark = Mark;

    #[inline]
    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        match event.kind() {
            Kind::ACQUIRE => {
                self.wants(thread, object, event);
                self.held.acquire(thread, held(object, event));
                self.set_pending(thread, None);
            }
            Kind::RELEASE => self.held.release(thread, object),
            Kind::REQUEST => self.set_pending(thread, Some((event, object))),
            Kind::ACQUIRE_FAILED => self.set_pending(thread, None),
            Kind::DOWNGRADE | Kind::UPGRADE => {
                let mode = if event.kind() == Kind::UPGRADE { Mode::Exclusive } else { event.flags().mode() };
                self.held.change_mode(thread, object, mode);
            }
            Kind::CREATE => {
                if let Some(created) = self.created.get_mut(object as usize) {
                    *created = Created { class: event.seq() as u32, site: event.site().0 };
                }
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

    fn depart(&mut self, thread: u32) -> Mark {
        self.clocks.depart(thread)
    }

    fn arrive(&mut self, thread: u32, mark: &Mark) {
        self.clocks.arrive(thread, mark);
    }
}

impl Recording {
    /// Records that a thread acquires, or would, if it holds something or is a writer that readers may meet.
    #[inline]
    fn wants(&mut self, thread: u32, object: u32, event: Event) {
        let (flags, mode) = (event.flags(), event.flags().mode());
        // A timed acquire gives up in the end: its thread is not stuck.
        let may_wait = !flags.has(Flags::TRY) && !flags.has(Flags::TIMED);
        let holds = self.held.set(thread);
        let is_writer =
            mode == Mode::Exclusive && may_wait && self.has_shared.get(object as usize).is_some_and(|shared| *shared);
        if object == NO_OBJECT || holds == NO_HOLDS && !is_writer {
            return;
        }
        let key = Key { thread, holds, wants: object, site: event.site().0, mode, may_wait };
        let epoch = self.clocks.epoch(thread);
        if is_writer {
            self.writers.add(key, epoch.clone());
        }
        if holds != NO_HOLDS {
            self.nested.add(key, epoch);
        }
    }

    #[inline]
    fn set_pending(&mut self, thread: u32, pending: Option<(Event, u32)>) {
        if let Some(state) = self.states.get_mut(thread as usize) {
            state.pending = pending;
        }
    }

    fn lose(&mut self, thread: u32, n: u64) {
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
        }
    }
}

fn held(object: u32, event: Event) -> Held {
    Held { object, site: event.site().0, mode: event.flags().mode() }
}

fn add_process(model: &mut Model, file: &ProcessFile) {
    let mut modules = file.dictionary.modules.clone();
    modules.sort_by_key(|module| module.start);
    model.n_lost = model.n_lost.saturating_add(file.header.lost);
    model.processes.push(Process {
        pid: file.header.pid,
        program: file.dictionary.program.clone(),
        modules,
        exited: file.header.exited,
        alive: file.alive,
    });
}

fn add_threads(model: &mut Model, file: &ProcessFile, part: &mut Part, recording: &mut Recording, ids: &[u64]) {
    let slots: FxHashMap<u64, &SlotState> = file.slots.iter().map(|slot| (slot.thread, slot)).collect();
    let records: FxHashMap<u64, _> = file.dictionary.threads.iter().map(|record| (record.object, record)).collect();
    for (id, idx) in ids.iter().zip(0_u32..) {
        let slot = slots.get(id).copied();
        let record = records.get(id);
        let state = recording.states.get(idx as usize).copied().unwrap_or_default();
        let tid = record.map_or(0, |record| record.tid);
        let tid = if tid == 0 { slot.map_or(0, |slot| slot.tid) } else { tid };
        let name = record.map(|record| record.name.clone()).filter(|name| !name.is_empty());
        let lost = state.lost.max(slot.map_or(0, |slot| slot.lost));
        let holds = if let Some(slot) = slot {
            slot_holds(model, file, part, slot)
        } else {
            let objects = &part.merged.objects;
            recording.held.holds(idx).map(|held| part.tables.hold(model, &file.dictionary, objects, held)).collect()
        };
        let wait = slot.and_then(|slot| slot_wait(model, file, part, slot));
        let thread = Thread {
            process: part.tables.process,
            number: idx + 1,
            tid,
            name: name.or_else(|| (tid == file.header.pid && tid != 0).then(|| "main".to_owned())),
            forked_by: state.forked_by.map(|forker| ThreadId(part.tables.first_thread + forker)),
            ended: state.ended || slot.is_some_and(|slot| slot.ended),
            holds,
            wait,
            lost,
        };
        model.threads.push(thread);
        // What the slot counts is in LOST events or in the header too.
        model.n_lost = model.n_lost.saturating_add(state.lost);
        add_pending(recording, part, idx, state, slot);
    }
}

/// An attempt that is still pending at the end counts like an acquire.
fn add_pending(recording: &mut Recording, part: &mut Part, thread: u32, state: State, slot: Option<&SlotState>) {
    if let Some((request, object)) = state.pending {
        recording.wants(thread, object, request);
    } else if let Some(slot) = slot
        && let Some(request) = slot.wait.filter(|wait| wait.kind() == Kind::REQUEST)
    {
        // The event is lost, but slots stay exact.
        recording.held.forget(thread);
        for hold in &slot.holds {
            let object = part.merged.objects.intern(hold.object().0);
            recording.held.acquire(thread, held(object, *hold));
        }
        let object = part.merged.objects.intern(request.object().0);
        recording.wants(thread, object, request);
    }
}

fn slot_holds(model: &mut Model, file: &ProcessFile, part: &mut Part, slot: &SlotState) -> Vec<Hold> {
    let hold = |event: &Event| Hold {
        object: part.tables.object(model, event.object().0),
        mode: event.flags().mode(),
        site: part.tables.site(model, &file.dictionary, event.site().0),
    };
    slot.holds.iter().map(hold).collect()
}

fn slot_wait(model: &mut Model, file: &ProcessFile, part: &mut Part, slot: &SlotState) -> Option<Wait> {
    let event = slot.wait?;
    let mut object = |id: u64| (id != 0).then(|| part.tables.object(model, id));
    let (wanted, mutex) = match event.kind() {
        // Waits for a scope, which is no object.
        Kind::SCOPE_END => (None, None),
        _ => (object(event.object().0), object(slot.wait_object.0)),
    };
    let since_ns = if file.alive { file.now_ns.saturating_sub(slot.since_ns) } else { 0 };
    let site = part.tables.site(model, &file.dictionary, event.site().0);
    Some(Wait { event, object: wanted, site, mutex, since_ns })
}

fn materialise(
    model: &mut Model,
    file: &ProcessFile,
    part: &mut Part,
    recording: &mut Recording,
    groups: Vec<Group>,
) -> Vec<NestedAcquire> {
    let mut acquires = Vec::new();
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
