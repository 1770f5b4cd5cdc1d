//! Phrases that several renderers share.

mod race;
mod step;

pub(super) use self::race::{access_here, access_title, accesses, held, last_sync, schedule_end};
pub(super) use self::step::{
    does, dropped, more_operations, no_schedule, paint, schedule_title, short_name, step_place,
};

use crate::finding::{
    Certainty, Code, Edge, Finding, Frame, NOTIFIED, Object, Place, ProgramEnd, RECEIVE_OR_END, Report,
};

/// What a finding is, in two words at most.
pub(super) fn verdict(finding: &Finding) -> &'static str {
    let is_hang = matches!(finding.code, Code::LostWakeup | Code::AbandonedLock | Code::AbandonedChannel);
    match (finding.code, finding.certainty) {
        (Code::Stall, _) => "hang",
        (_, Certainty::Hazard) => "note",
        (Code::DataRace, Certainty::Possible) => "possible race",
        (Code::DataRace, _) => "race",
        (_, Certainty::Possible) if is_hang => "possible hang",
        (_, Certainty::Possible) => "possible deadlock",
        _ if is_hang => "hang",
        _ => "deadlock",
    }
}

/// The certainty and its reason as a sentence.
pub(super) fn certainty(finding: &Finding) -> String {
    if finding.code == Code::Stall {
        // Neither ruled out nor predicted: this was the state of the program.
        return format!("{}: {}", finding.certainty.name(), finding.why);
    }
    if (finding.code, finding.certainty) == (Code::PredictedDeadlock, Certainty::Possible) {
        // What was shown, and what is not known.
        return format!("possible: {}", finding.why);
    }
    match (finding.code, finding.certainty) {
        // That something happened is the reason.
        (Code::DataRace, Certainty::Observed) => return format!("observed: in this run {}", finding.why),
        (Code::DataRace, Certainty::Hazard) => return format!("hazard: perhaps no race: {}", finding.why),
        (Code::DataRace, Certainty::Possible) => return format!("possible: {}", finding.why),
        _ => {}
    }
    let meaning = match finding.certainty {
        Certainty::Observed => "observed: this happened",
        Certainty::Proven => "proven: another timing of this run reaches it",
        Certainty::Possible => "possible: not ruled out",
        Certainty::Hazard => "hazard: cannot hang as run",
    };
    match finding.certainty {
        _ if finding.why.is_empty() => meaning.to_owned(),
        // What happened needs no reason; this says why nobody came to help.
        Certainty::Observed => format!("{meaning}; {}", finding.why),
        _ => format!("{meaning}, because {}", finding.why),
    }
}

/// `n thing`, `n things`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 {
        ""
    } else if noun.ends_with("ss") {
        "es"
    } else {
        "s"
    };
    format!("{n} {noun}{plural}")
}

/// How its thread is called.
pub(super) fn thread<'f>(finding: &'f Finding, edge: &Edge) -> &'f str {
    thread_name(finding, edge.thread)
}

/// How a thread is called.
pub(super) fn thread_name(finding: &Finding, idx: usize) -> &str {
    finding.threads.get(idx).map_or("?", |thread| &thread.name)
}

/// ``holds `cache` for reading``.
pub(super) fn holds(finding: &Finding, edge: &Edge) -> String {
    match object(finding, edge.holds) {
        Some(object) if is_of_dead_owner(finding, edge) => {
            let is_left_behind = finding.threads.get(edge.thread).is_some_and(|thread| thread.is_left_behind);
            let when = if is_left_behind { "at the fork" } else { "when it ended" };
            format!("held `{}` {when}", object.reference)
        }
        Some(object) => format!("holds `{}`{}", object.reference, purpose(object, edge.held_mode.as_deref())),
        None => "holds a lock".to_owned(),
    }
}

/// Whether it is about a lock whose owner died, and that another one took over.
fn was_taken_over(finding: &Finding) -> bool {
    (finding.code, finding.certainty) == (Code::AbandonedLock, Certainty::Hazard)
}

/// Whether the edge's thread ended with what it holds.
fn is_of_dead_owner(finding: &Finding, edge: &Edge) -> bool {
    finding.code == Code::AbandonedLock && edge.wanted_mode.is_none()
}

/// ``holds `cache` since here``, below the place.
pub(super) fn holds_since_here(finding: &Finding, edge: &Edge) -> String {
    if is_of_dead_owner(finding, edge) {
        return format!("{} here", took(finding, edge));
    }
    format!("{} since here", holds(finding, edge))
}

/// ``took `cache` for reading``.
pub(super) fn took(finding: &Finding, edge: &Edge) -> String {
    match object(finding, edge.holds) {
        Some(object) => format!("took `{}`{}", object.reference, purpose(object, edge.held_mode.as_deref())),
        None => "took a lock".to_owned(),
    }
}

