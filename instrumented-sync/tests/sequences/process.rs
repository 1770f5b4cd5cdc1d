//! Child processes: what their start, their end and waits for them leave behind.

use crate::{
    Trace, record, sequence, so_far, spawn,
    support::{program, rules},
    thread_named, until_waiting,
};
use instrumented_sync::{
    Mutex, label,
    process::{Child, Command, Stdio, set_role},
    thread, trace,
};
use std::{env, hint::black_box};
use trace_format::{Event, Flags, Kind, TRACE_VARIABLE};

const NONE: Flags = Flags::NONE;

/// A child that ends when its input does.
fn cat(name: &str) -> Child {
    let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    label(&child, name);
    child
}

fn exits(status: i32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exit {status}")]);
    command
}

/// All that was recorded of a child but its creation and its end as an object.
fn of_child(trace: &Trace, object: u64) -> Vec<(Kind, Flags, u64)> {
    let all: Vec<_> = trace.threads.iter().flat_map(|thread| sequence(thread, object)).collect();
    let made = |event: &(Kind, Flags, u64)| matches!(event.0, Kind::CREATE | Kind::DESTROY);
    assert_eq!(all.iter().filter(|event| made(event)).count(), 2, "{all:?}");
    all.into_iter().filter(|event| !made(event)).collect()
}

/// Objects of children in the order in which they were started.
fn started(trace: &Trace) -> Vec<u64> {
    let spawns = trace.events().filter(|event| event.kind() == Kind::PROCESS_SPAWN);
    let mut started: Vec<_> = spawns.map(|event| event.object().0).collect();
    started.dedup();
    started
}

/// A thread waits for a child that runs; the same child is waited for again and killed when all is over.
pub(crate) fn waits() {
    let mut child = cat("cat");
    let (input, pid) = (child.stdin.take(), child.id());
    thread::scope(|scope| {
        spawn(scope, "waits", || {
            assert!(child.wait().unwrap().success());
        });
        let slot = until_waiting(thread_named("waits"), Kind::PROCESS_WAIT, "cat");
        assert!(slot.wait.is_some_and(|wait| !wait.site().is_none()));
        assert_eq!(so_far().children, [(so_far().labelled("cat"), pid, start_of(pid))]);
        drop(input);
    });
    assert!(child.wait().unwrap().success() && child.try_wait().unwrap().is_some());
    child.kill().unwrap();
}

/// Field 22 of what the system says of a process.
fn start_of(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split(' ').nth(20).unwrap().parse().unwrap()
}

#[test]
fn a_wait_is_published_while_the_child_runs() {
    let trace = record("process::waits");
    let cat = trace.labelled("cat");
    let expected = [(Kind::PROCESS_SPAWN, NONE, 0), (Kind::PROCESS_WAIT, NONE, 0), (Kind::CHILD_EXIT, NONE, 0)];
    assert_eq!(of_child(&trace, cat), expected);
    let waits = trace.named("waits").on(cat, &[Kind::PROCESS_WAIT]);
    assert!(waits.len() == 1 && !waits[0].site().is_none());
    assert!(trace.slots().iter().all(|slot| slot.wait.is_none()));
    assert!(!trace.events().any(|event| event.kind() == Kind::PROCESS_SPAWN && event.site().is_none()));
}

/// Children that are asked for their end, and killed.
pub(crate) fn asks() {
    let mut child = cat("cat");
    for _ in 0..5 {
        assert!(child.try_wait().unwrap().is_none());
    }
    child.kill().unwrap();
    while child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    assert!(child.try_wait().unwrap().is_some() && !child.wait().unwrap().success());
    child.kill().unwrap();
    // This one is let go: nobody waits for it.
    drop(cat("alone"));
}

#[test]
fn who_asks_does_not_wait() {
    let trace = record("process::asks");
    let expected = [
        (Kind::PROCESS_SPAWN, NONE, 0),
        (Kind::LOOK, NONE, 0),
        (Kind::PROCESS_KILL, NONE, 0),
        (Kind::PROCESS_WAIT, Flags::TRY, 0),
        (Kind::CHILD_EXIT, NONE, 9),
    ];
    let mut events = of_child(&trace, trace.labelled("cat"));
    // It may not have ended at once, and what the thread looked at meanwhile it does not remember for ever.
    events.dedup();
    assert_eq!(events.iter().filter(|event| event.0 != Kind::LOOK).count(), 4, "{events:?}");
    events.retain({
        let mut seen = false;
        move |event| event.0 != Kind::LOOK || !std::mem::replace(&mut seen, true)
    });
    assert_eq!(events, expected);
    assert_eq!(of_child(&trace, trace.labelled("alone")), [(Kind::PROCESS_SPAWN, NONE, 0)]);
}

