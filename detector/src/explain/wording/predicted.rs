//! Titles and help of hangs that another schedule reaches.

use super::{
    TITLE_LINKS_MAX, at,
    hang::{waits, wants_lock},
    held, thread, wanted,
};
use crate::{
    analysis::Help,
    finding::{Edge, Finding, NOTIFIED, Object, RECEIVE_OR_END},
};

/// What may happen in another schedule.
pub(super) fn title(finding: &Finding, help: Help) -> String {
    match (help, finding.edges.as_slice()) {
        (Help::DropBeforeWait, [waiting, wanting]) => {
            let early = format!("if `{}` comes before `{}`", thread(finding, waiting), thread(finding, wanting));
            format!("{}, {early}", circle_title(finding))
        }
        (Help::NotifyWhatChanged, [waiting, ..]) => alone_title(finding, waiting),
        _ => circle_title(finding),
    }
}

fn circle_title(finding: &Finding) -> String {
    let n = finding.edges.len();
    let links: Vec<String> = (0..n).take(TITLE_LINKS_MAX).map(|at| link(finding, at)).collect();
    let more = if n > TITLE_LINKS_MAX { format!(", and {} more", n - TITLE_LINKS_MAX) } else { String::new() };
    let threads = match finding.edges.as_slice() {
        [a, b] => format!("threads `{}` and `{}`", thread(finding, a), thread(finding, b)),
        _ => format!("{n} threads"),
    };
    if let [alone] = finding.edges.as_slice() {
        return format!("thread `{}` can wait for itself: {}", thread(finding, alone), links.join(", "));
    }
    format!("{threads} can wait for each other: {}{more}", links.join(", "))
}

/// ``\`a\` holds \`A\` and waits for a message from \`B\` before it ends``, as far as it does.
fn link(finding: &Finding, at: usize) -> String {
    let edge = &finding.edges[at];
    let next = &finding.edges[(at + 1) % finding.edges.len()];
    let waits = match edge.wanted_mode.as_deref() {
        // Who has no name of his own has one in the finding.
        Some("join") if wanted_object(finding, edge).is_none_or(|object| object.kind != "process") => {
            format!("waits for thread `{}` to end", thread(finding, next))
        }
        _ => waits(finding, edge),
    };
    let name = thread(finding, edge);
    let before = owes(finding, at).map_or_else(String::new, |owed| format!(" before it {}", owed.does));
    match edge.holds {
        Some(_) => format!("`{name}` holds `{}` and {waits}{before}", held(finding, edge)),
        None => format!("`{name}` {waits}{before}"),
    }
}

fn alone_title(finding: &Finding, waiting: &Edge) -> String {
    let (thread, wanted) = (thread(finding, waiting), wanted(finding, waiting));
    let is_thread = wanted_object(finding, waiting).is_some_and(|object| object.kind == "thread");
    let is_too_early = finding.edges.iter().any(|edge| edge.wanted_mode.as_deref() == Some(NOTIFIED));
    match (is_thread, is_too_early) {
        (true, _) => format!(
            "thread `{thread}` can stay parked for ever: two unparks may come before it parks once, and count as one"
        ),
        (false, true) => {
            format!("thread `{thread}` can wait for ever on `{wanted}`: the notify may come before it waits")
        }
        (false, false) => {
            format!(
                "thread `{thread}` can wait for ever on `{wanted}`: nobody notifies after the condition has changed"
            )
        }
    }
}

/// What a thread has to do so that another one's wait ends.
pub(super) struct Owed {
    /// ``send to \`B\` ``; `None` if it only has to end.
    pub(super) act: Option<String>,
    /// ``sends to \`B\` ``.
    pub(super) does: String,
}

