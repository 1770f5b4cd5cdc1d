//! What slots alone say about a hang: who waits without a limit of time, and whether that is worth a full analysis.
//!
//! The reasons are necessary for a hang, not sufficient: they keep pools of idle threads from being analysed at
//! every look.

use crate::{
    model::gives_up,
    source::{LiveProcess, SlotState},
};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::{
    hash::{Hash, Hasher},
    time::Duration,
};
use trace_format::{Event, Kind, Mode};

/// A wait of this age is looked into, and again whenever it has become twice as old.
const OLD: Duration = Duration::from_secs(5);

/// A thread in a wait that no time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Waiting {
    /// Hash of the name of the process's file.
    file: u64,
    thread: u64,
    epoch: u64,
}

/// Why there may be a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    /// A thread waits for itself, in a circle, or for one that has ended; or for one that does.
    Circle(Waiting),
    /// All threads of a process wait; the hash says which, and for what.
    All(u64),
    /// Threads wait for what lies in shared memory, which any process may hold; the hash says which, and for what.
    Shared(u64),
    /// A wait has become old; the number of times that its age has doubled.
    Old(Waiting, u32),
}

impl Waiting {
    /// The wait of a thread, if it is in one that no time ends.
    pub(super) fn of(process: &LiveProcess, slot: &SlotState) -> Option<Self> {
        slot.wait.filter(|wait| !gives_up(*wait))?;
        Some(Self { file: hash(&process.file), thread: slot.thread, epoch: slot.epoch })
    }
}

/// Everybody who is in a wait that no time ends.
pub(super) fn waits(processes: &[LiveProcess]) -> FxHashSet<Waiting> {
    let slots = processes.iter().flat_map(|process| process.slots.iter().map(move |slot| (process, slot)));
    slots.filter_map(|(process, slot)| Waiting::of(process, slot)).collect()
}

/// The reasons to suspect a hang among waits that have not changed for a while.
pub(super) fn reasons(processes: &[LiveProcess], stable: &FxHashSet<Waiting>) -> FxHashSet<Reason> {
    let mut reasons = FxHashSet::default();
    let mut waiting_in_shared_memory = Vec::new();
    for process in processes {
        let stuck: Vec<Option<Waiting>> = process
            .slots
            .iter()
            .map(|slot| Waiting::of(process, slot).filter(|waiting| stable.contains(waiting)))
            .collect();
        if stuck.iter().all(Option::is_none) {
            continue;
        }
        for (slot, waiting) in process.slots.iter().zip(&stuck) {
            let age = Duration::from_nanos(process.now_ns.saturating_sub(slot.since_ns));
            if let Some(waiting) = waiting
                && age >= OLD
            {
                reasons.insert(Reason::Old(*waiting, (age.as_secs() / OLD.as_secs()).max(1).ilog2()));
            }
        }
        if process.slots.iter().zip(&stuck).all(|(slot, waiting)| slot.ended || waiting.is_some()) {
            reasons.insert(Reason::All(hash(&(process.n_os_threads, &stuck))));
        }
        let waits = process.slots.iter().zip(&stuck).filter(|(slot, _)| waits_in_shared_memory(slot));
        waiting_in_shared_memory.extend(waits.filter_map(|(_, waiting)| *waiting));
        reasons.extend(circle(&process.slots, &stuck).into_iter().map(Reason::Circle));
    }
    if !waiting_in_shared_memory.is_empty() {
        reasons.insert(Reason::Shared(hash(&waiting_in_shared_memory)));
    }
    reasons
}

fn waits_in_shared_memory(slot: &SlotState) -> bool {
    slot.wait.is_some_and(|wait| !wait.is_at_address() && wait.object().is_in_shared_memory())
}

/// Those that wait for a lock or an end which, as far as slots say, nobody is free to bring about.
fn circle(slots: &[SlotState], stuck: &[Option<Waiting>]) -> Vec<Waiting> {
    let waits = Waits::new(slots, stuck);
    let mut left: FxHashSet<usize> = (0..slots.len()).filter(|idx| waits.is_waiting(*idx)).collect();
    loop {
        let freed: Vec<usize> = left
            .iter()
            .copied()
            .filter(|idx| !waits.targets(*idx).any(|target| slots[target].ended || left.contains(&target)))
            .collect();
        if freed.is_empty() {
            break;
        }
        for idx in freed {
            left.remove(&idx);
        }
    }
    left.into_iter().filter_map(|idx| stuck[idx]).collect()
}

