//! Programs of several processes: what the tool says of those that hang, while they do and from the trace afterwards; what it
//! predicts of those that only could; and that it accuses none of those that cannot.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "support/outside.rs"]
mod outside;
#[path = "processes/story.rs"]
mod story;

use outside::{check, findings, line_of, program, run_and_time, run_command};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, time::Duration};
use story::Story;

/// How long it may take until a hang is explained: two seconds, and as much again on a machine that runs other tests too.
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn processes_that_hang_are_told_while_they_do() {
    for story in story::HANGS {
        hangs(story);
    }
}

fn hangs(story: &Story) {
    let name = format!("hang-{}", story.name);
    let trace = tempfile::tempdir().unwrap();
    let arguments = ["--trace", trace.path().to_str().unwrap()];
    let (live, status, explained_after) = run_and_time(&arguments, &program("processes"), &[&name]);
    remove_leftovers();
    assert_eq!(status, 1, "{name}: {live:#}");
    assert!(explained_after < PATIENCE, "{name}: {explained_after:?}");
    compare(story, &live, story.code, &["observed"]);
    let (dead, status) = check(trace.path());
    assert_eq!(status, 1, "{name}: {dead:#}");
    assert_eq!(verdicts(&live), verdicts(&dead), "{name}: what is told from the trace afterwards");
}

#[test]
fn processes_that_could_have_hung_are_predicted() {
    for story in story::HANGS.iter().filter(|story| story.completes) {
        let name = format!("completes-{}", story.name);
        let trace = tempfile::tempdir().unwrap();
        let arguments = ["--trace", trace.path().to_str().unwrap()];
        let (report, status) = run_command(&arguments, &program("processes"), &[&name]);
        assert_eq!(status, 1, "{name}: {report:#}");
        assert_eq!(report["program"]["exit"], 0, "{name}");
        compare(story, &report, "lock-order", &["proven", "possible"]);
        let (again, status) = check(trace.path());
        assert_eq!(status, 1, "{name}: {again:#}");
        assert_eq!(verdicts(&report), verdicts(&again), "{name}: what is told from the trace afterwards");
    }
}

#[test]
fn processes_that_only_look_as_if_they_hung_are_not_accused() {
    for name in ["ordered", "reused", "private", "waits", "exec", "served", "killed-waiting", "fork"] {
        let report = fine(name);
        assert_eq!(findings(&report).len(), 0, "{name}: {report:#}");
        let n_processes = match name {
            "reused" => 51,
            "private" => 5,
            "exec" => 3,
            _ => 2,
        };
        assert_eq!(report["stats"]["processes"], n_processes, "{name}: {report:#}");
        assert_eq!(report["coverage"]["unrecorded"], json!([]), "{name}");
    }
}

#[test]
fn who_died_with_a_lock_is_named_and_nobody_accused() {
    let report = fine("recovered");
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), ("abandoned-lock", "hazard"));
    let edges = finding["edges"].as_array().unwrap();
    let seen: Vec<_> = edges.iter().map(|edge| seen("recovered", finding, edge)).collect();
    let heir = "heir of first | - | ledger: // recovered: heir takes over";
    let careless = "main of careless | ledger: // recovered: careless holds | -";
    assert_eq!(seen, [heir, careless].map(expected), "{finding:#}");
}

#[test]
fn a_child_stays_recorded_without_its_environment_unless_another_program_clears_it() {
    let report = fine("env-clear");
    assert_eq!(findings(&report).len(), 0, "{report:#}");
    assert_eq!(report["stats"]["processes"], 2, "{report:#}");
    let unrecorded = "1 child process (not built with instrumented_sync, or without its environment)";
    assert_eq!(report["coverage"]["unrecorded"], json!([unrecorded]));
}

/// The report of a program that ends as it should, also once more from its trace.
fn fine(name: &str) -> Value {
    let name = format!("fine-{name}");
    let trace = tempfile::tempdir().unwrap();
    let arguments = ["--trace", trace.path().to_str().unwrap()];
    let (report, status) = run_command(&arguments, &program("processes"), &[&name]);
    assert_eq!(report["program"]["exit"], 0, "{name}: {report:#}");
    assert_eq!(status, 0, "{name}: {report:#}");
    assert_eq!(report["stats"]["lost"], 0, "{name}");
    let (again, status) = check(trace.path());
    assert_eq!(status, 0, "{name}: {again:#}");
    assert_eq!(verdicts(&report), verdicts(&again), "{name}: what is told from the trace afterwards");
    report
}