/// ``wants `cache` for writing``, ``waits for a message from `channel` ``, …
pub(super) fn wants(finding: &Finding, edge: &Edge) -> String {
    if let Some(state) = kernel_state(edge) {
        return format!("waits for nothing that was recorded: the system says {state}");
    }
    let object = object(finding, edge.wants);
    if let Some(object) = object.filter(|_| was_taken_over(finding)) {
        return format!("took `{}` over", object.reference);
    }
    match edge.wanted_mode.as_deref() {
        Some(NOTIFIED) => format!("{}{}", notified(finding, edge), too_early(finding, edge)),
        mode => waits(object, mode),
    }
}

/// The same with the word `here`, below the place.
pub(super) fn wants_here(finding: &Finding, edge: &Edge) -> String {
    match edge.wanted_mode.as_deref() {
        Some(NOTIFIED) => format!("{} here{}", notified(finding, edge), too_early(finding, edge)),
        _ => format!("{} here", wants(finding, edge)),
    }
}

/// ``notified `c` ``; ``notifies `c` `` if that is only what could be.
fn notified(finding: &Finding, edge: &Edge) -> String {
    let object = object(finding, edge.wants);
    let reference = object.map_or("?", |object| object.reference.as_str());
    match (finding.code, object) {
        (Code::PredictedDeadlock, Some(Object { kind, label: None, .. })) if kind == "thread" => {
            "unparks that thread".to_owned()
        }
        (Code::PredictedDeadlock, Some(Object { kind, .. })) if kind == "thread" => format!("unparks `{reference}`"),
        (Code::PredictedDeadlock, _) => format!("notifies `{reference}`"),
        (_, Some(Object { kind, .. })) if kind == "thread" => format!("notified thread `{reference}`"),
        _ => format!("notified `{reference}`"),
    }
}

fn too_early(finding: &Finding, edge: &Edge) -> &'static str {
    let is_thread = object(finding, edge.wants).is_some_and(|object| object.kind == "thread");
    match (finding.code, is_thread) {
        (Code::PredictedDeadlock, true) => ", which may come before it has parked for the unpark before",
        (Code::PredictedDeadlock, false) => ", which may come before the wait",
        _ => " too early",
    }
}

/// What a thread waits for, and how.
fn waits(object: Option<&Object>, mode: Option<&str>) -> String {
    let reference = match object {
        None => "something that was not recorded".to_owned(),
        Some(Object { kind, label: Some(_), reference, .. }) if kind == "thread" => format!("thread `{reference}`"),
        Some(Object { reference, .. }) => format!("`{reference}`"),
    };
    match (mode, object) {
        (Some("wait"), Some(Object { kind, .. })) if kind == "thread" => "is parked".to_owned(),
        (Some("wait"), Some(Object { kind, .. })) if kind == "condvar" => {
            format!("waits to be notified through {reference}")
        }
        (Some("wait"), Some(Object { kind, .. })) if kind == "barrier" => {
            format!("waits for the other parties of {reference}")
        }
        (Some("wait"), Some(Object { kind, .. })) if kind == "semaphore" => {
            format!("waits for a permit of {reference}")
        }
        (Some("wait"), Some(Object { kind, .. })) if kind == "latch" => format!("waits for {reference} to open"),
        (Some("upgrade"), _) => format!("wants {reference} for writing"),
        (Some("wait"), _) => format!("waits for {reference}"),
        (Some("scope end"), _) => "waits for the threads of its scope to end".to_owned(),
        (Some("send"), _) => format!("waits for room in {reference}"),
        (Some(RECEIVE_OR_END), _) => format!("waits for a message from {reference}, or its end"),
        (Some("receive"), Some(_)) => format!("waits for a message from {reference}"),
        (Some("receive"), None) => "waits for a message".to_owned(),
        (Some("join"), Some(Object { kind, label: None, .. })) if kind == "thread" => {
            "waits for another thread to end".to_owned()
        }
        (Some("join"), _) => format!("waits for {reference} to end"),
        (mode, Some(object)) => format!("wants {reference}{}", purpose(object, mode)),
        (_, None) => format!("waits for {reference}"),
    }
}

/// What the operating system says of a thread that no recorded wait explains.
pub(super) fn kernel_state(edge: &Edge) -> Option<&str> {
    edge.wanted_mode.as_deref()?.strip_prefix("kernel:")
}

/// Only for locks that have more than one mode, the mode says something.
fn purpose(object: &Object, mode: Option<&str>) -> String {
    match mode {
        Some("exclusive") if object.kind == "rwlock" => " for writing".to_owned(),
        Some("shared") => " for reading".to_owned(),
        None | Some("exclusive") => String::new(),
        Some(mode) => format!(" ({mode})"),
    }
}

fn object(finding: &Finding, idx: Option<usize>) -> Option<&Object> {
    idx.and_then(|idx| finding.objects.get(idx))
}

/// `file:line:column`.
pub(super) fn place(place: &Place) -> String {
    match (place.line, place.column) {
        (0, _) | (_, 0) => place.name(),
        (_, column) => format!("{}:{column}", place.name()),
    }
}

/// `at function (file:line)`.
pub(super) fn frame(frame: &Frame) -> String {
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("at {} ({file}:{line})", frame.function),
        (Some(file), None) => format!("at {} ({file})", frame.function),
        (None, _) => format!("at {}", frame.function),
    }
}

