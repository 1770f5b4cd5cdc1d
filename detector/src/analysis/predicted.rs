//! Deadlocks of a history: what [`crate::prediction`] proves or leaves open, as findings; and proofs for cycles of locks
//! that a recorded trace shows.

use super::{ALL_RECORDED, Help, Own, RawEdge, RawFinding, RawWitness, mode_name, steps};
use crate::{
    finding::{Certainty, Code, Problem},
    history::{History, Kind, Target},
    model::{FamilyId, Model, ObjectId, SiteId, ThreadId, site_of},
    prediction::{self, Proven, Witness},
};
use rustc_hash::FxHashSet;
use trace_format::Mode;

/// A thread; what it holds, since where; what it wants, where.
pub type Link = (ThreadId, (ObjectId, SiteId), (ObjectId, SiteId));

/// A deadlock of a recorded process, with a schedule that was replayed: the thread of each link wants what that of the
/// next one holds.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The cycle.
    pub links: Vec<Link>,
    /// The schedule.
    pub witness: RawWitness,
    /// Whether the schedule has sections of one lock in another order than the trace.
    pub is_reordered: bool,
    /// Why it proves nothing after all.
    pub doubt: Option<&'static str>,
}

/// Proofs of the deadlocks of a history, told by `tell` in the terms of a model: thread, lock, place; none if it cannot.
pub fn proofs(history: &History, tell: impl Fn(&Proven) -> Option<Proof>) -> Proofs {
    let prediction = prediction::predict(history);
    Proofs {
        found: prediction.proven.iter().filter_map(tell).collect(),
        is_complete: prediction.open.is_empty() && !prediction.is_cut_short && prediction.failed.is_empty(),
    }
}

/// What came of looking for proofs.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    /// Those found.
    pub found: Vec<Proof>,
    /// Whether there are no others: no bound cut the search short.
    pub is_complete: bool,
}

/// Lets findings of cycles of locks say what came of looking for schedules that reach them: those that a proof is about
/// are proven, about the threads of the proof; of the others it is said why not. `families` has what came of each family of processes.
pub fn prove(findings: &mut [RawFinding], model: &Model, families: &[(FamilyId, Result<Proofs, &str>)]) {
    for finding in
        findings.iter_mut().filter(|found| (found.code, found.certainty) == (Code::LockOrder, Certainty::Possible))
    {
        let of_finding = finding.edges.first().map(|edge| model.family_of(edge.thread));
        let of = families.iter().find(|(family, _)| of_finding == Some(*family));
        let links: FxHashSet<_> = finding.edges.iter().filter_map(link).collect();
        let is_it = |proof: &&Proof| {
            proof.links.len() == finding.edges.len()
                && proof.links.iter().all(|(_, held, wanted)| links.contains(&(*held, *wanted)))
        };
        let came_of_it = match of {
            None => "no schedule was looked for".to_owned(),
            Some((_, Err(why))) => format!("no schedule was looked for, since {why}"),
            Some((_, Ok(Proofs { is_complete: true, .. }))) => {
                "no schedule was found in which everybody sees what it saw".to_owned()
            }
            Some((_, Ok(_))) => "no schedule was found before the search for one met its bound".to_owned(),
        };
        let proofs = of.and_then(|(_, proofs)| proofs.as_ref().ok()).map_or(&[][..], |proofs| proofs.found.as_slice());
        let found = || proofs.iter().filter(is_it);
        let Some(proof) = found().find(|proof| proof.doubt.is_none()) else {
            if let Some(doubt) = found().find_map(|proof| proof.doubt) {
                finding.why = format!("a schedule was found, but {doubt}; {}", finding.why);
                continue;
            }
            finding.why = format!("{came_of_it}; {}", finding.why);
            continue;
        };
        finding.certainty = Certainty::Proven;
        finding.why = why(proof.witness.n_operations, proof.is_reordered);
        finding.witness = Some(proof.witness.clone());
        for edge in &mut finding.edges {
            let of_edge = proof.links.iter().find(|(_, held, wanted)| link(edge) == Some((*held, *wanted)));
            edge.thread = of_edge.map_or(edge.thread, |(thread, ..)| *thread);
        }
    }
}

/// What an edge is about, whoever's it is: held since where, wanted where.
fn link(edge: &RawEdge) -> Option<((ObjectId, SiteId), (ObjectId, SiteId))> {
    let (held, _, since) = edge.holds?;
    let (wanted, _, at) = edge.wants?;
    Some(((held, since), (wanted?, at)))
}

