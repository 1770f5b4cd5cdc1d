//! Phrases about data races.

use super::{counted, object, purpose, thread_name};
use crate::finding::{Access, AccessOp, Code, Finding, HeldLock, LastSync, Object, RaceCount, SyncOp, SyncPoint};

/// ``writes `hits` ``; `writes memory` of what has no name but its place, which is shown.
pub(in crate::render) fn accesses(finding: &Finding, access: &Access) -> String {
    let does = match access.op {
        AccessOp::Read => "reads",
        AccessOp::Write => "writes",
        AccessOp::AtomicRead => "atomically reads",
        AccessOp::AtomicWrite => "atomically writes",
        AccessOp::Free => "frees",
    };
    match object(finding, access.object) {
        Some(object) if !object.is_described() => format!("{does} `{}`", object.reference),
        Some(object) if object.kind == "atomic" => format!("{does} an atomic"),
        _ => format!("{does} memory"),
    }
}

/// The line above a further access: `` `main` reads `hits`, holding `m` for reading``.
pub(in crate::render) fn access_title(finding: &Finding, access: &Access) -> String {
    format!("`{}` {}, {}", thread_name(finding, access.thread), accesses(finding, access), holding(finding, access))
}

/// The same below its place.
pub(in crate::render) fn access_here(finding: &Finding, access: &Access) -> String {
    format!(
        "`{}` {} here, {}",
        thread_name(finding, access.thread),
        accesses(finding, access),
        holding(finding, access)
    )
}

/// ``holding `m` and `n` for reading``, `holding nothing`.
fn holding(finding: &Finding, access: &Access) -> String {
    let locks: Vec<String> = access.held.iter().map(|lock| held(finding, lock)).collect();
    match locks.split_last() {
        None => "holding nothing".to_owned(),
        Some((only, [])) => format!("holding {only}"),
        Some((last, others)) => format!("holding {} and {last}", others.join(", ")),
    }
}

/// `` `m` for reading``.
pub(in crate::render) fn held(finding: &Finding, lock: &HeldLock) -> String {
    match object(finding, Some(lock.object)) {
        Some(object) => format!("{}{}", object.in_sentence(), purpose(object, Some(&lock.mode))),
        None => "a lock".to_owned(),
    }
}

/// The last that the one thread knows of the other one; `None` of what is no race, and of one in another schedule, of which it
/// is not known.
pub(in crate::render) fn last_sync(finding: &Finding) -> Option<String> {
    let [first, second] = finding.accesses.as_slice() else { return None };
    let (known, knower) = (thread_name(finding, first.thread), thread_name(finding, second.thread));
    let Some(LastSync { from, to }) = &finding.last_sync else {
        let never = || format!("nothing that was recorded ever ordered `{known}` before `{knower}`");
        return finding.witness.is_none().then(never);
    };
    let of = |point: &SyncPoint| object(finding, point.object);
    let something = if of_atomic(from) { "an atomic" } else { "something" };
    let named = |point| of(point).filter(|object| !object.is_described()).map(Object::in_sentence);
    let known_by = named(from).unwrap_or_else(|| something.to_owned());
    let seen_by = match named(to) {
        _ if of(to).is_some() && from.object == to.object => "it".to_owned(),
        named => named.unwrap_or_else(|| if of_atomic(to) { "an atomic" } else { "something" }.to_owned()),
    };
    // Either may be a third thread, through which the one knows of the other.
    let [first, then] = [(from, known_by), (to, seen_by)]
        .map(|(point, what)| format!("`{}` {}", thread_name(finding, point.thread), did(point, &what)));
    Some(format!("the last that `{knower}` knows of `{known}`: {first}, then {then}"))
}

fn of_atomic(point: &SyncPoint) -> bool {
    matches!(point.op, SyncOp::AtomicStore | SyncOp::AtomicLoad | SyncOp::AtomicRmw)
}

/// ``unlocked `m` at x.rs:5``.
fn did(point: &SyncPoint, what: &str) -> String {
    let did = match point.op {
        SyncOp::Lock => format!("locked {what}"),
        SyncOp::Unlock => format!("unlocked {what}"),
        SyncOp::Fork => "started a thread".to_owned(),
        SyncOp::Join => "saw a thread end".to_owned(),
        SyncOp::Begin => "began".to_owned(),
        SyncOp::End => "ended".to_owned(),
        SyncOp::Send => format!("sent to {what}"),
        SyncOp::Receive => format!("received from {what}"),
        SyncOp::Notify => format!("notified {what}"),
        SyncOp::Wake => format!("was woken by {what}"),
        SyncOp::AtomicStore => format!("stored to {what}"),
        SyncOp::AtomicLoad => format!("loaded {what}"),
        SyncOp::AtomicRmw => format!("updated {what}"),
        SyncOp::Fence => "passed a fence".to_owned(),
        SyncOp::Publish => format!("published {what}"),
        SyncOp::Observe => format!("found {what} published"),
        SyncOp::Other => format!("passed {what}"),
    };
    let at = point.at.as_ref().map(|place| format!(" at {}", place.name())).unwrap_or_default();
    format!("{did}{at}")
}

/// A step of a schedule that is an access; at the end, `is_next`, it is what its thread would do next.
pub(super) fn step(object: Option<&Object>, mode: Option<&str>, is_read: bool, is_next: bool) -> String {
    let what = object.map_or_else(|| "unnamed memory".to_owned(), Object::in_sentence);
    let does = match (mode, is_read) {
        (Some("free"), _) => "free",
        (Some("atomic"), true) => "atomically read",
        (Some("atomic"), false) => "atomically write",
        (_, true) => "read",
        (_, false) => "write",
    };
    if is_next { format!("{NEXT} {does} {what}") } else { format!("{does} {what}") }
}

/// What stands before an access that ends a schedule.
pub(super) const NEXT: &str = "NEXT:";

/// What the end of a schedule means; `None` if it does not end in accesses.
pub(in crate::render) fn schedule_end(finding: &Finding) -> Option<String> {
    let text = "the last two rows are the accesses of the race: both come next, and neither waits for the other";
    (finding.code == Code::DataRace && finding.witness.is_some()).then(|| text.to_owned())
}

/// ``races by happens-before: 12 events at 3 locations``.
pub(super) fn count(count: &RaceCount) -> String {
    let (events, locations) = (counted(count.events, "event"), counted(count.locations, "location"));
    format!("races by the rule {}: {events} at {locations}", count.rule.name())
}
