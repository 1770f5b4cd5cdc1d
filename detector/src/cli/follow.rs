//! What the program left behind when it ended: processes that it started, and that record and run on. They are watched for a while, since
//! a hang among them is a hang of the program; a daemon that never ends does not keep the tool.

use super::{
    output,
    process_tree::{self, Process},
    signals::Received,
    supervise::{Attendant, Course, TWICE, Wake, act_on_hang},
};
use signal_hook::consts::SIGQUIT;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

/// How often to look whether they have ended.
const LOOK: Duration = Duration::from_millis(50);

/// Who ends so soon after the program is not worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// A process this young may be about to begin to record.
const YOUNG: Duration = Duration::from_millis(500);

/// How long to follow, on both counts.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For so long after the program's end.
    pub(super) follow: Duration,
    /// When the time of the whole run is over.
    pub(super) deadline: Option<Instant>,
}

/// Waits until all that was left behind has ended, or the time is over; does meanwhile what has to be done.
///
/// Which of them are left alone.
pub(super) fn follow<A: Attendant>(
    wakes: &Receiver<Wake>,
    limits: Limits,
    course: &mut Course<A::State>,
    attendant: &mut A,
) -> Vec<i32> {
    let begin = Instant::now();
    let (mut is_told, mut starting, mut shown) = (false, None, None);
    loop {
        let left = attendant.left_behind();
        let elapsed = begin.elapsed();
        if left.is_empty() && !(elapsed < YOUNG.min(limits.follow) && is_one_starting(attendant, &mut starting)) {
            return left;
        }
        if elapsed >= limits.follow {
            if !left.is_empty() {
                let what =
                    if left.len() == 1 { "it is let alone, and nothing" } else { "they are let alone, and nothing" };
                output::tell(&format!("{}; {what} that happens from now on is reported", runs_on(&left)));
            }
            return left;
        }
        if elapsed >= WORTH_A_WORD.min(limits.follow) && !is_told && !left.is_empty() {
            let follow = humantime::format_duration(limits.follow);
            output::tell(&format!("{} and is watched for up to {follow} (--follow)", runs_on(&left)));
            is_told = true;
        }
        if limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            course.timed_out = true;
            return end(course, attendant);
        }
        match wakes.recv_timeout(LOOK) {
            Ok(Wake::Hang(hang)) => act_on_hang(*hang, course, attendant),
            Ok(Wake::Signal(Received { number: SIGQUIT, was_sent }))
                if shown.is_none_or(|last: Instant| last.elapsed() > TWICE) =>
            {
                attendant.show(was_sent);
                shown = Some(Instant::now());
            }
            Ok(Wake::Signal(received)) => {
                course.signals.push(received.number);
                return end(course, attendant);
            }
            Ok(Wake::Exited) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// Ends what was left behind, having read its state.
fn end<A: Attendant>(course: &mut Course<A::State>, attendant: &A) -> Vec<i32> {
    let (state, recorded) = attendant.last_state();
    course.last_state = Some(state);
    process_tree::end(&recorded);
    Vec::new()
}

/// Whether a process that inherited the trace is so young that it may begin to record in a moment. Who they are is looked up once:
/// what they start in turn was started by somebody who does not record.
fn is_one_starting<A: Attendant>(attendant: &A, starting: &mut Option<Vec<Process>>) -> bool {
    let starting = starting.get_or_insert_with(|| process_tree::heirs(attendant.inherited(), YOUNG));
    starting.iter().any(|process| process_tree::is_alive(*process))
}

fn runs_on(left: &[i32]) -> String {
    let name = |pid: &i32| match process_tree::name(*pid) {
        Some(name) => format!("{pid} ({name})"),
        None => pid.to_string(),
    };
    let names: Vec<String> = left.iter().map(name).collect();
    match names.as_slice() {
        [name] => format!("the program has ended; process {name}, which it left behind, runs on"),
        _ => format!("the program has ended; processes {}, which it left behind, run on", names.join(", ")),
    }
}
