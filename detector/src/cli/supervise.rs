//! Running the program: its end, its time, and signals meanwhile.

use super::{
    process_tree,
    signals::{self, Received},
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum SuperviseError {
    #[error("cannot run {}: {source}", program.display())]
    Start { program: OsString, source: io::Error },
    #[error("cannot wait for the program: {0}")]
    Wait(io::Error),
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
}

/// Something happened while the program ran.
pub(super) enum Wake {
    Exited,
    Signal(Received),
}

/// How the program ended.
pub(super) struct Ended<R> {
    pub(super) status: ExitStatus,
    /// Whether its time was over.
    pub(super) timed_out: bool,
    /// Whether a signal to end came from outside and did end it.
    pub(super) interrupted: bool,
    /// What was read before the program was stopped, if it had to be.
    pub(super) last_state: Option<R>,
}

/// Runs a command to its end, or until its time is over.
///
/// `look` reads the state of a program that is about to be stopped, and says which other processes, known by
/// their pids, have to be stopped with it.
pub(super) fn supervise<R>(
    command: &mut Command,
    timeout: Option<Duration>,
    look: impl Fn() -> (R, Vec<i32>),
) -> Result<Ended<R>, SuperviseError> {
    let (sender, wakes) = mpsc::channel();
    let program_end = Arc::new(OnceLock::new());
    // Before the program starts: a signal in between would leave it running and this process dead.
    signals::watch(sender.clone(), Arc::clone(&program_end)).map_err(SuperviseError::Signals)?;
    let mut child = command
        .spawn()
        .map_err(|source| SuperviseError::Start { program: command.get_program().to_owned(), source })?;
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        // The child stays a zombie until it is reaped below, so its pid cannot come to mean another process
        // while signals are sent to it.
        let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while matches!(ended(), Err(Errno::INTR)) {}
        let _ = sender.send(Wake::Exited);
    });
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (timed_out, n_signals, mut last_state) = wait_for_end(&child, &wakes, deadline, &look);
    let status = child.wait().map_err(SuperviseError::Wait)?;
    let mut has_survivors = false;
    if last_state.is_none() && (n_signals > 0 || status.signal().is_some()) {
        // `cargo test` dies of the signal, the test that it started does not.
        let (state, survivors) = look();
        if !survivors.is_empty() {
            has_survivors = true;
            last_state = Some(state);
            process_tree::end(&survivors);
        }
    }
    // Only now: until then this process still has something to end.
    let _ = program_end.set(Instant::now());
    let by_signal = matches!(status.signal(), Some(SIGHUP | SIGINT | SIGQUIT | SIGTERM));
    // A program that took the signal as a request, cleaned up and succeeded, was not stuck.
    let interrupted = !timed_out && (by_signal || (n_signals > 0 && (has_survivors || !status.success())));
    Ok(Ended { status, timed_out, interrupted, last_state })
}

/// Waits; gives whether the time was over, how many signals came, and the state before the program was stopped.
fn wait_for_end<R>(
    child: &Child,
    wakes: &Receiver<Wake>,
    deadline: Option<Instant>,
    look: &impl Fn() -> (R, Vec<i32>),
) -> (bool, usize, Option<R>) {
    let pid = Pid::from_child(child);
    let mut last_state = None;
    let mut seen = Vec::new();
    let mut timed_out = false;
    loop {
        let wake = match deadline.filter(|_| last_state.is_none()) {
            Some(deadline) => wakes.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => wakes.recv().map_err(RecvTimeoutError::from),
        };
        let must_stop = match wake {
            Ok(Wake::Exited) | Err(RecvTimeoutError::Disconnected) => return (timed_out, seen.len(), last_state),
            Ok(Wake::Signal(received)) => {
                // Whoever presses Ctrl-C again, or asks again otherwise, has waited long enough.
                let is_again = received.number != SIGQUIT && seen.contains(&received.number);
                seen.push(received.number);
                if received.was_sent
                    && let Some(signal) = Signal::from_named_raw(received.number)
                {
                    let _ = kill_process(pid, signal);
                }
                is_again
            }
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                true
            }
        };
        if must_stop && last_state.is_none() {
            let (state, mut roots) = look();
            last_state = Some(state);
            roots.push(pid.as_raw_pid());
            process_tree::end(&roots);
        }
    }
}
