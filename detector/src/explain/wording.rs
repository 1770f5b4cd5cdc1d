//! The sentences: titles that name locks and threads, and help that names what to change.

mod data_race;
mod hang;
mod predicted;

pub(super) use data_race::{Ordered, Repair, description, notes};

use crate::{
    analysis::{Help, WhyNot},
    finding::{Certainty, Code, Edge, Finding, Object, Place},
};

/// Links of a cycle that a title spells out; the snippets show all of them.
const TITLE_LINKS_MAX: usize = 4;

/// One line that names the locks and the threads.
pub(super) fn title(finding: &Finding, help: Help) -> String {
    match finding.code {
        Code::Stall => return stall_title(finding),
        Code::Deadlock => return hang::deadlock_title(finding, help),
        Code::PredictedDeadlock => return predicted::title(finding, help),
        Code::LostWakeup => return hang::lost_wakeup_title(finding),
        Code::AbandonedLock => return hang::abandoned_lock_title(finding, help),
        Code::AbandonedChannel => return hang::abandoned_channel_title(finding),
        Code::SelfDeadlock if finding.edges.len() > 1 && finding.certainty == Certainty::Observed => {
            return hang::one_lock_title(finding);
        }
        Code::DataRace => return data_race::title(finding),
        Code::SelfDeadlock | Code::LockOrder => {}
    }
    if help == Help::NoRecursiveRead
        && let Some(title) = recursive_read_title(finding)
    {
        return title;
    }
    match finding.edges.as_slice() {
        [edge] if edge.holds == edge.wants => {
            format!("thread `{}` locks `{}` again while it holds it", thread(finding, edge), held(finding, edge))
        }
        [a, b] if a.holds == b.wants && b.holds == a.wants && a.holds != b.holds => {
            let threads = format!("threads `{}` and `{}`", thread(finding, a), thread(finding, b));
            format!("{threads} take `{}` and `{}` in opposite orders", held(finding, a), held(finding, b))
        }
        edges => {
            let links: Vec<String> = edges.iter().take(TITLE_LINKS_MAX).map(|edge| link(finding, edge)).collect();
            let more = match edges.len().saturating_sub(TITLE_LINKS_MAX) {
                0 => String::new(),
                n => format!(", and {n} more"),
            };
            let n_threads = match edges.len() {
                1 => "1 thread locks".to_owned(),
                n => format!("{n} threads lock"),
            };
            format!("{n_threads} in a cycle: {}{more}", links.join(", "))
        }
    }
}

fn link(finding: &Finding, edge: &Edge) -> String {
    let (thread, wanted) = (thread(finding, edge), wanted(finding, edge));
    match edge.holds {
        Some(_) => format!("`{thread}` takes `{}` then `{wanted}`", held(finding, edge)),
        None => format!("`{thread}` wants `{wanted}`"),
    }
}

/// The thread that reads what it is reading, and the writer that may come in between.
fn recursive_read_title(finding: &Finding) -> Option<String> {
    let reader = recursive_read(finding)?;
    let writer = finding.edges.iter().find(|edge| edge.thread != reader.thread && edge.wants == reader.wants);
    let writer = writer.map_or_else(|| "a writer".to_owned(), |edge| format!("thread `{}`", thread(finding, edge)));
    let (thread, lock) = (thread(finding, reader), held(finding, reader));
    Some(format!("thread `{thread}` reads `{lock}` again while it reads it, and {writer} may ask to write in between"))
}

fn recursive_read(finding: &Finding) -> Option<&Edge> {
    finding.edges.iter().find(|edge| edge.holds.is_some() && edge.holds == edge.wants)
}

