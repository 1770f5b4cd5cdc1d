//! Allow lists and baselines.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod reports;

use detector::{
    finding::Finding,
    suppress::{Suppressions, write_baseline},
};
use reports::{lock_order, stall};
use std::fs;

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn an_allowed_finding_is_taken_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("[[allow]]\nid = \"{}\"\nreason = \"only in tests\"\n", lock_order().id);
    fs::write(directory.path().join("deadlock-check.toml"), text).unwrap();
    let suppressions = Suppressions::read(directory.path(), None, None).unwrap();
    let (kept, n_suppressed, problems) = suppressions.apply(vec![lock_order(), stall()]);
    assert_eq!((ids(&kept), n_suppressed), (vec![stall().id.as_str()], 1));
    assert_eq!(problems, []);
    let (_, _, problems) = suppressions.apply(vec![]);
    assert!(problems[0].text.contains(&lock_order().id) && !problems[0].fatal);
}

#[test]
fn an_id_has_to_match_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("[[allow]]\nid = \"{}\"\nreason = \"the first one only\"\n", lock_order().id);
    fs::write(directory.path().join("deadlock-check.toml"), text).unwrap();
    let suppressions = Suppressions::read(directory.path(), None, None).unwrap();
    let second = Finding { id: format!("{}-2", lock_order().id), ..lock_order() };
    assert_eq!(suppressions.apply(vec![second]).1, 0);
}

#[test]
fn what_a_baseline_has_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("baseline.json");
    let none = Suppressions::read(directory.path(), None, None).unwrap();
    write_baseline(&path, &none.next_baseline(&[lock_order()])).unwrap();
    let suppressions = Suppressions::read(directory.path(), None, Some(&path)).unwrap();
    let (kept, n_suppressed, _) = suppressions.apply(vec![lock_order(), stall()]);
    assert_eq!((ids(&kept), n_suppressed), (vec![stall().id.as_str()], 1));
    let next = suppressions.next_baseline(&kept);
    assert_eq!(next.len(), 2, "a new baseline keeps what the old one knew");
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    assert!(Suppressions::read(directory.path(), Some(&missing), None).is_err());
    assert!(Suppressions::read(directory.path(), None, Some(&missing)).is_err());
}
