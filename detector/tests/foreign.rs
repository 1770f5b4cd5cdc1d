//! `check` on traces of others: what is known to deadlock in public ones, and patterns with known truth. Their races are
//! counted elsewhere (`race_counts`, `race_prediction`).
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Certainty, title and reason of each finding, and the problems.
fn check(path: &Path) -> (Vec<[String; 3]>, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    let output = command
        .arg("check")
        .arg(path)
        .args(["--format", "json", "--only", "lock-order,predicted-deadlock"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings =
        findings.map(|found| ["certainty", "title", "why"].map(|key| found[key].as_str().unwrap().to_owned()));
    let problems = report["problems"].as_array().unwrap().iter().map(ToString::to_string).collect();
    (findings.collect(), problems)
}

fn check_text(text: &str) -> Vec<[String; 3]> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.std");
    fs::write(&path, text).unwrap();
    check(&path).0
}

/// The counts that several public engines and an exhaustive search agree on, with the acquire's place in the key.
#[test]
fn public_traces_have_the_deadlocks_that_they_are_known_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces/deadlock");
    let expected = [
        ("Account", 0),
        ("Bensalem", 1),
        ("Bensalem_dlf", 2),
        ("Dbcp2", 0),
        ("Deadlock", 0),
        ("DiningPhil", 1),
        ("StringBuffer", 2),
        ("Transfer", 0),
        ("cache4j_dlf", 0),
    ];
    let paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for (name, n) in expected {
        let is_it = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().split('.').next() == Some(name);
        let (findings, _) = check(paths.iter().find(is_it).unwrap());
        assert_eq!(findings.len(), n, "{name}: {findings:?}");
        assert!(findings.iter().all(|[certainty, ..]| certainty == "proven"), "{name}: {findings:?}");
    }
    assert_eq!(paths.len(), expected.len(), "a trace that nobody expects");
}

/// Nested sections of a thread, one in the other, each with its place.
fn nest(thread: &str, locks: &[&str], place: u32) -> String {
    let acquires = (place..).zip(locks).map(|(place, lock)| format!("{thread}|acq({lock})|{place}\n"));
    let releases =
        (place + 50..).zip(locks.iter().rev()).map(|(place, lock)| format!("{thread}|rel({lock})|{place}\n"));
    acquires.chain(releases).collect()
}

#[test]
fn cycles_of_any_length_are_proven() {
    let text = [
        nest("T1", &["A", "B"], 100),
        nest("T2", &["B", "C"], 200),
        nest("T3", &["C", "D"], 300),
        nest("T4", &["D", "A"], 400),
    ];
    let findings = check_text(&text.concat());
    assert!(matches!(findings.as_slice(), [[certainty, title, _]] if certainty == "proven" && title.contains("`T4`")));
}

#[test]
fn what_cannot_happen_is_not_reported() {
    let gate = [nest("T1", &["G", "A", "B"], 100), nest("T2", &["G", "B", "A"], 200)].concat();
    let one_thread = [nest("T1", &["A", "B"], 100), nest("T1", &["B", "A"], 200)].concat();
    let read_from = [&nest("T1", &["A", "B"], 100), "T1|w(V)|1\nT2|r(V)|2\n", &nest("T2", &["B", "A"], 200)].concat();
    let fork = [&nest("T1", &["A", "B"], 100), "T1|fork(T2)|1\n", &nest("T2", &["B", "A"], 200)].concat();
    let join = [&nest("T2", &["A", "B"], 100), "T1|join(T2)|1\n", &nest("T1", &["B", "A"], 200)].concat();
    for text in [gate, one_thread, read_from, fork, join] {
        assert_eq!(check_text(&text), [] as [[String; 3]; 0], "{text}");
    }
}

#[test]
fn what_rests_on_a_contradiction_is_not_proven() {
    let text = [&nest("T1", &["A", "B"], 100), "T3|rel(B)|1\n", &nest("T2", &["B", "A"], 200)].concat();
    let findings = check_text(&text);
    let [[certainty, _, why]] = findings.as_slice() else { unreachable!("{findings:?}") };
    assert!(certainty == "possible" && why.contains("contradicts itself about, when `B`"), "{certainty}: {why}");
}
