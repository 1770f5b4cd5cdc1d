//! Races of public traces: as many as published engines find.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    history::{History, Kind},
    race::{self, Rule},
    source,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

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
        assert_eq!(by_epochs(&history), epochs, "{name}, by epochs");
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

type Clock = Vec<u64>;

/// What an engine by epochs remembers of a variable's reads.
enum Reads {
    Last(usize, u64),
    Shared(Clock),
}

/// The rule by which RAPID's engine by epochs counts: of writes it remembers the last one; of reads the last one, or of each
/// thread one if they are not ordered, but none that raced; and where a write finds such a list, it forgets it.
fn by_epochs(history: &History) -> Count {
    let n = history.threads.len();
    let mut threads: Vec<Clock> = (0..n).map(|own| (0..n).map(|other| u64::from(other == own)).collect()).collect();
    let mut locks: BTreeMap<u32, Clock> = BTreeMap::new();
    let mut writes: BTreeMap<u32, (usize, u64)> = BTreeMap::new();
    let mut reads: BTreeMap<u32, Reads> = BTreeMap::new();
    let (mut racy, mut places) = (0, BTreeSet::new());
    for operation in &history.operations {
        let (own, target) = (operation.thread as usize, operation.target);
        let other = target as usize;
        let after_write = |writes: &BTreeMap<u32, (usize, u64)>, clock: &Clock| {
            writes.get(&target).is_none_or(|(writer, time)| *time <= clock[*writer])
        };
        let mut is_racy = false;
        match operation.kind {
            Kind::Acquire => join(&mut threads[own], locks.get(&target).map_or(&[], |clock| clock)),
            Kind::Release => {
                locks.insert(target, threads[own].clone());
                threads[own][own] += 1;
            }
            Kind::Fork => {
                let clock = threads[own].clone();
                join(&mut threads[other], &clock);
                threads[own][own] += 1;
            }
            Kind::Join => {
                let clock = threads[other].clone();
                join(&mut threads[own], &clock);
            }
            Kind::Read if !after_write(&writes, &threads[own]) => is_racy = true,
            Kind::Read => note_read(&mut reads, target, own, &threads[own]),
            Kind::Write => {
                is_racy = !after_write(&writes, &threads[own]);
                match reads.get(&target) {
                    Some(Reads::Last(reader, time)) => is_racy |= *time > threads[own][*reader],
                    Some(Reads::Shared(clock)) => {
                        is_racy |= clock.iter().zip(&threads[own]).any(|(read, known)| read > known);
                        reads.remove(&target);
                    }
                    None => {}
                }
                writes.insert(target, (own, threads[own][own]));
            }
            _ => {}
        }
        if is_racy {
            racy += 1;
            places.insert(operation.place);
        }
    }
    (racy, places.len() as u64)
}

fn note_read(reads: &mut BTreeMap<u32, Reads>, variable: u32, own: usize, clock: &Clock) {
    let now = clock[own];
    let noted = match reads.remove(&variable) {
        Some(Reads::Shared(mut shared)) => {
            shared[own] = now;
            Reads::Shared(shared)
        }
        Some(Reads::Last(reader, time)) if time > clock[reader] => {
            let mut shared = vec![0; clock.len()];
            (shared[reader], shared[own]) = (time, now);
            Reads::Shared(shared)
        }
        _ => Reads::Last(own, now),
    };
    reads.insert(variable, noted);
}

fn join(clock: &mut Clock, other: &[u64]) {
    for (own, other) in clock.iter_mut().zip(other) {
        *own = (*own).max(*other);
    }
}