fn why(n_steps: u64, is_reordered: bool) -> String {
    let order = if is_reordered { ", with critical sections of a lock in another order," } else { "" };
    format!("a schedule of {n_steps} of its operations{order} was replayed step by step and ends in this deadlock")
}

/// Predicts, and says what was found. The problems say where a bound cut the search short.
pub fn run(history: &History) -> (Vec<RawFinding>, Vec<Problem>) {
    let prediction = prediction::predict(history);
    let distrusted = distrusted(history);
    let mut findings: Vec<RawFinding> =
        prediction.proven.iter().map(|found| proven(history, &distrusted, found)).collect();
    findings.extend(prediction.open.iter().map(|blocked| {
        let why =
            "the search for a schedule that reaches it, or for a proof that none does, was cut short by its bound";
        finding(history, blocked, Certainty::Possible, why.to_owned())
    }));
    let mut problems = Vec::new();
    if prediction.is_cut_short {
        problems.push("the cycles of locks are too many to be looked at one by one: some were left out");
    }
    if !prediction.failed.is_empty() {
        // What does not survive its replay is not told of; that there was such a thing is.
        problems.push("a schedule did not survive its replay and was dropped: please report this with the trace");
    }
    let problems = problems.into_iter().map(|text| Problem { text: text.to_owned(), fatal: false }).collect();
    (findings, problems)
}

fn proven(history: &History, distrusted: &FxHashSet<u32>, proven: &Proven) -> RawFinding {
    let Witness { schedule, blocked } = &proven.witness;
    let witness = steps(history, &proven.witness, &mut Own(history));
    let why = why(witness.n_operations, !proven.is_sync_preserving);
    let steps = schedule.steps(history).chain(blocked.iter().copied());
    match distrusted_among(history, distrusted, steps) {
        None => RawFinding { witness: Some(witness), ..finding(history, blocked, Certainty::Proven, why) },
        Some(doubt) => finding(history, blocked, Certainty::Possible, format!("{why}, but {doubt}")),
    }
}

/// Why a schedule, given by its steps, proves nothing: of a lock about which the trace is wrong or silent, a replay against
/// the trace says nothing.
pub fn distrusted_lock(history: &History, steps: impl Iterator<Item = u32>) -> Option<String> {
    distrusted_among(history, &distrusted(history), steps)
}

fn distrusted_among(
    history: &History,
    distrusted: &FxHashSet<u32>,
    steps: impl Iterator<Item = u32>,
) -> Option<String> {
    if distrusted.is_empty() {
        return None;
    }
    let mut acquired = steps.filter_map(|index| {
        let operation = history.operations.get(index as usize)?;
        (operation.kind == Kind::Acquire).then_some(operation.target)
    });
    let lock = history.locks.text(acquired.find(|lock| distrusted.contains(lock))?);
    Some(format!("the trace does not say, or contradicts itself about, when `{lock}` was held"))
}

/// Locks about which nothing is proven.
fn distrusted(history: &History) -> FxHashSet<u32> {
    let of_flaws = history.flaws.iter().map(|flaw| flaw.operation);
    let flawed = of_flaws.filter(|operation| operation.kind.target() == Target::Lock).map(|operation| operation.target);
    flawed.chain(history.doubtful.iter().copied()).collect()
}

/// `blocked`: the acquires, each of which wants what the thread of the next one holds.
fn finding(history: &History, blocked: &[u32], certainty: Certainty, why: String) -> RawFinding {
    let n = blocked.len();
    let edge = |at: usize| {
        // The one before wants what this thread holds.
        let held = history.operations[blocked[(at + n - 1) % n] as usize].target;
        let wanting = history.operations[blocked[at] as usize];
        let since = acquired(history, blocked[at], held);
        RawEdge {
            thread: ThreadId(wanting.thread),
            holds: Some((ObjectId(held), mode_name(Mode::Exclusive), since)),
            wants: Some((Some(ObjectId(wanting.target)), mode_name(Mode::Exclusive), site_of(wanting.place))),
            could_release: Vec::new(),
        }
    };
    RawFinding {
        assumes: vec![ALL_RECORDED.to_owned()],
        edges: (0..n).map(edge).collect(),
        ..RawFinding::new(Code::LockOrder, certainty, why, Help::OneOrder)
    }
}

/// Where the thread of the operation at `index` acquired what it holds there.
fn acquired(history: &History, index: u32, lock: u32) -> SiteId {
    site_of(prediction::acquired(history, index, lock).unwrap_or(u32::MAX))
}
