//! Renderers: a [`Report`] in, text out. They know the report only - no model, no graph, no analysis - and decide
//! nothing: what is a finding, in which order and how sure, was settled before.

mod escape;
mod human;
mod json;
mod schedule;
mod short;
mod words;

use crate::finding::{Finding, Report};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// Diagnostics as rustc prints them, with source, stacks and help.
    #[default]
    Human,
    /// One line per finding.
    Short,
    /// For programs; see `schema/report-1.0.json`.
    Json,
}

/// Writes the report; `colored` adds ANSI colours to [`Format::Human`].
///
/// Whatever strings the trace had, the text has no control character but line feeds and, if `colored`, the
/// renderer's own sequences.
pub fn render(report: &Report, format: Format, colored: bool) -> String {
    match format {
        Format::Human => human::render(&escape::report(report), colored),
        Format::Short => short::render(&escape::report(report)),
        Format::Json => json::render(report),
    }
}

/// Writes the findings of a report for people, without the lines about the run that end a report.
///
/// As with [`render`], no control characters get through.
pub fn render_findings(report: &Report, colored: bool) -> String {
    human::findings(&escape::report(report), colored, human::Schedule::Elsewhere)
}

/// Writes one finding of a report for people, and below it the schedule that reaches it, or why there is none. Lines of the
/// schedule are no longer than `width` characters where names and paths allow.
///
/// As with [`render`], no control characters get through.
pub fn render_explained(report: &Report, finding: &Finding, width: usize, colored: bool) -> String {
    let only = Report { findings: vec![finding.clone()], stats: report.stats, ..Report::default() };
    let only = escape::report(&only);
    let schedule: String = only.findings.iter().map(|finding| schedule::render(finding, width, colored)).collect();
    human::findings(&only, colored, human::Schedule::Below) + &schedule
}

/// A text of a trace as it can stand in a message.
pub fn escaped(text: &str) -> String {
    escape::text(text)
}