/// All ways to start a child and to wait for it in one.
pub(crate) fn at_once() {
    assert_eq!(exits(3).status().unwrap().code(), Some(3));
    assert_eq!(exits(4).output().unwrap().status.code(), Some(4));
    let mut command = exits(5);
    assert_eq!(command.spawn().unwrap().wait_with_output().unwrap().status.code(), Some(5));
    assert_eq!(command.status().unwrap().code(), Some(5));
}

#[test]
fn what_starts_and_waits_is_recorded_as_both() {
    let trace = record("process::at_once");
    let children = started(&trace);
    assert_eq!(children.len(), 4);
    for (object, status) in children.iter().zip([3, 4, 5, 5]) {
        let expected =
            [(Kind::PROCESS_SPAWN, NONE, 0), (Kind::PROCESS_WAIT, NONE, 0), (Kind::CHILD_EXIT, NONE, status << 8)];
        assert_eq!(of_child(&trace, *object), expected);
    }
    let described: Vec<_> = trace.children.iter().map(|(object, ..)| *object).collect();
    assert_eq!(described, children);
    assert!(trace.children.iter().all(|(_, pid, start)| *pid > 1 && *start > 0));
    // One after the other, the pair published together.
    let thread = &trace.threads[0];
    for (n, event) in thread.events.iter().enumerate().filter(|(_, event)| event.kind() == Kind::CHILD_EXIT) {
        assert_eq!((thread.events[n - 1].kind(), thread.events[n - 1].object()), (Kind::PROCESS_WAIT, event.object()));
    }
}

/// What cannot be started, or executed.
pub(crate) fn fails() {
    let mut missing = Command::new("/there/is/no/such/program");
    assert!(missing.spawn().is_err() && missing.output().is_err());
    let _error = missing.exec();
    // SAFETY: the closure returns.
    unsafe { missing.pre_exec(|| Ok(())) };
    assert!(missing.status().is_err());
}

#[test]
fn a_start_that_fails_is_taken_back() {
    let trace = record("process::fails");
    let children = started(&trace);
    assert_eq!((children.len(), trace.children.len()), (3, 0));
    for object in children {
        assert_eq!(of_child(&trace, object), [(Kind::PROCESS_SPAWN, NONE, 0), (Kind::FORK_FAILED, NONE, 0)]);
    }
    let executed: Vec<_> = trace.events().filter(|event| event.kind() == Kind::EXEC).collect();
    assert!(matches!(executed[..], [exec] if !exec.site().is_none() && exec.object().0 == 0));
    let forks: Vec<_> = trace.events().filter(|event| event.kind() == Kind::PROCESS_FORK).map(Event::seq).collect();
    assert_eq!(forks, [1], "the one with a closure");
}

/// Who waits for a child with a lock in hand and uses what it guards only then.
pub(crate) fn late() {
    let lock = Mutex::new(1);
    label(&lock, "lock");
    let guard = lock.lock().unwrap();
    assert!(exits(0).status().unwrap().success());
    black_box(*guard);
    drop(guard);
    set_role("first");
    set_role("consumer");
}

#[test]
fn a_use_after_a_wait_for_a_child_is_late() {
    let trace = record("process::late");
    let releases = trace.threads[0].on(trace.labelled("lock"), &[Kind::RELEASE]);
    assert!(matches!(releases[..], [release] if release.flags().has(Flags::LATE)), "{releases:?}");
    assert_eq!(trace.roles, ["first", "consumer"]);
}

const LATE_DIR: &str = "SEQUENCES_LATE_DIR";

/// Recording begins when the child is there.
pub(crate) fn from_before() {
    let mut child = cat("not recorded");
    trace::start(env::var_os(LATE_DIR).unwrap()).unwrap();
    label(&child, "cat");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_child_from_before_recording_is_described_when_it_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program::command("process::from_before", dir.path());
    program::run(command.env_remove(TRACE_VARIABLE).env(LATE_DIR, dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, rules::Ending::Exit);
    let cat = trace.labelled("cat");
    assert_eq!(of_child(&trace, cat), [(Kind::PROCESS_WAIT, NONE, 0), (Kind::CHILD_EXIT, NONE, 0)]);
    assert!(matches!(trace.children[..], [(object, pid, start)] if object == cat && pid > 1 && start > 0));
}
