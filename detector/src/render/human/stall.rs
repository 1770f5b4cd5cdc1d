//! A program that was stopped: what each thread held and wanted, thread by thread.

use super::{edge_elements, words};
use crate::finding::Finding;
use annotate_snippets::{Group, Level};
use std::collections::BTreeMap;

/// A note for each thread: its state in a line, its places and stacks below.
pub(super) fn groups(finding: &Finding) -> Vec<Group<'_>> {
    let mut edges_of: BTreeMap<usize, Vec<&crate::finding::Edge>> = BTreeMap::new();
    for edge in &finding.edges {
        edges_of.entry(edge.thread).or_default().push(edge);
    }
    let groups = edges_of.into_values().map(|edges| {
        let held = edges.iter().filter(|edge| edge.held_at.is_some()).map(|edge| words::holds(finding, edge));
        // A thread that holds several locks has several edges, and waits for one thing in all of them.
        let waiting = edges.iter().find(|edge| edge.wanted_mode.is_some());
        let wanted = waiting.map(|edge| words::wants(finding, edge));
        let mut states: Vec<String> = held.chain(wanted).collect();
        states.dedup();
        if waiting.is_none() {
            states.push("was not waiting for anything that was recorded".to_owned());
        }
        let thread = edges.first().map_or("?", |edge| words::thread(finding, edge));
        let title = Level::NOTE.secondary_title(format!("`{thread}` {}", states.join(", ")));
        title.elements(edges.iter().enumerate().flat_map(|(idx, edge)| edge_elements(finding, edge, idx == 0)))
    });
    groups.collect()
}
