//! Programs that only look as if they hung: idle pools, event loops, timed waits, a process that is stopped, a crowd.

use super::{
    in_parallel,
    outside::{check, findings, program, run_command},
    text,
};
use std::{
    env,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Each ends by itself after seven seconds.
const IDLE: [&str; 13] = [
    "condvar_pool",
    "channel_pool",
    "park_pool",
    "static_pool",
    "event_loop",
    "stream",
    "sleepers",
    "timed",
    "busy_notifier",
    "notifier_first",
    "sender_by_channel",
    "sender_by_static",
    "stopped",
];

/// When an idle program is ended: long after it began to wait, and before it goes on.
const IDLES: Duration = Duration::from_secs(6);

#[test]
fn idle_programs_end_without_a_finding() {
    in_parallel(IDLE.len(), &IDLE, |name| {
        let (report, status) = run_command(&[], &program("idle"), &[name]);
        assert_eq!(findings(&report).len(), 0, "{name}: {report:#}");
        assert_eq!(status, 0, "{name}: {report:#}");
        assert!(report["stats"]["events"].as_u64().unwrap() > 10, "{name} was recorded");
    });
}

#[test]
fn of_an_idle_program_whose_time_is_over_no_more_is_told() {
    in_parallel(IDLE.len(), &IDLE, |name| {
        let (report, _) = run_command(&["--timeout", "6s"], &program("idle"), &[name]);
        let told: Vec<_> = findings(&report).iter().map(|finding| text(finding, "code")).collect();
        assert_eq!(told, if *name == "stopped" { vec![] } else { vec!["stall"] }, "{name}: {report:#}");
    });
}

#[test]
fn an_idle_program_that_was_killed_is_not_accused() {
    in_parallel(IDLE.len(), &IDLE, |name| {
        let trace = tempfile::tempdir().unwrap();
        let mut command = Command::new(program("idle"));
        command.arg(name).env("DEADLOCK_CHECK_TRACE", trace.path()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        sleep(IDLES);
        child.kill().unwrap();
        child.wait().unwrap();
        let (report, _) = check(trace.path());
        let told: Vec<_> = findings(&report).iter().map(|finding| text(finding, "code")).collect();
        assert!(told.iter().all(|code| *code == "stall"), "{name}: {report:#}");
        assert!(report["stats"]["events"].as_u64().unwrap() > 5, "{name} was recorded");
    });
}

/// It may be told that it waits, with the stranger's name; it is not ended for it.
#[test]
fn who_waits_for_a_thread_that_records_nothing_is_left_alone() {
    let (report, status) = run_command(&[], &program("idle"), &["stranger"]);
    assert_eq!((findings(&report).len(), status), (0, 0), "{report:#}");
}

/// How long the crowd goes on, in seconds.
fn crowd_seconds() -> u64 {
    if env::var_os("CI_FULL").is_some() { 60 } else { 10 }
}

#[test]
fn a_crowd_is_left_alone() {
    let (report, status) = run_command(&[], &program("idle"), &["crowd", &crowd_seconds().to_string()]);
    assert_eq!((findings(&report).len(), status), (0, 0), "{report:#}");
}

#[test]
fn in_a_crowd_the_one_deadlock_is_found() {
    let timeout = format!("{}s", crowd_seconds() + 10);
    let seconds = crowd_seconds().to_string();
    let (report, _) = run_command(&["--timeout", &timeout], &program("idle"), &["crowd_and_deadlock", &seconds]);
    let [finding] = findings(&report).as_slice() else { panic!("{report:#}") };
    assert_eq!((text(finding, "code"), text(finding, "certainty")), ("deadlock", "observed"));
    assert!(["left", "right", "alpha", "beta"].iter().all(|name| text(finding, "title").contains(name)), "{finding:#}");
}
