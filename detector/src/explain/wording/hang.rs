//! Titles and help of hangs: what happened, in one line, and what would have kept it from happening.

use super::{TITLE_LINKS_MAX, at, held, reference, sides, thread, wanted};
use crate::{
    analysis::Help,
    finding::{Certainty, Code, Edge, Finding, NOTIFIED, Object, RECEIVE_OR_END},
};

/// Threads that wait for each other, or for parties that will not come.
pub(super) fn deadlock_title(finding: &Finding, help: Help) -> String {
    if help == Help::LetAllArrive {
        return too_few_title(finding);
    }
    let n = finding.edges.len();
    let links: Vec<String> = finding.edges.iter().take(TITLE_LINKS_MAX).map(|edge| link(finding, edge)).collect();
    let more = if n > TITLE_LINKS_MAX { format!(", and {} more", n - TITLE_LINKS_MAX) } else { String::new() };
    let threads = match finding.edges.as_slice() {
        [a, b] => format!("threads `{}` and `{}`", thread(finding, a), thread(finding, b)),
        _ => format!("{n} threads"),
    };
    format!("{threads} wait for each other: {}{more}", links.join(", "))
}

fn link(finding: &Finding, edge: &Edge) -> String {
    let thread = thread(finding, edge);
    match edge.holds {
        Some(_) => format!("`{thread}` holds `{}` and {}", held(finding, edge), waits(finding, edge)),
        None => format!("`{thread}` {}", waits(finding, edge)),
    }
}

/// ``wants `A` ``, ``waits for a message from `B` ``, …
pub(super) fn waits(finding: &Finding, edge: &Edge) -> String {
    let object = edge.wants.and_then(|idx| finding.objects.get(idx));
    let kind = object.map_or("", |object| object.kind.as_str());
    let wanted = wanted(finding, edge);
    match (edge.wanted_mode.as_deref(), kind) {
        (Some("join"), "process") => format!("waits for `{wanted}` to end"),
        (Some("join"), _) if object.is_some_and(|object| object.label.is_none()) => {
            "waits for another thread to end".to_owned()
        }
        (Some("join"), _) => format!("waits for thread `{wanted}` to end"),
        (Some("scope end"), _) => "waits for the threads of its scope to end".to_owned(),
        (Some("receive"), _) => format!("waits for a message from `{wanted}`"),
        (Some(RECEIVE_OR_END), _) => format!("waits for a message from `{wanted}`, or its end"),
        (Some("send"), _) => format!("waits for room in `{wanted}`"),
        (Some("wait"), "thread") => "is parked".to_owned(),
        (Some("wait"), "barrier") => format!("waits for the other parties of `{wanted}`"),
        (Some("wait"), "semaphore") => format!("waits for a permit of `{wanted}`"),
        (Some("wait"), "latch") => format!("waits for `{wanted}` to open"),
        (Some("wait"), "condvar") => format!("waits to be notified through `{wanted}`"),
        (Some("wait"), _) => format!("waits for `{wanted}`"),
        _ => format!("wants `{wanted}`"),
    }
}

pub(super) fn wants_lock(edge: &Edge) -> bool {
    matches!(edge.wanted_mode.as_deref(), Some("exclusive" | "shared" | "upgradable"))
}

/// Edges of threads that wait; an edge of a lost notify or of a dead owner is none.
fn waiting(finding: &Finding) -> Vec<&Edge> {
    finding.edges.iter().filter(|edge| edge.is_waiting()).collect()
}

/// ``thread `a` waits for …``, or ``3 threads wait for …`` as far as they wait for the same.
fn who_waits(finding: &Finding) -> String {
    let waiting = waiting(finding);
    let Some(first) = waiting.first() else { return "nobody waits".to_owned() };
    let what = waits(finding, first);
    let is_same = waiting.iter().all(|edge| edge.wants == first.wants && edge.wanted_mode == first.wanted_mode);
    match waiting.len() {
        1 => format!("thread `{}` {what}", thread(finding, first)),
        n if is_same => {
            let plural = what.replacen("waits", "wait", 1).replacen("wants", "want", 1).replacen("is ", "are ", 1);
            format!("{n} threads {plural}")
        }
        n => format!("{n} threads wait, `{}` {what}", thread(finding, first)),
    }
}

