//! The state of a run, and what each operation does to it.

use super::Supposed;
use crate::{
    history::{History, Kind, Mode, Operation, Resource},
    prediction::moves::{Moves, NONE},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// What a thread waits for that cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::prediction) enum Blocked {
    /// A lock, held so that it excludes the thread.
    Lock(u32),
    /// Something that this thread does later, or its end.
    Thread(u32),
    /// What a resource does not have.
    Resource(u32),
    /// Room in a channel, or that a message is taken.
    Room(u32),
}

/// What may change so that a thread goes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    Lock(u32),
    Variable(u32),
    Thread(u32),
    Resource(u32),
}

/// What an operation would meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// It can be done.
    Now,
    /// It can be done, but others should come before it.
    Soon(Place),
    /// It waits.
    Waits(Blocked),
    /// It would see something else than it saw.
    Astray(Place),
}

/// What a resource has.
#[derive(Clone, Debug, Default)]
struct Pool {
    /// Permits, the token, or how many have counted or arrived.
    n: u64,
    /// Messages under way, or threads that wait.
    queue: VecDeque<u32>,
    /// How many may send, beyond the first.
    n_senders: i64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) done: Vec<u32>,
    holders: Vec<Vec<(u32, Mode)>>,
    pub(super) writes: Vec<u32>,
    is_started: Vec<bool>,
    pools: FxHashMap<u32, Pool>,
    /// Messages that were taken, of channels without room.
    taken: FxHashSet<u32>,
    /// Per thread the condition whose queue it is in.
    entered: FxHashMap<u32, u32>,
    is_woken: FxHashSet<u32>,
    /// By thread and barrier: which arrival it was.
    arrivals: FxHashMap<(u32, u32), u64>,
    pub(super) is_supposed_to_wait: bool,
}

impl State {
    pub(super) fn new(history: &History, moves: &Moves) -> Self {
        Self {
            done: vec![0; history.threads.len()],
            holders: vec![Vec::new(); history.locks.len()],
            writes: vec![NONE; history.variables.len()],
            is_started: moves.is_forked.iter().map(|is_forked| !is_forked).collect(),
            pools: FxHashMap::default(),
            taken: FxHashSet::default(),
            entered: FxHashMap::default(),
            is_woken: FxHashSet::default(),
            arrivals: FxHashMap::default(),
            is_supposed_to_wait: false,
        }
    }

    pub(super) fn look(&self, history: &History, moves: &Moves, index: u32) -> Look {
        let Operation { thread, target, kind, mode, .. } = history.operations[index as usize];
        if !self.is_started[thread as usize] {
            return Look::Waits(Blocked::Thread(moves.forked_by[thread as usize]));
        }
        let of = target as usize;
        match kind {
            Kind::Acquire if self.is_held(target, mode) => Look::Waits(Blocked::Lock(target)),
            Kind::Read if self.writes[of] != moves.sees[index as usize] => Look::Astray(Place::Variable(target)),
            Kind::Await if self.writes[of] != moves.sees[index as usize] => {
                let write = moves.sees[index as usize];
                let writer = history.operations.get(write as usize).map_or(thread, |write| write.thread);
                Look::Waits(Blocked::Thread(writer))
            }
            Kind::Join if (self.done[of] as usize) < moves.threads[of].len() => Look::Waits(Blocked::Thread(target)),
            Kind::Take | Kind::Confirm | Kind::FindClosed | Kind::Give => self.look_at_pool(history, index),
            _ => Look::Now,
        }
    }

    fn look_at_pool(&self, history: &History, index: u32) -> Look {
        let Operation { thread, target, kind, .. } = history.operations[index as usize];
        let resource = history.resources.kind(target);
        let none = Pool::default();
        let pool = self.pools.get(&target).unwrap_or(&none);
        let amount = u64::from(history.resources.amount(index));
        let waits_unless = |ready| if ready { Look::Now } else { Look::Waits(Blocked::Resource(target)) };
        match (kind, resource) {
            (Kind::Give, Resource::Channel { room: Some(room @ 1..) }) if pool.queue.len() >= room as usize => {
                Look::Waits(Blocked::Room(target))
            }
            (Kind::Give, Resource::Token) if pool.n > 0 => Look::Soon(Place::Resource(target)),
            (Kind::Take, Resource::Channel { .. }) => match pool.queue.front() {
                Some(first) if history.resources.messages.get(&index) == Some(first) => Look::Now,
                None if pool.n_senders > -1 => Look::Waits(Blocked::Resource(target)),
                _ => Look::Astray(Place::Resource(target)),
            },
            (Kind::Confirm, Resource::Channel { .. }) => {
                let is_taken = history.resources.messages.get(&index).is_none_or(|give| self.taken.contains(give));
                if is_taken { Look::Now } else { Look::Waits(Blocked::Room(target)) }
            }
            (Kind::FindClosed, Resource::Channel { .. }) if pool.queue.is_empty() => waits_unless(pool.n_senders <= -1),
            (Kind::FindClosed, Resource::Channel { .. }) => Look::Astray(Place::Resource(target)),
            (Kind::Take, Resource::Permits(initial)) => {
                let there = self.pools.get(&target).map_or(u64::from(initial), |pool| pool.n);
                waits_unless(there >= amount)
            }
            (Kind::Take, Resource::Token) => waits_unless(pool.n > 0),
            (Kind::Take, Resource::Condition) => waits_unless(self.is_woken.contains(&thread)),
            (Kind::Take, Resource::Latch(counts)) => waits_unless(pool.n >= u64::from(counts)),
            (Kind::Take, Resource::Barrier(parties)) => {
                let arrival = self.arrivals.get(&(thread, target)).copied().unwrap_or(0);
                let parties = u64::from(parties.max(1));
                waits_unless(pool.n >= arrival.div_ceil(parties) * parties)
            }
            _ => Look::Now,
        }
    }

