//! What each thread of a process holds while the merge runs, recomputed from its acquires and releases.

use super::nested::{HoldSets, NO_HOLDS};
use trace_format::Mode;

/// A lock that is held, in the process file's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    /// Index of the object in the merge.
    pub(super) object: u32,
    /// Site id in the file.
    pub(super) site: u32,
    /// How.
    pub(super) mode: Mode,
}

/// The holds of one thread, oldest first, each with the number of the set up to it; 0 while nobody asked.
#[derive(Debug, Default)]
struct Holds {
    list: Vec<(Held, u32)>,
    /// Whether acquires of the thread may be unknown.
    incomplete: bool,
}

/// The holds of all threads.
#[derive(Debug)]
pub(super) struct HeldByThread {
    threads: Vec<Holds>,
    /// By object: how many holds of it there are.
    n_holds: Vec<u32>,
    sets: HoldSets,
}

impl HeldByThread {
    pub(super) fn new(n_threads: usize, n_objects: usize) -> Self {
        let threads = (0..n_threads).map(|_| Holds::default()).collect();
        Self { threads, n_holds: vec![0; n_objects], sets: HoldSets::default() }
    }

    /// The number of the set of what a thread holds.
    #[inline]
    pub(super) fn set(&mut self, thread: u32) -> u32 {
        let Some(holds) = self.threads.get_mut(thread as usize) else { return NO_HOLDS };
        match holds.list.last() {
            None => NO_HOLDS,
            Some((_, set)) if *set != NO_HOLDS => *set,
            Some(_) => holds.number(&mut self.sets),
        }
    }

    /// The number of the set of what a task and the thread that runs it hold.
    pub(super) fn set_of_both(&mut self, task: u32, thread: u32) -> u32 {
        let set = self.set(task);
        let of_thread: Vec<Held> = self.holds(thread).collect();
        of_thread.into_iter().fold(set, |set, held| self.sets.extend(set, held))
    }

    #[inline]
    pub(super) fn acquire(&mut self, thread: u32, held: Held) {
        if let Some(holds) = self.threads.get_mut(thread as usize) {
            holds.list.push((held, NO_HOLDS));
            self.count(held.object, 1);
        }
    }

    /// Ends a hold: the thread's own newest one of that object, else that of whoever has one, since a guard may be
    /// dropped by another thread than the one that took it. A thread whose acquires are not all known ends nobody
    /// else's: more likely it is one of those that it releases.
    #[inline]
    pub(super) fn release(&mut self, thread: u32, object: u32) {
        if self.n_holds.get(object as usize).is_none_or(|n| *n == 0) {
            return;
        }
        let Some(holds) = self.threads.get_mut(thread as usize) else { return };
        let incomplete = holds.incomplete;
        if holds.remove(object) || !incomplete && self.threads.iter_mut().any(|holds| holds.remove(object)) {
            self.count(object, -1);
        }
    }

    /// The thread's newest hold of an object.
    pub(super) fn newest(&self, thread: u32, object: u32) -> Option<Held> {
        let holds = self.threads.get(thread as usize)?;
        holds.list.iter().rev().map(|(held, _)| *held).find(|held| held.object == object)
    }

    /// Changes the mode of the thread's newest hold of an object.
    pub(super) fn change_mode(&mut self, thread: u32, object: u32, mode: Mode) {
        let Some(holds) = self.threads.get_mut(thread as usize) else { return };
        if let Some(place) = holds.list.iter().rposition(|(held, _)| held.object == object) {
            holds.forget_sets(place);
            if let Some((held, _)) = holds.list.get_mut(place) {
                held.mode = mode;
            }
        }
    }

    /// Forgets what a thread holds: releases of it may have been lost.
    pub(super) fn forget(&mut self, thread: u32) {
        let Some(holds) = self.threads.get_mut(thread as usize) else { return };
        holds.incomplete = true;
        for (held, _) in std::mem::take(&mut holds.list) {
            self.count(held.object, -1);
        }
    }

    /// What a thread holds, oldest first.
    pub(super) fn holds(&self, thread: u32) -> impl Iterator<Item = Held> + '_ {
        self.threads.get(thread as usize).into_iter().flat_map(|holds| holds.list.iter().map(|(held, _)| *held))
    }

    /// All sets that were numbered.
    pub(super) fn sets_mut(&mut self) -> &mut HoldSets {
        &mut self.sets
    }

    fn count(&mut self, object: u32, change: i32) {
        if let Some(n) = self.n_holds.get_mut(object as usize) {
            *n = n.saturating_add_signed(change);
        }
    }
}

impl Holds {
    #[inline]
    fn remove(&mut self, object: u32) -> bool {
        if let Some((newest, _)) = self.list.last()
            && newest.object == object
        {
            self.list.pop();
            return true;
        }
        let Some(place) = self.list.iter().rposition(|(held, _)| held.object == object) else { return false };
        self.list.remove(place);
        self.forget_sets(place);
        true
    }

    fn forget_sets(&mut self, from: usize) {
        // A numbered hold has numbered ones before it, so the first that is not numbered ends the search.
        for (_, set) in self.list.iter_mut().skip(from).take_while(|(_, set)| *set != NO_HOLDS) {
            *set = NO_HOLDS;
        }
    }

    fn number(&mut self, sets: &mut HoldSets) -> u32 {
        let numbered = self.list.iter().rposition(|(_, set)| *set != NO_HOLDS).map_or(0, |place| place + 1);
        let mut prefix = match numbered.checked_sub(1).and_then(|last| self.list.get(last)) {
            Some((_, set)) => *set,
            None => NO_HOLDS,
        };
        for (held, set) in self.list.iter_mut().skip(numbered) {
            prefix = sets.extend(prefix, *held);
            *set = prefix;
        }
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_follow_releases_out_of_order() {
        let mut held = HeldByThread::new(2, 4);
        let hold = |object| Held { object, site: object + 10, mode: Mode::Exclusive };
        held.acquire(0, hold(1));
        let one = held.set(0);
        held.acquire(0, hold(2));
        held.acquire(0, hold(3));
        let all = held.set(0);
        held.release(0, 2);
        let without = held.set(0);
        assert!(one != all && all != without);
        assert_eq!(held.sets_mut().holds(without, 9), [hold(1), hold(3)]);
        held.release(0, 3);
        assert_eq!(held.set(0), one);
        held.release(1, 1);
        assert_eq!(held.set(0), NO_HOLDS, "another thread may drop a guard");
    }
}
