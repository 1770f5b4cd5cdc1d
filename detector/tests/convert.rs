//! `convert`: recorded traces and those of others as STD text.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod support;

use detector::source::{self, Compression, Found};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};
use support::Process;
use trace_format::{Event, Flags, Kind, Mode};

/// A directory with a trace of these processes in `trace`.
fn recorded(scripts: &[&str]) -> tempfile::TempDir {
    written(&scripts.iter().zip(7..).map(|(script, pid)| Process::new(pid).script(script)).collect::<Vec<_>>())
}

fn written(processes: &[Process]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    fs::create_dir(&trace).unwrap();
    fs::write(trace.join(trace_format::MARKER), "").unwrap();
    for process in processes {
        fs::write(trace.join(format!("{}-1-0.events", process.pid)), process.to_bytes()).unwrap();
    }
    directory
}

fn convert(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.current_dir(directory).arg("convert").args(args).output().unwrap()
}

/// What a script's trace is as text, and what is said of it.
fn text_of(script: &str) -> (String, String) {
    text_in(&recorded(&[script]))
}

fn text_in(directory: &tempfile::TempDir) -> (String, String) {
    let output = convert(directory.path(), &["trace", "-"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let (history, problems) = source::std_text::read(text.as_bytes(), "text");
    assert_eq!((problems, history.flaws.len()), (vec![], 0), "{text}");
    (text, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_recorded_trace_becomes_its_merged_order() {
    let (text, notes) = text_of(
        "
        t1: fork t2
        t1: acq A@1 | acq B@2 | rel B | rel A
        t2: acq B@3 | acq A@4 | rel A | rel B | end
        t1: join t2
    ",
    );
    assert_eq!(notes, "");
    insta::assert_snapshot!(text);
}

#[test]
fn who_reads_excludes_who_writes_and_nobody_else() {
    let (text, notes) = text_of(
        "
        t1: read R@1
        t2: read R@2
        t1: acq A@3 | rel A | rel R
        t2: rel R
        t3: acq R@4 | down R@5 | rel R
    ",
    );
    assert_eq!(notes, "");
    insta::assert_snapshot!(text);
}

#[test]
fn a_message_orders_what_is_before_and_after_it() {
    let (text, _) = text_of(
        "
        t1: acq A@1 | rel A | send C
        t2: recv C | acq A@2 | rel A | send C
    ",
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_guard_may_be_released_by_another_thread() {
    let mut process = Process::new(7).script("t1: acq A@1\nt2: send C");
    let lock = process.object("t1", "A");
    process.push("t2", Event::new(Kind::RELEASE, Flags::NONE, 0, lock, 1));
    let (text, _) = text_in(&written(&[process.script("t1: acq B@2 | rel B")]));
    insta::assert_snapshot!(text);
}

#[test]
fn an_upgrade_waits_for_those_who_read() {
    let mut process = Process::new(7).script("t1: read R@1 | rel R");
    let lock = process.object("t1", "R");
    for (kind, mode, seq) in [
        (Kind::ACQUIRE, Mode::Upgradable, 0),
        (Kind::UPGRADE, Mode::Exclusive, 1),
        (Kind::DOWNGRADE, Mode::Upgradable, 1),
        (Kind::RELEASE, Mode::Upgradable, 1),
    ] {
        process.push("t1", Event::new(kind, mode.flags(), 0, lock, seq));
    }
    let (text, _) = text_in(&written(&[process]));
    insta::assert_snapshot!(text);
}

#[test]
fn what_the_text_does_not_say_is_told() {
    let (text, notes) = text_of("t1: try A@1 | rel A | req B@2");
    assert!(notes.contains("trace: 1 acquires that may fail or give up look like all others"), "{notes}");
    assert!(text.ends_with("|-\n") || text.contains("|req("), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("req(")).count(), 1, "{text}");
}

#[test]
fn processes_keep_their_threads_and_locks_apart() {
    let script = "t1: acq A@1 | rel A";
    let directory = recorded(&[script, script]);
    let output = convert(directory.path(), &["trace", "-"]);
    let (history, problems) = source::std_text::read(&output.stdout[..], "text");
    assert_eq!((problems, history.threads.len(), history.locks.len()), (vec![], 2, 2));
    assert_eq!(history.threads.iter().map(|name| &name[..2]).collect::<Vec<_>>(), ["7.", "8."]);
}

#[test]
fn the_output_is_compressed_as_its_name_says_and_read_back() {
    let directory = recorded(&["t1: acq A@1 | rel A"]);
    let path = |name: &str| directory.path().join(name);
    for (from, to, compression) in [
        ("trace", "a.std", Compression::None),
        ("a.std", "b.std.gz", Compression::Gzip),
        ("b.std.gz", "c.std.zst", Compression::Zstd),
        ("c.std.zst", "d.std", Compression::None),
    ] {
        let output = convert(directory.path(), &[from, to]);
        assert_eq!((output.status.code(), &output.stderr[..], &output.stdout[..]), (Some(0), &b""[..], &b""[..]));
        let Found::File(file) = source::look(&path(to)).unwrap() else { panic!("{to}") };
        assert_eq!(file.compression, compression);
    }
    assert_eq!(fs::read(path("a.std")).unwrap(), fs::read(path("d.std")).unwrap());
    assert_ne!(fs::read(path("a.std")).unwrap(), b"");
}

#[test]
fn stdin_is_read_and_what_is_wrong_in_it_exits_3() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_deadlock-check"))
        .args(["convert", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"T1|acq(L)|1\nnonsense\nT1|rel(L)|2").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"T1|acq(L)|1\nT1|rel(L)|2\n");
    let problems = String::from_utf8(output.stderr).unwrap();
    assert!(problems.starts_with("deadlock-check: problem: standard input:2: expected thread|op"), "{problems}");
}

#[test]
fn what_cannot_be_converted_exits_2_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "no trace").unwrap();
    fs::write(directory.path().join("x.std"), "T1|w(x)|1\n").unwrap();
    for (args, part) in [
        (["none", "out"], "there is no trace at none"),
        (["notes.txt", "out"], "notes.txt is no trace that this version knows"),
        (["x.std", "no/such/out"], "cannot write no/such/out"),
        ([".", "out"], ". is not a trace"),
    ] {
        let output = convert(directory.path(), &args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(part), "{error}");
        assert!(!directory.path().join("out").exists());
    }
}
