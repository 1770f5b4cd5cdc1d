//! What every thread of a program holds and waits for, when the program had to be stopped or died waiting, and
//! nothing better is known.

use super::{Help, RawEdge, RawFinding, mode_name, wait_name};
use crate::{
    finding::{Certainty, Code},
    model::{Hold, Model, Process, ProcessId, Thread, ThreadId},
};
use trace_format::Kind;

/// Whether the tool had to stop the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It did not: the program ended by itself, or it was not the tool that ran it.
    No,
    /// Its time was over.
    TimedOut,
    /// The user interrupted it.
    Interrupted,
    /// It was not: it runs, and the user asks what it does.
    Running,
}

/// One finding for each process that stands still.
pub fn run(model: &Model, stopped: Stopped) -> Vec<RawFinding> {
    let processes = model.processes.iter().zip(0..);
    processes.filter_map(|(process, idx)| stalled(model, process, ProcessId(idx), stopped)).collect()
}

fn stalled(model: &Model, process: &Process, id: ProcessId, stopped: Stopped) -> Option<RawFinding> {
    let threads = (0..).map(ThreadId).zip(&model.threads).filter(|(_, thread)| thread.process == id && !thread.ended);
    // A task that is merely suspended is nobody's business.
    let threads: Vec<(ThreadId, &Thread)> =
        threads.filter(|(_, thread)| !thread.is_task || !thread.holds.is_empty() || thread.wait.is_some()).collect();
    let why = match stopped {
        Stopped::TimedOut => {
            "the program had to be stopped when its time was over; whether its threads could have gone on is not known"
        }
        Stopped::Interrupted => "the program was interrupted; whether its threads could have gone on is not known",
        Stopped::Running if process.alive => "the program runs on; this is what its threads did when it was asked",
        Stopped::Running => return None,
        Stopped::No => {
            let died_waiting = !process.exited && !process.alive;
            if !died_waiting || !threads.iter().any(|(_, thread)| waits_for_lock(thread)) {
                return None;
            }
            "the process died while threads of it were waiting; whether they could have gone on is not known"
        }
    };
    // Exit handlers run in a process that has not gone yet.
    if threads.is_empty() || process.exited && !process.alive {
        return None;
    }
    let certainty = if stopped == Stopped::TimedOut { Certainty::Possible } else { Certainty::Hazard };
    Some(RawFinding {
        edges: threads.iter().flat_map(|(id, thread)| edges(*id, thread)).collect(),
        ..RawFinding::new(Code::Stall, certainty, why.to_owned(), Help::LookAtWaits)
    })
}

fn waits_for_lock(thread: &Thread) -> bool {
    thread.wait.as_ref().is_some_and(|wait| wait.event.kind() == Kind::REQUEST && !wait.is_timed())
}

/// An edge for each hold, newest first; one without a hold for a thread that holds nothing.
fn edges(id: ThreadId, thread: &Thread) -> Vec<RawEdge> {
    let wants = thread.wait.as_ref().map(|wait| (wait.object, wait_name(wait), wait.site));
    let edge = |hold: Option<&Hold>| RawEdge {
        thread: id,
        holds: hold.map(|hold| (hold.object, mode_name(hold.mode), hold.site)),
        wants,
        could_release: Vec::new(),
    };
    if thread.holds.is_empty() {
        return vec![edge(None)];
    }
    thread.holds.iter().rev().map(|hold| edge(Some(hold))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::Fixture;
    use trace_format::Mode;

    fn stuck() -> Fixture {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Exclusive), ("B", Mode::Shared)], "C", Mode::Exclusive);
        fixture.thread(1);
        fixture
    }

    #[test]
    fn every_live_thread_is_listed_newest_hold_first() {
        let mut fixture = stuck();
        fixture.thread(2);
        fixture.model.threads[2].ended = true;
        let findings = run(&fixture.model, Stopped::TimedOut);
        assert_eq!(findings.len(), 1);
        let edges: Vec<_> = findings[0]
            .edges
            .iter()
            .map(|edge| (edge.thread.0, edge.holds.map(|(_, mode, _)| mode), edge.wants.map(|(_, mode, _)| mode)))
            .collect();
        let expected =
            [(0, Some("shared"), Some("exclusive")), (0, Some("exclusive"), Some("exclusive")), (1, None, None)];
        assert_eq!(edges, expected);
        assert_eq!(findings[0].certainty, Certainty::Possible);
    }

    #[test]
    fn an_interrupt_is_a_hazard() {
        assert_eq!(run(&stuck().model, Stopped::Interrupted)[0].certainty, Certainty::Hazard);
    }

    #[test]
    fn without_a_stop_only_a_process_that_died_waiting_for_a_lock_counts() {
        let mut fixture = stuck();
        let findings = run(&fixture.model, Stopped::No);
        assert_eq!((findings.len(), findings[0].certainty), (1, Certainty::Hazard));
        assert!(findings[0].why.contains("died") && !findings[0].why.contains("stopped"), "{}", findings[0].why);
        fixture.model.processes[0].alive = true;
        assert!(run(&fixture.model, Stopped::No).is_empty());
        fixture.model.processes[0] = Process { exited: true, ..Process::default() };
        assert!(run(&fixture.model, Stopped::No).is_empty());
        fixture.model.processes[0] = Process::default();
        fixture.model.threads[0].wait = None;
        assert!(run(&fixture.model, Stopped::No).is_empty());
    }
}
