//! Which locks threads hold, as numbers: the same locks, acquired in the same order at the same places, are one number.

use super::{Mode, Point, entry};
use rustc_hash::FxHashMap;

/// A lock that a thread holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Held {
    /// The lock.
    pub lock: u32,
    /// How it is held.
    pub mode: Mode,
    /// Where it was acquired.
    pub place: u32,
}

/// What each thread holds.
#[derive(Debug, Default)]
pub(super) struct HeldSets {
    /// Each set but the empty one, which is 0: the set without the lock acquired last, and that.
    sets: Vec<(u32, Held)>,
    numbers: FxHashMap<(u32, Held), u32>,
    threads: Vec<u32>,
}

impl HeldSets {
    /// What a thread holds now.
    #[inline]
    pub(super) fn of(&self, thread: u32) -> u32 {
        self.threads.get(thread as usize).copied().unwrap_or(0)
    }

    /// The locks of a set, outermost first.
    pub(super) fn list(&self, mut set: u32) -> Vec<Held> {
        let mut list = Vec::new();
        while let Some((outer, held)) = self.get(set) {
            list.push(held);
            set = outer;
        }
        list.reverse();
        list
    }

    pub(super) fn acquire(&mut self, at: Point, lock: u32, mode: Mode) {
        let set = self.of(at.thread);
        let is_upgraded = |held: Held| held.lock == lock && held.mode == Mode::Upgradable;
        let upgraded = if mode == Mode::Exclusive { self.change(set, is_upgraded, Some(mode)) } else { None };
        let set = upgraded.unwrap_or_else(|| self.add(set, Held { lock, mode, place: at.place }));
        *entry(&mut self.threads, at.thread) = set;
    }

    pub(super) fn release(&mut self, thread: u32, lock: u32, mode: Mode) {
        self.replace(thread, lock, Some(mode), None);
    }

    pub(super) fn downgrade(&mut self, thread: u32, lock: u32, mode: Mode) {
        self.replace(thread, lock, None, Some(mode));
    }

    fn replace(&mut self, thread: u32, lock: u32, was: Option<Mode>, is: Option<Mode>) {
        let set = self.of(thread);
        let exact = |held: Held| held.lock == lock && was.is_none_or(|was| held.mode == was);
        let any = |held: Held| held.lock == lock;
        if let Some(set) = self.change(set, exact, is).or_else(|| self.change(set, any, is)) {
            *entry(&mut self.threads, thread) = set;
        }
    }

    /// The set in which the lock acquired last for which `is_it` holds is in another mode, or is missing.
    #[inline]
    fn change(&mut self, set: u32, is_it: impl Fn(Held) -> bool, mode: Option<Mode>) -> Option<u32> {
        let (mut outer, mut inner) = (set, 0);
        let held = loop {
            let (rest, held) = self.get(outer)?;
            outer = rest;
            if is_it(held) {
                break held;
            }
            inner += 1;
        };
        let changed = mode.map_or(outer, |mode| self.add(outer, Held { mode, ..held }));
        Some(if inner == 0 { changed } else { self.add_inner(changed, set, inner) })
    }

    /// A set with those locks of another one that were acquired last.
    #[cold]
    fn add_inner(&mut self, to: u32, of: u32, n: usize) -> u32 {
        let list = self.list(of);
        list[list.len() - n..].iter().fold(to, |outer, held| self.add(outer, *held))
    }

    fn get(&self, set: u32) -> Option<(u32, Held)> {
        self.sets.get((set as usize).wrapping_sub(1)).copied()
    }

    fn add(&mut self, outer: u32, held: Held) -> u32 {
        *self.numbers.entry((outer, held)).or_insert_with(|| {
            self.sets.push((outer, held));
            self.sets.len() as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: u32) -> Point {
        Point { thread: 3, place, index: 0 }
    }

    #[test]
    fn the_same_locks_at_the_same_places_are_one_set() {
        let mut held = HeldSets::default();
        held.acquire(at(10), 1, Mode::Exclusive);
        let outer = held.of(3);
        held.acquire(at(20), 2, Mode::Shared);
        let both = held.of(3);
        held.release(3, 1, Mode::Exclusive);
        assert_eq!(held.list(held.of(3)), [Held { lock: 2, mode: Mode::Shared, place: 20 }]);
        held.release(3, 2, Mode::Shared);
        assert_eq!(held.of(3), 0);
        held.release(3, 2, Mode::Shared);
        assert_eq!((held.of(3), held.of(9)), (0, 0), "what nobody holds is released by nobody");
        held.acquire(at(10), 1, Mode::Exclusive);
        assert_eq!(held.of(3), outer);
        held.acquire(at(20), 2, Mode::Shared);
        assert_eq!(held.of(3), both);
    }

    #[test]
    fn upgrades_and_downgrades_keep_the_place() {
        let mut held = HeldSets::default();
        let list =
            |held: &HeldSets| held.list(held.of(3)).iter().map(|held| (held.mode, held.place)).collect::<Vec<_>>();
        held.acquire(at(10), 1, Mode::Upgradable);
        held.acquire(at(11), 1, Mode::Exclusive);
        assert_eq!(list(&held), [(Mode::Exclusive, 10)]);
        held.downgrade(3, 1, Mode::Shared);
        assert_eq!(list(&held), [(Mode::Shared, 10)]);
        held.acquire(at(12), 1, Mode::Shared);
        assert_eq!(list(&held), [(Mode::Shared, 10), (Mode::Shared, 12)]);
        held.release(3, 1, Mode::Shared);
        assert_eq!(list(&held), [(Mode::Shared, 10)]);
    }
}
