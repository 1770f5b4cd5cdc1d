//! `predicted-deadlock`: what [`crate::prediction::hangs`] finds, as findings: threads that another schedule lets wait for each
//! other through something else than locks alone, or for a notify that came too early, or that never comes.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, Terms, WhyNot, mode_name, steps, steps::wanted};
use crate::{
    finding::{Certainty, Code, NOTIFIED},
    history::{History, Kind, Operation, Resource},
    model::{ObjectId, SiteId, ThreadId},
    prediction::{self, Hang, Way},
};
use std::collections::BTreeSet;

/// What the numbers of a history are in a model that takes in what it lacks, and what is known beyond it.
pub trait Growing: Terms {
    /// A place.
    fn site(&mut self, place: u32) -> SiteId;

    /// Why a hang is not proven, if that is so.
    fn doubt(&self, hang: &Hang) -> Option<String>;
}

/// A finding about a hang.
pub fn finding(history: &History, hang: &Hang, terms: &mut impl Growing) -> RawFinding {
    let kept_away = if hang.way == Way::Passed { kept_away(history, hang) } else { None };
    let (edges, help) = match (hang.way, kept_away) {
        (Way::Circle, _) => (circle(history, &hang.witness.blocked, terms), Help::NotWhileHolding),
        (_, Some(kept_away)) => (two(history, hang, kept_away, terms), Help::DropBeforeWait),
        (_, None) => (alone(history, hang, terms), Help::NotifyWhatChanged),
    };
    let mut witness = hang.witness.clone();
    witness.blocked.extend(kept_away.map(|(_, wanting)| wanting));
    let witness = steps(history, &witness, terms);
    let (certainty, why) = why(history, hang, witness.n_operations, terms);
    let in_edges = |thread: &ThreadId| edges.iter().any(|edge| edge.thread == *thread);
    let thread_of = |index: &u32| terms.thread(history.operations[*index as usize].thread);
    let mut behind: Vec<ThreadId> = hang.behind.iter().map(thread_of).filter(|thread| !in_edges(thread)).collect();
    behind.sort_unstable();
    behind.dedup();
    RawFinding {
        assumes: vec![ALL_RECORDED.to_owned()],
        edges,
        behind,
        witness: Some(witness),
        ..RawFinding::new(Code::PredictedDeadlock, certainty, why, help)
    }
}

const ALIVE: &str = "what other threads do from there on is not known; in the run they had nothing to do with what is \
                     waited for";
const ELSEWHERE: &str = "the thread was not seen to wait for a change of what its lock guards: if it looked at something that is \
                         not recorded, an atomic for example, it may not have waited";

const PARKED: &str = "if the thread looked at something that is not recorded before it parked, an atomic for example, it may not have \
                      parked again";

fn is_parked(history: &History, hang: &Hang) -> bool {
    let waiting = hang.witness.blocked.first().map(|index| operation(history, *index).target);
    waiting.is_some_and(|resource| history.resources.kind(resource) == Resource::Token)
}

/// How sure it is, and why: what was shown, and what is not known.
fn why(history: &History, hang: &Hang, n_operations: u64, terms: &impl Growing) -> (Certainty, String) {
    let order = if hang.reordered.is_empty() { "" } else { ", with critical sections of a lock in another order," };
    let replayed = format!("a schedule of {n_operations} of its operations{order} was replayed and ends like this");
    let doubt = match (hang.way, terms.doubt(hang)) {
        (_, Some(doubt)) => format!("it is not proven, since {doubt}"),
        (_, None) if !hang.has_looked && is_parked(history, hang) => PARKED.to_owned(),
        (_, None) if !hang.has_looked => ELSEWHERE.to_owned(),
        (Way::Circle | Way::Lost, None) if !hang.is_certain => ALIVE.to_owned(),
        (Way::Circle | Way::Lost, None) => return (Certainty::Proven, replayed),
        (Way::Passed, None) => String::new(),
    };
    if hang.way != Way::Passed {
        return (Certainty::Possible, format!("{replayed}; {doubt}"));
    }
    let doubt = if doubt.is_empty() { doubt } else { format!("; {doubt}") };
    let why = format!(
        "in the run the condition was met already when the thread came; a schedule of {n_operations} of its operations \
         was replayed in which it comes earlier and waits, and ends like this; not known is whether the condition is not met \
         that early{doubt}"
    );
    (Certainty::Possible, why)
}

