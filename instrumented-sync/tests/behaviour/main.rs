//! Whatever std's primitives do, these do: every case runs with std's, with ours, and with ours recorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "the helpers of tests fail like tests"
)]
#![allow(clippy::duplicate_mod, reason = "one text of each case serves both roots")]

mod instrumented;
mod native;

#[cfg(recorded)]
#[path = "../support/mod.rs"]
mod support;

/// Time in which something that should not happen is given the chance to; a slow machine only makes a test kinder.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(30);

/// Runs `f` and returns the text that it panicked with.
fn panic_text(f: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
    payload_text(payload.as_ref())
}

fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap()
}

fn std_thread_id() -> std::thread::ThreadId {
    std::thread::current().id()
}

/// Waits until something has happened.
fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}

#[cfg(recorded)]
#[test]
fn recorded() {
    use std::process::Command;
    use support::rules::{self, Ending};
    use trace_format::{Flags, Kind, TRACE_VARIABLE};

    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--skip", "recorded", "--skip", "native::"]).env(TRACE_VARIABLE, dir.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let trace = support::Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let kinds = [
        [Kind::CREATE, Kind::CAPACITY, Kind::ACQUIRE, Kind::RELEASE, Kind::REQUEST],
        [Kind::WAIT, Kind::WAKE, Kind::NOTIFY, Kind::ARRIVE, Kind::EXTEND],
        [Kind::SEND, Kind::SEND_FAILED, Kind::SENT, Kind::RECEIVE, Kind::RECEIVE_FAILED],
        [Kind::HANDLE_CLONE, Kind::HANDLE_DROP, Kind::FORK, Kind::FORK_FAILED, Kind::JOIN],
        [Kind::BEGIN, Kind::BODY_END, Kind::END, Kind::SCOPE_END, Kind::TIME],
    ];
    let atomics = [Kind::FENCE, Kind::ATOMIC_LOAD, Kind::ATOMIC_STORE, Kind::ATOMIC_RMW];
    let processes =
        [Kind::PROCESS_SPAWN, Kind::PROCESS_WAIT, Kind::CHILD_EXIT, Kind::PROCESS_KILL, Kind::EXEC, Kind::PROCESS_FORK];
    for kind in kinds.into_iter().flatten().chain([Kind::LOOK, Kind::PASS]).chain(atomics).chain(processes) {
        assert!(trace.count(kind) > 0, "no {kind:?} was recorded");
    }
    let flags = [
        (Kind::ACQUIRE, [Flags::TRY, Flags::CONTENDED, Flags::POISONED, Flags::REACQUIRE]),
        (Kind::RELEASE, [Flags::READ, Flags::WROTE, Flags::FOR_WAIT, Flags::PANICKING]),
    ];
    for (kind, flags) in flags {
        for flag in flags {
            let mut events = trace.events().filter(|event| event.kind() == kind);
            assert!(events.any(|event| event.flags().has(flag)), "no {kind:?} with {flag:?} was recorded");
        }
    }
}
