//! Hangs that another schedule of a written trace reaches, and that are not cycles of locks alone: what is said of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

mod support;

use std::{fs, path::Path, process::Command};
use support::Process;

/// What the tool says, on standard output.
fn tool(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.current_dir(directory).args(arguments).env_remove("NO_COLOR");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The findings in the trace of a script, as JSON, and the only one of them with its schedule, for people.
fn told(script: &str) -> (Vec<serde_json::Value>, String) {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    fs::create_dir(&trace).unwrap();
    fs::write(trace.join(trace_format::MARKER), "").unwrap();
    fs::write(trace.join("7-1-0.events"), Process::new(7).script(script).to_bytes()).unwrap();
    let json = tool(directory.path(), &["check", "trace", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let findings = report["findings"].as_array().unwrap().clone();
    let id = findings.first().map_or("", |finding| finding["id"].as_str().unwrap());
    let text = tool(directory.path(), &["explain", id, "trace"]);
    (findings, text)
}

/// The only finding, for people, after a look at what the JSON says of its schedule.
fn explained(script: &str) -> String {
    let (findings, text) = told(script);
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(finding["code"], "predicted-deadlock");
    let steps = finding["witness"].as_array().unwrap();
    let numbers: Vec<u64> = steps.iter().map(|step| step["step"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let blocks: Vec<_> = steps.iter().filter(|step| step["op"] == "block").collect();
    let is_of_edge = |step: &serde_json::Value| {
        let mut edges = finding["edges"].as_array().unwrap().iter();
        edges.any(|edge| {
            ["thread", "wants", "wanted_mode"].map(|field| &edge[field])
                == ["thread", "object", "mode"].map(|field| &step[field])
        })
    };
    assert!(!blocks.is_empty() && blocks.iter().all(|step| is_of_edge(step)), "{finding:#}");
    text
}

#[test]
fn a_circle_through_a_channel() {
    insta::assert_snapshot!(explained(
        "t0: unbounded C | fork t1
         t1: acq A@1 | rel A | send C@2 | end
         t0: acq A@3 | recv C@4 | rel A | join t1@5"
    ));
}

#[test]
fn a_circle_through_a_join() {
    insta::assert_snapshot!(explained(
        "t0: fork t1
         t1: acq A@1 | rel A | end
         t0: acq A@2 | join t1@3 | rel A"
    ));
}

#[test]
fn a_circle_of_three_kinds() {
    insta::assert_snapshot!(explained(
        "t0: unbounded C | fork t1 | fork t2
         t2: acq A@1 | rel A | end
         t1: join t2@2 | send C@3 | end
         t0: acq A@4 | recv C@5 | rel A | join t1@6"
    ));
}

#[test]
fn a_notify_that_may_come_too_early() {
    insta::assert_snapshot!(explained(
        "t0: fork t1
         t1: acq A@1 | wait K A@2
         t0: notify K@3
         t1: woken K A@2 | rel A~r | end
         t0: join t1@4"
    ));
}

#[test]
fn two_unparks_that_may_come_before_the_first_park() {
    insta::assert_snapshot!(explained(
        "t0: fork t1 | unpark t1@1
         t1: park@2
         t0: unpark t1@3
         t1: park@4 | end
         t0: join t1@5"
    ));
}

#[test]
fn a_wait_that_was_not_needed_with_a_lock_that_the_other_one_needs() {
    insta::assert_snapshot!(explained(
        "t0: fork t1
         t1: acq B@1 | rel B | acq A@2 | rel A~w | notify K@3 | end
         t0: acq B@4 | acq A@5 | pass K A@6 | rel A~r | rel B | join t1@7"
    ));
}

#[test]
fn a_wait_that_was_not_needed_and_that_nobody_ends() {
    insta::assert_snapshot!(explained(
        "t0: fork t1
         t1: acq A@1 | rel A~w | end
         t0: acq A@2 | pass K A@3 | rel A~r | join t1@4"
    ));
}

#[test]
fn what_cannot_hang_is_not_told_of() {
    let of_right_programs = [
        // The guard is dropped before the wait.
        "t0: unbounded C | fork t1
         t1: acq A@1 | rel A | send C@2 | end
         t0: acq A@3 | rel A | recv C@4 | join t1@5",
        // What is sent does not wait for the lock.
        "t0: unbounded C | fork t1
         t1: send C@2 | acq A@1 | rel A | end
         t0: acq A@3 | recv C@4 | rel A | join t1@5",
        // Nobody comes to the lock before it is held no more.
        "t0: acq A@2 | rel A | fork t1
         t1: acq A@1 | rel A | end
         t0: join t1@3",
        // Who changes the condition notifies under the lock.
        "t0: fork t1
         t1: acq A@1 | wait K A@2
         t0: acq A@3 | notify K@4 | rel A~w
         t1: woken K A@2 | rel A~r | end
         t0: join t1@5",
        "t0: fork t1
         t1: acq A@1 | notify K@2 | rel A~w | end
         t0: acq A@3 | pass K A@4 | rel A~r | join t1@5",
        // The lock that is looked under guards something, but not the condition: who changes that goes through the lock, then notifies.
        "t0: fork t1
         t1: acq A@1 | wait K A@2
         t0: acq A@3 | rel A | notify K@4
         t1: woken K A@2 | rel A~r | end
         t0: join t1@5",
        // What it finds when it comes earlier, behind the first section of t1, is what nobody was seen to wait with.
        "t0: fork t1 | fork t2
         t1: acq A@1 | notify K@2 | rel A~w | end
         t2: acq A@6 | rel A~w | end
         t0: acq A@3 | pass K A@4 | rel A~r | join t1@5 | join t2@5",
    ];
    for script in of_right_programs {
        let (findings, _) = told(script);
        assert!(findings.is_empty(), "{script}\n{findings:#?}");
    }
}