/// The edges of a circle: each thread with the lock that it keeps from the one before, if it is a lock.
fn circle(history: &History, blocked: &[u32], terms: &mut impl Growing) -> Vec<RawEdge> {
    let n = blocked.len();
    let mut edge = |at: usize| {
        let (before, own) = (operation(history, blocked[(at + n - 1) % n]), operation(history, blocked[at]));
        let next = blocked[(at + 1) % n];
        let held = prediction::acquire(history, blocked[at], before.target).filter(|_| before.kind == Kind::Acquire);
        let help = help_behind(history, own, next);
        let next = terms.thread(operation(history, next).thread);
        RawEdge {
            thread: terms.thread(own.thread),
            holds: held.and_then(|acquire| hold(acquire, terms)),
            wants: Some(wants(history, own, terms)),
            could_release: help.map(|help| (next, WhyNot::InCycleBefore(terms.site(help.place)))).into_iter().collect(),
        }
    };
    (0..n).map(&mut edge).collect()
}

/// What the thread of the operation at `index` does behind it that ends such a wait, first of all.
fn help_behind(history: &History, wait: Operation, index: u32) -> Option<Operation> {
    let thread = operation(history, index).thread;
    let helps = |kind: Kind| match wait.kind {
        Kind::Take => matches!(kind, Kind::Give | Kind::GiveAll),
        Kind::FindClosed => kind == Kind::Close,
        Kind::Give | Kind::Confirm => kind == Kind::Take,
        _ => false,
    };
    let mut behind = history.operations.get(index as usize..)?.iter().filter(|operation| operation.thread == thread);
    behind.find(|operation| operation.target == wait.target && helps(operation.kind)).copied()
}

/// The edge of a thread that nobody wakes, and of who tried.
fn alone(history: &History, hang: &Hang, terms: &mut impl Growing) -> Vec<RawEdge> {
    let waiting = hang.witness.blocked.first().map(|index| {
        let held = prediction::holds(history, *index).first().copied();
        RawEdge {
            holds: held.and_then(|acquire| hold(acquire, terms)),
            ..waits(history, operation(history, *index), terms)
        }
    });
    let early = hang.too_early.map(|give| operation(history, give)).map(|give| RawEdge {
        thread: terms.thread(give.thread),
        holds: None,
        wants: Some((terms.object(give.target), NOTIFIED, terms.site(give.place))),
        could_release: Vec::new(),
    });
    waiting.into_iter().chain(early).collect()
}

/// The edges of a thread that waits with a lock in its hands, and of one that wants this.
fn two(history: &History, hang: &Hang, (held, wanting): (Operation, u32), terms: &mut impl Growing) -> Vec<RawEdge> {
    let waiting = hang
        .witness
        .blocked
        .first()
        .map(|index| RawEdge { holds: hold(held, terms), ..waits(history, operation(history, *index), terms) });
    waiting.into_iter().chain([waits(history, operation(history, wanting), terms)]).collect()
}

/// What a thread keeps while it waits so that another one cannot go on, and where that one is; best one that would notify.
fn kept_away(history: &History, hang: &Hang) -> Option<(Operation, u32)> {
    let index = hang.witness.blocked.first().copied()?;
    let condition = operation(history, index).target;
    let held = prediction::holds(history, index);
    let wanting = hang.behind.iter().filter_map(|index| {
        let wanting = operation(history, *index);
        let held = held.iter().find(|held| held.target == wanting.target && wanting.kind == Kind::Acquire)?;
        Some((*held, *index))
    });
    let wanting: Vec<(Operation, u32)> = wanting.collect();
    if wanting.len() < 2 {
        return wanting.first().copied();
    }
    let gives =
        |operation: &&Operation| operation.target == condition && matches!(operation.kind, Kind::Give | Kind::GiveAll);
    let notifiers: BTreeSet<u32> = history.operations.iter().filter(gives).map(|operation| operation.thread).collect();
    let key = |(_, index): &(Operation, u32)| (!notifiers.contains(&operation(history, *index).thread), *index);
    wanting.into_iter().min_by_key(key)
}

/// The edge of a thread that waits.
fn waits(history: &History, own: Operation, terms: &mut impl Growing) -> RawEdge {
    RawEdge {
        thread: terms.thread(own.thread),
        holds: None,
        wants: Some(wants(history, own, terms)),
        could_release: Vec::new(),
    }
}

fn operation(history: &History, index: u32) -> Operation {
    history.operations[index as usize]
}

/// What an operation waits for, how, and where.
fn wants(
    history: &History,
    operation: Operation,
    terms: &mut impl Growing,
) -> (Option<ObjectId>, &'static str, SiteId) {
    let (object, how) = wanted(history, &operation, terms);
    (object, how, terms.site(operation.place))
}

/// What was acquired, how, and where.
fn hold(acquire: Operation, terms: &mut impl Growing) -> Option<(ObjectId, &'static str, SiteId)> {
    Some((terms.object(acquire.target)?, mode_name(acquire.mode), terms.site(acquire.place)))
}
