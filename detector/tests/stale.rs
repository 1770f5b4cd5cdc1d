//! Temporary traces of runs that were killed: removed by the next run, and nothing else is.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{BufRead, BufReader},
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt, chown, symlink},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use trace_format::MARKER;

/// A run with a directory of temporary files of its own.
fn run(place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.args(["-v", "run"]).args(args).current_dir(place).env("TMPDIR", place).env_remove("DEADLOCK_CHECK_TRACE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run that was killed: its program, which ends with its standard input, and its trace.
fn killed_run(place: &Path, args: &[&str]) -> (Child, PathBuf) {
    let script = ["--", "sh", "-c", "echo $DEADLOCK_CHECK_TRACE; read line"];
    let mut tool = run(place, &[args, &script].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut trace = String::new();
    BufReader::new(tool.stdout.take().unwrap()).read_line(&mut trace).unwrap();
    tool.kill().unwrap();
    let stdin = tool.stdin.take();
    assert_eq!(tool.wait().unwrap().signal(), Some(9));
    // The program lives on as long as this is open.
    tool.stdin = stdin;
    (tool, trace.trim().into())
}

/// Runs a program that does nothing; what the tool said of it.
fn run_next(place: &Path) -> String {
    let output = run(place, &["--", "true"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    stderr
}

/// What a killed run leaves, without one.
fn leave(place: &Path, name: &str) -> PathBuf {
    let path = place.join(name);
    DirBuilder::new().mode(0o700).create(&path).unwrap();
    for name in [MARKER, "temporary", "4000000-1-0.events", "4000000-1-0.events.threads"] {
        fs::write(path.join(name), "").unwrap();
    }
    path
}

#[test]
fn the_trace_of_a_killed_run_is_removed_by_the_next_one_which_says_so() {
    let place = tempfile::tempdir().unwrap();
    let (_program, trace) = killed_run(place.path(), &[]);
    assert!(trace.join(MARKER).exists(), "it left it behind");
    let stderr = run_next(place.path());
    assert!(!trace.exists(), "{stderr}");
    let said = stderr.lines().find(|line| line.contains("removed the trace of a run that was killed")).unwrap();
    assert!(said.contains(trace.to_str().unwrap()), "{said}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_trace_into_which_somebody_records_stays_until_that_has_ended() {
    let place = tempfile::tempdir().unwrap();
    let trace = leave(place.path(), "deadlock-check-abcdef");
    let mut recorded = Command::new("sleep").arg("600").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", recorded.id())).unwrap();
    let start = stat[stat.rfind(')').unwrap()..].split_whitespace().nth(20).unwrap();
    fs::write(trace.join(format!("{}-{start}-0.events", recorded.id())), "").unwrap();
    run_next(place.path());
    assert!(trace.join("temporary").exists());
    recorded.kill().unwrap();
    // Not waited for: a zombie records nothing.
    while !fs::read_to_string(format!("/proc/{}/stat", recorded.id())).unwrap().contains(") Z ") {
        thread::yield_now();
    }
    run_next(place.path());
    assert!(!trace.exists());
    recorded.wait().unwrap();
}

#[test]
fn the_trace_of_a_run_that_lives_stays() {
    let place = tempfile::tempdir().unwrap();
    let script = "echo $DEADLOCK_CHECK_TRACE; read line; ls $DEADLOCK_CHECK_TRACE";
    let mut tool = run(place.path(), &["--", "sh", "-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(tool.stdout.take().unwrap()).lines();
    let trace = PathBuf::from(stdout.next().unwrap().unwrap());
    run_next(place.path());
    assert!(trace.join("temporary").exists());
    drop(tool.stdin.take());
    assert_eq!(stdout.map(Result::unwrap).collect::<Vec<_>>(), [MARKER, "temporary"]);
    assert!(tool.wait().unwrap().success());
    assert!(!trace.exists());
}

#[test]
fn what_somebody_asked_for_stays() {
    let place = tempfile::tempdir().unwrap();
    let (_kept, kept) = killed_run(place.path(), &["--keep"]);
    let (_named, named) = killed_run(place.path(), &["--trace", "deadlock-check-named"]);
    // One that a killed run left, named by its user since.
    let found = leave(place.path(), "deadlock-check-found1");
    assert!(run(place.path(), &["--trace", "deadlock-check-found1", "--", "true"]).output().unwrap().status.success());
    run_next(place.path());
    for trace in [kept, named, found] {
        assert!(trace.join(MARKER).exists(), "{}", trace.display());
        assert!(!trace.join("temporary").exists(), "{}", trace.display());
    }
}

#[test]
fn what_is_not_a_killed_runs_stays() {
    let place = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = leave(elsewhere.path(), "deadlock-check-target");
    symlink(&target, place.path().join("deadlock-check-linked")).unwrap();
    let other_name = leave(place.path(), "deadlock-checked");
    let no_note = leave(place.path(), "deadlock-check-nonote");
    fs::remove_file(no_note.join("temporary")).unwrap();
    let with_notes = leave(place.path(), "deadlock-check-foreign");
    fs::write(with_notes.join("notes.txt"), "mine").unwrap();
    let with_folder = leave(place.path(), "deadlock-check-folder");
    fs::create_dir(with_folder.join("mine")).unwrap();
    let open_to_all = leave(place.path(), "deadlock-check-open00");
    fs::set_permissions(&open_to_all, Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path().join("deadlock-check-file00"), "").unwrap();
    let mut staying = vec![target, other_name, no_note, with_notes, with_folder, open_to_all];
    let of_another = leave(place.path(), "deadlock-check-nobody");
    // Only the superuser can give anything away.
    if chown(&of_another, Some(65534), None).is_ok() {
        staying.push(of_another);
    }
    run_next(place.path());
    for path in staying {
        assert!(path.join("4000000-1-0.events").exists(), "{}", path.display());
    }
    assert!(place.path().join("deadlock-check-linked").is_symlink());
    assert!(place.path().join("deadlock-check-file00").exists());
}

#[test]
fn runs_that_clean_at_once_do_not_hinder_each_other() {
    let place = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        (0..20).for_each(|idx| drop(leave(place.path(), &format!("deadlock-check-{idx:06}"))));
        let script = r#"test -e "$DEADLOCK_CHECK_TRACE/temporary""#;
        let runs: Vec<_> = (0..6).map(|_| run(place.path(), &["--", "sh", "-c", script]).spawn().unwrap()).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{stderr}");
            assert!(!stderr.contains("could not be removed"), "{stderr}");
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
