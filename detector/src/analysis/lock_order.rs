//! Lock-order cycles: threads each of which holds a lock that the one before it wants, in some other schedule.
//!
//! After Goodlock (Havelund 2000) and its generalisation to any length with gate locks and happens-before
//! (Agarwal, Bensalem et al. 2010). Different here: modes count, for gates too; a reader waits for a reader only
//! behind a queued writer, which must exist in the trace; and must-order is fork, join, messages and notifies.
//!
//! Per component shortest cycles first. A cycle is a path of edges of the graph, each a pair of source sites; it
//! is reported once, if instances of its edges can be found that may all be under way at the same time.

mod assign;
mod cycles;

use self::{assign::Assigner, cycles::Cycles};
use super::{ALL_RECORDED, Help, RawEdge, RawFinding, mode_name};
use crate::{
    finding::{Certainty, Code, Problem},
    graph::lock_order::{Component, Edge, LockOrder},
    model::{Model, NestedAcquire},
};

/// Findings of one component; what is left beyond them overlaps with them.
const FINDINGS_PER_COMPONENT_MAX: usize = 256;

/// Steps of the search for cycles in one component, about a tenth of a second.
const CYCLE_STEPS_MAX: u64 = 4_000_000;

/// Finds the cycles. The problems say where a bound cut the search.
pub fn run(model: &Model) -> (Vec<RawFinding>, Vec<Problem>) {
    let order = LockOrder::new(model);
    let (mut findings, mut problems) = (Vec::new(), Vec::new());
    for component in order.components() {
        let mut in_component = Vec::new();
        let cut = search(model, &order, &component, &mut in_component);
        if let Some(cut) = cut {
            let n_locks = component.locks.len();
            let text = format!(
                "the search for lock-order cycles among {n_locks} locks that are nested in each other was cut after \
                 {cut}: mend what is reported, then check again"
            );
            problems.push(Problem { text, fatal: false });
        }
        findings.append(&mut in_component);
    }
    (findings, problems)
}

/// Searches one component; returns at which bound the search was cut, if it was.
fn search(model: &Model, order: &LockOrder, component: &Component, findings: &mut Vec<RawFinding>) -> Option<String> {
    let mut assigner = Assigner::new(model);
    let mut cycles = Cycles::new(model, order, component, CYCLE_STEPS_MAX);
    while let Some(path) = cycles.next_cycle() {
        let edges: Vec<&Edge> = path.iter().filter_map(|edge| order.edge(*edge)).collect();
        let Some(instances) = assigner.assign(&edges) else { continue };
        findings.push(finding(model, &edges, &instances));
        if findings.len() >= FINDINGS_PER_COMPONENT_MAX {
            return Some(format!("{FINDINGS_PER_COMPONENT_MAX} findings"));
        }
    }
    if assigner.was_cut() {
        return Some("too many repeats".to_owned());
    }
    cycles.was_cut().then(|| format!("{CYCLE_STEPS_MAX} steps"))
}

fn finding(model: &Model, edges: &[&Edge], instances: &[&NestedAcquire]) -> RawFinding {
    let n = edges.len();
    let raw = |(i, edge): (usize, &&Edge)| {
        let thread = instances.get(i)?.thread;
        let next = instances.get((i + 1) % n)?.thread;
        Some(RawEdge {
            thread,
            holds: Some((edge.held.object, mode_name(edge.held.mode), edge.held.site)),
            wants: Some((Some(edge.wants), mode_name(edge.mode), edge.site)),
            could_release: vec![(next, "it waits in this cycle itself".to_owned())],
        })
    };
    RawFinding {
        code: Code::LockOrder,
        certainty: Certainty::Possible,
        why: why(model, edges),
        assumes: vec![ALL_RECORDED.to_owned()],
        count: edges.iter().map(|edge| edge.count).min().unwrap_or_default(),
        edges: edges.iter().enumerate().filter_map(raw).collect(),
        help: Help::OneOrder,
    }
}

fn why(model: &Model, edges: &[&Edge]) -> String {
    let mut why =
        "no schedule was replayed; the cycle survives the thread, gate, mode and must-order filters".to_owned();
    let behind_writer =
        edges.iter().zip(edges.iter().cycle().skip(1)).any(|(e, next)| !e.mode.excludes(next.held.mode));
    if behind_writer {
        why.push_str("; a reader in it waits only if a writer, which another thread of this run is, queues before it");
    }
    if edges.iter().any(|edge| model.objects.get(edge.held.object.idx()).is_some_and(|object| object.gap)) {
        why.push_str("; the order of a lock in it has gaps");
    }
    why
}

#[cfg(test)]
mod tests;
