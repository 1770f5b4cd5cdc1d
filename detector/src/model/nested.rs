//! Nested acquires of one process, collected while the merge runs.
//!
//! A program that runs for hours repeats the same few nestings. Repeats with the same holds, want and site are a
//! *group*; of a group's must-order epochs the first and the last ones are kept, and the rest is counted with
//! its neighbour. The more groups, the fewer epochs of each, so that what is kept does not grow with the events. Sets of holds are numbered by their prefix and last element, so that a repeat costs two lookups.

use super::{clock::Mark, held::Held};
use rustc_hash::FxHashMap;
use std::{mem, rc::Rc};
use trace_format::Mode;

/// Epochs of a group that are kept at its start, and as many at its end, if threads are few.
const EPOCHS_KEPT_MAX: usize = 128;

/// Epochs times threads: an epoch's clock is as long as there are threads.
const EPOCH_CLOCKS_MAX: usize = 16_384;

/// Epochs of all groups, as far as two at the start and the end of each allow: some megabytes.
const EPOCHS_MAX: usize = 1 << 16;

/// Epochs of a group that are kept at its start in any case, and as many at its end.
const EPOCHS_KEPT_MIN: usize = 2;

/// The number of the empty set of holds.
pub(super) const NO_HOLDS: u32 = 0;

/// Sets of holds, oldest first, by number.
#[derive(Debug, Default)]
pub(super) struct HoldSets {
    numbers: FxHashMap<(u32, Held), u32>,
    sets: Vec<(u32, Held)>,
}

impl HoldSets {
    /// The number of the set `prefix` with `held` behind it.
    pub(super) fn extend(&mut self, prefix: u32, held: Held) -> u32 {
        let sets = &mut self.sets;
        *self.numbers.entry((prefix, held)).or_insert_with(|| {
            sets.push((prefix, held));
            sets.len() as u32
        })
    }

    /// The newest `n_max` holds of a set, oldest first.
    pub(super) fn holds(&self, set: u32, n_max: usize) -> Vec<Held> {
        let get = |set: u32| self.sets.get((set as usize).checked_sub(1)?);
        let mut holds: Vec<Held> =
            std::iter::successors(get(set), |(prefix, _)| get(*prefix)).take(n_max).map(|(_, held)| *held).collect();
        holds.reverse();
        holds
    }
}

/// What repeats of one nested acquire have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) thread: u32,
    pub(super) holds: u32,
    pub(super) wants: u32,
    pub(super) site: u32,
    pub(super) mode: Mode,
    pub(super) may_wait: bool,
}

/// A group: its epochs with how often each.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    epochs: Vec<(Rc<Mark>, u64)>,
    /// Where in the second half the oldest epoch is, once that is full.
    oldest: usize,
}

/// All groups, in order of first appearance.
#[derive(Debug)]
pub(super) struct Groups {
    numbers: FxHashMap<Key, u32>,
    list: Vec<Group>,
    n_kept: usize,
    /// Epochs that are kept, all groups together.
    n_epochs: usize,
}

impl Groups {
    pub(super) fn new(n_threads: usize) -> Self {
        let n_kept = (EPOCH_CLOCKS_MAX / n_threads.max(1)).clamp(EPOCHS_KEPT_MIN, EPOCHS_KEPT_MAX);
        Self { numbers: FxHashMap::default(), list: Vec::new(), n_kept, n_epochs: 0 }
    }

    pub(super) fn add(&mut self, key: Key, epoch: Rc<Mark>) {
        let groups = &mut self.list;
        let number = *self.numbers.entry(key).or_insert_with(|| {
            // Most groups have one epoch, and there may be millions of them.
            groups.push(Group { key, epochs: Vec::with_capacity(1), oldest: 0 });
            groups.len() as u32 - 1
        });
        let Some(group) = groups.get_mut(number as usize) else { return };
        if group.add(epoch, self.n_kept) {
            self.n_epochs += 1;
            if self.n_epochs > EPOCHS_MAX && self.n_kept > EPOCHS_KEPT_MIN {
                self.keep_fewer();
            }
        }
    }

    #[cold]
    fn keep_fewer(&mut self) {
        let n_kept = (self.n_kept / 2).max(EPOCHS_KEPT_MIN);
        for group in &mut self.list {
            group.keep(self.n_kept, n_kept);
        }
        self.n_kept = n_kept;
        self.n_epochs = self.list.iter().map(|group| group.epochs.len()).sum();
    }

    /// The groups; leaves none behind.
    pub(super) fn take(&mut self) -> Vec<Group> {
        self.numbers = FxHashMap::default();
        self.n_epochs = 0;
        mem::take(&mut self.list)
    }
}

