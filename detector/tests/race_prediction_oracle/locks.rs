//! Locks, variables, fork and join: no race that there is not, and none missed of the class.

use crate::{
    Pairs, WORK_MAX, happens_before,
    lock_explorer::{self, Order},
    lock_programs::{self, Numbers, Shape, shrunk, text},
    times,
};
use detector::{
    history::{History, Kind, Mode},
    prediction::{self, race},
};
use std::collections::BTreeSet;

/// Each operation at a place of its own, so that each pair of accesses is told of.
pub(crate) fn apart(mut history: History) -> History {
    for index in 0..history.operations.len() {
        history.operations[index].place = history.places.number(&format!("at {index}"));
    }
    history
}

/// The races that are told of.
pub(crate) fn pairs(history: &History) -> Pairs {
    let races = prediction::races(history, &|_| true, WORK_MAX);
    assert!(!races.is_cut_short, "a small history is gone over to its end");
    assert_eq!(races.failed, [], "a schedule does not survive its replay:\n{}", text(history));
    races.found.iter().map(|race| race.accesses.map(|index| index as usize)).collect()
}

/// Places of two accesses, and what they do.
pub(crate) type Group = [(u32, Kind); 2];

/// What pairs of accesses are by their places.
pub(crate) fn groups(history: &History, pairs: &Pairs) -> BTreeSet<Group> {
    let group = |pair: &[usize; 2]| {
        let mut group = pair.map(|index| (history.operations[index].place, history.operations[index].kind));
        group.sort_unstable();
        group
    };
    pairs.iter().map(group).collect()
}

/// All that there is to say: the races, those that are told apart by place, and how many accesses race with one before them.
type Says = (Pairs, BTreeSet<Group>, usize);

fn engine(history: &History) -> Says {
    let told = pairs(history);
    let groups = groups(history, &told);
    assert_eq!(told.len(), groups.len(), "a race is told twice:\n{}", text(history));
    (pairs(&apart(history.clone())), groups, race::count(history, &|_| true, WORK_MAX).operations)
}

fn oracle(history: &History) -> Says {
    let pairs = lock_explorer::races(history, Order::Preserved);
    let (groups, seconds) = (groups(history, &pairs), pairs.iter().map(|[_, second]| second).collect::<BTreeSet<_>>());
    let n_seconds = seconds.len();
    (pairs, groups, n_seconds)
}

/// How many races of which kind were found, and in how many histories.
#[derive(Debug, Default)]
struct Counts {
    /// Histories with races.
    racy: usize,
    /// Those in which nothing races by happens-before.
    beyond: usize,
    /// Races, all of the class.
    races: usize,
    /// Of those, how many happens-before orders.
    ordered: usize,
    /// Races that only reorderings with sections in another order reach.
    outside: usize,
    /// Histories in which all races are such.
    outside_only: usize,
}

fn differential(seed: u64, n: usize, shape: &Shape) -> Counts {
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    for _ in 0..n {
        let history = lock_programs::history(&mut numbers, shape);
        let says = engine(&history);
        if says != oracle(&history) {
            let history = shrunk(&history, |history| engine(history) != oracle(history));
            assert_eq!(engine(&history), oracle(&history), "engine and oracle, of\n{}", text(&history));
        }
        let (found, ..) = says;
        let all = lock_explorer::races(&history, Order::Any);
        assert!(found.is_subset(&all), "the class is part of all");
        let unordered = happens_before::races(&history);
        counts.racy += usize::from(!found.is_empty());
        counts.beyond += usize::from(!found.is_empty() && unordered.is_empty());
        counts.races += found.len();
        counts.ordered += found.difference(&unordered).count();
        counts.outside += all.len() - found.len();
        counts.outside_only += usize::from(found.is_empty() && !all.is_empty());
    }
    println!("{n} histories: {counts:?}; each race with a schedule that was replayed");
    counts
}

/// Exclusive locks only.
const LOCKS: Shape = Shape {
    n_threads: 2..4,
    n_locks: 2..4,
    n_variables: 2,
    n_nests: 1..4,
    forks: false,
    modes: &[Mode::Exclusive],
    tries: 0,
};

/// Compares so many histories. Of these, so many race though happens-before sees nothing, and so many only in reorderings
/// outside the class.
fn check(seed: u64, n: usize, shape: &Shape, [beyond, outside]: [usize; 2]) {
    let counts = differential(seed, n * times(), shape);
    assert!(counts.beyond >= beyond && counts.outside_only >= outside, "too few: {counts:?}");
}

#[test]
fn every_race_is_found_and_no_other() {
    check(1, 5_500, &LOCKS, [500, 100]);
}

#[test]
fn fork_and_join_keep_their_order() {
    check(2, 2_000, &Shape { forks: true, ..LOCKS }, [50, 20]);
}

#[test]
fn four_threads_with_many_reads() {
    check(3, 1_000, &Shape { n_threads: 3..5, n_locks: 2..4, n_variables: 3, n_nests: 1..3, ..LOCKS }, [50, 20]);
}

#[test]
fn readers_exclude_writers_only() {
    check(4, 2_000, &Shape { modes: &[Mode::Exclusive, Mode::Shared], ..LOCKS }, [50, 20]);
}

#[test]
fn all_modes_and_acquires_that_give_up() {
    let modes = &[Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
    check(5, 2_000, &Shape { modes, tries: 6, n_locks: 1..3, ..LOCKS }, [50, 20]);
}
