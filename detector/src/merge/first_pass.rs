//! The first pass over a family of process files: objects, threads, and what the order of each lock starts from.

use super::{
    lock::{First, Lock, Sections, is_lock_kind},
    objects::{AT_ADDRESS, Objects},
    stripes,
};
use crate::source::{Family, Member, Run, in_space, scan};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, Mode, ObjectKind};

/// What is known about a family before its events are put in order.
#[derive(Debug)]
pub struct FirstPass {
    /// Its objects.
    pub objects: Objects,
    /// Its threads as object ids: those of the dictionary first, then those of slots, then those of segments.
    pub threads: Vec<u64>,
    members: Vec<u32>,
    /// Events, extensions excluded.
    pub n_events: u64,
    /// Events of kinds that this version does not know.
    pub n_unknown: u64,
    pub(super) thread_idx: FxHashMap<u64, u32>,
    pub(super) runs: Vec<Vec<Run>>,
    pub(super) locks: Vec<Lock>,
    pub(super) stripes: Vec<Lock>,
    /// Accesses of cells and of marked memory.
    pub n_accesses: u64,
    /// Operations on atomic variables.
    pub n_atomics: u64,
    pub(super) sections: Sections,
    /// By channel: how many senders are dropped in all.
    pub(super) sender_drops: FxHashMap<u32, u64>,
    /// By channel: how many receivers are dropped in all.
    pub(super) receiver_drops: FxHashMap<u32, u64>,
    /// Channels without capacity on which some send returned.
    pub(super) rendezvous: FxHashSet<u32>,
    sections_of: Vec<u32>,
    /// Locks that tasks own and not the threads that run them.
    pub async_locks: FxHashSet<u32>,
    has_shared: Vec<bool>,
}

impl FirstPass {
    /// Goes over all events of a file.
    pub fn new(file: &Family) -> Self {
        let n_events_max = file.n_events_max();
        let classes = file.dictionary.classes.iter().filter(|(_, class)| class.kind == ObjectKind::AsyncLock);
        let async_classes = classes.map(|(id, _)| u64::from(*id)).collect();
        let mut counts = Counts::new(n_events_max, async_classes);
        let runs_found = scan(file, |member, event| counts.add(member, event));
        let mut threads = Vec::new();
        let mut thread_idx = FxHashMap::default();
        let recorded = file.dictionary.threads.iter().map(|thread| thread.object);
        let in_slots = file.slots.iter().map(|slot| slot.thread);
        for thread in recorded.chain(in_slots).chain(runs_found.iter().map(|(thread, _)| *thread)) {
            thread_idx.entry(thread).or_insert_with(|| {
                threads.push(thread);
                threads.len() as u32 - 1
            });
        }
        let mut runs = vec![Vec::new(); threads.len()];
        let mut members: Vec<u32> = threads.iter().map(|thread| file.member_of_object(*thread) as u32).collect();
        for (thread, found) in runs_found {
            if let Some(idx) = thread_idx.get(&thread).map(|idx| *idx as usize)
                && let (Some(place), Some(member)) = (runs.get_mut(idx), members.get_mut(idx))
            {
                *member = found.first().map_or(*member, |run| run.member);
                *place = found;
            }
        }
        counts.members = members;
        counts.finish(file, threads, thread_idx, runs)
    }

    /// The index of the thread that is the object with this id.
    pub fn thread(&self, object: u64) -> Option<u32> {
        self.thread_idx.get(&object).copied()
    }

    /// The index of the object, or address, that an event is about.
    #[inline]
    pub fn object_of(&self, member: u32, event: Event) -> u32 {
        self.objects.find(object_key(member, event))
    }

    /// The same of an event of a thread.
    #[inline]
    pub(super) fn object_in(&self, thread: u32, event: Event) -> u32 {
        let member = if event.is_at_address() { self.member_of(thread) } else { 0 };
        self.object_of(member, event)
    }

    /// The member of the family that a thread is of.
    #[inline]
    pub fn member_of(&self, thread: u32) -> u32 {
        self.members.get(thread as usize).copied().unwrap_or(0)
    }

    /// How many parties arrive at a barrier or latch in a generation, in all.
    pub(super) fn n_arrivals(&self, object: u32, generation: u64) -> u64 {
        let of = self.sections_of.get(object as usize).copied().unwrap_or(0);
        u64::from(self.sections.count(of, generation))
    }

    /// Whether the object is ever acquired or released in a mode that several threads may hold at once.
    pub fn has_shared(&self, object: u32) -> bool {
        self.has_shared.get(object as usize).copied().unwrap_or(false)
    }
}

struct Counts {
    members: Vec<u32>,
    objects: Objects,
    firsts: Vec<First>,
    sections_of: Vec<u32>,
    sections: Sections,
    stripes: stripes::Counts,
    n_accesses: u64,
    n_atomics: u64,
    sender_drops: FxHashMap<u32, u64>,
    receiver_drops: FxHashMap<u32, u64>,
    rendezvous: FxHashSet<u32>,
    async_classes: FxHashSet<u64>,
    async_locks: FxHashSet<u32>,
    names: [Names; 256],
    n_events: u64,
    n_unknown: u64,
}

