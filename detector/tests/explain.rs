//! `explain`: schedules as tables, and the command around them.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod reports;
mod support;

use detector::{
    finding::{Code, Finding, Op, Report},
    render::render_explained,
};
use reports::{drop_place, lock_order, place, proven, report, stall, step, thread};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use support::Process;

fn explained(finding: &Finding, width: usize) -> String {
    render_explained(&report(vec![finding.clone()]), finding, width, false)
}

/// The part below the report.
fn schedule(finding: &Finding, width: usize) -> String {
    let text = explained(finding, width);
    text.split_once("\n\n").unwrap().1.to_owned()
}

#[test]
fn a_schedule_of_two_threads_and_who_started_them() {
    insta::assert_snapshot!(explained(&proven(), 140));
}

#[test]
fn three_threads_of_which_one_has_a_long_name() {
    let mut finding = proven();
    finding.threads[0].name = "bank::tests::transfers_between_accounts_of_different_currencies".to_owned();
    let witness = finding.witness.as_mut().unwrap();
    let insert = step(3, 2, Op::Acquire, Some(0), Some(drop_place(31)));
    witness.steps.insert(2, insert);
    insta::assert_snapshot!(format!(
        "{}\n--- narrower:\n{}\n--- narrow:\n{}",
        schedule(&finding, 160),
        schedule(&finding, 140),
        schedule(&finding, 80)
    ));
}

#[test]
fn messages_modes_and_places_that_are_not_known() {
    let mut finding = proven();
    finding.objects[0].kind = "rwlock".to_owned();
    let witness = finding.witness.as_mut().unwrap();
    let told = |number, thread, op, other| {
        let mut step = step(number, thread, op, None, None);
        step.other = Some(other);
        step
    };
    let mut read = step(6, 0, Op::Acquire, Some(0), Some(place(2, "bank::deposit")));
    read.mode = Some("shared".to_owned());
    let others = [told(3, 1, Op::Precede, 0), told(5, 0, Op::Follow, 1), read, told(7, 2, Op::Join, 1)];
    witness.steps.splice(2..5, others);
    insta::assert_snapshot!(schedule(&finding, 140));
}

#[test]
fn what_is_given_and_taken_is_called_by_its_kind() {
    let mut finding = proven();
    finding.code = Code::PredictedDeadlock;
    let mut tables = String::new();
    for kind in ["channel", "condvar", "semaphore", "latch", "barrier", "thread", "resource"] {
        finding.objects[0].kind = kind.to_owned();
        let ops = [Op::Give, Op::GiveAll, Op::Take, Op::Confirm, Op::FindClosed, Op::Enter, Op::Close, Op::Block];
        let mut steps: Vec<_> = (1..).zip(ops).map(|(number, op)| step(number, 0, op, Some(0), None)).collect();
        for step in &mut steps {
            let mode = if kind == "channel" { "receive or end" } else { "wait" };
            step.mode = (step.op == Op::Block).then(|| mode.to_owned());
        }
        finding.witness.as_mut().unwrap().steps = steps;
        tables += &schedule(&finding, 140);
    }
    let rows = tables.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_is_possible_or_happened_has_no_schedule_and_says_so() {
    let [possible, stalled] = [lock_order(), stall()].map(|finding| schedule(&finding, 140));
    let last = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(last(&possible), "no schedule that reaches it is known: no schedule was replayed");
    assert_eq!(last(&stalled), "no schedule that reaches it is known: the program was stopped from outside");
    let mut observed = lock_order();
    observed.certainty = detector::finding::Certainty::Observed;
    assert!(last(&schedule(&observed, 140)).starts_with("no schedule is needed: this happened"));
}

#[test]
fn a_schedule_has_no_colours_unless_asked_for_and_no_controls_of_a_trace() {
    let evil = "\x1b[31m\u{202e}\r\u{9b}x\n::error::y";
    let mut finding = proven();
    finding.threads[0].name = evil.to_owned();
    finding.objects[0].reference = evil.to_owned();
    finding.edges[0].released_at.as_mut().unwrap().file = evil.to_owned();
    for step in &mut finding.witness.as_mut().unwrap().steps {
        step.mode = step.mode.as_ref().map(|_| evil.to_owned());
        step.at.as_mut().unwrap().file = evil.to_owned();
    }
    for width in [40, 100, 400] {
        let text = explained(&finding, width);
        let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(raw, None, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("::error::")), "{text}");
    }
    let colored = render_explained(&Report::default(), &proven(), 140, true);
    assert_eq!(colored.matches("\x1b[91mBLOCKS on\x1b[0m").count(), 2, "{colored}");
}

