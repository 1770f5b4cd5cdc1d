//! The whole road, as a user walks it: a crate outside the workspace swaps its imports, is built, run under
//! `deadlock-check run`, and the report is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "road/nearly.rs"]
mod nearly;
#[path = "support/outside.rs"]
mod outside;
#[path = "road/watch.rs"]
mod watch;

use outside::{
    build, check, copy_crate, findings, ids, line_of, outside, program, read_report, run, run_command, tool,
};
use serde_json::Value;
use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

#[test]
fn an_inversion_is_one_finding_with_both_edges_and_all_stacks() {
    let (report, status) = run("inversion", &[]);
    assert_eq!(status, 1);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!(finding["code"], "lock-order");
    assert_eq!(finding["certainty"], "proven");
    assert_eq!(finding["count"], 1);
    let edges = finding["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 2);
    let file = "src/bin/inversion.rs";
    let (a, b) = (line_of(file, "let a = a.lock()"), line_of(file, "let b = b.lock()"));
    for edge in edges {
        let at = |field: &str| (edge[field]["file"].as_str().unwrap(), edge[field]["line"].as_u64().unwrap());
        // `backwards` stands seven lines below `forwards`, its two lines the other way round.
        let is_forwards = edge["held_at"]["function"] == "inversion::forwards";
        let (held, wanted) = if is_forwards { (a, b) } else { (b + 5, a + 7) };
        assert_eq!((at("held_at"), at("wanted_at")), ((file, held), (file, wanted)), "{edge:#}");
        for stack in ["held_stack", "wanted_stack"] {
            let functions: Vec<_> =
                edge[stack].as_array().unwrap().iter().map(|frame| frame["function"].as_str().unwrap()).collect();
            assert!(functions[0].ends_with("wards"), "user frames first: {functions:?}");
            assert!(functions.iter().any(|function| function.starts_with("inversion::main")), "{functions:?}");
            assert!(!functions.iter().any(|function| function.contains("instrumented_sync")), "{functions:?}");
            assert!(!functions.iter().any(|function| function.starts_with("std::")), "{functions:?}");
        }
    }
    let names: Vec<_> = edges.iter().map(|edge| edge["held_at"]["function"].as_str().unwrap()).collect();
    assert!(names.contains(&"inversion::forwards") && names.contains(&"inversion::backwards"), "{names:?}");
}

#[test]
fn a_temporary_of_a_scrutinee_is_dropped_behind_the_match() {
    let (report, _) = run("scrutinee", &[]);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!(finding["certainty"], "proven");
    let edges = finding["edges"].as_array().unwrap();
    let forwards = edges.iter().find(|edge| edge["held_at"]["function"] == "scrutinee::forwards").unwrap();
    let file = "src/bin/scrutinee.rs";
    assert_eq!(forwards["held_at"]["line"], line_of(file, "match *a.lock()"));
    assert_eq!(forwards["released_at"]["line"], line_of(file, "} // dropped here"));
    assert_eq!(
        (&forwards["released_at"]["file"], &forwards["released_at"]["function"]),
        (&serde_json::json!(file), &serde_json::json!("scrutinee::forwards"))
    );
    let steps: Vec<_> =
        finding["witness"].as_array().unwrap().iter().map(|step| step["op"].as_str().unwrap()).collect();
    assert_eq!(steps, ["fork", "fork", "acquire", "acquire", "block", "block"]);
}

#[test]
fn what_cannot_deadlock_is_not_reported() {
    for name in ["gate", "joined", "message", "handover"] {
        let (report, status) = run(name, &["--deny", "hazard"]);
        assert_eq!(findings(&report).len(), 0, "{name}: {report:#}");
        assert_eq!(status, 0, "{name}");
        assert!(report["stats"]["events"].as_u64().unwrap() > 10, "{name} was recorded");
    }
}

#[test]
fn two_inversions_through_one_helper_are_two_findings() {
    let (report, _) = run("helper", &[]);
    assert_eq!(findings(&report).len(), 2, "{report:#}");
    let ids = ids(&report);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_caller_that_locked_before_at_the_same_depth_is_not_blamed() {
    let (report, _) = run("blames", &[]);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    // Its schedule may have what the innocent one did before.
    let text = format!("{} {} {}", finding["title"], finding["edges"], finding["help"]);
    assert!(text.contains("blames::guilty") && !text.contains("blames::innocent"), "{finding:#}");
}

#[test]
fn repeats_are_counted() {
    for name in ["repeats", "fresh_repeats"] {
        let (report, _) = run(name, &[]);
        let [finding] = findings(&report).as_slice() else { panic!("{name}: {report:#}") };
        assert_eq!(finding["count"], 100, "{name}");
    }
}

#[test]
fn ten_lines_above_leave_the_id_alone() {
    let (before, _) = run("inversion", &[]);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shifted");
    let _absent_at_first = fs::remove_dir_all(dir.join("crate"));
    copy_crate(&dir.join("crate"), |text| format!("{}{text}", "// A line.\n".repeat(10)));
    build(&dir.join("crate"), &dir.join("target"), &["build", "--bin", "inversion"]);
    let report = dir.join("report.json");
    let mut command = tool(&["run", "--format", "json", "-o", report.to_str().unwrap(), "--"]);
    let output = command.arg(dir.join("target/debug/inversion")).current_dir(dir.join("crate")).output().unwrap();
    let (after, _) = read_report(&report, &output);
    assert_eq!(ids(&before), ids(&after));
    let line_id = |report: &Value| findings(report)[0]["line_id"].as_str().unwrap().to_owned();
    assert_ne!(line_id(&before), line_id(&after), "the exact sites did move");
}

#[test]
fn a_recorded_trace_checks_as_it_ran() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    for n_processes in 1..=2 {
        let mut command = Command::new(program("inversion"));
        let output = command.env("DEADLOCK_CHECK_TRACE", &trace).output().unwrap();
        assert!(output.status.success());
        let (checked, status) = check(&trace);
        let (ran, _) = run("inversion", &[]);
        assert_eq!(status, 1);
        assert_eq!(ids(&checked), ids(&ran));
        assert_eq!(checked["stats"]["processes"], n_processes);
        assert_eq!(findings(&checked)[0]["count"], n_processes, "the same bug in two processes is one finding");
    }
}

#[test]
fn a_program_that_never_swaps_runs_as_before() {
    let mut command = tool(&["run", "--"]);
    let mut child = command
        .arg(program("never_swapped"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from stdin").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from stdin");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("to stderr"), "{stderr}");
    assert!(stderr.contains("recorded: nothing"), "{stderr}");
}

#[test]
fn a_relock_is_a_self_deadlock_when_the_time_is_over() {
    let (report, status) = run("relock", &["--timeout", "1s"]);
    assert_eq!(status, 1);
    let finding = findings(&report).iter().find(|finding| finding["code"] == "self-deadlock").unwrap();
    assert_eq!(finding["certainty"], "observed");
    let edge = &finding["edges"][0];
    assert_eq!(edge["wanted_at"]["line"], line_of("src/bin/relock.rs", "*JOURNAL.lock()"));
    assert_eq!(edge["held_at"]["line"], line_of("src/bin/relock.rs", "let journal ="));
    assert_eq!(finding["threads"][0]["name"], "writer");
}

#[test]
fn a_deadlock_that_happened_says_what_each_thread_holds_and_wants() {
    let (report, status) = run("abba", &["--timeout", "1s"]);
    assert_eq!(status, 1);
    let [finding] = findings(&report).as_slice() else { panic!("neither predicted nor a stall as well: {report:#}") };
    assert_eq!((&finding["code"], &finding["certainty"]), (&Value::from("deadlock"), &Value::from("observed")));
    let name = |idx: &Value| finding["threads"][idx.as_u64().unwrap() as usize]["name"].as_str().unwrap();
    let edges = finding["edges"].as_array().unwrap();
    let links: Vec<_> = edges
        .iter()
        .map(|edge| (name(&edge["thread"]), edge["holds"].as_str().unwrap(), edge["wants"].as_str().unwrap()))
        .collect();
    assert_eq!(links, [("left", "alpha", "beta"), ("right", "beta", "alpha")]);
    let behind: Vec<_> = finding["behind"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(behind, ["main"]);
}

#[test]
fn a_recursive_read_behind_a_writer_is_reported() {
    let (report, status) = run("recursive_read", &[]);
    assert_eq!(status, 1);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!(finding["code"], "self-deadlock");
    assert_eq!(finding["certainty"], "possible");
}

#[test]
fn a_release_build_without_line_tables_names_functions_and_gives_one_hint() {
    let target = outside().1.parent().unwrap();
    build(&outside().0, target, &["build", "--release", "--bin", "inversion"]);
    let mut command = tool(&["run", "--format", "human", "--"]);
    let output = command.arg(target.join("release/inversion")).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("inversion::"), "functions are named: {report}");
    assert!(report.contains("src/bin/inversion.rs"), "sites are known without line tables: {report}");
    assert_eq!(report.matches("hint:").count(), 1, "{report}");
}

/// Of nests that cannot meet nothing is proven, whatever keeps them apart: it is not ruled out at most.
#[test]
fn what_cannot_meet_is_never_proven() {
    let reasons = [
        "flag",
        "shown",
        "cell",
        "shared-atomic",
        "created-by-a-third",
        "poisoned",
        "room",
        "nothing-yet",
        "time-over",
        "is-finished",
        "is-completed",
        "is-set",
        "is-not-set",
        "is-held",
        "is-open",
        "permits",
        "many-unparks",
        "notified-too-early",
        "guard-of-two",
    ];
    for reason in reasons {
        let (report, _) = run_command(&[], &program("ordered"), &[reason]);
        let certainties: Vec<_> = findings(&report).iter().map(|finding| finding["certainty"].clone()).collect();
        assert!(!certainties.contains(&"proven".into()), "{reason}: {report:#}");
    }
}
