//! Races that the prediction finds in public traces, and in histories with known truth.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    history::History,
    prediction::{
        self,
        race::{self, Count},
    },
    source,
};
use std::{collections::BTreeSet, path::Path};

const WORK_MAX: u64 = 1_000_000_000;

fn history(name: &str) -> History {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces").join(name);
    source::history(&path).unwrap().0
}

/// Operations that race with one before them, and their places: what RAPID's engine of the same method counts.
const PUBLIC: [(&str, usize, usize); 18] = [
    ("race/account.std", 3, 1),
    ("race/bubblesort.std", 269, 5),
    ("race/bufwriter.std.gz", 8, 4),
    ("race/clean.std", 60, 4),
    ("race/jigsaw.std", 6, 6),
    ("race/lang.std", 400, 1),
    ("race/mergesort.std", 3, 1),
    ("race/moldyn.std.gz", 103, 3),
    ("race/twostage.std", 4, 1),
    ("deadlock/Account.std", 3, 2),
    ("deadlock/Bensalem.std", 0, 0),
    ("deadlock/Bensalem_dlf.std", 7, 7),
    ("deadlock/Dbcp2.std", 0, 0),
    ("deadlock/Deadlock.std", 1, 1),
    ("deadlock/DiningPhil.std", 0, 0),
    ("deadlock/StringBuffer.std", 0, 0),
    ("deadlock/Transfer.std", 0, 0),
    ("deadlock/cache4j_dlf.std.gz", 25, 8),
];

#[test]
fn public_traces_have_the_races_that_they_are_known_for() {
    for (name, operations, places) in PUBLIC {
        let history = history(name);
        let count = race::count(&history, &|_| true, WORK_MAX);
        assert_eq!(count, Count { operations, places, is_cut_short: false }, "{name}");
        let races = prediction::races(&history, &|_| true, WORK_MAX);
        assert!(races.failed.is_empty() && !races.is_cut_short, "{name}: {:?}", races.failed);
        let place = |index: &u32| history.operations[*index as usize].place;
        let found: BTreeSet<u32> = races.found.iter().flat_map(|race| &race.accesses).map(place).collect();
        assert!(found.len() >= places && races.found.is_empty() == (operations == 0), "{name}: {found:?}");
    }
}
