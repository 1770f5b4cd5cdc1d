//! Races of public traces: as many as published engines find.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    race::{self, Rule},
    source,
};
use std::path::Path;

/// Accesses that race with an earlier one, and places of these.
type Count = (u64, u64);

/// By trace: happens-before, the same as RAPID's engine by epochs counts, and schedulable happens-before, as RAPID counts it too.
const EXPECTED: [(&str, Count, Count, Count); 18] = [
    ("race/account.std", (8, 3), (6, 1), (3, 1)),
    ("race/bubblesort.std", (602, 5), (404, 4), (269, 5)),
    ("race/bufwriter.std.gz", (8, 4), (8, 4), (8, 4)),
    ("race/clean.std", (59, 4), (32, 4), (59, 4)),
    ("race/jigsaw.std", (5, 5), (5, 5), (4, 4)),
    ("race/lang.std", (800, 2), (800, 2), (400, 1)),
    ("race/mergesort.std", (52, 3), (4, 3), (1, 1)),
    ("race/moldyn.std.gz", (20_580, 3), (20_516, 3), (103, 3)),
    ("race/twostage.std", (4, 1), (4, 1), (4, 1)),
    ("deadlock/Account.std", (20, 8), (7, 5), (3, 2)),
    ("deadlock/Bensalem.std", (0, 0), (0, 0), (0, 0)),
    ("deadlock/Bensalem_dlf.std", (10, 10), (10, 10), (5, 5)),
    ("deadlock/Dbcp2.std", (0, 0), (0, 0), (0, 0)),
    ("deadlock/Deadlock.std", (2, 2), (2, 2), (1, 1)),
    ("deadlock/DiningPhil.std", (0, 0), (0, 0), (0, 0)),
    ("deadlock/StringBuffer.std", (0, 0), (0, 0), (0, 0)),
    ("deadlock/Transfer.std", (0, 0), (0, 0), (0, 0)),
    ("deadlock/cache4j_dlf.std.gz", (22, 9), (13, 7), (15, 7)),
];

#[test]
fn public_traces_have_as_many_races_as_published() {
    for (name, plain, epochs, schedulable) in EXPECTED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces").join(name);
        let (history, _) = source::history(&path).unwrap();
        let count = |rule| {
            let races = race::of_history(&history, rule);
            assert_eq!(races.left_out, 0, "{name}");
            (races.n_accesses, races.n_places)
        };
        assert_eq!(count(Rule::HappensBefore), plain, "{name}");
        assert_eq!(race::count_by_epochs(&history), epochs, "{name}, by epochs");
        assert_eq!(count(Rule::Schedulable), schedulable, "{name}, schedulable");
    }
}

#[test]
fn both_forms_of_a_trace_have_the_same_races() {
    for name in ["Account", "Bensalem", "Dbcp2", "DiningPhil", "StringBuffer"] {
        let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces");
        let paths = [format!("deadlock/{name}.std"), format!("rapidbin/{name}.data")];
        let [text, binary] = paths.map(|path| {
            let (history, _) = source::history(&traces.join(path)).unwrap();
            let races = race::of_history(&history, Rule::Schedulable);
            (races.n_accesses, races.n_places, races.list.len())
        });
        assert_eq!(text, binary, "{name}");
    }
}