/// Who waits for whom among the slots of a process.
struct Waits<'s> {
    slots: &'s [SlotState],
    stuck: &'s [Option<Waiting>],
    holders: FxHashMap<u64, Vec<(usize, Mode)>>,
    writers: FxHashMap<u64, Vec<usize>>,
    threads: FxHashMap<u64, usize>,
}

impl<'s> Waits<'s> {
    fn new(slots: &'s [SlotState], stuck: &'s [Option<Waiting>]) -> Self {
        let mut holders: FxHashMap<u64, Vec<(usize, Mode)>> = FxHashMap::default();
        let mut writers: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
        for (idx, slot) in slots.iter().enumerate() {
            for hold in &slot.holds {
                holders.entry(hold.object().0).or_default().push((idx, hold.flags().mode()));
            }
            if let Some(wait) = slot.wait.filter(|wait| is_lock(*wait) && wait.flags().mode() != Mode::Shared) {
                writers.entry(wait.object().0).or_default().push(idx);
            }
        }
        let threads = slots.iter().enumerate().map(|(idx, slot)| (slot.thread, idx)).collect();
        Self { slots, stuck, holders, writers, threads }
    }

    fn wait(&self, idx: usize) -> Option<Event> {
        self.stuck[idx].and(self.slots[idx].wait)
    }

    fn is_waiting(&self, idx: usize) -> bool {
        self.wait(idx).is_some_and(|wait| is_lock(wait) || wait.kind() == Kind::JOIN)
    }

    /// Who has to do something for this thread to go on: holders of the lock, writers in the queue before a reader,
    /// the thread that it joins.
    fn targets(&self, idx: usize) -> impl Iterator<Item = usize> {
        let wait = self.wait(idx).unwrap_or_default();
        let (object, mode) = (wait.object().0, wait.flags().mode());
        let is_upgrade = wait.kind() == Kind::UPGRADE;
        let is_lock = is_lock(wait);
        let holders = self.holders.get(&object).filter(|_| is_lock).into_iter().flatten();
        // Of who asks to write what it reads, the upgradable hold is the one that changes.
        let changes = move |holder: usize, held: Mode| holder == idx && held == Mode::Upgradable;
        let keeps = move |holder, held: Mode| if is_upgrade { !changes(holder, held) } else { held.excludes(mode) };
        let holders = holders.filter(move |(holder, held)| keeps(*holder, *held));
        let writers = self.writers.get(&object).filter(|_| is_lock && mode == Mode::Shared).into_iter().flatten();
        let joined = self.threads.get(&object).filter(|_| wait.kind() == Kind::JOIN);
        holders.map(|(holder, _)| *holder).chain(writers.copied()).chain(joined.copied())
    }
}