/// What ends a wait for an object; `None` if that is its release.
pub(super) fn owed(mode: Option<&str>, object: Option<&Object>) -> Option<Owed> {
    let kind = object.map_or("", |object| object.kind.as_str());
    let (act, does, what) = match (mode?, kind) {
        ("join" | "scope end", _) => return Some(Owed { act: None, does: "ends".to_owned() }),
        ("receive", _) => ("send to", "sends to", ""),
        (RECEIVE_OR_END, _) => ("drop its sender of", "drops its sender of", ""),
        ("send", _) => ("receive from", "receives from", ""),
        ("wait", "thread") => ("unpark", "unparks", ""),
        ("wait", "barrier") => ("arrive at", "arrives at", ""),
        ("wait", "semaphore") => ("give a permit of", "gives a permit of", " back"),
        ("wait", "latch") => ("count", "counts", " down"),
        ("wait", "condvar") => ("notify", "notifies", ""),
        _ => return None,
    };
    let reference = object.map_or("?", |object| object.reference.as_str());
    let with = |verb: &str| format!("{verb} `{reference}`{what}");
    Some(Owed { act: Some(with(act)), does: with(does) })
}

/// What the thread of an edge owes to that of the edge before, as far as it comes behind its own wait.
fn owes(finding: &Finding, at: usize) -> Option<Owed> {
    let n = finding.edges.len();
    let (own, before) = (finding.edges.get(at)?, finding.edges.get((at + n - 1) % n)?);
    let owed = owed(before.wanted_mode.as_deref(), wanted_object(finding, before))?;
    let is_known = owed.act.is_none() || before.could_release.iter().any(|releaser| releaser.thread == own.thread);
    is_known.then_some(owed)
}

fn wanted_object<'f>(finding: &'f Finding, edge: &Edge) -> Option<&'f Object> {
    finding.objects.get(edge.wants?)
}

/// What would have kept it from happening.
pub(super) fn help(finding: &Finding, help: Help) -> String {
    let edges = finding.edges.as_slice();
    if let (Help::DropBeforeWait, [waiting, wanting]) = (help, edges) {
        return format!(
            "drop `{}`, taken {}, before waiting {}: `{}` needs it {} before it changes what is waited for",
            held(finding, waiting),
            at(waiting.held_at.as_ref()),
            at(waiting.wanted_at.as_ref()),
            thread(finding, wanting),
            at(wanting.wanted_at.as_ref()),
        );
    }
    let n = edges.len();
    let holding = || (0..n).filter(|at| edges[*at].holds.is_some());
    if let Some(at) = holding().find(|at| !wants_lock(&edges[*at])).or_else(|| holding().next()) {
        return drop_first(finding, at);
    }
    let is_of_permits = |edge: &Edge| wanted_object(finding, edge).is_some_and(|object| object.kind == "semaphore");
    if edges.iter().all(is_of_permits) {
        return "let each of these threads take all the permits that it needs at once, not some of them and then others"
            .to_owned();
    }
    let owing = (0..n).filter_map(|place| Some((place, owes(finding, place)?.act?)));
    match owing.into_iter().next() {
        Some((place, act)) => format!(
            "let `{}` {act} before it waits {}, since `{}` waits for that",
            thread(finding, &edges[place]),
            at(edges[place].wanted_at.as_ref()),
            thread(finding, &edges[(place + n - 1) % n]),
        ),
        None => "let one of these threads not wait for the next one".to_owned(),
    }
}

/// What the thread of an edge holds is needed by the one before, which ends its wait, or whose wait has to end first.
fn drop_first(finding: &Finding, place: usize) -> String {
    let n = finding.edges.len();
    let (edge, before) = (&finding.edges[place], &finding.edges[(place + n - 1) % n]);
    let owed = owed(edge.wanted_mode.as_deref(), wanted_object(finding, edge)).filter(|_| n == 2);
    let needs = match owed {
        Some(owed) => format!("needs it before it {}", owed.does),
        None => "needs it, and this wait does not end before that one has it".to_owned(),
    };
    format!(
        "drop `{}`, taken {}, before waiting {}: `{}` {needs}",
        held(finding, edge),
        at(edge.held_at.as_ref()),
        at(edge.wanted_at.as_ref()),
        thread(finding, before),
    )
}
