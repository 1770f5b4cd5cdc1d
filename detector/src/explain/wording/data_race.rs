//! Titles, notes and help of data races.

use super::{super::names::short_type, at};
use crate::finding::{Access, AccessOp, Finding, HeldLock, Object, Place};

/// What would have ordered two accesses: a store and the load that saw it.
pub(in crate::explain) struct Repair {
    /// Index into the finding's objects.
    pub(in crate::explain) atomic: Option<usize>,
    pub(in crate::explain) store: Ordered,
    pub(in crate::explain) load: Ordered,
}

/// A store or load of an atomic.
pub(in crate::explain) struct Ordered {
    pub(in crate::explain) at: Place,
    pub(in crate::explain) ordering: &'static str,
    pub(in crate::explain) is_rmw: bool,
    pub(in crate::explain) is_too_weak: bool,
}

/// What an object is called that has no name and was made nowhere.
pub(in crate::explain) fn description(object: &Object, used_at: Option<&Place>) -> String {
    match (object.kind.as_str(), used_at) {
        ("atomic", Some(place)) => format!("the atomic used at {}", place.name()),
        ("atomic", None) => "an atomic".to_owned(),
        (_, Some(place)) => format!("the memory accessed at {}", place.name()),
        (_, None) => "some memory".to_owned(),
    }
}

/// ``data race on `hits` (cell, u64): written at src/a.rs:10, read at src/b.rs:20``.
pub(in crate::explain) fn title(finding: &Finding) -> String {
    let variable = variable(finding);
    let [first, second] = finding.accesses.as_slice() else { return format!("data race on {variable}") };
    let by = |access: &Access| format!("{} by `{}`", past(access.op), thread(finding, access));
    let (first_at, second_at) = (place_name(first), place_name(second));
    let what = match first_at == second_at {
        false => format!("{} at {first_at}, {} at {second_at}", past(first.op), past(second.op)),
        true if first.op == second.op => {
            let threads = format!("`{}` and `{}`", thread(finding, first), thread(finding, second));
            format!("{} at {first_at} by both {threads}", past(first.op))
        }
        true => format!("{}, {}, both at {first_at}", by(first), by(second)),
    };
    format!("data race on {variable}: {what}")
}

/// The variable in a title, which says where it is accessed.
fn variable(finding: &Finding) -> String {
    let object = finding.accesses.iter().find_map(|access| finding.objects.get(access.object?));
    let Some(object) = object else { return "unnamed memory".to_owned() };
    let kind = Some(object.kind.as_str()).filter(|kind| object.label.is_some() && *kind != "object");
    let of_type = Some(short_type(&object.type_name)).filter(|name| !name.is_empty());
    let more: Vec<&str> = kind.into_iter().chain(of_type.as_deref()).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    match (object.is_described(), object.kind.as_str()) {
        (false, _) if object.label.is_some() => format!("`{}`{more}", object.reference),
        // Kind and type are part of the reference.
        (false, _) => format!("`{}`", object.reference),
        (true, "atomic") => format!("an unnamed atomic{more}"),
        (true, _) => format!("unnamed memory{more}"),
    }
}

fn past(op: AccessOp) -> &'static str {
    match op {
        AccessOp::Read => "read",
        AccessOp::Write => "written",
        AccessOp::AtomicRead => "read atomically",
        AccessOp::AtomicWrite => "written atomically",
        AccessOp::Free => "freed",
    }
}

fn thread<'f>(finding: &'f Finding, access: &Access) -> &'f str {
    finding.threads.get(access.thread).map_or("?", |thread| &thread.name)
}

fn place_name(access: &Access) -> String {
    access.at.as_ref().map_or_else(|| "an unknown place".to_owned(), Place::name)
}

/// What the accesses alone do not show: that one is atomic and the other is not, which orderings are too weak.
pub(in crate::explain) fn notes(finding: &Finding, repair: Option<&Repair>) -> Vec<String> {
    mixed(finding).into_iter().chain(repair.and_then(|repair| weak(finding, repair))).collect()
}

fn mixed(finding: &Finding) -> Option<String> {
    let (atomic, plain): (Vec<&Access>, Vec<&Access>) =
        finding.accesses.iter().partition(|access| access.op.is_atomic());
    let ([atomic], [plain]) = (atomic.as_slice(), plain.as_slice()) else { return None };
    let noun = |access: &Access| match access.op {
        op if op.is_read() => "read",
        AccessOp::Free => "freeing",
        _ => "write",
    };
    Some(format!(
        "the {} at {} is atomic, the {} at {} is not: only accesses that are all atomic do without an order",
        noun(atomic),
        place_name(atomic),
        noun(plain),
        place_name(plain),
    ))
}

