//! `predicted-deadlock`: what [`crate::prediction::hangs`] finds, as findings: threads that another schedule lets wait for each
//! other through something else than locks alone, or for a notify that came too early.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, WhyNot, mode_name};
use crate::{
    finding::{Certainty, Code, NOTIFIED},
    history::{History, Kind, Operation, Resource},
    model::{ObjectId, SiteId, ThreadId},
    prediction::{self, Hang, Way},
};

/// What the numbers of a history are in a model, and what is known beyond it.
pub trait Terms {
    /// A thread.
    fn thread(&self, thread: u32) -> ThreadId;

    /// A lock, or a resource.
    fn object(&mut self, number: u32) -> ObjectId;

    /// A thread that others wait for.
    fn thread_object(&mut self, thread: u32) -> Option<ObjectId>;

    /// A place.
    fn site(&mut self, place: u32) -> SiteId;

    /// Why a hang is not proven, if that is so.
    fn doubt(&self, hang: &Hang) -> Option<String>;
}

/// A finding about a hang.
pub fn finding(history: &History, hang: &Hang, terms: &mut dyn Terms) -> RawFinding {
    let edges = match hang.way {
        Way::Circle => circle(history, &hang.witness.blocked, terms),
        Way::Lost | Way::Passed => alone(history, hang, terms),
    };
    let n_steps = hang.witness.schedule.len();
    let order = if hang.reordered.is_empty() { "" } else { ", with critical sections of a lock in another order," };
    let replayed =
        format!("a schedule of {n_steps} of its operations{order} was replayed step by step and ends like this");
    let (certainty, why) = match (hang.way, terms.doubt(hang)) {
        (Way::Passed, _) => (Certainty::Possible, SUPPOSED.to_owned()),
        (_, Some(doubt)) => (Certainty::Possible, format!("{replayed}, but {doubt}")),
        (_, None) if !hang.has_looked => (Certainty::Possible, format!("{replayed}, but {ELSEWHERE}")),
        (_, None) if !hang.is_certain => (Certainty::Possible, format!("{replayed}, but {ALIVE}")),
        (_, None) => (Certainty::Proven, replayed),
    };
    let in_edges = |thread: &ThreadId| edges.iter().any(|edge| edge.thread == *thread);
    let thread_of = |index: &u32| terms.thread(history.operations[*index as usize].thread);
    let mut behind: Vec<ThreadId> = hang.behind.iter().map(thread_of).filter(|thread| !in_edges(thread)).collect();
    behind.sort_unstable();
    behind.dedup();
    RawFinding {
        code: Code::PredictedDeadlock,
        certainty,
        why,
        assumes: vec![ALL_RECORDED.to_owned()],
        count: 1,
        edges,
        behind,
        witness: None,
        help: if hang.way == Way::Circle { Help::NotWhileHolding } else { Help::NotifyWhatChanged },
    }
}

const ALIVE: &str = "other threads go on then of which it is not known what they do, though none of them has to do with \
                     what is waited for";
const ELSEWHERE: &str = "the thread did not look at what its lock guards before it waited: what it waits for is kept where \
                         nothing is recorded";
const SUPPOSED: &str = "the run went past this wait because its condition was met already; a thread that comes before it is \
                        met waits, and in a schedule in which it does nobody ends that";

/// The edges of a circle: each thread with what it keeps from the one before.
fn circle(history: &History, blocked: &[u32], terms: &mut dyn Terms) -> Vec<RawEdge> {
    let n = blocked.len();
    let edge = |at: usize| {
        let (before, own) = (operation(history, blocked[(at + n - 1) % n]), operation(history, blocked[at]));
        let next = operation(history, blocked[(at + 1) % n]);
        let held = (before.kind == Kind::Acquire).then(|| {
            let since = prediction::acquired(history, blocked[at], before.target).unwrap_or(u32::MAX);
            (terms.object(before.target), mode_name(held_mode(history, blocked[at], before.target)), terms.site(since))
        });
        let holds = held.or_else(|| newest_hold(history, blocked[at], terms));
        let could_release =
            if own.kind == Kind::Acquire { Vec::new() } else { vec![(terms.thread(next.thread), WhyNot::InCycle)] };
        RawEdge { thread: terms.thread(own.thread), holds, wants: Some(wants(history, own, terms)), could_release }
    };
    let mut edge = edge;
    (0..n).map(&mut edge).collect()
}

/// The edge of a thread that nobody wakes, and of who tried; and of those that wait for what it holds meanwhile.
fn alone(history: &History, hang: &Hang, terms: &mut dyn Terms) -> Vec<RawEdge> {
    let Some(index) = hang.witness.blocked.first().copied() else { return Vec::new() };
    let own = operation(history, index);
    let mut edges = vec![RawEdge {
        thread: terms.thread(own.thread),
        holds: newest_hold(history, index, terms),
        wants: Some(wants(history, own, terms)),
        could_release: Vec::new(),
    }];
    if let Some(give) = hang.too_early.map(|give| operation(history, give)) {
        edges.push(RawEdge {
            thread: terms.thread(give.thread),
            holds: None,
            wants: Some((Some(terms.object(give.target)), NOTIFIED, terms.site(give.place))),
            could_release: Vec::new(),
        });
    }
    for index in &hang.behind {
        let own = operation(history, *index);
        if own.kind == Kind::Acquire {
            edges.push(RawEdge {
                thread: terms.thread(own.thread),
                holds: newest_hold(history, *index, terms),
                wants: Some(wants(history, own, terms)),
                could_release: Vec::new(),
            });
        }
    }
    edges
}

fn operation(history: &History, index: u32) -> Operation {
    history.operations[index as usize]
}

/// What an operation waits for, how, and where.
fn wants(history: &History, operation: Operation, terms: &mut dyn Terms) -> (Option<ObjectId>, &'static str, SiteId) {
    let site = terms.site(operation.place);
    match operation.kind {
        Kind::Acquire => (Some(terms.object(operation.target)), mode_name(operation.mode), site),
        Kind::Join => (terms.thread_object(operation.target), "join", site),
        Kind::Await => (None, "scope end", site),
        Kind::Give | Kind::Confirm => (Some(terms.object(operation.target)), "send", site),
        _ if matches!(history.resources.kind(operation.target), Resource::Channel { .. }) => {
            (Some(terms.object(operation.target)), "receive", site)
        }
        _ => (Some(terms.object(operation.target)), "wait", site),
    }
}

/// What the thread of an operation has held for the shortest time there.
fn newest_hold(history: &History, index: u32, terms: &mut dyn Terms) -> Option<(ObjectId, &'static str, SiteId)> {
    let acquire = prediction::newest_hold(history, index)?;
    Some((terms.object(acquire.target), mode_name(acquire.mode), terms.site(acquire.place)))
}

fn held_mode(history: &History, index: u32, lock: u32) -> trace_format::Mode {
    prediction::acquire(history, index, lock).map_or(trace_format::Mode::Exclusive, |acquire| acquire.mode)
}
