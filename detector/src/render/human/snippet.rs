//! Marks in the source; several in one snippet if they are near each other.

use crate::finding::{Excerpt, Place};
use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Snippet};
use std::{collections::BTreeMap, ops::Range};

/// Places further apart than this are shown as two snippets.
const DISTANCE_LINES_MAX: u32 = 40;

/// A place to be marked, and what to say about it.
pub(super) struct Mark<'f> {
    pub(super) place: &'f Place,
    pub(super) label: String,
    pub(super) is_primary: bool,
}

/// Snippets for the marks, in order; a bare `--> file:line:column` where there is no source.
pub(super) fn elements(marks: Vec<Mark<'_>>) -> Vec<Element<'_>> {
    let mut groups: Vec<Vec<Mark<'_>>> = Vec::new();
    for mark in marks {
        match groups.last_mut() {
            Some(group) if is_near(group[0].place, mark.place) => group.push(mark),
            _ => groups.push(vec![mark]),
        }
    }
    groups
        .into_iter()
        .flat_map(|group| snippet(&group).map_or_else(|| origins(group), |element| vec![element]))
        .collect()
}

fn is_near(a: &Place, b: &Place) -> bool {
    a.file == b.file && a.line.abs_diff(b.line) <= DISTANCE_LINES_MAX && a.excerpt.is_some() == b.excerpt.is_some()
}

/// One snippet with all marks, which share a file; `None` without source.
fn snippet<'f>(marks: &[Mark<'f>]) -> Option<Element<'f>> {
    let mut lines: BTreeMap<u32, &str> = BTreeMap::new();
    for mark in marks {
        let Excerpt { first_line, text } = mark.place.excerpt.as_ref()?;
        lines.extend((*first_line..).zip(text.lines()));
    }
    let (first_line, last_line) = (*lines.keys().next()?, *lines.keys().next_back()?);
    // Lines between two excerpts are not known; nothing is marked in them, so they are folded away.
    let mut source = String::new();
    let mut starts = BTreeMap::new();
    for line in first_line..=last_line {
        starts.insert(line, source.len());
        source.push_str(lines.get(&line).unwrap_or(&""));
        source.push('\n');
    }
    let annotations: Vec<Annotation<'f>> = marks.iter().filter_map(|mark| annotation(mark, &lines, &starts)).collect();
    let place = marks.first()?.place;
    let snippet = Snippet::source(source).line_start(first_line as usize).path(&place.file);
    (annotations.len() == marks.len()).then(|| snippet.annotations(annotations).into())
}

fn annotation<'f>(
    mark: &Mark<'f>,
    lines: &BTreeMap<u32, &str>,
    starts: &BTreeMap<u32, usize>,
) -> Option<Annotation<'f>> {
    let line = mark.place.line;
    let (text, start) = (lines.get(&line)?, starts.get(&line)?);
    let span = call_span(text, mark.place.column);
    let kind = if mark.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    Some(kind.span(start + span.start..start + span.end).label(mark.label.clone()))
}

/// Bytes of the call that begins at a column: its path and its arguments, as far as they are on the line; all of
/// the line if the column is 0, that is not known.
fn call_span(line: &str, column: u32) -> Range<usize> {
    let Some(n_before) = column.checked_sub(1) else {
        let start = line.len() - line.trim_start().len();
        return start..start + line.trim().len();
    };
    let n_before = n_before as usize;
    let start = line.char_indices().nth(n_before).map_or(0, |(start, _)| start);
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let rest = &line[start..];
    let path_end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
    let mut depth = 0_u32;
    for (idx, c) in rest.char_indices().skip_while(|(idx, _)| *idx < path_end) {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return start..start + idx + 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => break,
            _ => {}
        }
    }
    start..start + path_end.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// Where the marks are, without source: the labels carry what a snippet would have shown.
fn origins(marks: Vec<Mark<'_>>) -> Vec<Element<'_>> {
    let mut elements = Vec::new();
    for mark in marks {
        if mark.place.line > 0 {
            let origin = Origin::path(&mark.place.file).line(mark.place.line as usize);
            elements.push(origin.char_column(mark.place.column as usize).into());
        } else if mark.place.is_known() {
            elements.push(Origin::path(&mark.place.file).into());
        }
        elements.push(Level::NOTE.message(mark.label).into());
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::call_span;

    #[test]
    fn a_call_is_marked_with_its_arguments() {
        let marked = |line: &'static str, column| &line[call_span(line, column)];
        assert_eq!(marked("let a = m.lock().unwrap();", 11), "lock()");
        assert_eq!(marked("let a = lock(&m, f(1)).unwrap();", 9), "lock(&m, f(1))");
        assert_eq!(marked("let ä = m.read();", 11), "read()");
        assert_eq!(marked("x.lock(", 3), "lock");
        assert_eq!(marked("*x", 1), "*");
        assert_eq!(marked("short", 99), "short");
        assert_eq!(marked("", 1), "");
        assert_eq!(marked("  let a = lock(); ", 0), "let a = lock();");
        assert_eq!(marked("  ", 0), "");
    }
}
