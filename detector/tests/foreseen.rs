//! Programs as users write them: those that cannot hang are not reported, of those that can it is said how.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "support/outside.rs"]
mod outside;

use outside::{findings, outside, program, run_command};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

const FILE: &str = "src/bin/foreseen.rs";

/// Runs of a correct program: their schedules differ.
const RUNS: usize = 3;

/// Runs of a program that can hang. It may do so.
const TRIES: usize = 5;

const RIGHT: &[&str] = &[
    "stop_through_the_lock",
    "notify_if_it_was_empty",
    "notify_if_it_was_empty_in_batches",
    "notify_if_somebody_waits",
    "two_conditions_of_one_variable",
    "bounded_queue",
    "join_under_a_lock_after_a_message",
    "enough_permits_one_by_one",
    "lock_over_a_barrier_that_the_other_comes_to_first",
    "send_to_a_full_channel_under_a_lock_of_the_senders",
];

/// The line in the function `name` that ends with `// mark`.
fn line_in(name: &str, mark: &str) -> u64 {
    let source = fs::read_to_string(outside().0.join(FILE)).unwrap();
    let mut lines = source.lines().zip(1..).skip_while(|(line, _)| *line != format!("fn {name}() {{"));
    let mark = format!("// {mark}");
    lines.find(|(line, _)| line.ends_with(&mark)).unwrap_or_else(|| panic!("{name}: no {mark}")).1
}

/// The findings of a run that ended, after some tries if it hung.
fn foreseen(name: &str) -> Vec<Value> {
    for _ in 0..TRIES {
        let (report, _) = run_command(&[], &program("foreseen"), &[name]);
        if report["program"]["exit"] == 0 {
            return findings(&report).clone();
        }
    }
    panic!("{name} hangs each time");
}

/// There is one finding, this sure, and these are the lines at which its threads wait.
fn assert_foreseen(name: &str, certainty: &str, marks: &[&str]) {
    let findings = foreseen(name);
    let [finding] = findings.as_slice() else { panic!("{name}: {findings:#?}") };
    assert_eq!((&finding["code"], &finding["certainty"]), (&"predicted-deadlock".into(), &certainty.into()), "{name}");
    let edges = finding["edges"].as_array().unwrap().iter();
    let lines: BTreeSet<u64> = edges.map(|edge| edge["wanted_at"]["line"].as_u64().unwrap()).collect();
    for mark in marks {
        assert!(lines.contains(&line_in(name, mark)), "{name}: `{mark}` is not among {lines:?}\n{finding:#}");
    }
}

#[test]
fn what_cannot_hang_is_not_reported() {
    for name in RIGHT {
        for _ in 0..RUNS {
            let (report, status) = run_command(&["--deny", "hazard"], &program("foreseen"), &[name]);
            assert_eq!((findings(&report).len(), status), (0, 0), "{name}: {report:#}");
        }
    }
}

#[test]
fn circles_are_proven() {
    for name in [
        "last_at_the_barrier_holds_the_lock",
        "reader_waits_for_a_message_of_a_writer",
        "chain_of_full_channels_under_a_lock",
        "answer_for_another_client_needs_the_lock",
        "latch_under_a_lock",
        "join_under_a_lock_through_two_levels",
    ] {
        assert_foreseen(name, "proven", &["waits", "wants"]);
    }
    assert_foreseen("guard_that_outlives_its_scope", "proven", &["wants"]);
}

#[test]
fn who_alone_makes_room_can_wait_for_room() {
    let name = "worker_feeds_its_own_bounded_queue";
    assert_foreseen(name, "proven", &["waits"]);
    let title = foreseen(name)[0]["title"].as_str().unwrap().to_owned();
    assert!(title.contains("can wait for itself"), "{title}");
}

#[test]
fn a_notify_before_the_change_that_it_tells_of_can_be_lost() {
    assert_foreseen("flag_that_is_set_behind_the_notify", "proven", &["waits"]);
}

#[test]
fn a_notify_for_one_of_two_is_not_enough() {
    assert_foreseen("one_notify_for_two_that_wait", "possible", &["waits"]);
}
