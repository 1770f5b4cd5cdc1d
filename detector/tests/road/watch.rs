//! Programs that are watched while they run.

use super::{findings, outside, program, read_report, run, tool};
use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Long before a user's patience ends, and long after a loaded machine has done its work.
const SOON: Duration = Duration::from_secs(5);

fn piped(arguments: &[&str], name: &str) -> Child {
    let mut command = tool(arguments);
    command.arg("--").arg(program(name)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Whether this process, and so the tool, ignores SIGQUIT: in the background of a script.
fn is_quit_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 << (3 - 1) != 0
}

#[test]
fn a_hang_is_ended_and_reported_at_once() {
    program("relock");
    let begin = Instant::now();
    let (report, status) = run("relock", &[]);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    assert_eq!(status, 1);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!((&finding["code"], &finding["certainty"]), (&Value::from("self-deadlock"), &Value::from("observed")));
    assert_eq!((&report["program"]["signal"], &report["program"]["timed_out"]), (&15.into(), &false.into()));
}

#[test]
fn a_hang_may_be_aborted() {
    let (report, status) = run("relock", &["--on-hang", "abort"]);
    assert_eq!((status, &report["program"]["signal"]), (1, &6.into()), "{report:#}");
    assert_eq!(findings(&report).len(), 1);
}

#[test]
fn each_test_that_hangs_is_ended_and_named_and_cargo_goes_on() {
    let (_, programs) = outside();
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap(), "--"]);
    command.arg(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--quiet", "--offline", "--no-fail-fast", "--bin", "tested", "--bin", "tested_too"]);
    command.arg("--target-dir").arg(programs.parent().unwrap()).env_remove("RUSTFLAGS");
    // What cargo tells its tests must not reach the cargo that the test starts.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap();
    let (report, status) = read_report(report.path(), &output);
    assert_eq!(status, 1);
    assert_eq!(report["program"]["exit"], 101, "cargo was not ended: {report:#}");
    let mut names: Vec<_> =
        findings(&report).iter().map(|finding| finding["threads"][0]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["test tests::locks_twice", "test tests::writes_while_it_reads"], "{report:#}");
}

#[test]
fn a_hang_that_may_go_on_is_told_at_once_and_reported_at_the_end() {
    let mut child = piped(&["run", "--on-hang", "wait"], "hangs_apart");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut notice = String::new();
    stderr.read_line(&mut notice).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it was told while the program ran");
    assert_has(&notice, "hangs; the program goes on");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), "done\n"));
    assert_eq!(rest.matches("deadlock[self-deadlock]").count(), 2, "at once and at the end: {rest}");
    assert_has(&rest, "exited with status 0");
    assert_has(&rest, "1 finding (1 observed)");
}

#[test]
fn a_hang_that_is_accepted_is_let_alone() {
    let (report, _) = run("hangs_apart", &[]);
    assert_eq!(report["program"]["signal"], 15, "the process in the hang was ended: {report:#}");
    let id = findings(&report)[0]["id"].as_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let allow_list = directory.path().join("allow.toml");
    fs::write(&allow_list, format!("[[allow]]\nid = \"{id}\"\nreason = \"nobody joins it\"\n")).unwrap();
    let child = piped(&["run", "--config", allow_list.to_str().unwrap()], "hangs_apart");
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), text(&stdout)), (Some(0), "done\n"), "{}", text(&stderr));
    assert_has(text(&stderr), "1 suppressed");
}

#[test]
fn idle_threads_are_not_accused() {
    let (report, status) = run("idle_pool", &["--deny", "hazard"]);
    assert_eq!((findings(&report).len(), status), (0, 7), "{report:#}");
}

#[test]
fn a_thread_in_the_kernel_is_in_the_state_of_a_program_whose_time_was_over() {
    let (report, status) = run("silent_peer", &["--timeout", "3s"]);
    assert_eq!(status, 1);
    let stall = findings(&report).iter().find(|finding| finding["code"] == "stall").unwrap();
    let edge_of = |name: &str| {
        let threads = stall["threads"].as_array().unwrap();
        let idx = threads.iter().position(|thread| thread["name"] == name).unwrap_or_else(|| panic!("{stall:#}"));
        stall["edges"].as_array().unwrap().iter().find(|edge| edge["thread"] == idx).unwrap()
    };
    let (reader, bystander) = (edge_of("reader"), edge_of("thread bystander (not recorded)"));
    // A kernel that hides what its threads do says that they sleep.
    for edge in [reader, bystander] {
        let mode = edge["wanted_mode"].as_str().unwrap();
        assert!(["kernel:sleeping in recvfrom", "kernel:sleeping"].contains(&mode), "{mode}");
    }
    let line = super::line_of("src/bin/silent_peer.rs", "*TURN.lock()");
    assert_eq!(reader["wanted_at"]["line"], line, "its last recorded operation");
    assert!(bystander["wanted_at"].is_null());
}

#[test]
fn who_asks_is_shown_the_state_and_the_program_goes_on() {
    if is_quit_ignored() {
        return;
    }
    let mut child = piped(&["run"], "asked");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    send("-QUIT", &child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut shown = String::new();
    // The last thread's state ends in an empty line.
    while !shown.ends_with("\n\n") {
        assert_ne!(stderr.read_line(&mut shown).unwrap(), 0, "{shown}");
    }
    for part in ["state of the program", "`waiter` holds `ledger`", "`main`"] {
        assert_has(&shown, part);
    }
    assert!(child.try_wait().unwrap().is_none(), "the program goes on");
    drop(child.stdin.take());
    stdout.read_line(&mut line).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    assert_eq!(line, "ready\ndone\n");
    assert_has(&rest, "no findings");
}
