//! Data races against two oracles that share nothing with what finds them: a graph of all edges that C11 knows, and all
//! reorderings of a small history.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and says what it counted")]

mod explorer;
#[path = "../prediction_oracle/generator.rs"]
#[allow(dead_code, reason = "the other oracle shrinks histories too")]
mod generator;
mod graph;
mod repairs;
mod runs;

use detector::{
    history::Mode,
    race::{self, HappensBefore, Races, Rule},
};
use runs::{Numbers, Run};
use std::collections::BTreeSet;

/// Of the least number that shows enough races, so many times more if there is time.
fn times() -> usize {
    if std::env::var_os("CI_FULL").is_some() { 20 } else { 1 }
}

fn found(run: &Run, rule: Rule) -> Races {
    let mut found = HappensBefore::new(rule);
    runs::drive(run, &mut found);
    found.finish()
}

fn pairs(races: &Races) -> BTreeSet<(usize, usize)> {
    races.list.iter().map(|race| (race.first.at.index as usize, race.second.at.index as usize)).collect()
}

/// What is wrong with what was found in a run, in which each operation has a place of its own.
fn disagreement(run: &Run, rule: Rule) -> Option<String> {
    let (races, expected) = (found(run, rule), graph::races(run, &graph::before(run, rule)));
    let pairs = pairs(&races);
    let second = |pairs: &BTreeSet<(usize, usize)>| pairs.iter().map(|(_, second)| *second).collect::<BTreeSet<_>>();
    if let Some(pair) = pairs.iter().find(|pair| !expected.contains(pair)) {
        return Some(format!("{pair:?} is no race"));
    }
    if second(&pairs) != second(&expected) {
        return Some(format!("found {pairs:?} of {expected:?}"));
    }
    let n = second(&pairs).len() as u64;
    ((races.n_accesses, races.n_places) != (n, n)).then(|| format!("{races:?} counts wrongly"))
}

/// How many runs had races, and how many accesses raced in all.
fn differential(seed: u64, n: usize, rule: Rule) -> (usize, usize) {
    let mut numbers = Numbers(seed);
    let (mut racy, mut accesses) = (0, 0);
    for _ in 0..n {
        let run = runs::run(&mut numbers);
        if disagreement(&run, rule).is_some() {
            let run = runs::shrunk(&run, |run| disagreement(run, rule).is_some());
            assert_eq!(disagreement(&run, rule), None, "{rule:?}: {run:#?}");
        }
        let races = found(&run, rule);
        racy += usize::from(races.n_accesses > 0);
        accesses += races.n_accesses as usize;
    }
    println!("{rule:?}: {n} runs, {racy} racy, {accesses} accesses that race, 0 false, 0 missed");
    (racy, accesses)
}

#[test]
fn each_access_that_races_is_found_and_no_other() {
    let (racy, accesses) = differential(1, 3_000 * times(), Rule::HappensBefore);
    assert!(racy >= 2_000 && racy < 3_000 * times() && accesses >= 5_000, "{racy} {accesses}");
}

#[test]
fn a_read_comes_after_what_it_read_if_races_are_to_be_schedulable() {
    let (racy, accesses) = differential(2, 3_000 * times(), Rule::Schedulable);
    assert!(racy >= 2_000 && racy < 3_000 * times() && accesses >= 4_000, "{racy} {accesses}");
}

/// Goes through all reorderings of random histories; how many were racy.
fn schedules(seed: u64, n: usize, shape: &generator::Shape) -> usize {
    let mut numbers = generator::Numbers(seed);
    let (mut racy, mut n_pairs, mut n_plain) = (0, 0, 0);
    for _ in 0..n {
        let mut history = generator::history(&mut numbers, shape);
        // A place for each operation.
        for index in 0..history.operations.len() {
            history.operations[index].place = history.places.number(&format!("at {index}"));
        }
        let pairs = pairs(&race::of_history(&history, Rule::Schedulable));
        let possible = explorer::side_by_side(&history);
        let text = || generator::text(&history);
        assert!(pairs.is_subset(&possible), "{pairs:?} are not all of {possible:?}, in\n{}", text());
        let plain = self::pairs(&race::of_history(&history, Rule::HappensBefore));
        n_plain += plain.difference(&possible).count();
        racy += usize::from(!pairs.is_empty());
        n_pairs += pairs.len();
    }
    println!(
        "{n} histories, {racy} racy, {n_pairs} pairs, each side by side in a reordering; {n_plain} are not by the plain rule"
    );
    assert!(n_plain > 0, "the histories do not tell the two rules apart");
    racy
}

const SHAPE: generator::Shape = generator::Shape {
    n_threads: 2..4,
    n_locks: 1..3,
    n_variables: 1,
    n_nests: 1..4,
    forks: false,
    modes: &[Mode::Exclusive],
    tries: 0,
};

#[test]
fn what_is_schedulable_can_be_brought_side_by_side() {
    let racy = schedules(3, 3_000 * times(), &SHAPE);
    assert!(racy >= 500, "{racy}");
}

#[test]
fn with_forks_and_all_modes_too() {
    let modes = &[Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
    let shape = generator::Shape { n_threads: 2..5, n_nests: 1..3, forks: true, modes, ..SHAPE };
    let racy = schedules(4, 2_500 * times(), &shape);
    assert!(racy >= 500, "{racy}");
}