/// Threads of a list that a report names.
const NAMES_MAX: usize = 8;

/// Threads by name, and how many more there are; `None` if there are none.
pub(super) fn names(finding: &Finding, threads: impl ExactSizeIterator<Item = usize>) -> Option<String> {
    let more = threads.len().saturating_sub(NAMES_MAX);
    let names = threads.take(NAMES_MAX).filter_map(|idx| finding.threads.get(idx));
    let names: Vec<String> = names.map(|thread| format!("`{}`", thread.name)).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
}

/// Who waits for the threads of the finding.
pub(super) fn behind(finding: &Finding) -> Option<String> {
    let wait = if finding.behind.len() == 1 { "waits" } else { "wait" };
    let names = names(finding, finding.behind.iter().copied())?;
    Some(format!("{names} {wait} behind this"))
}

/// What the finding takes for granted.
pub(super) fn assumption(finding: &Finding) -> Option<String> {
    let assumed = finding.assumes.iter().map(|assumption| match assumption.as_str() {
        "all-communication-recorded" if finding.code == Code::DataRace => {
            "that nothing unrecorded (an atomic, a fence, another library's lock) orders the two accesses"
        }
        "all-communication-recorded" => {
            "that nothing unrecorded (a flag, an atomic, another library's lock) keeps these threads apart"
        }
        other => other,
    });
    (!finding.assumes.is_empty()).then(|| format!("assumes {}", assumed.collect::<Vec<_>>().join("; ")))
}

/// How often, where if there are several processes, and under which id.
pub(super) fn seen(finding: &Finding, report: &Report) -> String {
    let times = if finding.count == 1 { "once".to_owned() } else { counted(finding.count, "time") };
    let process = finding.threads.first().filter(|_| report.stats.processes > 1);
    let place = process.map_or_else(String::new, |thread| format!(", first in process {}", thread.process));
    format!("seen {times}{place}; id {}", finding.id)
}

/// Where the schedule of a finding is shown.
pub(super) fn explained(finding: &Finding) -> Option<String> {
    let id = &finding.id;
    let option = if finding.code == Code::DataRace { ", with `--predict-races` if this was" } else { "" };
    let text =
        format!("`deadlock-check explain {id}` shows the schedule, if the trace was kept (`run --keep`){option}");
    finding.witness.as_ref().map(|_| text)
}

/// The lines that end a report: how the program ended, what was recorded, what is wrong, how many findings.
pub(super) fn closing(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.program.iter().map(program).collect();
    lines.push(recorded(report));
    if !report.coverage.unrecorded.is_empty() {
        lines.push(format!("not recorded: {}", report.coverage.unrecorded.join("; ")));
    }
    let severity = |fatal| if fatal { "error" } else { "warning" };
    lines.extend(report.race_counts.iter().map(race::count));
    lines.extend(report.problems.iter().map(|problem| format!("{}: {}", severity(problem.fatal), problem.text)));
    lines.extend(report.hints.iter().map(|hint| format!("hint: {hint}")));
    lines.push(summary(report));
    lines
}

fn program(end: &ProgramEnd) -> String {
    let how = match (end.exit, end.signal) {
        (Some(status), _) => format!("exited with status {status}"),
        (None, Some(signal)) => format!("was ended by signal {signal}{}", signal_name(signal)),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    let why = if end.timed_out { ", stopped because its time was over" } else { "" };
    format!("program: {how}{why}")
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

fn recorded(report: &Report) -> String {
    if !report.coverage.recorded_anything && report.problems.iter().any(|problem| problem.fatal) {
        return "recorded: nothing".to_owned();
    }
    if !report.coverage.recorded_anything {
        return "recorded: nothing. No process recorded anything: does the program use instrumented_sync? \
                is its feature `record` on?"
            .to_owned();
    }
    let stats = &report.stats;
    let processes = match stats.processes {
        1 => "1 process".to_owned(),
        n => format!("{n} processes"),
    };
    let lost = match stats.lost {
        0 => "nothing".to_owned(),
        n => format!("{}, so deadlocks may have been missed", counted(n, "operation")),
    };
    format!(
        "recorded: {processes}, {}, {}, {}; level {}; lost: {lost}",
        counted(stats.threads, "thread"),
        counted(stats.objects, "object"),
        counted(stats.events, "event"),
        report.coverage.level,
    )
}

fn summary(report: &Report) -> String {
    let n_of = |certainty| report.findings.iter().filter(|finding| finding.certainty == certainty).count();
    let certainties = Certainty::ALL.iter().rev().map(|certainty| (n_of(*certainty), certainty.name()));
    let counts: Vec<String> =
        certainties.filter(|(n, _)| *n > 0).map(|(n, certainty)| format!("{n} {certainty}")).collect();
    let findings = match report.findings.len() {
        0 => "no findings".to_owned(),
        n => format!("{} ({})", counted(n as u64, "finding"), counts.join(", ")),
    };
    match report.suppressed {
        0 => format!("deadlock-check: {findings}"),
        n => format!("deadlock-check: {findings}; {n} suppressed by the allow list or the baseline"),
    }
}
