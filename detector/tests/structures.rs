//! Lock-free structures as users write them: of the broken ones the race is told, with the right lines and the ordering that
//! would repair it, of the correct ones nothing.
//!
//! `CI_FULL=1` runs each of them ten thousand times, two threads with a thousand operations each.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail like tests, and say counts"
)]

#[path = "support/outside.rs"]
mod outside;

use outside::{findings, outside, program, read_report, tool};
use serde_json::Value;
use std::{env, fs};

/// What a run of a program with this many runs of a structure came to.
struct Ran {
    report: Value,
    n_overlapping: usize,
}

fn run(structure: &str, version: &str, runs: usize, operations: usize) -> Ran {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap(), "--"]);
    let arguments = [structure, version, &runs.to_string(), &operations.to_string()];
    let output = command.arg(program("structures")).args(arguments).output().unwrap();
    let (report, _) = read_report(report.path(), &output);
    let counted = String::from_utf8(output.stdout).unwrap();
    let n_overlapping =
        counted.trim().parse().unwrap_or_else(|_| panic!("{structure} {version}: {counted:?} {report:#}"));
    let n_events = report["stats"]["events"].as_u64().unwrap();
    // Each operation is one of an atomic variable at least.
    assert!(n_events >= (2 * runs * operations) as u64, "{structure} {version}: only {n_events} events");
    assert_eq!(report["stats"]["lost"], 0, "{structure} {version}");
    Ran { report, n_overlapping }
}

/// Runs of each process, and how many of these: the traces of more would not fit into memory at once.
fn sizes() -> (usize, usize) {
    if env::var_os("CI_FULL").is_some() { (500, 20) } else { (20, 1) }
}

fn line_in(structure: &str, version: &str, mark: &str) -> Option<u64> {
    let file = outside().0.join(format!("src/bin/structures/{version}/{structure}.rs"));
    let source = fs::read_to_string(file).unwrap();
    let line = source.lines().position(|line| line.ends_with(&format!("// {mark}")))?;
    Some(line as u64 + 1)
}

/// Runs a structure as often as is wanted; how many runs overlapped, and the findings.
fn all(structure: &str, version: &str) -> (usize, Vec<Value>) {
    let (runs, processes) = sizes();
    let mut found = Vec::new();
    let mut n_overlapping = 0;
    for _ in 0..processes {
        let ran = run(structure, version, runs, 1000);
        n_overlapping += ran.n_overlapping;
        found.push(findings(&ran.report).clone());
    }
    println!("{structure} {version}: {n_overlapping} of {} runs overlapped", runs * processes);
    assert!(n_overlapping > 0, "{structure} {version}: the threads never met");
    (n_overlapping, found.into_iter().flatten().collect())
}

/// A thread that the system stopped in the middle of an atomic operation, for longer than others wait, leaves one that is not
/// numbered. What is told of such a run is a note, also of a correct structure.
fn is_uncertain(finding: &Value) -> bool {
    finding["certainty"] == "hazard" && finding["why"].as_str().unwrap().contains("could not be numbered")
}

fn assert_silent(structure: &str) {
    let (_, mut found) = all(structure, "correct");
    found.retain(|finding| !is_uncertain(finding));
    assert!(found.is_empty(), "{structure}: {found:#?}");
}

fn assert_told(structure: &str) {
    let (_, mut found) = all(structure, "broken");
    found.retain(|finding| !is_uncertain(finding));
    let lines: Vec<u64> = ["races", "races too"].iter().filter_map(|mark| line_in(structure, "broken", mark)).collect();
    assert!(!found.is_empty(), "{structure}: nothing was found");
    for finding in &found {
        assert_eq!((&finding["code"], &finding["certainty"]), (&"data-race".into(), &"observed".into()), "{finding:#}");
        for access in finding["accesses"].as_array().unwrap() {
            assert!(lines.contains(&access["at"]["line"].as_u64().unwrap()), "{structure}: {lines:?} {finding:#}");
        }
    }
    let Some(store) = line_in(structure, "broken", "store") else { return };
    let says = |finding: &Value| {
        let notes = finding["notes"].as_array().unwrap();
        notes.iter().any(|note| note.as_str().unwrap().contains(&format!("{structure}.rs:{store}")))
    };
    assert!(found.iter().any(says), "{structure}: nobody names line {store}: {found:#?}");
}

macro_rules! structures {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn a_correct_one_is_not_accused() {
                super::assert_silent(stringify!($name));
            }

            #[test]
            fn a_broken_one_is_told() {
                super::assert_told(stringify!($name));
            }
        })*
    };
}

structures!(spin_lock seqlock treiber_stack counted once_cell ring);
