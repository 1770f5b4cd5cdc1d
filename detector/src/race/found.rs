//! Races that were found, grouped.

use super::{
    Kind, Point,
    held::{Held, HeldSets},
    variables::Cell,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// Races that are told apart; what comes when there are so many is counted alone.
pub const RACES_MAX: usize = 1000;

/// Two places of which accesses race.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Race {
    /// The variable, of the pair found first.
    pub variable: u32,
    /// The earlier access of that pair.
    pub first: Seen,
    /// The later one.
    pub second: Seen,
    /// How many pairs of accesses at these places, of these kinds, were found to race, in either order.
    pub count: u64,
}

/// An access of a race.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Who, and where.
    pub at: Point,
    /// How.
    pub kind: Kind,
    /// What the thread held, outermost first.
    pub held: Vec<Held>,
}

/// The races of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Races {
    /// By what was found first.
    pub list: Vec<Race>,
    /// Pairs that are of none of them, since there are [`RACES_MAX`].
    pub left_out: u64,
    /// Accesses that race with an earlier one.
    pub n_accesses: u64,
    /// Places of these accesses.
    pub n_places: u64,
}

/// Places and kinds of both, the lesser first.
type Key = [(u32, Kind); 2];

#[derive(Debug, Default)]
pub(super) struct Found {
    races: Races,
    by_key: FxHashMap<Key, usize>,
    places: FxHashSet<u32>,
}

impl Found {
    /// An access races with an earlier one, or more; told before they are.
    #[cold]
    pub(super) fn access(&mut self, place: u32) {
        self.races.n_accesses += 1;
        if self.places.insert(place) {
            self.races.n_places += 1;
        }
    }

    /// Two accesses race.
    #[cold]
    pub(super) fn pair(&mut self, variable: u32, first: (Cell, Kind), second: (Cell, Kind), held: &HeldSets) {
        let mut key = [first, second].map(|(cell, kind)| (cell.place, kind));
        key.sort_unstable();
        if let Some(race) = self.by_key.get(&key).and_then(|index| self.races.list.get_mut(*index)) {
            race.count += 1;
        } else if self.races.list.len() < RACES_MAX {
            self.by_key.insert(key, self.races.list.len());
            let [first, second] = [first, second].map(|(cell, kind)| cell.seen(kind, held));
            self.races.list.push(Race { variable, first, second, count: 1 });
        } else {
            self.races.left_out += 1;
        }
    }

    #[cfg(test)]
    pub(super) fn list(&self) -> &[Race] {
        &self.races.list
    }

    pub(super) fn finish(self) -> Races {
        self.races
    }
}
