//! Programs that end, and would have hung in another schedule of theirs; and their right twins.

use super::{findings, line_of, program, run_command};
use serde_json::Value;

const FILE: &str = "src/bin/nearly.rs";

/// The only finding of a program, which ends.
fn only_finding(name: &str) -> Value {
    let (report, status) = run_command(&[], &program("nearly"), &[name]);
    let [finding] = findings(&report).as_slice() else { panic!("{name}: {report:#}") };
    assert_eq!((status, &finding["code"]), (1, &Value::from("predicted-deadlock")), "{name}: {finding:#}");
    assert_eq!(report["program"]["exit"], 0, "{name} ends");
    finding.clone()
}

/// The finding is this sure, and its edges are these: thread, the line of what it holds, that of what it wants.
fn assert_told(name: &str, certainty: &str, edges: &[(&str, Option<&str>, &str)]) -> Value {
    let finding = only_finding(name);
    assert_eq!(finding["certainty"], certainty, "{name}: {finding:#}");
    let thread = |edge: &Value| finding["threads"][edge["thread"].as_u64().unwrap() as usize]["name"].clone();
    let told: Vec<_> = finding["edges"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), edges.len(), "{name}: {finding:#}");
    for (edge, (of, held, wanted)) in told.iter().zip(edges) {
        assert_eq!(thread(edge), *of, "{name}: {finding:#}");
        assert_eq!(edge["held_at"]["line"].as_u64(), held.map(|text| line_of(FILE, text)), "{name}: {edge:#}");
        assert_eq!(edge["wanted_at"]["line"], line_of(FILE, wanted), "{name}: {edge:#}");
    }
    let steps = finding["witness"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["op"], "block", "{name}: {steps:#?}");
    finding
}

#[track_caller]
fn assert_says(finding: &Value, field: &str, part: &str) {
    let text = finding[field].as_str().unwrap();
    assert!(text.contains(part), "no {part:?} in: {text}");
}

#[test]
fn who_joins_under_a_lock_that_the_other_one_needs() {
    let look = "let _state = STATE.lock().unwrap();";
    let edges = [("main", Some("held while joining"), "joins under the lock"), ("worker", None, look)];
    let finding = assert_told("join-under-lock", "proven", &edges);
    assert_says(&finding, "title", "`main` holds `state` and waits for thread `worker` to end, `worker` wants `state`");
    assert_says(&finding, "help", "`worker` needs it before it ends");
}

#[test]
fn who_receives_under_a_lock_that_the_sender_needs() {
    let look = "let _state = STATE.lock().unwrap();";
    let edges = [("main", Some("held while receiving"), "receives under the lock"), ("worker", None, look)];
    let finding = assert_told("receive-under-lock", "proven", &edges);
    assert_says(&finding, "title", "`worker` wants `state` before it sends to `channel");
    let why_not = finding["edges"][0]["could_release"][0]["why_not"].as_str().unwrap();
    assert!(why_not.ends_with(&format!("({FILE}:{})", line_of(FILE, "what is owed"))), "{why_not}");
}

#[test]
fn a_notify_that_changes_nothing_may_come_too_early() {
    let edges = [("worker", None, "waits once"), ("main", None, "changes nothing")];
    let finding = assert_told("notify-without-flag", "proven", &edges);
    assert_says(&finding, "title", "the notify may come before it waits");
}

#[test]
fn who_waits_for_a_condition_under_a_lock_that_its_setter_needs() {
    let look = "let _state = STATE.lock().unwrap();";
    let edges = [("main", Some("held while waiting"), "waits under the lock"), ("worker", None, look)];
    let finding = assert_told("wait-under-lock", "possible", &edges);
    assert_says(&finding, "title", "if `main` comes before `worker`");
    assert_says(&finding, "help", "drop `state`");
}

#[test]
fn permits_that_are_taken_one_by_one() {
    let finding = assert_told("permits-one-by-one", "proven", &[("main", None, "takes"), ("worker", None, "takes")]);
    assert_says(&finding, "title", "waits for a permit of `permits` before it gives a permit of `permits` back");
    assert_says(&finding, "help", "all the permits that it needs at once");
}

#[test]
fn their_right_twins_are_not_told_of() {
    let twins = ["join-behind-lock", "receive-behind-lock", "notify-with-flag", "wait-behind-lock", "permits-at-once"];
    for name in twins {
        let (report, status) = run_command(&[], &program("nearly"), &[name]);
        assert_eq!((status, findings(&report).len()), (0, 0), "{name}: {report:#}");
        assert!(report["stats"]["events"].as_u64().unwrap() > 10, "{name} was recorded");
    }
}

/// Idioms of pools, queues, actors, gates and handshakes that cannot hang.
const CUSTOMARY: &[&str] = &[
    "pool",
    "bounded",
    "bounded_big",
    "bounded_lazy",
    "bounded_lazy_big",
    "actor",
    "pipeline",
    "atomic_flag_under_lock",
    "atomic_flag_under_lock_state",
    "park_loop",
    "barrier_phases",
    "latch_gate",
    "sem_pool",
    "sem_piecewise_enough",
    "sem_signal",
    "join_other_lock",
    "join_after_message",
    "rwlock_cache",
    "once",
    "logger",
    "timeouts",
    "set_and_notify",
    "passed_and_notify",
    "two_predicates",
    "counter_cv",
    "scope_locks",
    "rendezvous",
    "shutdown_flag",
    "fork_join_sum",
    "handover",
    "poison",
];

#[test]
fn what_programs_customarily_do_is_not_accused() {
    for name in CUSTOMARY {
        let (report, status) = run_command(&[], &program("customary"), &[name]);
        assert_eq!((findings(&report).len(), status), (0, 0), "{name}: {report:#}");
    }
}