impl Counts {
    fn new(n_events_max: u64, async_classes: FxHashSet<u64>) -> Self {
        Self {
            members: Vec::new(),
            async_classes,
            async_locks: FxHashSet::default(),
            objects: Objects::new(n_events_max),
            firsts: Vec::new(),
            sections_of: Vec::new(),
            sections: Sections::new(n_events_max),
            stripes: stripes::Counts::default(),
            n_accesses: 0,
            n_atomics: 0,
            sender_drops: FxHashMap::default(),
            receiver_drops: FxHashMap::default(),
            rendezvous: FxHashSet::default(),
            names: names_by_kind(),
            n_events: 0,
            n_unknown: 0,
        }
    }

    fn add(&mut self, member: u32, event: Event) {
        self.n_events += 1;
        let kind = event.kind();
        let names = self.names[usize::from(kind.0)];
        if names != Names::Object {
            self.n_unknown += u64::from(names == Names::Unknown);
            return;
        }
        let object = self.objects.intern(object_key(member, event));
        if self.firsts.len() < self.objects.len() {
            self.firsts.push(First::default());
            self.sections_of.push(0);
        }
        let Some(first) = self.firsts.get_mut(object as usize) else { return };
        if !is_lock_kind(kind) {
            self.add_message(member, event, object);
            return;
        }
        let seq = event.seq();
        let exclusive = event.flags().mode() == Mode::Exclusive;
        match kind {
            Kind::ACQUIRE if exclusive => first.acquire = first.acquire.min(seq.max(1)),
            Kind::UPGRADE => first.acquire = first.acquire.min(seq.max(1)),
            Kind::ACQUIRE => first.shared = first.shared.min(seq),
            Kind::RELEASE | Kind::OWNER_DIED if !exclusive => {
                first.shared = first.shared.min(seq);
                if let Some(of) = self.sections_of.get_mut(object as usize) {
                    self.sections.add(of, seq);
                }
            }
            _ => first.release = first.release.min(seq),
        }
    }

    fn add_message(&mut self, member: u32, event: Event, object: u32) {
        if stripes::is_ordered(event) {
            self.n_atomics += 1;
            return self.stripes.add(member, event, &mut self.sections);
        }
        match (event.kind(), event.flags().handle()) {
            (Kind::HANDLE_DROP, Flags::SENDER) => *self.sender_drops.entry(object).or_default() += 1,
            (Kind::HANDLE_DROP, Flags::RECEIVER) => *self.receiver_drops.entry(object).or_default() += 1,
            (Kind::SENT, _) => {
                self.rendezvous.insert(object);
            }
            (Kind::CREATE, _) if self.async_classes.contains(&event.seq()) => {
                self.async_locks.insert(object);
            }
            (Kind::CELL_READ | Kind::CELL_WRITE | Kind::CELL_FREE, _) => self.n_accesses += 1,
            (Kind::ARRIVE, _) => {
                if let Some(of) = self.sections_of.get_mut(object as usize) {
                    self.sections.add(of, event.seq());
                }
            }
            _ => {}
        }
    }

    fn finish(
        self,
        file: &Family,
        threads: Vec<u64>,
        thread_idx: FxHashMap<u64, u32>,
        runs: Vec<Vec<Run>>,
    ) -> FirstPass {
        let inherited = |object: usize| file.is_inherited(self.objects.id(object as u32));
        let locks = self.firsts.iter().zip(&self.sections_of).enumerate();
        let locks: Vec<Lock> = locks.map(|(i, (first, sections))| first.lock(*sections, inherited(i))).collect();
        let stripes = self.stripes.finish(|member| file.members.get(member).is_some_and(Member::is_forked));
        let has_shared = self.firsts.iter().map(|first| first.shared != u64::MAX).collect();
        FirstPass {
            members: self.members,
            locks,
            stripes,
            n_accesses: self.n_accesses,
            n_atomics: self.n_atomics,
            has_shared,
            objects: self.objects,
            threads,
            n_events: self.n_events,
            n_unknown: self.n_unknown,
            thread_idx,
            runs,
            sections: self.sections,
            sections_of: self.sections_of,
            sender_drops: self.sender_drops,
            receiver_drops: self.receiver_drops,
            rendezvous: self.rendezvous,
            async_locks: self.async_locks,
        }
    }
}

/// What tells the object of an event from others: its id, or its address in its process, which is no id.
#[inline]
pub(super) fn object_key(member: u32, event: Event) -> u64 {
    if event.is_at_address() { AT_ADDRESS | in_space(member, event.address()) } else { event.object().0 }
}

/// What the `object` field of an event's kind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// The kind is not known: the event is skipped.
    Unknown,
    /// Nothing.
    Nothing,
    /// An object of the file.
    Object,
}

/// What the `object` field means, by kind.
pub(super) fn names_by_kind() -> [Names; 256] {
    let mut names = [Names::Unknown; 256];
    for (kind, _) in Kind::ALL {
        // Kinds before CREATE are about the stream itself.
        let nothing = *kind < Kind::CREATE
            || matches!(*kind, Kind::SCOPE_END | Kind::FENCE | Kind::SIGNAL_BEGIN | Kind::SIGNAL_END);
        names[usize::from(kind.0)] = if nothing { Names::Nothing } else { Names::Object };
    }
    names
}