impl Group {
    /// Counts one in an epoch; whether that is one more to keep.
    fn add(&mut self, epoch: Rc<Mark>, n_kept: usize) -> bool {
        let newest = if self.epochs.len() == 2 * n_kept {
            n_kept + (self.oldest + n_kept - 1) % n_kept
        } else {
            self.epochs.len().wrapping_sub(1)
        };
        if let Some((latest, count)) = self.epochs.get_mut(newest)
            && Rc::ptr_eq(latest, &epoch)
        {
            *count += 1;
            return false;
        }
        if self.epochs.len() < 2 * n_kept {
            self.epochs.push((epoch, 1));
            return true;
        }
        // The oldest of the last ones goes; its count moves to the last of the first ones.
        let (first, last) = self.epochs.split_at_mut(n_kept);
        if let (Some((_, kept)), Some(place)) = (first.last_mut(), last.get_mut(self.oldest)) {
            *kept += mem::replace(place, (epoch, 1)).1;
        }
        self.oldest = (self.oldest + 1) % n_kept;
        false
    }

    /// Keeps `n_kept` epochs at the start and at the end, of `n_before`.
    fn keep(&mut self, n_before: usize, n_kept: usize) {
        if let Some(last) = self.epochs.get_mut(n_before..) {
            last.rotate_left(self.oldest);
        }
        self.oldest = 0;
        if self.epochs.len() <= 2 * n_kept {
            return;
        }
        let dropped = n_kept..self.epochs.len() - n_kept;
        let n: u64 = self.epochs.drain(dropped).map(|(_, count)| count).sum();
        if let Some((_, count)) = n_kept.checked_sub(1).and_then(|last| self.epochs.get_mut(last)) {
            *count += n;
        }
        self.epochs.shrink_to_fit();
    }

    /// The epochs that were kept, each with how often.
    pub(super) fn epochs(&self) -> impl Iterator<Item = &(Rc<Mark>, u64)> {
        self.epochs.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::clock::Clocks, *};

    const KEY: Key = Key { thread: 0, holds: 1, wants: 2, site: 3, mode: Mode::Exclusive, may_wait: true };

    #[test]
    fn a_group_keeps_first_and_last_epochs_and_every_count() {
        let mut clocks = Clocks::new(1);
        let mut groups = Groups::new(1);
        for i in 0..1000_u32 {
            for _ in 0..=i % 2 {
                groups.add(KEY, clocks.epoch(0));
            }
            clocks.depart(0);
        }
        let group = groups.take().remove(0);
        let mut times: Vec<u32> = group.epochs().map(|(epoch, _)| epoch.to_epoch(0).time).collect();
        times.sort_unstable();
        let expected: Vec<u32> = (1..=128).chain(1000 - 127..=1000).collect();
        assert_eq!(times, expected);
        assert_eq!(group.epochs().map(|(_, count)| count).sum::<u64>(), 1500);
    }

    #[test]
    fn many_groups_keep_fewer_epochs_each_and_every_count() {
        let mut clocks = Clocks::new(1);
        let mut groups = Groups::new(1);
        let n_groups = 1000;
        for _ in 0..500 {
            for site in 0..n_groups {
                groups.add(Key { site, ..KEY }, clocks.epoch(0));
            }
            clocks.depart(0);
        }
        let (n_kept, n_epochs) = (groups.n_kept, groups.n_epochs);
        assert!(n_kept < EPOCHS_KEPT_MAX && n_epochs <= EPOCHS_MAX && n_epochs == 2 * n_kept * n_groups as usize);
        for group in groups.take() {
            let mut times: Vec<u32> = group.epochs().map(|(epoch, _)| epoch.to_epoch(0).time).collect();
            times.sort_unstable();
            let n_kept = n_kept as u32;
            assert_eq!(times, (1..=n_kept).chain(501 - n_kept..=500).collect::<Vec<_>>());
            assert_eq!(group.epochs().map(|(_, count)| count).sum::<u64>(), 500);
        }
    }

    #[test]
    fn hold_sets_are_numbered_once() {
        let mut sets = HoldSets::default();
        let held = |object| Held { object, site: 0, mode: Mode::Shared };
        let a = sets.extend(NO_HOLDS, held(1));
        let ab = sets.extend(a, held(2));
        assert_eq!(sets.extend(a, held(2)), ab);
        assert_eq!(sets.holds(ab, 9), [held(1), held(2)]);
        assert_eq!(sets.holds(ab, 1), [held(2)]);
        assert_eq!(sets.holds(NO_HOLDS, 9), []);
    }
}