#[test]
fn columns_are_as_wide_as_the_terminal_lets_them_be() {
    for n_threads in [2, 3, 8, 30] {
        let mut finding = proven();
        let witness = finding.witness.as_mut().unwrap();
        for n in 3..n_threads {
            finding.threads.push(thread(n, &format!("worker {n}")));
            let number = u64::from(n) - 3;
            witness.steps.insert(0, step(number, n as usize, Op::Acquire, Some(0), Some(drop_place(30))));
        }
        for width in [70, 80, 120, 200] {
            let text = explained(&finding, width);
            let (_, table) = text.split_once("schedule: ").unwrap();
            let (_, table) = table.split_once("\n\n").unwrap();
            let table = table.split_once("\n\n").map_or(table, |(table, _)| table);
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}:\n{table}");
            let n_rows = table.lines().filter(|line| line.contains("lock `") || line.contains("BLOCKS on")).count();
            let n_steps =
                finding.witness.iter().flat_map(|witness| &witness.steps).filter(|step| step.object.is_some());
            assert_eq!(n_rows, n_steps.count(), "{table}");
        }
    }
}

/// A directory with a trace of one process in `trace`.
fn with_trace(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_trace(&directory.path().join("trace"), script);
    directory
}

fn write_trace(trace: &Path, script: &str) {
    fs::create_dir(trace).unwrap();
    fs::write(trace.join(trace_format::MARKER), "").unwrap();
    fs::write(trace.join("7-1-0.events"), Process::new(7).script(script).to_bytes()).unwrap();
}

fn tool(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.current_dir(directory).args(args).env_remove("NO_COLOR").env_remove("DEADLOCK_CHECK_TRACE");
    // Nothing was kept there.
    command.env("TMPDIR", directory);
    command
}

