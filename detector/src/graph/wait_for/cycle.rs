//! The shortest cycle among threads of a knot.

use crate::model::ThreadId;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// The shortest cycle of a component that one of its links satisfies `is_key`.
pub(super) fn shortest_cycle(
    links: &DiGraph<ThreadId, ()>,
    component: &[NodeIndex],
    is_key: &impl Fn(ThreadId, ThreadId) -> bool,
) -> Option<Vec<ThreadId>> {
    /// Links from which a cycle is looked for; any cycle of a component with more of them will do.
    const LINKS_MAX: usize = 1024;
    let members: FxHashSet<NodeIndex> = component.iter().copied().collect();
    let next = |node: NodeIndex| links.neighbors(node).filter(|next| members.contains(next)).collect::<Vec<_>>();
    let starts = component.iter().flat_map(|start| next(*start).into_iter().map(|second| (*start, second)));
    let keys = starts.filter(|(start, second)| is_key(links[*start], links[*second]));
    let mut shortest: Option<Vec<NodeIndex>> = None;
    for (start, second) in keys.take(LINKS_MAX) {
        let Some(path) = path(second, start, &next) else { continue };
        if shortest.as_ref().is_none_or(|shortest| path.len() < shortest.len()) {
            shortest = Some(path);
        }
        // None is shorter; where everybody could help everybody the first try finds one.
        if shortest.as_ref().is_some_and(|shortest| shortest.len() == 2) {
            break;
        }
    }
    // The path leads from the second thread to the first one.
    let mut cycle: Vec<ThreadId> = shortest?.into_iter().map(|node| links[node]).collect();
    cycle.rotate_right(1);
    Some(cycle)
}

/// The shortest path, both ends included.
fn path(from: NodeIndex, to: NodeIndex, next: &impl Fn(NodeIndex) -> Vec<NodeIndex>) -> Option<Vec<NodeIndex>> {
    let mut came_from = FxHashMap::from_iter([(from, from)]);
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        if node == to {
            let mut path = vec![node];
            let mut at = node;
            while at != from {
                at = *came_from.get(&at)?;
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for next in next(node) {
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                node
            });
        }
    }
    None
}
