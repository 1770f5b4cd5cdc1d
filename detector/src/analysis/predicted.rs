//! Deadlocks of a history: what [`crate::prediction`] proves or leaves open, as findings.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, mode_name};
use crate::{
    finding::{Certainty, Code, Problem},
    history::{History, Kind},
    model::{ObjectId, SiteId, ThreadId, site_of},
    prediction::{self, Proven},
};
use trace_format::Mode;

/// Predicts, and says what was found. The problems say where a bound cut the search short.
pub fn run(history: &History) -> (Vec<RawFinding>, Vec<Problem>) {
    let prediction = prediction::predict(history);
    let mut findings: Vec<RawFinding> = prediction.proven.iter().map(|found| proven(history, found)).collect();
    findings.extend(prediction.open.iter().map(|blocked| {
        let why =
            "the search for a schedule that reaches it, or for a proof that none does, was cut short by its bound";
        finding(history, blocked, Certainty::Possible, why.to_owned())
    }));
    let mut problems = Vec::new();
    if prediction.is_cut_short {
        problems.push("the cycles of locks are too many to be looked at one by one: some were left out");
    }
    if !prediction.failed.is_empty() {
        // What does not survive its replay is not told of; that there was such a thing is.
        problems.push("a schedule did not survive its replay and was dropped: please report this with the trace");
    }
    let problems = problems.into_iter().map(|text| Problem { text: text.to_owned(), fatal: false }).collect();
    (findings, problems)
}

fn proven(history: &History, proven: &Proven) -> RawFinding {
    let n = proven.witness.schedule.len();
    let order = if proven.is_sync_preserving { "" } else { ", with critical sections of a lock in another order," };
    let why = format!("a schedule of {n} of its operations{order} was replayed step by step and ends in this deadlock");
    finding(history, &proven.witness.blocked, Certainty::Proven, why)
}

/// `blocked`: the acquires, each of which wants what the thread of the next one holds.
fn finding(history: &History, blocked: &[u32], certainty: Certainty, why: String) -> RawFinding {
    let n = blocked.len();
    let edge = |at: usize| {
        // The one before wants what this thread holds.
        let held = history.operations[blocked[(at + n - 1) % n] as usize].target;
        let wanting = history.operations[blocked[at] as usize];
        let since = acquired(history, blocked[at], held);
        RawEdge {
            thread: ThreadId(wanting.thread),
            holds: Some((ObjectId(held), mode_name(Mode::Exclusive), since)),
            wants: Some((Some(ObjectId(wanting.target)), mode_name(Mode::Exclusive), site_of(wanting.place))),
            could_release: Vec::new(),
        }
    };
    RawFinding {
        code: Code::LockOrder,
        certainty,
        why,
        assumes: vec![ALL_RECORDED.to_owned()],
        count: 1,
        edges: (0..n).map(edge).collect(),
        behind: Vec::new(),
        help: Help::OneOrder,
    }
}

/// Where the thread of the operation at `index` acquired what it holds there.
fn acquired(history: &History, index: u32, lock: u32) -> SiteId {
    let thread = history.operations[index as usize].thread;
    let before = history.operations[..index as usize].iter().rev();
    let acquire = before
        .into_iter()
        .find(|operation| (operation.thread, operation.kind, operation.target) == (thread, Kind::Acquire, lock));
    site_of(acquire.map_or(u32::MAX, |acquire| acquire.place))
}
