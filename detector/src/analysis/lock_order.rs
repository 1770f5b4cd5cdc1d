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
use super::{ALL_RECORDED, Help, RawEdge, RawFinding, WhyNot, mode_name};
use crate::{
    finding::{Certainty, Code, Problem},
    graph::lock_order::{Component, Edge, LockOrder},
    model::{Model, NestedAcquire, SiteId},
};
use rustc_hash::FxHashMap;

/// Different findings of one component; what is left beyond them overlaps with them.
const FINDINGS_PER_COMPONENT_MAX: usize = 256;

/// Raw findings that are kept of cycles whose sites and modes are the same: they may be about locks of other
/// types or names. Further ones are counted with the first.
const RAW_FINDINGS_PER_KIND_MAX: usize = 8;

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
    let mut kinds: FxHashMap<Vec<EdgeKey>, Vec<usize>> = FxHashMap::default();
    while let Some(path) = cycles.next_cycle() {
        let edges: Vec<&Edge> = path.iter().filter_map(|edge| order.edge(*edge)).collect();
        let Some(instances) = assigner.assign(&edges) else { continue };
        let finding = finding(model, &edges, &instances);
        let key = key(&edges);
        if kinds.len() >= FINDINGS_PER_COMPONENT_MAX && !kinds.contains_key(&key) {
            return Some(format!("{FINDINGS_PER_COMPONENT_MAX} findings"));
        }
        let of_kind = kinds.entry(key).or_default();
        let alike = of_kind.iter().copied().find(|idx| are_alike(model, &findings[*idx], &finding));
        let full = of_kind.first().copied().filter(|_| of_kind.len() >= RAW_FINDINGS_PER_KIND_MAX);
        if let Some(known) = alike.or(full).and_then(|idx| findings.get_mut(idx)) {
            known.count = known.count.saturating_add(finding.count);
        } else {
            of_kind.push(findings.len());
            findings.push(finding);
        }
    }
    if assigner.was_cut() {
        return Some("too many repeats".to_owned());
    }
    cycles.was_cut().then(|| format!("{CYCLE_STEPS_MAX} steps"))
}

/// Where and how a lock was held, where and how the next one was wanted.
type EdgeKey = (SiteId, u8, SiteId, u8);

/// What cycles at the same sites have in common, whatever edge they begin with.
fn key(edges: &[&Edge]) -> Vec<EdgeKey> {
    let key = |edge: &&Edge| (edge.held.site, edge.held.mode as u8, edge.site, edge.mode as u8);
    let mut keys: Vec<EdgeKey> = edges.iter().map(key).collect();
    let rotated = |start: usize| keys.iter().cycle().skip(start).take(keys.len());
    let least = (0..keys.len()).min_by(|a, b| rotated(*a).cmp(rotated(*b)));
    keys.rotate_left(least.unwrap_or_default());
    keys
}

/// Whether two findings at the same sites are about locks of the same types and names.
fn are_alike(model: &Model, a: &RawFinding, b: &RawFinding) -> bool {
    let class = |edge: &RawEdge| {
        let object = model.objects.get(edge.holds?.0.idx())?;
        Some((edge.holds?.2, object.kind, object.type_name.as_str(), object.label.as_deref()))
    };
    let (a, b): (Vec<_>, Vec<_>) = (a.edges.iter().map(class).collect(), b.edges.iter().map(class).collect());
    (0..a.len()).any(|start| a.iter().cycle().skip(start).take(a.len()).eq(&b))
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
            could_release: vec![(next, WhyNot::InCycle)],
        })
    };
    RawFinding {
        assumes: vec![ALL_RECORDED.to_owned()],
        count: edges.iter().map(|edge| edge.count).min().unwrap_or_default(),
        edges: edges.iter().enumerate().filter_map(raw).collect(),
        ..RawFinding::new(Code::LockOrder, Certainty::Possible, why(model, edges), Help::OneOrder)
    }
}

fn why(model: &Model, edges: &[&Edge]) -> String {
    let mut why = "the cycle survives the thread, gate, mode and must-order filters".to_owned();
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
