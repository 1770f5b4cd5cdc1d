//! The races of recorded processes.

use super::{Found, Options, Terms, finding, points_of, predicted};
use crate::{
    analysis::{self, RawFinding, RawPlace},
    finding::{Certainty, Problem, RaceCount, RaceRule, SyncOp},
    history::Operation,
    merge::{AT_ADDRESS, FirstPass, NO_OBJECT},
    model::{self, FamilyId, Model, Numbering, ObjectId, Replayable, ThreadId},
    pipeline::{recorded as replayed_terms, replays::Replays},
    prediction::{self, witness::Counts},
    race::{Doubt, Explainer, HappensBefore, Passed, Point, Race, Races, Recorded, Rule},
    source::{Family, Trace},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use trace_format::Kind;

/// Events beyond which a process is not gone through again for this.
const EVENTS_MAX: u64 = 8_000_000;

const LOST: &str = "some of its events are missing, of which one may order them";
const UNCERTAIN: &str = "an operation on an atomic variable could not be numbered: what it saw may order them";
const UNSTARTED: &str = "nothing that was recorded orders the two accesses, but it was not recorded who started their threads, nor \
                         what hands them work";
const REUSED: &str = "the memory may have been freed in between and used again, which nothing in the program marks: mark where it \
                      ends with `free_of!`";

pub(super) fn find(
    model: &mut Cow<'_, Model>,
    trace: &Trace,
    family: FamilyId,
    replays: &mut Replays<'_>,
    options: Options,
) -> Found {
    let mut found = Found::default();
    let Some(file) = trace.families.get(family.idx()) else { return found };
    let first = FirstPass::new(file);
    let n_accesses = first.n_accesses;
    if n_accesses == 0 {
        return found;
    }
    let numbering = Numbering::new(model, family, file, &first);
    let recorded = Recorded::new(file, &first, |object| numbering.kind(object));
    drop(first);
    let mut analysis = HappensBefore::new(Rule::Schedulable);
    let passed = recorded.pass(&mut analysis);
    let races = analysis.finish();
    found.tell_left_out(&races);
    if options.counts {
        found.counts = counts(&recorded, &races);
    }
    let mut terms = OfProcess { file, trace, numbering: &numbering, passed, events: FxHashMap::default(), model };
    found.findings = terms.tell(&recorded, &races);
    if options.predicts(n_accesses) {
        let replayable = replays.get(terms.model, family, EVENTS_MAX);
        // Without what atomic variables order, everything races.
        let replayable = match replayable.and_then(|of| if of.has_atomics { Ok(of) } else { Err(model::TOO_LONG) }) {
            Ok(replayable) => replayable,
            Err(why) => {
                found.problems.push(Problem { text: not_predicted(file, why), fatal: false });
                return found;
            }
        };
        let known = races.list.iter().map(predicted::key_of).collect();
        let (told, problem) = in_schedules(replayable, &known, &mut terms);
        found.findings.extend(told);
        found.problems.extend(problem);
    }
    found
}

fn not_predicted(file: &Family, why: &str) -> String {
    let pids: Vec<String> = file.members.iter().map(|member| member.header.pid.to_string()).collect();
    let of = if pids.len() == 1 { "process" } else { "processes" };
    let pids = pids.join(", ");
    format!("{of} {pids}: data races that other schedules reach were not looked for, since {why}")
}

/// The races that a schedule of the process reaches, besides those that were unordered in the run.
fn in_schedules(
    replayable: &Replayable,
    known: &FxHashSet<predicted::Key>,
    terms: &mut OfProcess<'_, '_>,
) -> (Vec<RawFinding>, Option<Problem>) {
    let is_data = |variable| replayable.accessed(variable).is_some();
    let doubt = |race: &prediction::Race, terms: &mut Replayed<'_, '_, '_>| {
        let why = replayable.doubt(terms.terms.model, race.schedule.steps(&replayable.history));
        let is_reused = || {
            let accessed = replayable.history.operations.get(race.accesses[0] as usize);
            let object = accessed.and_then(|operation| replayable.accessed(operation.target));
            object.is_some_and(|object| terms.terms.may_be_reused(object))
        };
        why.or_else(|| is_reused().then_some(REUSED)).map(str::to_owned)
    };
    let mut replayed = Replayed { of: replayable, terms };
    let (mut told, problem) = predicted::find(&replayable.history, &is_data, known, &mut replayed, doubt);
    for finding in &mut told {
        let threads: Vec<ThreadId> = finding.accesses.iter().map(|access| access.thread).collect();
        terms.doubt_starts(finding, &threads);
    }
    (told, problem)
}