fn is_lock(wait: Event) -> bool {
    matches!(wait.kind(), Kind::REQUEST | Kind::UPGRADE)
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace_format::{Flags, ObjectId};

    fn slot(thread: u64, holds: &[(u64, Mode)], wait: Option<(Kind, u64, Flags)>) -> SlotState {
        let event = |kind, flags, object| Event::new(kind, flags, 1, ObjectId(object), 1);
        SlotState {
            thread,
            tid: thread as u32,
            ended: false,
            epoch: 2 * thread + u64::from(wait.is_some()),
            holds: holds.iter().map(|(object, mode)| event(Kind::ACQUIRE, mode.flags(), *object)).collect(),
            wait: wait.map(|(kind, object, flags)| event(kind, flags, object)),
            wait_object: ObjectId::NONE,
            since_ns: 0,
            lost: 0,
        }
    }

    /// The reasons for one process in which every wait has lasted for a while: how many, in order of kind.
    fn kinds(age: Duration, slots: Vec<SlotState>) -> (usize, usize, usize) {
        let now_ns = u64::try_from(age.as_nanos()).unwrap();
        let process = LiveProcess { file: "1-1-0.events".to_owned(), pid: 1, now_ns, n_os_threads: 1, slots };
        let processes = [process];
        let reasons = reasons(&processes, &waits(&processes));
        let n = |is: fn(&Reason) -> bool| reasons.iter().filter(|reason| is(reason)).count();
        (
            n(|reason| matches!(reason, Reason::Circle(_))),
            n(|reason| matches!(reason, Reason::All(_))),
            n(|reason| matches!(reason, Reason::Old(..))),
        )
    }

    const EXCLUSIVE: Mode = Mode::Exclusive;
    const SHARED: Mode = Mode::Shared;
    const YOUNG: Duration = Duration::from_secs(1);

    fn lock(object: u64) -> (Kind, u64, Flags) {
        (Kind::REQUEST, object, Flags::NONE)
    }

    #[test]
    fn circles_of_locks_and_joins_are_found_beside_a_thread_that_runs() {
        let runs = || slot(90, &[], None);
        let two =
            vec![slot(1, &[(51, EXCLUSIVE)], Some(lock(52))), slot(2, &[(52, EXCLUSIVE)], Some(lock(51))), runs()];
        assert_eq!(kinds(YOUNG, two), (2, 0, 0));
        assert_eq!(kinds(YOUNG, vec![slot(1, &[(51, EXCLUSIVE)], Some(lock(51))), runs()]), (1, 0, 0));
        let join = slot(2, &[(51, EXCLUSIVE)], Some((Kind::JOIN, 1, Flags::NONE)));
        assert_eq!(kinds(YOUNG, vec![slot(1, &[], Some(lock(51))), join, runs()]), (2, 0, 0));
        let reader = slot(1, &[(51, SHARED)], Some((Kind::REQUEST, 51, SHARED.flags())));
        assert_eq!(kinds(YOUNG, vec![reader, slot(2, &[], Some(lock(51))), runs()]), (2, 0, 0));
    }

    #[test]
    fn waiting_for_a_thread_that_runs_is_nothing() {
        let held_by_runner = vec![slot(1, &[], Some(lock(51))), slot(2, &[(51, EXCLUSIVE)], None)];
        assert_eq!(kinds(YOUNG, held_by_runner), (0, 0, 0));
        let timed = Some((Kind::REQUEST, 51, Flags::TIMED));
        assert_eq!(kinds(YOUNG, vec![slot(1, &[(51, EXCLUSIVE)], timed)]), (0, 0, 0), "it gives up");
        let chain = vec![
            slot(1, &[], Some(lock(51))),
            slot(2, &[(51, EXCLUSIVE)], Some(lock(52))),
            slot(3, &[(52, SHARED)], None),
        ];
        assert_eq!(kinds(YOUNG, chain), (0, 0, 0));
    }

    #[test]
    fn a_lock_of_an_ended_thread_never_comes() {
        let mut dead = slot(2, &[(51, EXCLUSIVE)], None);
        dead.ended = true;
        assert_eq!(kinds(YOUNG, vec![slot(1, &[], Some(lock(51))), dead, slot(3, &[], None)]), (1, 0, 0));
    }

    #[test]
    fn idle_pools_are_looked_into_when_all_wait_and_as_their_waits_grow_old() {
        let receive = || Some((Kind::RECEIVE, 51, Flags::NONE));
        let pool = |main| vec![slot(1, &[], receive()), slot(2, &[], receive()), slot(3, &[], main)];
        assert_eq!(kinds(YOUNG, pool(None)), (0, 0, 0));
        assert_eq!(kinds(YOUNG, pool(receive())), (0, 1, 0));
        assert_eq!(kinds(Duration::from_secs(6), pool(None)), (0, 0, 2));
    }

    #[test]
    fn an_old_wait_is_a_new_reason_whenever_its_age_has_doubled() {
        let at = |seconds: u64| {
            let slots = vec![slot(1, &[], Some((Kind::RECEIVE, 51, Flags::NONE))), slot(2, &[], None)];
            let now_ns = seconds * 1_000_000_000;
            let process = LiveProcess { file: String::new(), pid: 1, now_ns, n_os_threads: 1, slots };
            reasons(std::slice::from_ref(&process), &waits(std::slice::from_ref(&process)))
        };
        assert_eq!(at(5), at(9));
        assert_ne!(at(9), at(10));
        assert_eq!(at(10), at(19));
    }
}
