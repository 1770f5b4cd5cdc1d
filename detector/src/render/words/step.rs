//! Phrases about schedules.

use super::{counted, object, purpose, race, thread, thread_name, took, waits};
use crate::finding::{Certainty, Code, Edge, Finding, Object, Op, Step, Witness};

/// What a thread does that gets no further: on a lock, or waiting for something else.
const BLOCKS: [&str; 2] = ["BLOCKS on", "BLOCKS:"];

/// What blocks, or races, is red, for those who see it.
pub(in crate::render) fn paint(line: &str) -> String {
    for word in BLOCKS.into_iter().chain([race::NEXT]) {
        if let Some((before, after)) = line.split_once(word) {
            return format!("{before}\x1b[1m\x1b[91m{word}\x1b[0m{after}");
        }
    }
    line.to_owned()
}

/// What comes above a schedule.
pub(in crate::render) fn schedule_title(finding: &Finding, witness: &Witness) -> String {
    let mut numbers: Vec<u64> = witness.steps.iter().map(|step| step.step).collect();
    numbers.dedup();
    let n_shown = numbers.iter().filter(|number| **number <= witness.n_operations).count() as u64;
    let shown = if n_shown < witness.n_operations { format!("; {n_shown} of them are shown") } else { String::new() };
    let n = counted(witness.n_operations, "operation");
    let ends = match (finding.code, finding.certainty) {
        (Code::PredictedDeadlock, Certainty::Possible) => "ends like this, with the doubt that is told above",
        (Code::PredictedDeadlock, _) => "ends like this",
        (Code::DataRace, Certainty::Possible) => "ends right before both accesses, with the doubt that is told above",
        (Code::DataRace, _) => "ends right before both accesses",
        _ => "ends in this deadlock",
    };
    format!("schedule: {n} of the run, in an order that {ends}{shown}")
}

/// Longest name in a table; of a longer one the end is shown, which tells the tests of a module apart.
const NAME_CHARS_MAX: usize = 32;

/// How a thread is called in a table.
pub(in crate::render) fn short_name(finding: &Finding, idx: usize) -> String {
    let name = thread_name(finding, idx);
    let n = name.chars().count();
    if n <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    let end: String = name.chars().skip(n + 1 - NAME_CHARS_MAX).collect();
    format!("…{end}")
}

/// In place of a schedule.
pub(in crate::render) fn no_schedule(finding: &Finding) -> String {
    let why = &finding.why;
    match finding.certainty {
        Certainty::Observed if finding.code == Code::DataRace => {
            "no schedule is needed: this happened, and the report says where each access was".to_owned()
        }
        Certainty::Possible if finding.code == Code::DataRace => format!("no schedule says more than this run: {why}"),
        Certainty::Observed => {
            "no schedule is needed: this happened, and the report says where each thread was".to_owned()
        }
        Certainty::Proven => "no schedule is shown: it was replayed, but not kept".to_owned(),
        Certainty::Possible => format!("no schedule that reaches it is known: {why}"),
        Certainty::Hazard => format!("no schedule reaches it: {why}"),
    }
}

/// ``lock `cache` for reading``, ``starts `worker` ``, ``BLOCKS on `cache` ``, …
pub(in crate::render) fn does(finding: &Finding, step: &Step) -> String {
    let object = object(finding, step.object);
    let what = object.map_or_else(
        || "a lock".to_owned(),
        |object| format!("`{}`{}", object.reference, purpose(object, step.mode.as_deref())),
    );
    let other = step.other.map_or_else(|| "a thread".to_owned(), |idx| format!("`{}`", short_name(finding, idx)));
    match step.op {
        Op::Acquire => format!("lock {what}"),
        Op::Release => format!("unlock {what}"),
        Op::Fork => format!("start {other}"),
        Op::Join => format!("see {other} end"),
        Op::Precede => format!("let {other} go on"),
        Op::Follow => format!("go on after {other}"),
        Op::Block => match step.mode.as_deref() {
            None | Some("exclusive" | "shared" | "upgradable" | "shared-recursive") => format!("{} {what}", BLOCKS[0]),
            Some("join") if step.other.is_some() => format!("{} waits for {other} to end", BLOCKS[1]),
            mode => format!("{} {}", BLOCKS[1], waits(object, mode)),
        },
        Op::Read | Op::Write => {
            let is_next = finding.witness.as_ref().is_some_and(|witness| step.step > witness.n_operations);
            race::step(object, step.mode.as_deref(), step.op == Op::Read, is_next)
        }
        _ => moves(step.op, object),
    }
}

/// What a thread gives to something that is no lock, or takes from it.
fn moves(op: Op, object: Option<&Object>) -> String {
    let what = match object {
        None => "something".to_owned(),
        Some(Object { kind, label: None, .. }) if kind == "thread" => "a thread".to_owned(),
        Some(object) => format!("`{}`", object.reference),
    };
    match (op, object.map_or("", |object| object.kind.as_str())) {
        (Op::Give, "channel") => format!("send to {what}"),
        (Op::Give, "condvar") => format!("notify {what}"),
        (Op::Give, "semaphore") => format!("give a permit of {what} back"),
        (Op::Give, "thread") => format!("unpark {what}"),
        (Op::Give, "latch") => format!("count {what} down"),
        (Op::Give, "barrier") => format!("arrive at {what}"),
        (Op::Take, "channel") => format!("receive from {what}"),
        (Op::Take, "condvar") => format!("be woken by a notify of {what}"),
        (Op::Take, "semaphore") => format!("take a permit of {what}"),
        (Op::Take, "thread") => "park, and go on".to_owned(),
        (Op::Take, "latch") => format!("find {what} open"),
        (Op::Take, "barrier") => format!("go on from {what}"),
        (Op::GiveAll, _) => format!("notify all that wait on {what}"),
        (Op::Enter, _) => format!("begin to wait on {what}"),
        (Op::Close, _) => format!("drop a sender of {what}"),
        (Op::FindClosed, _) => format!("find {what} closed"),
        (Op::Confirm, _) => format!("see a message to {what} taken"),
        (Op::Give, _) => format!("give to {what}"),
        _ => format!("take from {what}"),
    }
}

/// Where a step is; of a guard that is what dropped it, and not the call of a function.
pub(in crate::render) fn step_place(finding: &Finding, step: &Step) -> String {
    let Some(place) = &step.at else { return String::new() };
    // What a foreign trace says of its locks is not about guards; and a wait, which has a column, drops none.
    let has_guard = object(finding, step.object).is_some_and(|object| !object.type_name.is_empty());
    let dropped = if step.op == Op::Release && has_guard && place.column == 0 { " (dropped here)" } else { "" };
    format!("{}{dropped}", place.name())
}

/// `… 12 more operations`.
pub(in crate::render) fn more_operations(n: u64) -> String {
    format!("… {} more {}", n, if n == 1 { "operation" } else { "operations" })
}

/// Where the guard of what a thread holds was dropped in the run.
pub(in crate::render) fn dropped(finding: &Finding, edge: &Edge) -> Option<String> {
    let released = edge.released_at.as_ref()?;
    let took = format!("`{}` {}", thread(finding, edge), took(finding, edge));
    let at = edge.held_at.as_ref().map(|place| format!(" at {}", place.name())).unwrap_or_default();
    Some(format!("{took}{at}; in this run the guard was dropped at {}", released.name()))
}
