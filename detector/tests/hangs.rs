//! Every way to hang, as a user's program and as a user's test; what the tool says while it stands still and from the
//! trace afterwards. And programs that only look as if they hung.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "hangs/expected.rs"]
mod expected;
#[path = "hangs/idle.rs"]
mod idle;
#[path = "support/outside.rs"]
mod outside;
#[path = "hangs/wrapped.rs"]
mod wrapped;

use expected::Hang;
use outside::{check, findings, line_of, program, run_and_time, test_program};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// How many programs stand still at a time.
const AT_ONCE: usize = 6;

/// Where a hang is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Program,
    /// libtest's own thread records nothing, so a wait that nobody owns is not hopeless before it is old.
    Test,
}

/// How long it may take until a hang is explained, on a machine that runs other tests too: a second or so if it is
/// observed, five more if it is not more than possible.
fn patience(hang: &Hang, inside: Inside) -> Duration {
    Duration::from_secs(if hang.certainty(inside) == "possible" { 10 } else { 5 })
}

#[test]
fn programs_that_hang() {
    prove(&expected::recorded(), &program("hangs"), Inside::Program);
}

#[test]
fn tests_that_hang() {
    prove(&expected::recorded(), &test_program("hangs"), Inside::Test);
}

/// Runs the hangs, some at a time, and compares.
fn prove(hangs: &[Hang], program: &Path, inside: Inside) {
    in_parallel(AT_ONCE, hangs, |hang| {
        let trace = tempfile::tempdir().unwrap();
        let arguments = ["--trace", trace.path().to_str().unwrap()];
        let of_program = if inside == Inside::Program { vec![hang.name] } else { vec![hang.name, "--exact"] };
        let (live, status, explained_after) = run_and_time(&arguments, program, &of_program);
        assert!(explained_after < patience(hang, inside), "{}: {explained_after:?}", hang.name);
        assert_eq!(status, 1, "{}: {live:#}", hang.name);
        compare(hang, &live, inside);
        let (dead, status) = check(trace.path());
        assert_eq!(status, 1, "{}: {dead:#}", hang.name);
        assert_eq!(verdicts(&live), verdicts(&dead), "{}: what is told from the trace afterwards", hang.name);
    });
}

/// Calls `each` for every item, on so many threads; panics if one of the calls did.
fn in_parallel<T: Sync>(n_threads: usize, items: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            // Relaxed: which thread takes which item does not matter.
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(item);
                }
            });
        }
    });
}

fn verdicts(report: &Value) -> BTreeSet<[&str; 3]> {
    let verdict = |finding| ["code", "certainty", "id"].map(|field| text(finding, field));
    findings(report).iter().map(verdict).collect()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value:#}"))
}

fn compare(hang: &Hang, report: &Value, inside: Inside) {
    let main = if inside == Inside::Program { "main".to_owned() } else { format!("test {}", hang.name) };
    let found: Vec<_> = findings(report).iter().map(|finding| text(finding, "code")).collect();
    let n_hangs = hang.knots.len();
    // What happened is not predicted as well, nor told as a stall.
    let expected = vec![hang.code; n_hangs];
    assert_eq!(found, expected, "{}: {report:#}", hang.name);
    let mut knots: Vec<_> = hang.knots.iter().map(|knot| knot.seen(&hang.file(), &main)).collect();
    knots.sort_unstable();
    let findings = &findings(report)[..n_hangs];
    let mut seen: Vec<_> = findings.iter().map(|finding| (links(finding), behind(finding))).collect();
    seen.sort_unstable();
    assert_eq!(seen, knots, "{}: {report:#}", hang.name);
    for finding in findings {
        let certainty = hang.certainty(inside);
        assert_eq!(text(finding, "certainty"), certainty, "{}: {finding:#}", hang.name);
        assert_eq!(finding["assumes"].as_array().unwrap().is_empty(), certainty == "observed", "{}", hang.name);
        assert!(!text(finding, "why").is_empty() && !text(finding, "help").is_empty(), "{finding:#}");
        assert!(!text(finding, "help").contains('?'), "{}: {}", hang.name, text(finding, "help"));
    }
}

/// A side of an edge: what is held or wanted, in which mode, and where: a file and a line.
type Side = Option<(String, String, (String, u64))>;

/// The links of a finding, by thread: what it holds and what it wants. Each side has a stack that begins there.
fn links(finding: &Value) -> Vec<(String, Side, Side)> {
    let side = |edge: &Value, [what, mode, at, stack]: [&str; 4]| {
        let place = edge[at].as_object()?;
        let innermost = &edge[stack][0];
        assert_eq!(innermost["line"], place["line"], "{edge:#}");
        assert!(innermost["function"].as_str().unwrap().contains("outside::hangs::"), "{edge:#}");
        let what = edge[what].as_str().unwrap_or_default();
        let is_nameless = |object: &Value| object["ref"] == what && object["label"].is_null();
        let what = if finding["objects"].as_array().unwrap().iter().any(is_nameless) { "_" } else { what };
        let place = (place["file"].as_str().unwrap().to_owned(), place["line"].as_u64().unwrap());
        Some((what.to_owned(), text(edge, mode).to_owned(), place))
    };
    let link = |edge: &Value| {
        let held = side(edge, ["holds", "held_mode", "held_at", "held_stack"]);
        let wanted = side(edge, ["wants", "wanted_mode", "wanted_at", "wanted_stack"]);
        (thread_name(finding, &edge["thread"]), held, wanted)
    };
    let mut links: Vec<_> = finding["edges"].as_array().unwrap().iter().map(link).collect();
    links.sort_unstable();
    links
}

fn behind(finding: &Value) -> Vec<String> {
    let behind = finding["behind"].as_array().unwrap().iter();
    let mut behind: Vec<_> = behind.map(|thread| thread_name(finding, thread)).collect();
    behind.sort_unstable();
    behind
}

fn thread_name(finding: &Value, idx: &Value) -> String {
    text(&finding["threads"][idx.as_u64().unwrap() as usize], "name").to_owned()
}