/// ``the store to `ready` at a.rs:12 is Relaxed; with Release there the two accesses would be ordered``.
fn weak(finding: &Finding, repair: &Repair) -> Option<String> {
    let Repair { store, load, atomic } = repair;
    let object = atomic.and_then(|idx| finding.objects.get(idx)).filter(|object| !object.is_described());
    let atomic = object.map_or_else(|| "an atomic".to_owned(), Object::in_sentence);
    let of_store = if store.is_rmw { "update of" } else { "store to" };
    let of_load = if load.is_rmw { "update" } else { "load" };
    let (stored, loaded) = (store.at.name(), load.at.name());
    let (release, acquire) = (released(store), acquired(load));
    let what = match (store.is_too_weak, load.is_too_weak) {
        (false, false) => return None,
        (true, false) => format!(
            "the {of_store} {atomic} at {stored} is {}, and the {of_load} at {loaded} sees it; with {release} at {stored}",
            store.ordering
        ),
        (false, true) => format!(
            "the {of_load} of {atomic} at {loaded} is {}, and sees the {} at {stored}; with {acquire} at {loaded}",
            load.ordering,
            of_store.split(' ').next().unwrap_or_default(),
        ),
        (true, true) => format!(
            "the {of_store} {atomic} at {stored} is {}, and the {of_load} at {loaded} that sees it is {}; with {release} at \
             {stored} and {acquire} at {loaded}",
            store.ordering, load.ordering
        ),
    };
    Some(format!("{what} the two accesses would be ordered"))
}

/// What a store has to be, so that it publishes what was before it.
fn released(store: &Ordered) -> &'static str {
    if store.is_rmw && store.ordering == "Acquire" { "AcqRel" } else { "Release" }
}

/// What a load has to be, so that it sees what was before the store.
fn acquired(load: &Ordered) -> &'static str {
    if load.is_rmw && load.ordering == "Release" { "AcqRel" } else { "Acquire" }
}

/// What would mend it: the lock that is missing at one of them, the orderings that are too weak, or the general advice.
pub(in crate::explain) fn help(finding: &Finding, repair: Option<&Repair>) -> String {
    let [first, second] = finding.accesses.as_slice() else { return GENERAL.to_owned() };
    if let Some(orderings) = repair.and_then(orderings) {
        return format!("{orderings}, or guard both accesses with one lock");
    }
    if let Some(access) = [first, second].into_iter().find(|access| access.op == AccessOp::Free) {
        let place = at(access.at.as_ref());
        return format!(
            "let what is freed {place} be freed only when nobody can access it any more: join the threads that do, or count them"
        );
    }
    if let Some(shared) = shared_by_both(first, second) {
        let writes = [first, second].into_iter().find(|access| !access.op.is_read()).unwrap_or(first);
        let (lock, place) = (called(finding, shared), at(writes.at.as_ref()));
        let is_rwlock = finding.objects.get(shared.object).is_some_and(|object| object.kind == "rwlock");
        return if is_rwlock {
            format!("take {lock} for writing {place}: who holds it for reading does not exclude others who do")
        } else {
            format!("guard both accesses with a lock of their own: {lock} lets several threads in at once")
        };
    }
    if first.op.is_atomic() != second.op.is_atomic() {
        let plain = if first.op.is_atomic() { second } else { first };
        let place = at(plain.at.as_ref());
        return format!("make the access {place} atomic too, guard both accesses with one lock, or order them");
    }
    match (guard(first), guard(second)) {
        (None, None) => GENERAL.to_owned(),
        (Some(lock), None) => take_too(finding, lock, second),
        (None, Some(lock)) => take_too(finding, lock, first),
        (Some(a), Some(b)) => {
            let (a, b) = (called(finding, a), called(finding, b));
            format!(
                "guard both accesses with the same lock: {a} is held at the one, {b} at the other, and they do not exclude each other"
            )
        }
    }
}

const GENERAL: &str = "guard both accesses with one lock, make them atomic, or order them: by a join, a message, or a store \
                       with Release that the other thread loads with Acquire";

fn orderings(repair: &Repair) -> Option<String> {
    let Repair { store, load, .. } = repair;
    let store = store.is_too_weak.then(|| format!("{} {}", released(store), at(Some(&store.at))));
    let load = load.is_too_weak.then(|| format!("{} {}", acquired(load), at(Some(&load.at))));
    let both: Vec<String> = store.into_iter().chain(load).collect();
    (!both.is_empty()).then(|| format!("use {}", both.join(" and ")))
}

/// A lock that both held, without excluding each other.
fn shared_by_both<'a>(first: &'a Access, second: &Access) -> Option<&'a HeldLock> {
    let is_shared = |lock: &&HeldLock| lock.mode.starts_with("shared");
    let mut shared = first.held.iter().filter(is_shared);
    shared.find(|lock| second.held.iter().filter(is_shared).any(|other| other.object == lock.object))
}

/// The lock that may be there for the sake of an access: the newest that excludes what must not happen meanwhile.
fn guard(access: &Access) -> Option<&HeldLock> {
    access.held.iter().rfind(|lock| lock.mode == "exclusive" || access.op.is_read())
}

fn take_too(finding: &Finding, lock: &HeldLock, access: &Access) -> String {
    let is_rwlock = finding.objects.get(lock.object).is_some_and(|object| object.kind == "rwlock");
    let how = match access.op.is_read() {
        _ if !is_rwlock => "",
        true => " for reading",
        false => " for writing",
    };
    let (lock, place) = (called(finding, lock), at(access.at.as_ref()));
    format!("take {lock}{how} {place} too, as the other access does; or make both accesses atomic, or order them")
}

fn called(finding: &Finding, lock: &HeldLock) -> String {
    finding.objects.get(lock.object).map_or_else(|| "a lock".to_owned(), Object::in_sentence)
}