fn too_few_title(finding: &Finding) -> String {
    let waiting = waiting(finding);
    let barrier = waiting.first().and_then(|edge| finding.objects.get(edge.wants?));
    if let Some(Object { capacity: Some(parties), kind, reference, .. }) = barrier
        && kind == "barrier"
    {
        let n = waiting.len();
        let wait = if n == 1 { "party waits" } else { "parties wait" };
        return format!("{n} of {parties} {wait} at `{reference}`, and nobody is left to come");
    }
    let kind = barrier.map_or("", |object| object.kind.as_str());
    let act = if kind == "semaphore" { "give one" } else { "come" };
    format!("{}, and nobody is left to {act}", who_waits(finding))
}

/// Whether those that wait are parked.
fn is_parked(finding: &Finding) -> bool {
    let object = |edge: &&Edge| edge.wants.and_then(|idx| finding.objects.get(idx));
    waiting(finding).iter().all(|edge| object(edge).is_some_and(|object| object.kind == "thread"))
}

/// Nobody is left to notify.
pub(super) fn lost_wakeup_title(finding: &Finding) -> String {
    let act = if is_parked(finding) { "unpark" } else { "notify" };
    let it = if waiting(finding).len() == 1 { "it" } else { "them" };
    format!("{}, and nobody is left to {act} {it}", who_waits(finding))
}

/// The owner is gone.
pub(super) fn abandoned_lock_title(finding: &Finding, help: Help) -> String {
    let owner = finding.edges.iter().find(|edge| edge.wanted_mode.is_none());
    let owner = owner.map_or("?", |edge| thread(finding, edge));
    let first = finding.edges.first();
    match help {
        Help::NotInForkedChild => {
            return format!("{}, which `{owner}` held when the process was forked", who_waits(finding));
        }
        Help::MendWhatIsGuarded => {
            let (taker, lock) = first.map_or(("?", "?"), |edge| (thread(finding, edge), wanted(finding, edge)));
            return format!("`{owner}` died while it held `{lock}`, and `{taker}` took it over");
        }
        _ => {}
    }
    if finding.certainty == Certainty::Observed {
        return format!("{}, which `{owner}` still held when it ended", who_waits(finding));
    }
    let (other, lock) = first.map_or(("?", "?"), |edge| (thread(finding, edge), wanted(finding, edge)));
    format!("`{owner}` ended while it held `{lock}`, which thread `{other}` wants, and may have wanted later")
}

/// Nobody is left on the other side.
pub(super) fn abandoned_channel_title(finding: &Finding) -> String {
    let sends = waiting(finding).iter().all(|edge| edge.wanted_mode.as_deref() == Some("send"));
    let act = if sends { "receive from it" } else { "send one" };
    format!("{}, and nobody is left to {act}", who_waits(finding))
}

/// Threads that wait for each other, or for themselves, by one lock.
pub(super) fn one_lock_title(finding: &Finding) -> String {
    let reader = finding.edges.iter().find(|edge| edge.wanted_mode.as_deref() == Some("shared"));
    if let Some(reader) = reader.filter(|edge| edge.holds.is_some() && edge.holds == edge.wants) {
        let writer = finding.edges.iter().find(|edge| edge.thread != reader.thread);
        let writer = writer.map_or("?", |edge| thread(finding, edge));
        return format!(
            "thread `{}` reads `{}` again while it reads it, behind `{writer}`, which waits to write",
            thread(finding, reader),
            held(finding, reader)
        );
    }
    let names: Vec<String> =
        finding.edges.iter().take(TITLE_LINKS_MAX).map(|edge| format!("`{}`", thread(finding, edge))).collect();
    let lock = reference(finding, finding.edges.first().and_then(|edge| edge.wants));
    let modes = finding.edges.iter().map(|edge| edge.held_mode.as_deref());
    let (how, doing) = match () {
        () if modes.clone().all(|mode| mode == Some("exclusive")) => ("again", "hold"),
        () if modes.clone().all(|mode| mode == Some("shared")) => ("for writing", "read"),
        () => ("for writing", "hold"),
    };
    format!("threads {} want `{lock}` {how} while they {doing} it", names.join(" and "))
}

