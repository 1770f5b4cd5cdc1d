//! Programs as users write them that share data without a lock around each access: those whose accesses are ordered are not
//! accused, of the others both accesses are told, and the ordering that would mend them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "support/outside.rs"]
mod outside;

use outside::{findings, outside, program, run_command};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

const FILE: &str = "src/bin/races.rs";

/// Runs of a correct program: their schedules differ.
const RUNS: usize = 3;

const RIGHT: &[&str] = &[
    "forks_and_joins",
    "scope_after_scope",
    "readers_only",
    "under_a_lock",
    "under_a_read_write_lock",
    "through_messages",
    "through_the_end_of_messages",
    "bounded_channel_as_a_lock",
    "rendezvous",
    "through_a_condition",
    "round_after_round",
    "behind_a_latch",
    "one_permit",
    "parked_until",
    "initialised_once",
    "published",
    "published_behind_fences",
    "counted_up_from_what_was_published",
    "taken_by_compare_exchange",
    "alone",
    "cells_that_move",
    "memory_that_is_used_again",
    "fields_side_by_side",
    "last_of_those_who_share",
    "said_by_hand",
];

/// The line in the function `name` that ends with `// mark`.
fn line_in(name: &str, mark: &str) -> Option<u64> {
    let source = fs::read_to_string(outside().0.join(FILE)).unwrap();
    let mut lines = source.lines().zip(1..).skip_while(|(line, _)| *line != format!("fn {name}() {{"));
    let mark = format!("// {mark}");
    let mut lines = lines.by_ref().take_while(|(line, _)| *line != "}");
    lines.find(|(line, _)| line.ends_with(&mark)).map(|(_, line)| line)
}

/// The one finding of a run.
fn told(name: &str) -> Value {
    let (report, status) = run_command(&[], &program("races"), &[name]);
    let findings = findings(&report);
    let [finding] = findings.as_slice() else { panic!("{name}: {findings:#?}") };
    assert_eq!((&finding["code"], status), (&"data-race".into(), 1), "{name}");
    finding.clone()
}

/// A run has one finding, this sure, and these are the lines of its accesses.
fn assert_told(name: &str, certainty: &str) -> Value {
    let finding = told(name);
    assert_eq!(finding["certainty"], certainty, "{name}: {finding:#}");
    let accesses = finding["accesses"].as_array().unwrap().iter();
    let lines: BTreeSet<_> = accesses.map(|access| access["at"]["line"].as_u64()).collect();
    let expected = BTreeSet::from(["first", "second"].map(|mark| line_in(name, mark)));
    assert_eq!(lines, expected, "{name}: {finding:#}");
    finding
}

#[test]
fn what_is_ordered_is_not_accused() {
    for name in RIGHT {
        for _ in 0..RUNS {
            let (report, status) = run_command(&["--deny", "hazard"], &program("races"), &[name]);
            assert_eq!((findings(&report).len(), status), (0, 0), "{name}: {report:#}");
        }
    }
}

#[test]
fn what_nothing_orders_is_told_with_both_lines() {
    for name in [
        "nothing_in_between",
        "flag_before_the_data",
        "written_under_a_shared_lock",
        "one_lock_each",
        "used_behind_the_message",
        "atomic_and_not",
        "freed_too_early",
    ] {
        assert_told(name, "observed");
    }
}

#[test]
fn a_weak_ordering_is_named_with_what_would_repair_it() {
    for name in ["published_too_weakly", "looked_at_too_weakly", "one_fence_is_missing"] {
        let finding = assert_told(name, "observed");
        let line = line_in(name, "repair").unwrap();
        let notes = finding["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap());
        assert!(notes.clone().any(|note| note.contains(&format!("races.rs:{line}"))), "{name}: {finding:#}");
    }
}

#[test]
fn what_the_run_kept_apart_by_chance_is_proven() {
    for name in ["hidden_by_the_order_of_a_lock", "one_permit_too_many"] {
        let finding = assert_told(name, "proven");
        let steps = finding["witness"].as_array().unwrap();
        assert!(steps.len() >= 2, "{name}: {finding:#}");
    }
}
