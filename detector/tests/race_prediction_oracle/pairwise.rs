//! Histories that are too long for all their reorderings: each pair of accesses by itself, by the definition of the closure, over and
//! over until nothing changes.

use crate::{
    Pairs, WORK_MAX,
    lock_programs::{self, Numbers, Shape, text},
    locks::{apart, groups, pairs},
    times,
};
use detector::{
    history::{History, Kind, Mode},
    prediction::race,
};
use std::collections::BTreeSet;

/// What of a history the closure needs.
struct Closures<'a> {
    history: &'a History,
    /// Per operation those that come right before it: of its thread, the fork of that, what it joins, the write that it sees.
    before: Vec<Vec<usize>>,
    /// Per operation the one before it in its thread, and the fork of that, if it is the first.
    above: Vec<Option<usize>>,
    /// Acquires, with their releases.
    sections: Vec<(usize, Option<usize>)>,
}

impl<'a> Closures<'a> {
    fn new(history: &'a History) -> Self {
        let n = history.threads.len();
        let (mut latest, mut written) = (vec![None; n], vec![None; history.variables.len()]);
        let mut closures = Self { history, before: Vec::new(), above: Vec::new(), sections: Vec::new() };
        for (index, operation) in history.operations.iter().enumerate() {
            let (thread, target) = (operation.thread as usize, operation.target as usize);
            let above = latest[thread];
            let mut before: Vec<usize> = above.into_iter().collect();
            match operation.kind {
                Kind::Read => before.extend(written[target]),
                Kind::Join => before.extend(latest[target]),
                Kind::Fork => latest[target] = Some(index),
                Kind::Write => written[target] = Some(index),
                Kind::Acquire => closures.sections.push((index, None)),
                Kind::Release => {
                    let is_own = |(acquire, release): &&mut (usize, Option<usize>)| {
                        let of = &history.operations[*acquire];
                        release.is_none() && (of.thread, of.target) == (operation.thread, operation.target)
                    };
                    closures.sections.iter_mut().rfind(is_own).unwrap().1 = Some(index);
                }
                _ => {}
            }
            latest[thread] = Some(index);
            closures.before.push(before);
            closures.above.push(above);
        }
        closures
    }

    /// Adds an operation, and what comes before it.
    fn add(&self, set: &mut [bool], index: usize) {
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut set[index], true) {
                open.extend(&self.before[index]);
            }
        }
    }

    /// Ends the first section that has to end and does not; says whether there was one.
    fn end_one(&self, set: &mut [bool]) -> Option<bool> {
        let operation = |index: usize| self.history.operations[index];
        for (acquire, release) in self.sections.iter().filter(|(acquire, _)| set[*acquire]) {
            let of = operation(*acquire);
            let excluded = |(later, _): &&(usize, Option<usize>)| {
                later > acquire && operation(*later).target == of.target && operation(*later).mode.excludes(of.mode)
            };
            let has_later = self.sections.iter().filter(excluded).any(|(later, _)| set[*later]);
            if has_later && release.is_none_or(|release| !set[release]) {
                self.add(set, (*release)?);
                return Some(true);
            }
        }
        Some(false)
    }

    fn are_racing(&self, [first, second]: [usize; 2]) -> bool {
        let mut set = vec![false; self.before.len()];
        for above in [first, second].into_iter().filter_map(|index| self.above[index]) {
            self.add(&mut set, above);
        }
        loop {
            match self.end_one(&mut set) {
                Some(true) => {}
                Some(false) => return !set[first] && !set[second],
                None => return false,
            }
        }
    }

    fn races(&self) -> Pairs {
        let accesses = self.history.operations.iter().enumerate();
        let accesses: Vec<_> = accesses.filter(|(_, of)| matches!(of.kind, Kind::Read | Kind::Write)).collect();
        let mut races = Pairs::new();
        for (at, (first, one)) in accesses.iter().enumerate() {
            for (second, other) in &accesses[at + 1..] {
                let is_conflict = one.target == other.target
                    && one.thread != other.thread
                    && (one.kind == Kind::Write || other.kind == Kind::Write);
                if is_conflict && self.are_racing([*first, *second]) {
                    races.insert([*first, *second]);
                }
            }
        }
        races
    }
}

/// Compares so many histories; says how many operations and races there were.
fn compare(seed: u64, n: usize, shape: &Shape) -> [usize; 2] {
    let mut numbers = Numbers(seed);
    let (mut n_operations, mut n_races) = (0, 0);
    for _ in 0..n * times() {
        let history = lock_programs::history(&mut numbers, shape);
        let races = Closures::new(&history).races();
        assert_eq!(pairs(&apart(history.clone())), races, "pairs of\n{}", text(&history));
        let by_place = groups(&history, &pairs(&history));
        assert_eq!(by_place, groups(&history, &races), "places of\n{}", text(&history));
        let seconds: BTreeSet<usize> = races.iter().map(|[_, second]| *second).collect();
        assert_eq!(race::count(&history, &|_| true, WORK_MAX).operations, seconds.len(), "of\n{}", text(&history));
        n_operations += history.operations.len();
        n_races += races.len();
    }
    println!("{} histories with {n_operations} operations: {n_races} races", n * times());
    [n_operations, n_races]
}

const LONG: Shape = Shape {
    n_threads: 3..6,
    n_locks: 3..9,
    n_variables: 8,
    n_nests: 10..40,
    forks: false,
    modes: &[Mode::Exclusive],
    tries: 0,
};

#[test]
fn long_histories() {
    let [n_operations, n_races] = compare(11, 800, &LONG);
    assert!(n_operations >= 800 * 80 && n_races >= 800 * 5, "too few: {n_operations}, {n_races}");
}

#[test]
fn long_histories_with_readers_and_forks() {
    let modes = &[Mode::Exclusive, Mode::Shared, Mode::Shared, Mode::Upgradable];
    let [n_operations, n_races] = compare(12, 800, &Shape { modes, forks: true, ..LONG });
    assert!(n_operations >= 800 * 80 && n_races >= 800 * 5, "too few: {n_operations}, {n_races}");
}
