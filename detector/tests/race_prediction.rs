//! Races that the prediction finds in public traces, and in histories with known truth.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    history::{History, Kind, Operation, Resource},
    prediction::{
        self, Refuted, Replay, Schedule,
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

/// A history of which thread does what with which target, with one resource.
fn made(resource: Resource, operations: &[(u32, Kind, u32)]) -> History {
    let mut history = History::default();
    history.resources.kinds.push(resource);
    for name in ["0", "1", "2"] {
        history.threads.number(name);
        history.locks.number(name);
        history.variables.number(name);
    }
    let operation =
        |(place, (thread, kind, target)): (u32, &(u32, Kind, u32))| Operation::new(*thread, *kind, *target, place);
    history.operations.extend((0..).zip(operations).map(operation));
    for place in 0..operations.len() {
        history.places.number(&place.to_string());
    }
    history
}

/// The accesses that race.
fn found(history: &History) -> Vec<[u32; 2]> {
    let races = prediction::races(history, &|variable| variable == 0, WORK_MAX);
    assert!(races.failed.is_empty() && !races.is_cut_short, "{:?}", races.failed);
    races.found.iter().map(|race| race.accesses).collect()
}

/// One takes a permit, writes and gives it back, and the other one after it.
const GUARDED: [(u32, Kind, u32); 6] = [
    (0, Kind::Take, 0),
    (0, Kind::Write, 0),
    (0, Kind::Give, 0),
    (1, Kind::Take, 0),
    (1, Kind::Write, 0),
    (1, Kind::Give, 0),
];

#[test]
fn one_permit_keeps_accesses_apart_and_two_do_not() {
    assert_eq!(found(&made(Resource::Permits(1), &GUARDED)), [] as [[u32; 2]; 0]);
    let two = made(Resource::Permits(2), &GUARDED);
    let races = prediction::races(&two, &|_| true, WORK_MAX);
    let [race] = races.found.as_slice() else { unreachable!("{races:?}") };
    let steps: Vec<u32> = race.schedule.steps(&two).collect();
    assert_eq!((race.accesses, steps), ([1, 4], vec![0, 3]), "both have a permit");
}

#[test]
fn what_others_give_is_waited_for() {
    // The permit that the second one takes was given before the first write, or behind it.
    let before = [(0, Kind::Give, 0), (0, Kind::Write, 0), (1, Kind::Take, 0), (1, Kind::Write, 0)];
    assert_eq!(found(&made(Resource::Permits(0), &before)), [[1, 3]]);
    let behind = [(0, Kind::Write, 0), (0, Kind::Give, 0), (1, Kind::Take, 0), (1, Kind::Write, 0)];
    assert_eq!(found(&made(Resource::Permits(0), &behind)), [] as [[u32; 2]; 0]);
    // The second of two writes is behind what is given.
    let both = [(0, Kind::Write, 0), (0, Kind::Give, 0), (0, Kind::Write, 0), (1, Kind::Take, 0), (1, Kind::Write, 0)];
    let mut both = made(Resource::Permits(0), &both);
    both.operations[2].place = 0;
    assert_eq!(found(&both), [[2, 4]]);
}

#[test]
fn only_data_races_and_what_else_is_read_keeps_its_order() {
    let operations = [(0, Kind::Write, 0), (0, Kind::Write, 1), (1, Kind::Read, 1), (1, Kind::Write, 0)];
    assert_eq!(found(&made(Resource::Opaque, &operations)), [] as [[u32; 2]; 0]);
    // Without the read the other variable says nothing, though its writes would race too.
    let operations = [(0, Kind::Write, 0), (0, Kind::Write, 1), (1, Kind::Write, 1), (1, Kind::Write, 0)];
    assert_eq!(found(&made(Resource::Opaque, &operations)), [[0, 3]]);
}

#[test]
fn what_its_own_access_reads_makes_no_difference() {
    let operations = [(0, Kind::Write, 0), (1, Kind::Read, 0), (1, Kind::Write, 0)];
    // The second write comes behind the read, which is in what has to happen before it.
    assert_eq!(found(&made(Resource::Opaque, &operations)), [[0, 1]]);
}

#[test]
fn what_runs_before_a_thread_is_started_races_with_nothing_in_it() {
    let operations = [(0, Kind::Write, 0), (0, Kind::Fork, 1), (1, Kind::Write, 0), (0, Kind::Write, 0)];
    let history = made(Resource::Opaque, &operations);
    assert_eq!(found(&history), [[2, 3]]);
    let races = prediction::races(&history, &|_| true, WORK_MAX);
    assert_eq!(races.found[0].schedule, Schedule::InOrder(vec![2, 0, 0]), "the fork, and what is before it");
}

#[test]
fn a_lock_that_another_thread_releases_keeps_nothing_apart() {
    // The guard went to the other thread, which drops it before it writes: nothing says when, but the trace.
    let operations =
        [(0, Kind::Acquire, 0), (1, Kind::Release, 0), (0, Kind::Write, 0), (1, Kind::Acquire, 0), (1, Kind::Write, 0)];
    assert_eq!(found(&made(Resource::Opaque, &operations)), [[2, 4]]);
}

#[test]
fn what_another_thread_sees_between_two_writes_tells_them_apart() {
    // The third thread's section has to end before the second one's; it began before the first write, and sees what was written
    // between the first and the second.
    let operations = [
        (2, Kind::Acquire, 0),
        (2, Kind::Write, 2),
        (0, Kind::Read, 2),
        (0, Kind::Write, 0),
        (0, Kind::Write, 1),
        (0, Kind::Write, 0),
        (2, Kind::Read, 1),
        (2, Kind::Release, 0),
        (1, Kind::Acquire, 0),
        (1, Kind::Release, 0),
        (1, Kind::Write, 0),
    ];
    assert_eq!(found(&made(Resource::Opaque, &operations)), [[5, 10]]);
}

#[test]
fn a_race_is_told_once_for_its_places_and_work_is_bounded() {
    let mut operations = Vec::new();
    for _ in 0..10 {
        operations.extend([(0, Kind::Write, 0), (1, Kind::Read, 1)]);
    }
    for _ in 0..10 {
        operations.extend([(1, Kind::Write, 0), (0, Kind::Write, 1)]);
    }
    let mut history = made(Resource::Opaque, &operations);
    for operation in &mut history.operations {
        operation.place = operation.thread;
    }
    let races = prediction::races(&history, &|variable| variable == 0, WORK_MAX);
    assert_eq!(races.found.iter().map(|race| (race.accesses, race.count)).collect::<Vec<_>>(), [([0, 20], 10)]);
    assert!(!races.is_cut_short);
    let races = prediction::races(&history, &|variable| variable == 0, 10);
    assert!(races.found.is_empty() && races.is_cut_short, "{races:?}");
}

#[test]
fn a_schedule_that_leads_elsewhere_is_refuted() {
    let operations = [(0, Kind::Write, 0), (0, Kind::Write, 0), (1, Kind::Read, 1), (1, Kind::Read, 0)];
    let history = made(Resource::Opaque, &operations);
    let replay = Replay::new(&history);
    let check = |steps: &[u32], accesses| replay.check_race(&Schedule::Steps(steps.to_vec()), accesses);
    assert_eq!(check(&[0, 2], [1, 3]), Ok(()));
    assert_eq!(check(&[0], [1, 3]), Err(Refuted::OutOfTurn(3)), "another read is before it");
    assert_eq!(check(&[0], [1, 2]), Err(Refuted::NotConflicting(2)), "another variable");
    assert_eq!(check(&[0, 2], [3, 3]), Err(Refuted::NotConflicting(3)), "one access");
}
