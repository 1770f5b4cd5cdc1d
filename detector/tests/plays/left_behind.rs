//! Processes that live on when the program has ended.

use super::{
    outside::{findings, tool},
    play::{Played, program, run, text},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Starts a play as an orphan in a session of its own, and ends when that knows its parent.
const LEAVE: &str = "setsid \"$@\" >/dev/null 2>&1 & while ! test -e \"$4/knows-its-parent\"; do sleep 0.01; done";

/// The same, but runs on.
const LEAVE_AND_STAY: &str = "(setsid \"$@\" >/dev/null 2>&1 &) ; sleep 600";

fn leave(script: &str, play: &str, ending: &str, folder: &Path, arguments: &[&str]) -> Played {
    let program = program();
    let command = ["sh", "-c", script, "sh", program.to_str().unwrap(), play, ending, folder.to_str().unwrap()];
    run(arguments, &command)
}

/// The folder of a play; who was left behind in it is ended with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        pid_in(self.path()).iter().filter(|pid| is_alive(pid)).for_each(|pid| kill(pid));
    }
}

/// The process of the play that said so.
fn pid_in(folder: &Path) -> Option<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.into_iter().find_map(|name| name.strip_prefix("pid-").map(str::to_owned))
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
    while is_alive(pid) {
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_hang_of_an_orphan_is_found_though_the_program_has_ended() {
    let folder = Folder::new();
    let played = leave(LEAVE, "left_behind", "hangs", folder.path(), &["--follow", "60s"]);
    let [finding] = findings(&played.report).as_slice() else { panic!("{:#}\n{}", played.report, played.stderr) };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), ("deadlock", "observed"));
    assert_eq!((played.status, &played.report["program"]["exit"]), (1, &0.into()));
    assert!(!is_alive(&pid_in(folder.path()).unwrap()), "it was ended");
    assert!(!folder.path().join("went-to-its-end").exists());
}

#[test]
fn an_orphan_is_recorded_to_its_end() {
    let folder = Folder::new();
    let played = leave(LEAVE, "left_behind", "completes", folder.path(), &["--deny", "hazard"]);
    assert_eq!((played.status, findings(&played.report).len()), (0, 0), "{}", played.stderr);
    assert!(folder.path().join("went-to-its-end").exists());
}

#[test]
fn a_daemon_does_not_keep_the_tool() {
    let folder = Folder::new();
    let begin = Instant::now();
    let played = leave(LEAVE, "daemon", "completes", folder.path(), &["--deny", "hazard", "--follow", "2s"]);
    let pid = pid_in(folder.path()).unwrap();
    assert!(is_alive(&pid), "it is let alone");
    assert!(begin.elapsed() >= Duration::from_secs(2) && begin.elapsed() < Duration::from_secs(20));
    assert_eq!((played.status, findings(&played.report).len()), (0, 0), "{}", played.stderr);
    for part in ["which it left behind, runs on and is watched for up to 2s", "it is let alone"] {
        assert!(played.stderr.contains(&format!("process {pid} (plays), ")), "{}", played.stderr);
        assert!(played.stderr.contains(part), "no {part:?} in {}", played.stderr);
    }
}

#[test]
fn nobody_need_be_followed() {
    let folder = Folder::new();
    let played = leave(LEAVE, "daemon", "completes", folder.path(), &["--follow", "0s"]);
    assert!(is_alive(&pid_in(folder.path()).unwrap()));
    assert_eq!(played.status, 0, "{}", played.stderr);
    assert!(played.stderr.contains("it is let alone") && !played.stderr.contains("is watched"), "{}", played.stderr);
}

#[test]
fn when_the_time_is_over_orphans_are_ended_too() {
    for (script, arguments) in
        [(LEAVE, ["--timeout", "2s", "--follow", "60s"]), (LEAVE_AND_STAY, ["--timeout", "2s", "--follow", "0s"])]
    {
        let folder = Folder::new();
        let played = leave(script, "daemon", "completes", folder.path(), &arguments);
        assert!(!is_alive(&pid_in(folder.path()).unwrap()), "{script}");
        assert_eq!((played.status, &played.report["program"]["timed_out"]), (1, &true.into()), "{}", played.stderr);
    }
}

#[test]
fn who_interrupts_the_tool_ends_what_was_left_behind() {
    let folder = Folder::new();
    let mut child = tool(&["run", "--follow", "60s", "--", "sh", "-c", LEAVE, "sh"]);
    child.arg(program()).args(["daemon", "completes"]).arg(folder.path());
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("is watched for up to 1m") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    stderr.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().code().is_some(), "{said}");
    assert!(!is_alive(&pid_in(folder.path()).unwrap()), "{said}");
}

/// Another run's daemon, which records into the same trace, is no business of this one.
#[test]
fn who_recorded_before_is_not_followed() {
    let (folder, trace) = (Folder::new(), tempfile::tempdir().unwrap());
    let into = ["--trace", trace.path().to_str().unwrap(), "--follow"];
    leave(LEAVE, "daemon", "completes", folder.path(), &[&into[..], &["0s"]].concat());
    let begin = Instant::now();
    let played = run(&[&into[..], &["60s"]].concat(), &["true"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert_eq!(played.status, 0, "{}", played.stderr);
    assert!(!played.stderr.contains("left behind"), "{}", played.stderr);
    let played = run(&[&into[..], &["60s", "--timeout", "1s"]].concat(), &["sleep", "600"]);
    assert_eq!(played.report["program"]["signal"], 15, "{}", played.stderr);
    let pid = pid_in(folder.path()).unwrap();
    assert!(is_alive(&pid), "the time that was over was not its");
}

/// The trace of a run that was killed stays while a process of it records.
#[test]
fn a_stale_trace_is_removed_when_its_last_process_has_ended() {
    let (folder, place) = (Folder::new(), tempfile::tempdir().unwrap());
    let mut child = tool(&["run", "--", "sh", "-c", LEAVE_AND_STAY, "sh"]);
    child.arg(program()).args(["daemon", "completes"]).arg(folder.path()).env("TMPDIR", place.path());
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !folder.path().join("records").exists() {
        sleep(Duration::from_millis(5));
    }
    let shell = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let n_traces = || fs::read_dir(place.path()).unwrap().count();
    let next = || assert!(tool(&["run", "--", "true"]).env("TMPDIR", place.path()).output().unwrap().status.success());
    next();
    assert_eq!(n_traces(), 1, "somebody records into it");
    kill(&pid_in(folder.path()).unwrap());
    next();
    assert_eq!(n_traces(), 0);
    let of_shell = shell.trim();
    let sleeping = fs::read_to_string(format!("/proc/{of_shell}/task/{of_shell}/children")).unwrap_or_default();
    [of_shell, sleeping.trim()].iter().filter(|pid| is_alive(pid)).for_each(|pid| kill(pid));
}
