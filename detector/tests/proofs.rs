//! Cycles of locks in recorded traces: which of them a schedule proves, and what is said of the others.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod support;

use std::{fs, process::Command};
use support::Process;

/// Certainty and reason of each finding of a script, whose first thread is the process's.
fn findings(script: &str) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(trace_format::MARKER), "").unwrap();
    fs::write(directory.path().join("7-1-0.events"), Process::new(7).script(script).to_bytes()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    let output = command.arg("check").arg(directory.path()).args(["--format", "json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| (text(finding, "certainty"), text(finding, "why"))).collect()
}

#[track_caller]
fn assert_proven(script: &str) {
    let findings = findings(script);
    assert!(matches!(findings.as_slice(), [(certainty, _)] if certainty == "proven"), "{findings:?}\n{script}");
}

#[track_caller]
fn assert_possible(script: &str, reason: &str) {
    let findings = findings(script);
    assert_eq!(findings.len(), 1, "{findings:?}\n{script}");
    let (certainty, why) = &findings[0];
    assert!(certainty == "possible" && why.starts_with(reason), "{certainty}: {why}\n{script}");
}

const NONE_FOUND: &str = "no schedule was found in which everybody sees what it saw";

#[test]
fn opposite_orders_are_proven() {
    assert_proven(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B~rw | rel A~rwl
         t2: acq B@3 | acq A@4 | rel A~rw | rel B~rwl",
    );
}

#[test]
fn who_looks_at_the_data_before_it_goes_on_may_depend_on_it() {
    // The second thread read, before it wanted A, what the first one wrote while it held both.
    assert_possible(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B~w | rel A
         t2: acq B@3 | acq A@4 | rel A | rel B~r",
        NONE_FOUND,
    );
    // What it saw is what was there at first.
    assert_proven(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B~r | rel A
         t2: acq B@3 | acq A@4 | rel A | rel B~r",
    );
}

#[test]
fn a_flag_under_a_mutex_keeps_threads_apart() {
    assert_possible(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B | rel A | acq Done@5 | rel Done~w
         t2: acq Done@6 | rel Done~r | acq B@3 | acq A@4 | rel A | rel B",
        NONE_FOUND,
    );
    // Nobody looked at it.
    assert_proven(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B | rel A | acq Done@5 | rel Done~w
         t2: acq Done@6 | rel Done | acq B@3 | acq A@4 | rel A | rel B",
    );
}

#[test]
fn sections_may_have_to_change_places() {
    // The second thread has to be through G before the first one, which keeps it.
    let script = |touched: &str| {
        format!(
            "t0: fork t1 | fork t2
             t1: acq G@5 | acq A@1 | acq B@2 | rel B | rel A | rel G{touched}
             t2: acq G@6 | rel G{touched} | acq B@3 | acq A@4 | rel A | rel B"
        )
    };
    assert_proven(&script(""));
    assert!(findings(&script(""))[0].1.contains("in another order"));
    assert_possible(&script("~w"), NONE_FOUND);
}

#[test]
fn readers_block_writers() {
    assert_proven(
        "t0: fork t1 | fork t2
         t1: read R@1 | acq B@2 | rel B~w | rel R~r
         t2: acq B@3 | acq R@4 | rel R~wl | rel B~wl",
    );
}

#[test]
fn what_is_missing_is_named() {
    let lost = "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B | rel A | lost
         t2: acq B@3 | acq A@4 | rel A | rel B";
    assert_possible(lost, "no schedule was looked for, since some of its events are missing");
    let unknown_start = "t1: acq A@1 | acq B@2 | rel B | rel A
         t2: acq B@3 | acq A@4 | rel A | rel B";
    assert_possible(unknown_start, "a schedule was found, but it was not recorded who started its threads");
    // They were started by one thread, of which nothing is known: so they are ordered by nothing else.
    assert_proven(
        "t9: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B | rel A
         t2: acq B@3 | acq A@4 | rel A | rel B",
    );
    assert_possible(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B | rel A
         t2: look A | acq B@3 | acq A@4 | rel A | rel B",
        "a schedule was found, but a thread in it found out that something was not so, or looked",
    );
}