#[test]
fn ids_are_the_same_in_the_next_run() {
    // Of all that hang, the one whose thread waits for what is called by a process id.
    let once = || {
        let (report, _) = run_command(&[], &program("processes"), &["hang-waitpid"]);
        remove_leftovers();
        findings(&report).iter().map(|finding| text(finding, "id").to_owned()).collect::<Vec<_>>()
    };
    let ids = once();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids, once());
}

/// Regions of programs that were ended before they could remove them.
fn remove_leftovers() {
    for entry in fs::read_dir("/dev/shm").unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_over = |pid: &str| !Path::new("/proc").join(pid).exists();
        if name.strip_prefix("processes-").is_some_and(is_over) {
            // Another test may have been faster.
            let _removed = fs::remove_file(entry.path());
        }
    }
}

/// The one finding of a report is the story's, with its certainty one of `certainties`.
fn compare(story: &Story, report: &Value, code: &str, certainties: &[&str]) {
    let name = story.name;
    let [finding] = findings(report).as_slice() else { panic!("{name}: {report:#}") };
    assert_eq!(text(finding, "code"), code, "{name}: {finding:#}");
    assert!(certainties.contains(&text(finding, "certainty")), "{name}: {finding:#}");
    let expected: BTreeSet<_> = story.links.iter().map(|link| expected(link)).collect();
    let edges = finding["edges"].as_array().unwrap();
    let seen: BTreeSet<_> = edges.iter().map(|edge| seen(name, finding, edge)).collect();
    assert_eq!(seen, expected, "{name}: {finding:#}");
    assert_eq!(edges.len(), story.links.len(), "{name}: {finding:#}");
    let processes = finding["threads"].as_array().unwrap().iter().map(|thread| thread["process"].as_u64().unwrap());
    assert_eq!(processes.collect::<BTreeSet<_>>().len(), story.n_processes, "{name}: {finding:#}");
}

/// A side of an edge: the object's name and the line.
type Side = Option<(String, u64)>;

/// `thread of role | object: text of the line | object: text of the line`.
fn expected(link: &str) -> (String, Side, Side) {
    let side = |text: &str| {
        let (object, at) = text.split_once(": ")?;
        Some((object.to_owned(), line_of(&file_of(at), at)))
    };
    let [thread, holds, wants] = link.split(" | ").collect::<Vec<_>>()[..] else { panic!("{link}") };
    (thread.to_owned(), side(holds), side(wants))
}

/// The file with a mark.
fn file_of(mark: &str) -> String {
    let story = mark.trim_start_matches("// ").split(':').next().unwrap();
    let module = match story {
        "waitpid" | "fork" | "condvar" | "readers" | "permits" | "barrier" => "waits",
        "recovered" => "fine",
        _ => "locks",
    };
    format!("src/bin/processes/{module}.rs")
}

/// The same of what was found. The name of a thread has its process's role and id, without which it is given back.
fn seen(program: &str, finding: &Value, edge: &Value) -> (String, Side, Side) {
    let thread = &finding["threads"][edge["thread"].as_u64().unwrap() as usize];
    let side = |what: &str, at: &str| {
        let line = edge[at]["line"].as_u64()?;
        let what = edge[what].as_str().unwrap_or("-");
        // A process that is waited for has its role and its id.
        let what = what.split_once(" (process ").map_or(what, |(role, _)| role);
        let is_private = what.starts_with("Mutex<i32> made at src/bin/processes/");
        Some((if is_private { "private" } else { what }.to_owned(), line))
    };
    (thread_name(program, thread), side("holds", "held_at"), side("wants", "wanted_at"))
}

fn thread_name(program: &str, thread: &Value) -> String {
    let (name, process) = (text(thread, "name"), thread["process"].as_u64().unwrap());
    if !name.contains(" of ") {
        return name.to_owned();
    }
    let ours = name.strip_suffix(&format!(" (process {process})"));
    ours.unwrap_or_else(|| panic!("{program}: {name} in {process}")).to_owned()
}

fn verdicts(report: &Value) -> BTreeSet<[&str; 3]> {
    findings(report).iter().map(|finding| ["code", "certainty", "id"].map(|field| text(finding, field))).collect()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value:#}"))
}
