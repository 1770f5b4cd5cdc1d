//! The command line as a user meets it: exit statuses, streams, signals, messages.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The tool in a directory without an allow list of its own.
fn tool(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deadlock-check"));
    command.current_dir(directory).args(args).env_remove("DEADLOCK_CHECK_TRACE").env_remove("NO_COLOR");
    command
}

fn run(args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    tool(directory.path(), args).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

#[test]
fn usage_errors_exit_2() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["run"],
        &["check"],
        &["convert", "only-one"],
        &["run", "--timeout", "soon", "--", "true"],
        &["check", "--deny", "maybe", "x"],
        &["run", "--error-exitcode", "300", "--", "true"],
        &["run", "--on-hang", "panic", "--", "true"],
    ] {
        assert_eq!(status(&run(args)), 2, "{args:?}");
    }
}

#[test]
fn races_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.std"), "A|acq(x)|m:1\nA|rel(x)|m:2\n").unwrap();
    for args in [
        &["check", "--predict-races", "--count-races", "--only", "data-race", "run.std"][..],
        &["run", "--predict-races", "--", "true"],
    ] {
        let output = tool(directory.path(), args).output().unwrap();
        assert_eq!(status(&output), 0, "{args:?}: {}", stderr(&output));
    }
    let [always, count] = ["--predict-races", "--count-races"];
    for (command, options) in [("check", &[always, count][..]), ("run", &[always]), ("explain", &[always])] {
        let output = run(&[command, "--help"]);
        for option in options {
            assert_has(stdout(&output), option);
        }
    }
    assert_eq!(status(&run(&["run", "--count-races", "--", "true"])), 2, "that is for those who compare tools");
}

#[test]
fn an_unknown_code_is_answered_with_the_known_ones() {
    let output = run(&["check", "--only", "lock-order,lock-ordre", "x"]);
    assert_eq!(status(&output), 2);
    for code in ["lock-ordre", "lock-order", "self-deadlock", "stall"] {
        assert_has(stderr(&output), code);
    }
}

#[test]
fn help_and_version_exit_0() {
    for args in [&["--help"][..], &["run", "--help"], &["check", "--help"], &["convert", "--help"], &["--version"]] {
        let output = run(args);
        assert_eq!(status(&output), 0, "{args:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn cargo_passes_its_own_name_for_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-deadlock-check"))
        .args(["deadlock-check", "run", "--", "sh", "-c", "exit 7"])
        .output()
        .unwrap();
    assert_eq!(status(&output), 7);
}

#[test]
fn a_missing_trace_exits_3_and_names_the_path() {
    let output = run(&["check", "no/such/trace"]);
    assert_eq!(status(&output), 3);
    assert_has(stdout(&output), "no/such/trace");
    assert_has(stdout(&output), "deadlock-check run");
    assert_has(stdout(&output), "recorded: nothing\n");
}

#[test]
fn a_directory_that_is_no_trace_exits_3() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "hello").unwrap();
    let output = tool(directory.path(), &["check", "."]).output().unwrap();
    assert_eq!(status(&output), 3);
}

#[test]
fn the_programs_status_is_passed_on() {
    let output = run(&["run", "--", "sh", "-c", "exit 7"]);
    assert_eq!(status(&output), 7);
    assert_has(stderr(&output), "exited with status 7");
    assert_has(stderr(&output), "recorded: nothing");
    assert_has(stderr(&output), "instrumented_sync");
    assert_has(stderr(&output), "no findings");
    assert_eq!(status(&run(&["run", "--", "true"])), 0);
}

#[test]
fn a_signal_that_ends_the_program_is_128_plus_its_number() {
    let output = run(&["run", "--", "sh", "-c", "kill -SEGV $$"]);
    assert_eq!(status(&output), 128 + 11);
    assert_has(stderr(&output), "SIGSEGV");
}

#[test]
fn a_program_that_cannot_be_started_exits_2() {
    let output = run(&["run", "--", "/no/such/program"]);
    assert_eq!(status(&output), 2);
    assert_has(stderr(&output), "cannot run /no/such/program");
}

