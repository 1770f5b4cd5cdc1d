//! The whole road, as a user walks it: a crate outside the workspace swaps its imports, is built, run under
//! `deadlock-check run`, and the report is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "road/watch.rs"]
mod watch;

use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

const TOOL: &str = env!("CARGO_BIN_EXE_deadlock-check");

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies the crate to a place outside the workspace; `edit` may change its files on the way.
fn copy_crate(to: &Path, edit: impl Fn(&str, String) -> String) {
    let from = manifest_dir().join("tests/outside");
    let wrappers = manifest_dir().join("../instrumented-sync").canonicalize().unwrap();
    for file in ["Cargo.toml", "src/lib.rs"] {
        copy(&from.join(file), &to.join(file), |text| text.replace("@INSTRUMENTED_SYNC@", wrappers.to_str().unwrap()));
    }
    for entry in fs::read_dir(from.join("src/bin")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        copy(&from.join("src/bin").join(&name), &to.join("src/bin").join(&name), |text| edit(&name, text));
    }
    // The versions of the workspace: the test asks no registry.
    fs::copy(manifest_dir().join("../Cargo.lock"), to.join("Cargo.lock")).unwrap();
}

fn copy(from: &Path, to: &Path, edit: impl Fn(String) -> String) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, edit(fs::read_to_string(from).unwrap())).unwrap();
}

fn build(dir: &Path, target: &Path, arguments: &[&str]) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--offline", "--target-dir"]).arg(target).args(arguments).current_dir(dir);
    // What cargo tells its tests must not reach the cargo that the test starts.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    command.env_remove("RUSTFLAGS");
    assert!(command.status().unwrap().success(), "the outside crate does not build");
}

/// The crate, built once for all tests: where its sources and its programs are.
fn outside() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("outside");
        let (source, target) = (base.join("crate"), base.join("target"));
        let _absent_at_first = fs::remove_dir_all(&source);
        copy_crate(&source, |_, text| text);
        build(&source, &target, &[]);
        (source, target.join("debug"))
    })
}

fn program(name: &str) -> PathBuf {
    outside().1.join(name)
}

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(TOOL);
    command.args(arguments).current_dir(&outside().0).env_remove("DEADLOCK_CHECK_TRACE");
    command
}

/// Runs a program under the tool; its report as JSON, and the tool's exit status.
fn run(name: &str, arguments: &[&str]) -> (Value, i32) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap()]);
    let output = command.args(arguments).arg("--").arg(program(name)).output().unwrap();
    read_report(report.path(), &output)
}

fn check(trace: &Path) -> (Value, i32) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["check", "--format", "json", "-o", report.path().to_str().unwrap()]);
    let output = command.arg(trace).output().unwrap();
    read_report(report.path(), &output)
}

fn read_report(path: &Path, output: &Output) -> (Value, i32) {
    let text = fs::read_to_string(path).unwrap();
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

fn findings(report: &Value) -> &Vec<Value> {
    report["findings"].as_array().unwrap()
}

fn ids(report: &Value) -> Vec<&str> {
    let mut ids: Vec<_> = findings(report).iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Line of the first occurrence of `text` in a source file.
fn line_of(file: &str, text: &str) -> u64 {
    let source = fs::read_to_string(outside().0.join(file)).unwrap();
    source.lines().position(|line| line.contains(text)).unwrap() as u64 + 1
}

#[test]
fn an_inversion_is_one_finding_with_both_edges_and_all_stacks() {
    let (report, status) = run("inversion", &[]);
    assert_eq!(status, 1);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!(finding["code"], "lock-order");
    assert_eq!(finding["certainty"], "possible");
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
    let text = finding.to_string();
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
    copy_crate(&dir.join("crate"), |_, text| format!("{}{text}", "// A line.\n".repeat(10)));
    build(&dir.join("crate"), &dir.join("target"), &["--bin", "inversion"]);
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
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("outside/target");
    build(&outside().0, &target, &["--release", "--bin", "inversion"]);
    let mut command = tool(&["run", "--format", "human", "--"]);
    let output = command.arg(target.join("release/inversion")).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("inversion::"), "functions are named: {report}");
    assert!(report.contains("src/bin/inversion.rs"), "sites are known without line tables: {report}");
    assert_eq!(report.matches("hint:").count(), 1, "{report}");
}
