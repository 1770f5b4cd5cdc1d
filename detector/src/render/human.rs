//! Reports for people, in the manner of rustc's diagnostics.

mod race;
mod snippet;
mod stall;

use super::words;
use crate::finding::{Certainty, Code, Edge, Finding, Frame, Report};
use annotate_snippets::{Element, Group, Level, Renderer, renderer::DecorStyle};

/// Snippets are cut to this width; logs of CI have no width of their own.
const WIDTH: usize = 140;

pub(super) fn render(report: &Report, colored: bool) -> String {
    let mut text = findings(report, colored, Schedule::Elsewhere);
    for line in words::closing(report) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Where the schedules of findings are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Nowhere in this text: it says what shows them.
    Elsewhere,
    /// Right below.
    Below,
}

pub(super) fn findings(report: &Report, colored: bool, schedule: Schedule) -> String {
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(WIDTH).decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&renderer.render(&groups(finding, report, schedule)));
        text.push_str("\n\n");
    }
    text
}

/// The title with the first edge, a note for each further edge, and the verdict's details with the last one.
fn groups<'r>(finding: &'r Finding, report: &Report, schedule: Schedule) -> Vec<Group<'r>> {
    let level = if finding.certainty == Certainty::Hazard { Level::NOTE } else { Level::ERROR };
    let title = level.with_name(words::verdict(finding)).primary_title(&finding.title).id(finding.code.name());
    let title = Group::with_title(title);
    if finding.code == Code::Stall {
        let threads = stall::groups(finding);
        return std::iter::once(title.elements(details(finding, report, schedule))).chain(threads).collect();
    }
    if finding.code == Code::DataRace {
        return race::groups(finding, title, details(finding, report, schedule));
    }
    let shown = shown(finding);
    let mut groups = Vec::with_capacity(shown.len());
    // The first edge belongs to the title, as the first snippet of rustc's diagnostics does.
    let mut current = title.elements(shown.first().into_iter().flat_map(|shown| shown.elements(finding)));
    for shown in shown.iter().skip(1) {
        groups.push(current);
        let title = Level::NOTE.secondary_title(edge_title(finding, shown.edge));
        current = title.elements(shown.elements(finding));
    }
    groups.push(current.elements(details(finding, report, schedule)));
    groups
}

/// An edge that is shown, and others that differ from it in their threads alone.
struct Shown<'f> {
    edge: &'f Edge,
    others: Vec<&'f Edge>,
}

/// The edges to show: of a cycle all, else one for each place, however many of a pool's threads wait there.
fn shown(finding: &Finding) -> Vec<Shown<'_>> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for edge in &finding.edges {
        let is_like = |other: &Edge| {
            let key = |edge: &Edge| (edge.holds, edge.wanted_mode.clone(), edge.wanted_at.clone());
            key(edge) == key(other) && edge.wanted_stack == other.wanted_stack
        };
        match shown.iter_mut().find(|shown| !finding.code.is_cycle() && is_like(shown.edge)) {
            Some(shown) => shown.others.push(edge),
            None => shown.push(Shown { edge, others: Vec::new() }),
        }
    }
    shown
}