fn stall_title(finding: &Finding) -> String {
    let mut waiting: Vec<usize> =
        finding.edges.iter().filter(|edge| edge.wanted_mode.is_some()).map(|edge| edge.thread).collect();
    waiting.sort_unstable();
    waiting.dedup();
    let names: Vec<String> = waiting
        .iter()
        .take(TITLE_LINKS_MAX)
        .filter_map(|idx| finding.threads.get(*idx))
        .map(|thread| format!("`{}`", thread.name))
        .collect();
    let names = names.join(", ");
    match waiting.len() {
        0 => "the program was stopped; no thread was waiting for anything that was recorded".to_owned(),
        1 => format!("the program was stopped while thread {names} was waiting"),
        n if n > TITLE_LINKS_MAX => {
            format!("the program was stopped while {n} threads were waiting: {names}, and {} more", n - TITLE_LINKS_MAX)
        }
        n => format!("the program was stopped while {n} threads were waiting: {names}"),
    }
}

/// What would mend it, naming functions and lines.
pub(super) fn help(finding: &Finding, help: Help, repair: Option<&Repair>) -> String {
    let first = finding.edges.first();
    match help {
        Help::OneOrder => one_order(finding),
        Help::NoRecursiveRead => {
            let (held, wanted) = recursive_read(finding).or(first).map(sides).unwrap_or_default();
            format!(
                "drop the first read guard, taken {held}, before reading again {wanted}, or pass it on to where it \
                 is needed: a writer that queues between the two blocks the second read, and waits for the first"
            )
        }
        Help::DropBeforeRelock => {
            let (held, wanted) = first.map(sides).unwrap_or_default();
            format!("drop the guard taken {held} before locking again {wanted}, or pass it on to where it is needed")
        }
        Help::NotWhileHolding | Help::DropBeforeWait if finding.code == Code::PredictedDeadlock => {
            predicted::help(finding, help)
        }
        Help::SendFirst
        | Help::NoUpgrade
        | Help::NotWhileHolding
        | Help::DropBeforeWait
        | Help::NotifyWhatChanged
        | Help::LetAllArrive
        | Help::DropBeforeEnd
        | Help::MendWhatIsGuarded
        | Help::NotInForkedChild
        | Help::CloseChannel => hang::help(finding, help),
        Help::LookAtWaits => {
            "look at what each thread waits for and since where, and at who should have ended that wait".to_owned()
        }
        Help::OrderAccesses => data_race::help(finding, repair),
    }
}

/// Why a thread cannot help that a fork left behind.
pub(super) const LEFT_BEHIND: &str = "a forked process has no other thread than the one that forked";

/// Why a thread cannot help.
pub(super) const fn why_not(why_not: WhyNot) -> &'static str {
    match why_not {
        WhyNot::Ended => "it has ended",
        WhyNot::Waits => "it waits itself",
        WhyNot::WaitsForItself => "it waits for itself",
        WhyNot::InCycle | WhyNot::InCycleBefore(_) => "it waits in this cycle itself",
        WhyNot::ForFirstRead => "it waits for the first read to end",
        WhyNot::BehindWriter => "it waits behind the writer",
    }
}

/// The same of a thread that waits, with what it waits for.
pub(super) fn waits_itself(object: Option<&Object>) -> String {
    match object {
        Some(Object { kind, reference, label: Some(_), .. }) if kind == "thread" => {
            format!("it waits for thread `{reference}`")
        }
        Some(Object { kind, .. }) if kind == "thread" => "it waits for another thread".to_owned(),
        Some(Object { reference, .. }) => format!("it waits for `{reference}`"),
        None => why_not(WhyNot::Waits).to_owned(),
    }
}

/// The same of a thread that waits in a cycle, and only behind that, at a place, would end a wait.
pub(super) fn waits_before(mode: &str, object: Option<&Object>, place: &Place) -> String {
    match predicted::owed(Some(mode), object) {
        Some(owed) => format!("it waits itself before it {} ({})", owed.does, place.name()),
        None => why_not(WhyNot::InCycle).to_owned(),
    }
}