/// The numbers that other tools give, rule by rule. Sync-preserving ones are counted in histories alone.
fn counts(recorded: &Recorded<'_>, schedulable: &Races) -> Vec<RaceCount> {
    let mut analysis = HappensBefore::new(Rule::HappensBefore);
    recorded.pass(&mut analysis);
    let by_order = analysis.finish();
    let count = |rule, events, locations| RaceCount { rule, events, locations };
    vec![
        count(RaceRule::HappensBefore, by_order.n_accesses, by_order.n_places),
        count(RaceRule::Schedulable, schedulable.n_accesses, schedulable.n_places),
    ]
}

struct OfProcess<'a, 'm> {
    file: &'a Family,
    trace: &'a Trace,
    numbering: &'a Numbering,
    passed: Passed,
    /// By index: thread, what happened, and to what.
    events: FxHashMap<u32, (u32, Kind, u32)>,
    model: &'a mut Cow<'m, Model>,
}

impl OfProcess<'_, '_> {
    /// The races that the run had.
    fn tell(&mut self, recorded: &Recorded<'_>, races: &Races) -> Vec<RawFinding> {
        if races.list.is_empty() {
            return Vec::new();
        }
        let pairs: Vec<_> = races.list.iter().map(|race| (race.first.at, race.second.at)).collect();
        let mut explainer = Explainer::new(&pairs);
        recorded.pass(&mut explainer);
        let explanations = explainer.finish();
        let indexes: FxHashSet<u32> = points_of(races, &explanations).map(|point| point.index).collect();
        self.events = recorded.events_at(&indexes);
        let mut told = Vec::new();
        for (race, explanation) in races.list.iter().zip(&explanations) {
            let mut finding = finding(race, explanation, self);
            let threads = [race.first.at, race.second.at].map(|point| self.numbering.thread(point.thread));
            self.doubt_starts(&mut finding, &threads);
            told.push(finding);
        }
        told
    }

    /// A race of threads of which it was not recorded who started them is told, and no more: not recorded is then what came
    /// before their starts, nor what hands them their work.
    fn doubt_starts(&self, finding: &mut RawFinding, threads: &[ThreadId]) {
        let roots: FxHashSet<ThreadId> = threads.iter().map(|thread| self.model.root(*thread)).collect();
        // Threads that descend from one are ordered with each other as far as they are at all, whoever started that one.
        if roots.len() > 1 && !roots.iter().all(|root| self.model.is_first_of_process(*root)) {
            finding.certainty = Certainty::Hazard;
            UNSTARTED.clone_into(&mut finding.why);
        }
        // On a machine with too much to do, correct structures were accused: of ten thousand runs of a stack one.
        if self.passed.doubt == Some(Doubt::Uncertain) {
            finding.certainty = Certainty::Hazard;
        }
    }

    fn object(&mut self, number: u32) -> ObjectId {
        self.numbering.object_in(self.trace, self.model.to_mut(), number)
    }

    /// Whether an object of the merge is memory that may be two things one after the other, of which nothing tells.
    fn may_be_reused(&self, object: u32) -> bool {
        let id = self.numbering.id(object).unwrap_or(0);
        let (member, address) = ((id >> 48 & 0x7fff) as usize, id & ((1 << 48) - 1));
        let modules = || self.file.members.get(member).into_iter().flat_map(|member| &member.modules);
        let is_static = || modules().any(|module| (module.start..module.end).contains(&address));
        let is_told = self.passed.frees && !self.passed.is_cut;
        id & AT_ADDRESS != 0 && !is_told && !is_static()
    }
}

impl Terms for OfProcess<'_, '_> {
    fn thread(&self, thread: u32) -> ThreadId {
        self.numbering.thread(thread)
    }

    fn variable(&mut self, variable: u32) -> Option<ObjectId> {
        let object = *self.passed.objects.get(&variable)?;
        Some(self.object(object))
    }

    fn lock(&mut self, lock: u32) -> Option<ObjectId> {
        Some(self.object(lock))
    }

    fn atomic(&mut self, atomic: u32) -> Option<ObjectId> {
        Some(self.object(atomic))
    }