    /// What a thread meets that is supposed to wait: its wake-up, then the lock, and then nobody knows.
    pub(super) fn look_behind_pass(&self, history: &History, supposed: &Supposed) -> Look {
        let condition = history.operations[supposed.pass as usize].target;
        if !self.is_woken.contains(&supposed.thread) {
            return Look::Waits(Blocked::Resource(condition));
        }
        match history.resources.passes.get(&supposed.pass) {
            Some(lock) if self.is_held(*lock, Mode::Exclusive) => Look::Waits(Blocked::Lock(*lock)),
            _ => Look::Astray(Place::Resource(condition)),
        }
    }

    pub(super) fn has_started(&self, thread: u32) -> bool {
        self.is_started[thread as usize]
    }

    fn is_held(&self, lock: u32, mode: Mode) -> bool {
        self.holders[lock as usize].iter().any(|(_, held)| held.excludes(mode))
    }

    /// Who holds the lock so that it excludes `mode`.
    pub(super) fn holders(&self, lock: u32, mode: Mode) -> impl Iterator<Item = u32> + '_ {
        self.holders[lock as usize].iter().filter(move |(_, held)| held.excludes(mode)).map(|(holder, _)| *holder)
    }

    pub(super) fn perform(&mut self, history: &History, index: u32) {
        let Operation { thread, target, kind, mode, .. } = history.operations[index as usize];
        self.done[thread as usize] += 1;
        match kind {
            Kind::Acquire => {
                self.holders[target as usize].push((thread, mode));
                // Whoever goes on without having been woken has given up.
                if let Some(condition) = self.entered.remove(&thread)
                    && let Some(pool) = self.pools.get_mut(&condition)
                {
                    pool.queue.retain(|waiting| *waiting != thread);
                }
            }
            Kind::Release => self.release(thread, target, mode),
            Kind::Write => self.writes[target as usize] = index,
            Kind::Fork => self.is_started[target as usize] = true,
            Kind::Enter => self.enter(thread, target),
            Kind::Give => self.give(history, index),
            Kind::GiveAll => {
                let woken = std::mem::take(&mut self.pools.entry(target).or_default().queue);
                for thread in woken {
                    self.wake(thread);
                }
            }
            Kind::Take => self.take(history, index),
            Kind::Open => self.pools.entry(target).or_default().n_senders += 1,
            Kind::Close => self.pools.entry(target).or_default().n_senders -= 1,
            _ => {}
        }
    }

    /// Begins the wait that is supposed at a [`Kind::Pass`].
    pub(super) fn suppose(&mut self, history: &History, index: u32) {
        let Operation { thread, target, .. } = history.operations[index as usize];
        self.is_supposed_to_wait = true;
        self.enter(thread, target);
        if let Some(lock) = history.resources.passes.get(&index) {
            self.release(thread, *lock, Mode::Exclusive);
        }
    }

    fn enter(&mut self, thread: u32, condition: u32) {
        self.pools.entry(condition).or_default().queue.push_back(thread);
        self.entered.insert(thread, condition);
        self.is_woken.remove(&thread);
    }

    fn wake(&mut self, thread: u32) {
        self.entered.remove(&thread);
        self.is_woken.insert(thread);
    }

    fn release(&mut self, thread: u32, lock: u32, mode: Mode) {
        // Another thread may drop a guard.
        let holders = &mut self.holders[lock as usize];
        let own = holders.iter().rposition(|(holder, held)| (*holder, *held) == (thread, mode));
        if let Some(at) = own.or_else(|| holders.iter().rposition(|(_, held)| *held == mode)) {
            holders.remove(at);
        }
    }

    fn give(&mut self, history: &History, index: u32) {
        let Operation { thread, target, .. } = history.operations[index as usize];
        let amount = u64::from(history.resources.amount(index));
        let resource = history.resources.kind(target);
        let pool = self.pools.entry(target).or_insert_with(|| Pool::of(resource));
        match resource {
            Resource::Channel { .. } => pool.queue.push_back(index),
            Resource::Permits(_) | Resource::Latch(_) => pool.n = pool.n.saturating_add(amount),
            Resource::Token => pool.n = 1,
            Resource::Condition => {
                if let Some(first) = pool.queue.pop_front() {
                    self.wake(first);
                }
            }
            Resource::Barrier(_) => {
                pool.n += 1;
                self.arrivals.insert((thread, target), pool.n);
            }
            Resource::Opaque => {}
        }
    }

    fn take(&mut self, history: &History, index: u32) {
        let Operation { thread, target, .. } = history.operations[index as usize];
        let amount = u64::from(history.resources.amount(index));
        let resource = history.resources.kind(target);
        let pool = self.pools.entry(target).or_insert_with(|| Pool::of(resource));
        match resource {
            Resource::Channel { room } => {
                if let Some(give) = pool.queue.pop_front()
                    && room == Some(0)
                {
                    self.taken.insert(give);
                }
            }
            Resource::Permits(_) => pool.n = pool.n.saturating_sub(amount),
            Resource::Token => pool.n = 0,
            Resource::Condition => _ = self.is_woken.remove(&thread),
            Resource::Latch(_) | Resource::Barrier(_) | Resource::Opaque => {}
        }
    }
}

impl Pool {
    fn of(resource: Resource) -> Self {
        let n = if let Resource::Permits(initial) = resource { u64::from(initial) } else { 0 };
        Self { n, ..Self::default() }
    }
}