fn one_order(finding: &Finding) -> String {
    // A writer that only queues for one of the locks has no order.
    let edges: Vec<Edge> = finding.edges.iter().filter(|edge| edge.holds.is_some()).cloned().collect();
    let edges = edges.as_slice();
    let [first, .., last] = edges else {
        return "take these locks in one order everywhere".to_owned();
    };
    let Some(subjects) = subjects(edges) else {
        return format!(
            "all of these threads take their locks {}: there, lock in a fixed order whatever the caller passes, \
             for example by index, id or address",
            at(first.wanted_at.as_ref())
        );
    };
    let (first_subject, last_subject) = (&subjects[0], &subjects[subjects.len() - 1]);
    if edges.len() == 2 {
        return format!(
            "take `{}` before `{}` everywhere, as {first_subject} does: {last_subject} takes them the other way round",
            held(finding, first),
            wanted(finding, first),
        );
    }
    let order: Vec<String> = edges.iter().map(|edge| format!("`{}`", held(finding, edge))).collect();
    format!(
        "take these locks in one order everywhere, for example {}; then {last_subject} has to take `{}` before `{}`",
        order.join(", "),
        wanted(finding, last),
        held(finding, last),
    )
}

/// Whose order each edge is, as subjects of sentences; `None` if it is the same code in all of them.
fn subjects(edges: &[Edge]) -> Option<Vec<String>> {
    let same_wanted = edges.windows(2).all(|pair| same_place(pair[0].wanted_at.as_ref(), pair[1].wanted_at.as_ref()));
    if !same_wanted {
        return Some(edges.iter().map(|edge| function_at(edge.wanted_at.as_ref())).collect());
    }
    let through_helper = edges.iter().all(|edge| same_place(edge.held_at.as_ref(), edge.wanted_at.as_ref()));
    if !through_helper {
        return None;
    }
    // Without line tables a user's own `fn lock(m)` is all that the places say; its callers are the subjects.
    let n_frames = edges.iter().map(|edge| edge.wanted_stack.len()).min()?;
    let function = |edge: &Edge, frame_idx: usize| edge.wanted_stack[frame_idx].function.clone();
    let differing = (0..n_frames)
        .find(|frame_idx| edges.iter().any(|edge| function(edge, *frame_idx) != function(&edges[0], *frame_idx)))?;
    Some(edges.iter().map(|edge| format!("`{}`", function(edge, differing))).collect())
}

fn same_place(a: Option<&Place>, b: Option<&Place>) -> bool {
    let key = |place: &Place| (place.file.clone(), place.line, place.column);
    a.is_some() && a.map(key) == b.map(key)
}

fn thread<'f>(finding: &'f Finding, edge: &Edge) -> &'f str {
    finding.threads.get(edge.thread).map_or("?", |thread| &thread.name)
}

fn held<'f>(finding: &'f Finding, edge: &Edge) -> &'f str {
    reference(finding, edge.holds)
}

fn wanted<'f>(finding: &'f Finding, edge: &Edge) -> &'f str {
    reference(finding, edge.wants)
}

fn reference(finding: &Finding, object: Option<usize>) -> &str {
    object.and_then(|idx| finding.objects.get(idx)).map_or("?", |object| &object.reference)
}

fn sides(edge: &Edge) -> (String, String) {
    (at(edge.held_at.as_ref()), at(edge.wanted_at.as_ref()))
}

/// `in f (file:line)`, or as much of it as is known.
fn at(place: Option<&Place>) -> String {
    match place {
        Some(place @ Place { function: Some(function), .. }) => format!("in `{function}` ({})", place.name()),
        Some(place) => format!("at {}", place.name()),
        None => "at an unknown place".to_owned(),
    }
}

/// `` `f` (file:line) `` as the subject of a sentence.
fn function_at(place: Option<&Place>) -> String {
    match place {
        Some(place @ Place { function: Some(function), .. }) => format!("`{function}` ({})", place.name()),
        Some(place) => place.name(),
        None => "an unknown place".to_owned(),
    }
}