#[test]
fn the_program_keeps_its_streams() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = tool(directory.path(), &["run", "--", "sh", "-c", "cat; echo to-stderr >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through\0and\xffthrough").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"through\0and\xffthrough");
    assert!(stderr(&output).starts_with("to-stderr\n"));
}

#[test]
fn the_program_finds_a_private_trace_directory() {
    let script = "stat -c %a \"$DEADLOCK_CHECK_TRACE\"; ls \"$DEADLOCK_CHECK_TRACE\"; echo $DEADLOCK_CHECK_TRACE";
    let output = run(&["run", "--", "sh", "-c", script]);
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines[..3], ["700", trace_format::MARKER, "temporary"]);
    assert!(Path::new(lines[3]).is_absolute());
    assert!(!Path::new(lines[3]).exists(), "a temporary trace is removed");
}

#[test]
fn a_kept_trace_can_be_checked() {
    let directory = tempfile::tempdir().unwrap();
    let output = tool(directory.path(), &["run", "--keep", "--", "true"]).output().unwrap();
    let line = stderr(&output).lines().find(|line| line.starts_with("trace: kept in ")).unwrap().to_owned();
    let path = line.split_whitespace().nth(3).unwrap().trim_end_matches(';').to_owned();
    let checked = tool(directory.path(), &["check", &path]).output().unwrap();
    assert_eq!(status(&checked), 0);
    assert_has(stdout(&checked), "recorded: nothing");
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_named_trace_directory_stays_and_is_joined() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert_eq!(status(&tool(directory.path(), &["run", "--trace", "a/b", "--", "true"]).output().unwrap()), 0);
    }
    assert!(directory.path().join("a/b").join(trace_format::MARKER).exists());
}

#[test]
fn a_foreign_directory_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "hello").unwrap();
    let output = tool(directory.path(), &["run", "--trace", ".", "--", "touch", "ran"]).output().unwrap();
    assert_eq!(status(&output), 2);
    assert_has(stderr(&output), "missing, empty, or a trace");
    assert!(!directory.path().join("ran").exists());
}

#[test]
fn a_timeout_ends_the_program_and_its_children() {
    let begin = Instant::now();
    let directory = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; sleep 61 & echo $! > child; wait; sleep 62";
    let output = tool(directory.path(), &["run", "--timeout", "300ms", "--", "sh", "-c", script]).output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(status(&output), 128 + 9);
    assert_has(stderr(&output), "its time was over");
    let child = fs::read_to_string(directory.path().join("child")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "still there: {stat}");
}

#[test]
fn a_program_whose_time_was_over_is_no_success() {
    let script = "trap 'exit 0' TERM; sleep 60 & wait";
    for (args, expected) in [(&[][..], 1), (&["--error-exitcode", "42"], 42)] {
        let output = run(&[&["run", "--timeout", "300ms"], args, &["--", "sh", "-c", script]].concat());
        assert_eq!(status(&output), expected, "{}", stderr(&output));
    }
}

#[test]
fn a_second_request_of_any_kind_ends_the_program() {
    for (signal, _) in [("TERM", 15), ("INT", 2), ("HUP", 1)].into_iter().filter(|(_, n)| !is_ignored(*n)) {
        let directory = tempfile::tempdir().unwrap();
        let script = "trap '' TERM INT HUP; touch ready; sleep 60; sleep 60";
        let begin = Instant::now();
        let child = tool(directory.path(), &["run", "--", "sh", "-c", script]).stderr(Stdio::piped()).spawn().unwrap();
        while !directory.path().join("ready").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..2 {
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(status(&output), 128 + 9, "{signal}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{signal}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_sleeping_program_is_ended_by_the_first_request() {
    let begin = Instant::now();
    let output = run(&["run", "--timeout", "200ms", "--", "sleep", "60"]);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(status(&output), 128 + 15);
}

/// Whether this process, and so the tool, ignores the signal: under `nohup`, or in the background of a script.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 << (signal - 1) != 0
}

#[test]
fn a_signal_is_passed_on_and_the_report_is_written_all_the_same() {
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)].into_iter().filter(|(_, n)| !is_ignored(*n)) {
        let directory = tempfile::tempdir().unwrap();
        let child = tool(directory.path(), &["run", "--", "sh", "-c", "echo ready > ready; exec sleep 60"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !directory.path().join("ready").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(status(&output), 128 + number, "{signal}");
        assert_has(stderr(&output), "no findings");
    }
}

#[test]
fn to_be_asked_for_its_state_twice_ends_a_program() {
    if is_ignored(3) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "trap 'exit 9' QUIT; touch ready; while :; do sleep 0.05; done";
    let mut child = tool(directory.path(), &["run", "--", "sh", "-c", script]).stderr(Stdio::piped()).spawn().unwrap();
    while !directory.path().join("ready").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    let ask = || Command::new("kill").args(["-QUIT", &pid]).status().unwrap();
    ask();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut shown = String::new();
    stderr.read_line(&mut shown).unwrap();
    assert_has(&shown, "no process that records");
    ask();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9), "{rest}");
}

