//! `check` on written traces: exit statuses, suppressions, colours, and what may be wrong with a trace.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use support::Process;

const INVERSION: &str = "
    t1: acq A@1 | acq B@2 | rel B | rel A
    t2: acq B@3 | acq A@4 | rel A | rel B
";

/// A directory with a trace of one process in `trace`.
fn with_trace(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    fs::create_dir(&trace).unwrap();
    fs::write(trace.join(trace_format::MARKER), "").unwrap();
    fs::write(trace.join("7-1-0.events"), Process::new(7).script(script).to_bytes()).unwrap();
    directory
}

fn check(directory: &Path, args: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.current_dir(directory).args(["check", "trace"]).args(args).env_remove("NO_COLOR");
    let Output { status, stdout, stderr } = command.envs(environment.iter().copied()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + str::from_utf8(&stderr).unwrap())
}

fn ids(directory: &Path) -> Vec<String> {
    let (_, json) = check(directory, &["--format", "json"], &[]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn findings_exit_1_unless_told_otherwise() {
    let directory = with_trace(INVERSION);
    for (args, expected) in [
        (&[][..], 1),
        (&["--error-exitcode", "42"], 42),
        (&["--deny", "proven"], 0),
        (&["--only", "self-deadlock,stall"], 0),
        (&["--only", "lock-order"], 1),
        (&["--format", "short"], 1),
        (&["--format", "json"], 1),
    ] {
        let (status, text) = check(directory.path(), args, &[]);
        assert_eq!(status, expected, "{args:?}\n{text}");
    }
    assert_eq!(check(with_trace("t1: acq A@1 | rel A").path(), &[], &[]).0, 0);
}

#[test]
fn an_inversion_names_locks_threads_and_places() {
    let (_, text) = check(with_trace(INVERSION).path(), &[], &[]);
    for part in
        ["possible deadlock[lock-order]", "in opposite orders", "src/main.rs:1:5", "src/main.rs:4:5", "= help: take"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn an_allowed_id_is_suppressed_and_counted() {
    let directory = with_trace(INVERSION);
    let ids = ids(directory.path());
    assert_eq!(ids.len(), 1);
    let allow = format!("[[allow]]\nid = \"{}\"\nreason = \"known\"\n", ids[0]);
    fs::write(directory.path().join("deadlock-check.toml"), &allow).unwrap();
    let (status, text) = check(directory.path(), &[], &[]);
    assert_eq!(status, 0);
    assert!(text.contains("no findings; 1 suppressed"), "{text}");
    fs::rename(directory.path().join("deadlock-check.toml"), directory.path().join("other.toml")).unwrap();
    assert_eq!(check(directory.path(), &[], &[]).0, 1);
    assert_eq!(check(directory.path(), &["--config", "other.toml"], &[]).0, 0);
}

#[test]
fn a_written_baseline_suppresses_what_was_found() {
    let directory = with_trace(INVERSION);
    assert_eq!(check(directory.path(), &["--write-baseline", "b.json"], &[]).0, 1);
    assert_eq!(check(directory.path(), &["--baseline", "b.json"], &[]).0, 0);
}

#[test]
fn an_allow_for_a_code_that_was_left_out_is_not_unused() {
    let directory = with_trace(INVERSION);
    let allow = format!("[[allow]]\nid = \"{}\"\nreason = \"known\"\n", ids(directory.path())[0]);
    fs::write(directory.path().join("deadlock-check.toml"), allow).unwrap();
    let (status, text) = check(directory.path(), &["--only", "stall"], &[]);
    assert_eq!(status, 0);
    assert!(!text.contains("nothing has the id"), "{text}");
}

#[test]
fn colours_follow_the_terminal_the_environment_and_the_option() {
    let directory = with_trace(INVERSION);
    let is_colored =
        |args: &[&str], environment: &[(&str, &str)]| check(directory.path(), args, environment).1.contains('\x1b');
    assert!(!is_colored(&[], &[]), "a pipe is no terminal");
    assert!(is_colored(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(is_colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!is_colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn what_could_be_read_is_reported_and_the_status_is_3() {
    let directory = with_trace(INVERSION);
    fs::write(directory.path().join("trace/8-1-0.events"), vec![0xff; 8192]).unwrap();
    let (status, text) = check(directory.path(), &[], &[]);
    assert_eq!(status, 3, "{text}");
    assert!(text.contains("8-1-0.events") && text.contains("in opposite orders"), "{text}");
}

#[test]
fn the_same_inversion_in_two_traces_is_one_finding() {
    let directory = with_trace(INVERSION);
    let (status, text) = check(directory.path(), &["trace", "--format", "short"], &[]);
    assert_eq!(status, 1);
    assert!(text.contains("(count 2)"), "{text}");
    assert!(text.contains("recorded: 2 processes"), "{text}");
}

#[test]
fn titles_and_help_say_what_to_change() {
    let sentences = |script: &str| {
        let (_, json) = check(with_trace(script).path(), &["--format", "json"], &[]);
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let both = |finding: &serde_json::Value| {
            format!("{}\n{}\n", finding["title"].as_str().unwrap(), finding["help"].as_str().unwrap())
        };
        findings.iter().map(both).collect::<String>()
    };
    let of_three = "
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq C0@4 | rel C0 | rel B
        t3: acq C0@5 | acq A@6 | rel A | rel C0
    ";
    let all = [
        sentences(INVERSION),
        sentences(&of_three.replace("C0", "D")),
        sentences("t1: acq A@1 | acq B@2 | rel B | rel A\nt2: acq B@1 | acq A@2 | rel A | rel B"),
        sentences("t1: acq A@1 | req A@2 | block A@2"),
        sentences("t1: read R@1 | read R@2 | rel R | rel R\nt2: acq R@3 | rel R"),
    ];
    insta::assert_snapshot!(all.join("---\n"));
}
