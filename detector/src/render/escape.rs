//! Strings of a trace come from the program under test; on a terminal or in a CI log they must stay strings.

use crate::finding::{
    Access, Edge, Excerpt, Finding, Frame, HeldLock, LastSync, Object, Place, Problem, Releaser, Report, Step, Thread,
};

/// Whether a character could move a cursor, reorder text or hide in it.
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' |
            '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with dangerous characters written out, as `\u{1b}`.
pub(super) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_dangerous(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Source keeps its lines and columns, so that marks stay below what they mark.
fn source(text: &str) -> String {
    let escape = |c| if c != '\n' && c != '\t' && is_dangerous(c) { '\u{fffd}' } else { c };
    text.chars().map(escape).collect()
}

/// The report with every string escaped: one place, so that no renderer can forget one.
pub(super) fn report(report: &Report) -> Report {
    let mut report = report.clone();
    report.findings.iter_mut().for_each(finding);
    let coverage = report.coverage.unrecorded.iter_mut().chain([&mut report.coverage.level]);
    coverage.chain(&mut report.hints).for_each(in_place);
    report.problems.iter_mut().for_each(|Problem { text, .. }| in_place(text));
    report
}

fn in_place(string: &mut String) {
    if string.contains(is_dangerous) {
        *string = text(string);
    }
}

fn finding(finding: &mut Finding) {
    let Finding { id, line_id, why, assumes, title, help, notes, threads, objects, edges, witness, .. } = finding;
    [id, line_id, why, title, help].into_iter().chain(assumes).chain(notes).for_each(in_place);
    for Thread { name, .. } in threads {
        in_place(name);
    }
    for Object { reference, kind, type_name, label, created_at, capacity: _ } in objects {
        [reference, kind, type_name].into_iter().chain(label).for_each(in_place);
        created_at.iter_mut().for_each(place);
    }
    edges.iter_mut().for_each(edge);
    finding.accesses.iter_mut().for_each(access);
    if let Some(LastSync { from, to }) = &mut finding.last_sync {
        from.at.iter_mut().chain(&mut to.at).for_each(place);
    }
    for Step { mode, at, .. } in witness.iter_mut().flat_map(|witness| &mut witness.steps) {
        mode.iter_mut().for_each(in_place);
        at.iter_mut().for_each(place);
    }
}

fn edge(edge: &mut Edge) {
    edge.held_mode.iter_mut().chain(&mut edge.wanted_mode).for_each(in_place);
    edge.held_at.iter_mut().chain(&mut edge.released_at).chain(&mut edge.wanted_at).for_each(place);
    edge.held_stack.iter_mut().chain(&mut edge.wanted_stack).for_each(frame);
    edge.could_release.iter_mut().for_each(|Releaser { why_not, .. }| in_place(why_not));
}

fn access(access: &mut Access) {
    let Access { at, stack, held, .. } = access;
    at.iter_mut().for_each(place);
    stack.iter_mut().for_each(frame);
    for HeldLock { mode, at, .. } in held {
        in_place(mode);
        at.iter_mut().for_each(place);
    }
}

fn frame(frame: &mut Frame) {
    let Frame { function, file, .. } = frame;
    [function].into_iter().chain(file).for_each(in_place);
}

fn place(place: &mut Place) {
    let Place { file, function, excerpt, .. } = place;
    [file].into_iter().chain(function).for_each(in_place);
    if let Some(Excerpt { text, .. }) = excerpt {
        *text = source(text);
    }
}