#[test]
fn json_goes_to_stdout_after_what_the_program_wrote() {
    let output = run(&["run", "--format", "json", "--", "echo", "hello"]);
    let json = stdout(&output).strip_prefix("hello\n").unwrap();
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(report["schema"], "1.0");
    assert_eq!(report["program"]["exit"], 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_report_may_go_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        tool(directory.path(), &["run", "-o", "report.txt", "--color", "never", "--", "true"]).output().unwrap();
    assert_eq!((status(&output), stdout(&output), stderr(&output)), (0, "", ""));
    assert_has(&fs::read_to_string(directory.path().join("report.txt")).unwrap(), "no findings");
    let output = tool(directory.path(), &["run", "-o", "no/such/dir/report", "--", "touch", "ran"]).output().unwrap();
    assert_eq!(status(&output), 2);
    assert_has(stderr(&output), "no/such/dir/report");
    assert!(!directory.path().join("ran").exists(), "not before the file is known to be writable");
}

#[test]
fn an_allow_list_without_reason_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["[[allow]]\nid = \"a\"\n", "[[allow]]\nid = \"a\"\nreason = \" \"\n", "[[alow]]\n"] {
        fs::write(directory.path().join("deadlock-check.toml"), text).unwrap();
        let output = tool(directory.path(), &["run", "--", "touch", "ran"]).output().unwrap();
        assert_eq!(status(&output), 2, "{text}");
        assert_has(stderr(&output), "deadlock-check.toml");
        assert!(!directory.path().join("ran").exists());
    }
}

#[test]
fn an_unused_allow_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("deadlock-check.toml"), "[[allow]]\nid = \"abc\"\nreason = \"old\"\n").unwrap();
    let output = tool(directory.path(), &["run", "--", "true"]).output().unwrap();
    assert_eq!(status(&output), 0);
    assert_has(stderr(&output), "nothing has the id `abc`");
}

#[test]
fn a_baseline_is_written_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let output = tool(directory.path(), &["run", "--write-baseline", "b.json", "--", "true"]).output().unwrap();
    assert_eq!(status(&output), 0);
    assert_eq!(fs::read_to_string(directory.path().join("b.json")).unwrap(), "[]\n");
    assert_eq!(status(&tool(directory.path(), &["run", "--baseline", "b.json", "--", "true"]).output().unwrap()), 0);
    let both = ["run", "--baseline", "new.json", "--write-baseline", "new.json", "--", "true"];
    assert_eq!(status(&tool(directory.path(), &both).output().unwrap()), 0, "missing the first time");
    assert_eq!(fs::read_to_string(directory.path().join("new.json")).unwrap(), "[]\n");
    fs::write(directory.path().join("b.json"), "{}").unwrap();
    let output = tool(directory.path(), &["run", "--baseline", "b.json", "--", "true"]).output().unwrap();
    assert_eq!(status(&output), 2);
    assert_has(stderr(&output), "b.json");
}

#[test]
fn the_tools_own_log_goes_to_stderr() {
    let output = run(&["-v", "run", "--format", "json", "--", "true"]);
    assert_has(stderr(&output), "opened");
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
}
