//! Running the program: its end, its time, hangs and signals meanwhile.

use super::{
    follow::{self, Limits},
    process_tree,
    signals::{self, Received},
};
use crate::watch::{Hang, WatchHandle};
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
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};
use tracing::warn;

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

/// Who wants this signal twice within this time wants it to reach the program.
pub(super) const TWICE: Duration = Duration::from_secs(2);

/// Something happened while the program ran.
pub(super) enum Wake {
    Exited,
    Signal(Received),
    Hang(Box<Hang>),
}

/// Who knows what the program records.
pub(super) trait Attendant {
    /// The state of the program, for the report.
    type State;

    /// Begins to watch; hangs go to the sender.
    fn watch(&self, wakes: Sender<Wake>) -> io::Result<WatchHandle>;

    /// Reads the state of a program that is about to be stopped; and which other processes, by their pids, have to be
    /// stopped with it.
    fn last_state(&self) -> (Self::State, Vec<i32>);

    /// Hears of a hang; says which processes have to be ended for it, and by what signal.
    fn hang(&mut self, hang: Hang) -> Option<(Vec<i32>, Signal)>;

    /// Which processes of the program record and are alive, by their pids.
    fn left_behind(&mut self) -> Vec<i32>;

    /// What a process has in its environment that is to record: `NAME=value`.
    fn inherited(&self) -> &[u8];

    /// Shows the state of the program to its user, now; if nothing is left to be shown, says so only if `always`.
    fn show(&self, always: bool);
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
    /// Processes that it started and that run on.
    pub(super) left_behind: Vec<i32>,
}

/// What happened until the program ended.
pub(super) struct Course<R> {
    pub(super) timed_out: bool,
    /// The signals that were meant for the program.
    pub(super) signals: Vec<i32>,
    /// Whether processes were ended because they hung.
    pub(super) hung: bool,
    pub(super) last_state: Option<R>,
}

/// How long a program may take.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// All of it.
    pub(super) timeout: Option<Duration>,
    /// What it leaves behind, from its end on.
    pub(super) follow: Duration,
}

/// Runs a command to its end and that of what it leaves behind, or until its time is over.
pub(super) fn supervise<A: Attendant>(
    command: &mut Command,
    times: Times,
    attendant: &mut A,
) -> Result<Ended<A::State>, SuperviseError> {
    let (sender, wakes) = mpsc::channel();
    let program_end = Arc::new(OnceLock::new());
    // Before the program starts: a signal in between would leave it running and this process dead.
    signals::watch(sender.clone(), Arc::clone(&program_end)).map_err(SuperviseError::Signals)?;
    let mut child = command
        .spawn()
        .map_err(|source| SuperviseError::Start { program: command.get_program().to_owned(), source })?;
    let watch = attendant.watch(sender.clone());
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        // The child stays a zombie until it is reaped below, so its pid cannot come to mean another process
        // while signals are sent to it.
        let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while matches!(ended(), Err(Errno::INTR)) {}
        let _ = sender.send(Wake::Exited);
    });
    let deadline = times.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut course = wait_for_end(&child, &wakes, deadline, attendant);
    let status = child.wait().map_err(SuperviseError::Wait)?;
    let mut left_behind = Vec::new();
    let mut has_survivors = false;
    // Who was stopped leaves nothing behind that is to go on.
    if course.last_state.is_none() && course.signals.is_empty() && status.signal().is_none() {
        left_behind = follow::follow(&wakes, Limits { follow: times.follow, deadline }, &mut course, attendant);
        has_survivors = course.last_state.is_some();
    }
    // All has ended: what a look that has begun would find is in the trace, too.
    match watch {
        Ok(watch) => watch.abandon(),
        Err(error) => warn!(%error, "hangs were not watched for"),
    }
    let Course { timed_out, signals, hung, mut last_state } = course;
    if last_state.is_none() && (!signals.is_empty() || status.signal().is_some()) {
        // `cargo test` dies of the signal, the test that it started does not.
        let (state, survivors) = attendant.last_state();
        if !survivors.is_empty() {
            has_survivors = true;
            last_state = Some(state);
            process_tree::end(&survivors);
        }
    }
    // Only now: until then this process still has something to end.
    let _ = program_end.set(Instant::now());
    let by_signal = !hung && matches!(status.signal(), Some(SIGHUP | SIGINT | SIGQUIT | SIGTERM));
    // A program that took the signal as a request, cleaned up and succeeded, was not stuck.
    let interrupted = !timed_out && (by_signal || (!signals.is_empty() && (has_survivors || !status.success())));
    Ok(Ended { status, timed_out, interrupted, last_state, left_behind })
}

/// Waits, and does meanwhile what has to be done.
fn wait_for_end<A: Attendant>(
    child: &Child,
    wakes: &Receiver<Wake>,
    deadline: Option<Instant>,
    attendant: &mut A,
) -> Course<A::State> {
    let pid = Pid::from_child(child);
    let mut course = Course { timed_out: false, signals: Vec::new(), hung: false, last_state: None };
    let mut shown: Option<Instant> = None;
    loop {
        let wake = match deadline.filter(|_| course.last_state.is_none()) {
            Some(deadline) => wakes.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => wakes.recv().map_err(RecvTimeoutError::from),
        };
        let must_stop = match wake {
            Ok(Wake::Exited) | Err(RecvTimeoutError::Disconnected) => return course,
            Ok(Wake::Signal(Received { number: SIGQUIT, was_sent }))
                if shown.is_none_or(|last| last.elapsed() > TWICE) =>
            {
                attendant.show(was_sent);
                shown = Some(Instant::now());
                if !was_sent {
                    // The program has it from the terminal, and may be ending because of it.
                    course.signals.push(SIGQUIT);
                }
                false
            }
            Ok(Wake::Signal(received)) => {
                // Whoever presses Ctrl-C again, or asks again otherwise, has waited long enough.
                let is_again = received.number != SIGQUIT && course.signals.contains(&received.number);
                course.signals.push(received.number);
                if received.was_sent
                    && let Some(signal) = Signal::from_named_raw(received.number)
                {
                    let _ = kill_process(pid, signal);
                }
                is_again
            }
            // Its processes are being ended anyway.
            Ok(Wake::Hang(_)) if course.last_state.is_some() => false,
            Ok(Wake::Hang(hang)) => {
                act_on_hang(*hang, &mut course, attendant);
                false
            }
            Err(RecvTimeoutError::Timeout) => {
                course.timed_out = true;
                true
            }
        };
        if must_stop && course.last_state.is_none() {
            let (state, mut roots) = attendant.last_state();
            course.last_state = Some(state);
            roots.push(pid.as_raw_pid());
            process_tree::end(&roots);
        }
    }
}

/// Ends the processes in a hang, if they are to be ended.
pub(super) fn act_on_hang<A: Attendant>(hang: Hang, course: &mut Course<A::State>, attendant: &mut A) {
    if let Some((pids, signal)) = attendant.hang(hang) {
        course.hung = true;
        process_tree::end_only(&pids, signal);
    }
}
