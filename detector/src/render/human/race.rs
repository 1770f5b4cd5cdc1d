//! Races: the two accesses, each with what its thread held, in the order of the run.

use super::{message, snippet, stack, words};
use crate::finding::{Access, Finding};
use annotate_snippets::{Element, Group, Level};

/// Locks of a thread that are marked in the source; the access names all.
const MARKED_MAX: usize = 4;

/// The first access belongs to the title, a further one is a note, and what applies to both comes behind the last one.
pub(super) fn groups<'f>(finding: &'f Finding, title: Group<'f>, details: Vec<Element<'f>>) -> Vec<Group<'f>> {
    let mut groups = Vec::new();
    let mut current = title;
    for (idx, access) in finding.accesses.iter().enumerate() {
        if idx > 0 {
            let title = Level::NOTE.secondary_title(words::access_title(finding, access));
            groups.push(std::mem::replace(&mut current, Group::with_title(title)));
        }
        current = current.elements(elements(finding, access));
    }
    groups.push(current.elements(details));
    groups
}

fn elements<'f>(finding: &'f Finding, access: &'f Access) -> Vec<Element<'f>> {
    let thread = words::thread_name(finding, access.thread);
    let held = access.held.iter().take(MARKED_MAX).filter_map(|lock| {
        let label = format!("`{thread}` holds {} since here", words::held(finding, lock));
        Some(snippet::Mark { place: lock.at.as_ref()?, label, is_primary: false })
    });
    let mut marks: Vec<snippet::Mark<'f>> = held.collect();
    let mut elements = Vec::new();
    match &access.at {
        Some(place) => {
            marks.push(snippet::Mark { place, label: words::access_here(finding, access), is_primary: true });
        }
        // Nothing else tells of it.
        None => elements.push(message(Level::NOTE, words::access_title(finding, access))),
    }
    elements.extend(snippet::elements(marks));
    elements.extend(stack(&format!("`{thread}` {} here", words::accesses(finding, access)), &access.stack));
    elements
}
