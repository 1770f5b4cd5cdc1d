//! One line per finding, for editors and for `grep`.

use super::words;
use crate::finding::{Finding, Report};

pub(super) fn render(report: &Report) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(line).collect();
    lines.extend(words::closing(report));
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn line(finding: &Finding) -> String {
    let places = finding.edges.iter().flat_map(|edge| [edge.held_at.as_ref(), edge.wanted_at.as_ref()]);
    let places = places.chain(finding.accesses.iter().map(|access| access.at.as_ref()));
    let place = places.flatten().next().map_or_else(|| "<unknown>".to_owned(), words::place);
    let (verdict, code) = (words::verdict(finding), finding.code.name());
    format!("{place}: {verdict} [{code}] {}: {} (count {})", finding.id, finding.title, finding.count)
}