/// What would have kept it from happening.
pub(super) fn help(finding: &Finding, help: Help) -> String {
    let first = finding.edges.first();
    match help {
        Help::NoUpgrade => {
            let (held, wanted) = first.map(sides).unwrap_or_default();
            format!(
                "drop the read guard taken {held} before asking to write {wanted}, and look at the data again after \
                 that; or take the lock for writing from the start"
            )
        }
        Help::NotWhileHolding => {
            let holding = || finding.edges.iter().filter(|edge| edge.holds.is_some());
            // A task that waits for the thread that runs it does so nowhere.
            let has_place = |edge: &&Edge| edge.wanted_at.as_ref().is_some_and(|place| place.line > 0);
            let best = holding().filter(has_place).find(|edge| !wants_lock(edge));
            let Some(edge) = best.or_else(|| holding().find(has_place)).or_else(|| holding().next()) else {
                return "let one of these threads not wait for the next one".to_owned();
            };
            format!(
                "drop `{}`, taken {}, before waiting {}: whoever has to end that wait needs it",
                held(finding, edge),
                at(edge.held_at.as_ref()),
                at(edge.wanted_at.as_ref())
            )
        }
        Help::NotifyWhatChanged => lost_wakeup_help(finding),
        Help::SendFirst if !finding.edges.iter().any(|edge| edge.wanted_mode.as_deref() == Some("receive")) => {
            "one of these threads has to receive before it sends more; or give the channels more room than is ever waited \
             for"
                .to_owned()
        }
        Help::SendFirst => {
            "one of these threads has to send before it waits; or give the answer a way of its own, so that nobody has \
             to receive from whoever waits for him"
                .to_owned()
        }
        Help::LetAllArrive => {
            "count who takes part: a party that returns early, panics or is never started leaves the others waiting"
                .to_owned()
        }
        Help::DropBeforeEnd => {
            let owner = finding.edges.iter().find(|edge| edge.wanted_mode.is_none());
            let taken = owner.map_or_else(String::new, |edge| at(edge.held_at.as_ref()));
            format!(
                "drop the guard taken {taken} before its thread ends: `mem::forget` and leaked values keep it for ever"
            )
        }
        Help::NotInForkedChild => {
            "between `fork` and `exec` a process may use nothing that another thread can hold: fork before there are threads, \
             or start a program of its own (`process::Command`)"
                .to_owned()
        }
        Help::MendWhatIsGuarded => {
            "look at what the lock guards whenever `lock` gives a `PoisonError`, mend it, and call `clear_poison`".to_owned()
        }
        Help::CloseChannel => {
            let sends = waiting(finding).iter().all(|edge| edge.wanted_mode.as_deref() == Some("send"));
            if sends {
                "keep receiving, or drop the receiver: then the send fails instead of waiting".to_owned()
            } else {
                "drop every sender that will not be used any more, also the one that was cloned from: the receive fails \
                 when the last one is gone"
                    .to_owned()
            }
        }
        _ => String::new(),
    }
}

fn lost_wakeup_help(finding: &Finding) -> String {
    let early = finding.edges.iter().find(|edge| edge.wanted_mode.as_deref() == Some(NOTIFIED));
    let waiting = waiting(finding);
    let wait = at(waiting.first().and_then(|edge| edge.wanted_at.as_ref()));
    match early {
        Some(_) if is_parked(finding) && finding.code == Code::PredictedDeadlock => format!(
            "look at what is waited for {wait} in a loop around `park`, so that one unpark is enough for all that was done before it"
        ),
        _ if is_parked(finding) => format!(
            "what is waited for {wait} has to be followed by an `unpark`; and look at it in a loop around `park`, because \
             an earlier `park` may have taken the token"
        ),
        Some(edge) => format!(
            "the notify {} {}; change the condition and notify while holding the mutex, and look \
             at the condition under the mutex before waiting {wait}, for example with `wait_while`",
            at(edge.wanted_at.as_ref()),
            if finding.code == Code::PredictedDeadlock {
                "may come when nobody waits yet"
            } else {
                "came when nobody waited"
            },
        ),
        None => format!(
            "whatever changes the condition that is waited for {wait} has to notify after that, also where it returns \
             early or panics"
        ),
    }
}