    fn place(&mut self, place: u32) -> RawPlace {
        RawPlace::Site(self.numbering.site_in(self.trace, self.model.to_mut(), place))
    }

    fn must_order(&mut self, at: Point, is_arrival: bool) -> (SyncOp, Option<ObjectId>) {
        // A thread's end is no event of its own if its last one is another.
        let event = self.events.get(&at.index).copied().filter(|(thread, ..)| *thread == at.thread);
        let Some((_, kind, object)) = event else { return (SyncOp::End, None) };
        let op = match kind {
            Kind::FORK | Kind::TASK_SUSPEND | Kind::CREATE => SyncOp::Fork,
            Kind::JOIN | Kind::SCOPE_END | Kind::PROCESS_WAIT => SyncOp::Join,
            Kind::BEGIN | Kind::TASK_BEGIN => SyncOp::Begin,
            Kind::END | Kind::BODY_END | Kind::TASK_END => SyncOp::End,
            Kind::SEND | Kind::HANDLE_DROP | Kind::SENT | Kind::ARRIVE => SyncOp::Send,
            Kind::RECEIVE | Kind::RECEIVE_FAILED => SyncOp::Receive,
            Kind::NOTIFY if is_arrival => SyncOp::Receive,
            Kind::NOTIFY => SyncOp::Notify,
            Kind::WAKE => SyncOp::Wake,
            _ => SyncOp::Other,
        };
        let is_own = matches!(kind, Kind::BEGIN | Kind::END | Kind::BODY_END);
        (op, (object != NO_OBJECT && !is_own).then(|| self.object(object)))
    }

    fn frees(&self, at: Point) -> bool {
        self.events.get(&at.index).is_some_and(|(_, kind, ..)| *kind == Kind::CELL_FREE)
    }

    fn doubt(&self, race: &Race) -> String {
        let doubt = match self.passed.doubt {
            Some(Doubt::Lost) => LOST,
            Some(Doubt::Uncertain) => UNCERTAIN,
            None => {
                let object = self.passed.objects.get(&race.variable);
                if object.is_some_and(|object| self.may_be_reused(*object)) { REUSED } else { "" }
            }
        };
        doubt.to_owned()
    }
}

/// A process as a history, in the terms of its model.
struct Replayed<'a, 'p, 'm> {
    of: &'a Replayable,
    terms: &'a mut OfProcess<'p, 'm>,
}

impl Counts for Replayed<'_, '_, '_> {
    fn counts(&self, index: u32) -> bool {
        replayed_terms::counts(self.of, index)
    }

    fn is_message(&self, variable: u32) -> bool {
        self.of.is_message(variable)
    }
}

impl Terms for Replayed<'_, '_, '_> {
    fn thread(&self, thread: u32) -> ThreadId {
        self.of.thread(thread)
    }

    fn variable(&mut self, variable: u32) -> Option<ObjectId> {
        let object = self.of.accessed(variable)?;
        Some(self.terms.object(object))
    }

    fn lock(&mut self, lock: u32) -> Option<ObjectId> {
        Some(self.terms.object(lock))
    }

    fn atomic(&mut self, atomic: u32) -> Option<ObjectId> {
        Some(self.terms.object(atomic))
    }

    fn place(&mut self, place: u32) -> RawPlace {
        self.terms.place(place)
    }

    fn must_order(&mut self, _at: Point, _is_arrival: bool) -> (SyncOp, Option<ObjectId>) {
        (SyncOp::Other, None)
    }

    fn frees(&self, _at: Point) -> bool {
        false
    }

    fn doubt(&self, _race: &Race) -> String {
        String::new()
    }
}

impl analysis::Terms for Replayed<'_, '_, '_> {
    fn thread(&self, thread: u32) -> ThreadId {
        self.of.thread(thread)
    }

    fn object(&mut self, number: u32) -> Option<ObjectId> {
        Some(self.terms.object(number))
    }

    fn thread_object(&mut self, thread: u32) -> Option<ObjectId> {
        self.of.thread_in(self.terms.trace, self.terms.model.to_mut(), thread)
    }

    fn variable(&mut self, variable: u32) -> Option<ObjectId> {
        Terms::variable(self, variable)
    }

    fn place(&self, operation: &Operation, acquired: Option<&Operation>) -> Option<RawPlace> {
        replayed_terms::place(self.of, self.terms.trace, self.terms.model, operation, acquired)
    }
}