impl<'f> Shown<'f> {
    fn elements(&self, finding: &'f Finding) -> Vec<Element<'f>> {
        let mut elements = edge_elements(finding, self.edge, true);
        let names = words::names(finding, self.others.iter().map(|edge| edge.thread));
        elements.extend(names.map(|names| message(Level::NOTE, format!("so does {names}"))));
        elements
    }
}

fn edge_title(finding: &Finding, edge: &Edge) -> String {
    let thread = words::thread(finding, edge);
    match (edge.holds, edge.wanted_mode.is_some()) {
        (Some(_), true) => format!("`{thread}` {} and {}", words::holds(finding, edge), words::wants(finding, edge)),
        (Some(_), false) => format!("`{thread}` {}", words::holds(finding, edge)),
        (None, _) => format!("`{thread}` {}", words::wants(finding, edge)),
    }
}

/// Snippets and stacks of one edge; what it wants is left out if `with_want` says that this was shown already.
fn edge_elements<'f>(finding: &'f Finding, edge: &'f Edge, with_want: bool) -> Vec<Element<'f>> {
    let thread = words::thread(finding, edge);
    let mut marks = Vec::new();
    if let Some(place) = &edge.held_at {
        let label = format!("`{thread}` {}", words::holds_since_here(finding, edge));
        marks.push(snippet::Mark { place, label, is_primary: false });
    }
    let is_kernel = words::kernel_state(edge).is_some();
    if with_want && let Some(place) = &edge.wanted_at {
        let and = if marks.is_empty() { format!("`{thread}` ") } else { "... and ".to_owned() };
        let label = if is_kernel {
            format!("the last that was recorded of `{thread}` is here")
        } else {
            format!("{and}{}", words::wants_here(finding, edge))
        };
        marks.push(snippet::Mark { place, label, is_primary: true });
    }
    let mut elements = snippet::elements(marks);
    elements.extend(stack(&format!("`{thread}` {} here", words::took(finding, edge)), &edge.held_stack));
    if with_want {
        let title = if is_kernel {
            format!("`{thread}` was here")
        } else {
            format!("`{thread}` {}", words::wants_here(finding, edge))
        };
        elements.extend(stack(&title, &edge.wanted_stack));
    }
    if with_want && finding.code != Code::LockOrder {
        elements.extend(helpers(finding, edge));
    }
    elements
}

/// Who could have ended a wait, and why they cannot; in a cycle that is the other edges.
fn helpers<'f>(finding: &'f Finding, edge: &Edge) -> Option<Element<'f>> {
    let is_shown = |idx: usize| finding.edges.iter().any(|edge| edge.thread == idx && edge.is_waiting());
    // A prediction names only those of whom it says where they would have done it.
    let names_all = matches!(finding.code, Code::Stall | Code::PredictedDeadlock);
    let others = edge.could_release.iter().filter(|releaser| names_all || !is_shown(releaser.thread));
    let name = |idx: usize| finding.threads.get(idx).map_or("?", |thread| thread.name.as_str());
    let lines: Vec<String> = others
        .map(|releaser| format!("`{}` could end this wait, but {}", name(releaser.thread), releaser.why_not))
        .collect();
    (!lines.is_empty()).then(|| message(Level::NOTE, lines.join("\n")))
}

/// A stack below what it led to; nothing if none was captured.
fn stack<'f>(what: &str, frames: &[Frame]) -> Option<Element<'f>> {
    let lines: Vec<String> = std::iter::once(what.to_owned()).chain(frames.iter().map(words::frame)).collect();
    (!frames.is_empty()).then(|| message(Level::NOTE.with_name("stack"), lines.join("\n  ")))
}

/// What applies to the finding as a whole.
fn details<'r>(finding: &'r Finding, report: &Report, schedule: Schedule) -> Vec<Element<'r>> {
    let mut elements = vec![message(Level::NOTE, words::certainty(finding))];
    elements.extend(words::assumption(finding).map(|text| message(Level::NOTE, text)));
    elements.extend(words::behind(finding).map(|text| message(Level::NOTE, text)));
    elements.extend(words::last_sync(finding).map(|text| message(Level::NOTE, text)));
    elements.extend(finding.notes.iter().map(|text| message(Level::NOTE, text.clone())));
    elements.push(message(Level::NOTE, words::seen(finding, report)));
    if schedule == Schedule::Elsewhere {
        elements.extend(words::explained(finding).map(|text| message(Level::NOTE, text)));
    }
    if !finding.help.is_empty() {
        elements.push(message(Level::HELP, finding.help.clone()));
    }
    elements
}

fn message(level: Level<'_>, text: String) -> Element<'_> {
    level.message(text).into()
}