/// Status, standard output, standard error.
fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn ids(directory: &Path, trace: &str) -> Vec<String> {
    let (_, json, _) = run(tool(directory, &["check", trace, "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

const INVERSION: &str = "
    t0: fork t1 | fork t2
    t1: acq A@1 | acq B@2 | rel B~rw@5 | rel A~rwl
    t2: acq B@3 | acq A@4 | rel A~rw | rel B~rwl
";

const TWO_INVERSIONS: &str = "
    t0: fork t1 | fork t2
    t1: acq A@1 | acq B@2 | rel B~rw | rel A~rwl | acq D@11 | acq E@12 | rel E~rw | rel D~rwl
    t2: acq B@3 | acq A@4 | rel A~rw | rel B~rwl | acq E@13 | acq D@14 | rel D~rw | rel E~rwl
";

#[test]
fn a_recorded_trace_is_explained() {
    let directory = with_trace(INVERSION);
    let [id] = ids(directory.path(), "trace").try_into().unwrap();
    let (status, text, error) = run(tool(directory.path(), &["explain", &id, "trace"]));
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_text_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = "main|fork(A)|m:1\nmain|fork(B)|m:2\n".to_owned();
    for (thread, first, second, line) in [("A", "x", "y", 10), ("B", "y", "x", 20)] {
        let section = [
            format!("w(v{thread})|run.c:{line}"),
            format!("acq({first})|run.c:{}", line + 1),
            format!("r(v{thread})|run.c:{}", line + 2),
            format!("acq({second})|run.c:{}:4", line + 3),
            format!("rel({second})|run.c:{}", line + 4),
            format!("rel({first})|run.c:{}", line + 5),
        ];
        text.extend(section.iter().flat_map(|operation| [thread, "|", operation, "\n"]));
    }
    fs::write(directory.path().join("run.std"), text).unwrap();
    let [id] = ids(directory.path(), "run.std").try_into().unwrap();
    let (status, text, _) = run(tool(directory.path(), &["explain", &id[..5], "run.std"]));
    assert_eq!(status, 0);
    insta::assert_snapshot!(text);
}

#[test]
fn a_possible_finding_says_why_there_is_no_schedule() {
    // The second thread read what the first one wrote while it held both.
    let directory = with_trace(
        "t0: fork t1 | fork t2
         t1: acq A@1 | acq B@2 | rel B~w | rel A
         t2: acq B@3 | acq A@4 | rel A | rel B~r",
    );
    let [id] = ids(directory.path(), "trace").try_into().unwrap();
    let (status, text, _) = run(tool(directory.path(), &["explain", &id, "trace"]));
    assert_eq!(status, 0);
    insta::assert_snapshot!(text);
}

#[test]
fn json_has_the_steps_of_a_schedule() {
    let directory = with_trace(INVERSION);
    let (_, json, _) = run(tool(directory.path(), &["check", "trace", "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let finding = &report["findings"][0];
    let steps = finding["witness"].as_array().unwrap();
    let ops: Vec<&str> = steps.iter().map(|step| step["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["fork", "fork", "acquire", "acquire", "block", "block"]);
    let numbers: Vec<u64> = steps.iter().map(|step| step["step"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let wanted: Vec<_> = finding["edges"].as_array().unwrap().iter().map(|edge| &edge["wants"]).collect();
    let blocked: Vec<_> = steps.iter().filter(|step| step["op"] == "block").map(|step| &step["object"]).collect();
    assert!(blocked.iter().all(|object| wanted.contains(object)), "{blocked:?} {wanted:?}");
}

#[test]
fn the_beginning_of_an_id_will_do_if_it_is_the_only_one() {
    let directory = with_trace(TWO_INVERSIONS);
    let ids = ids(directory.path(), "trace");
    let [first, second] = ids.as_slice() else { panic!("{ids:?}") };
    let (status, _, error) = run(tool(directory.path(), &["explain", "", "trace"]));
    assert_eq!(status, 2);
    assert!(error.contains("several findings have ids that begin with ``"), "{error}");
    assert!(error.contains(first) && error.contains(second), "{error}");
    let n_common = first.chars().zip(second.chars()).take_while(|(a, b)| a == b).count();
    let (status, text, _) = run(tool(directory.path(), &["explain", &second[..=n_common], "trace"]));
    assert_eq!(status, 0);
    assert!(text.contains(second) && !text.contains(first), "{text}");
    let (status, text, error) = run(tool(directory.path(), &["explain", "nothing", "trace"]));
    assert_eq!((status, text.as_str()), (2, ""));
    assert!(error.contains("no finding has the id `nothing`"), "{error}");
    assert!(error.contains(first) && error.contains(second), "{error}");
}

#[test]
fn without_a_trace_the_one_of_the_environment_is_meant_or_the_latest_that_was_kept() {
    let directory = with_trace(INVERSION);
    let [id] = ids(directory.path(), "trace").try_into().unwrap();
    let (status, _, error) = run(tool(directory.path(), &["explain", &id]));
    assert_eq!(status, 2);
    assert!(error.contains("no trace was kept in"), "{error}");
    let mut named = tool(directory.path(), &["explain", &id]);
    named.env("DEADLOCK_CHECK_TRACE", directory.path().join("trace"));
    assert_eq!(run(named).0, 0);
    // A directory of that name that is no trace, an older trace, and a newer one.
    fs::create_dir(directory.path().join("deadlock-check-zzz")).unwrap();
    write_trace(&directory.path().join("deadlock-check-old"), "t1: acq A | rel A");
    write_trace(&directory.path().join("deadlock-check-new"), INVERSION);
    let old = fs::File::open(directory.path().join("deadlock-check-old")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (status, text, error) = run(tool(directory.path(), &["explain", &id]));
    assert_eq!(status, 0, "{text}{error}");
    assert!(error.contains("deadlock-check-new"), "it says which: {error}");
}

#[test]
fn an_unreadable_trace_exits_3_and_what_could_be_read_is_explained() {
    let directory = with_trace(INVERSION);
    let [id] = ids(directory.path(), "trace").try_into().unwrap();
    let (status, text, error) = run(tool(directory.path(), &["explain", &id, "nowhere"]));
    assert_eq!((status, text.as_str()), (3, ""));
    assert!(error.contains("error: there is no trace at nowhere"), "{error}");
    let (status, text, _) = run(tool(directory.path(), &["explain", &id, "trace", "nowhere"]));
    assert_eq!(status, 3);
    assert!(text.contains("BLOCKS on"), "{text}");
}

#[test]
fn the_report_points_to_what_explains_a_schedule() {
    let directory = with_trace(INVERSION);
    let [id] = ids(directory.path(), "trace").try_into().unwrap();
    let (_, text, _) = run(tool(directory.path(), &["check", "trace"]));
    assert_eq!(text.matches(&format!("`deadlock-check explain {id}`")).count(), 1, "{text}");
    let possible = with_trace("t1: acq A@1 | acq B@2 | rel B | rel A\nt2: acq B@3 | acq A@4 | rel A | rel B");
    let (_, text, _) = run(tool(possible.path(), &["check", "trace"]));
    assert!(!text.contains("deadlock-check explain"), "{text}");
}
