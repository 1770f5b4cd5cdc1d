//! The races of a trace in another form.

use super::{Found, Options, Terms, finding, predicted};
use crate::{
    analysis::{self, RawPlace, predicted::distrusted_lock},
    finding::{RaceCount, RaceRule, SyncOp},
    history::{History, Kind, Operation},
    model::{Model, Object, ObjectId, ProcessId, ThreadId, site_of, thread_object},
    prediction::{race as prediction, witness::Counts},
    race::{self, Explainer, Point, Race, Races, Rule},
};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use trace_format::ObjectKind;

const DISTRUSTED: &str =
    "the trace does not say, or contradicts itself about, when some locks were held, which may order them";

pub(super) fn find(model: &mut Cow<'_, Model>, history: &History, options: Options) -> Found {
    let mut found = Found::default();
    let races = race::of_history(history, Rule::Schedulable);
    if options.counts {
        found.counts = counts(history, &races);
    }
    let mut terms = Own { history, model, variables: FxHashMap::default() };
    if !races.list.is_empty() {
        let pairs: Vec<_> = races.list.iter().map(|race| (race.first.at, race.second.at)).collect();
        let mut explainer = Explainer::new(&pairs);
        race::drive(history, &mut explainer);
        let told = races.list.iter().zip(explainer.finish());
        found.findings = told.map(|(race, explanation)| finding(race, &explanation, &mut terms)).collect();
        found.tell_left_out(&races);
    }
    let n_accesses = history.operations.iter().filter(|operation| is_access(operation)).count();
    if options.predicts(n_accesses as u64) {
        let known = races.list.iter().map(predicted::key_of).collect();
        let (told, problem) = predicted::find(history, &|_| true, &known, &mut terms, |race, _| {
            distrusted_lock(history, race.schedule.steps(history))
        });
        found.findings.extend(told);
        found.problems.extend(problem);
    }
    found
}

const fn is_access(operation: &Operation) -> bool {
    matches!(operation.kind, Kind::Read | Kind::Write)
}

/// The numbers that other tools give, rule by rule.
fn counts(history: &History, schedulable: &Races) -> Vec<RaceCount> {
    let by_order = race::of_history(history, Rule::HappensBefore);
    let (by_epochs, of_epochs) = race::count_by_epochs(history);
    let predicted = prediction::count(history, &|_| true, u64::MAX);
    let count = |rule, events, locations| RaceCount { rule, events, locations };
    vec![
        count(RaceRule::HappensBefore, by_order.n_accesses, by_order.n_places),
        count(RaceRule::ByEpochs, by_epochs, of_epochs),
        count(RaceRule::Schedulable, schedulable.n_accesses, schedulable.n_places),
        count(RaceRule::SyncPreserving, predicted.operations as u64, predicted.places as u64),
    ]
}

/// A history whose model has its numbers, but for variables.
struct Own<'a, 'm> {
    history: &'a History,
    model: &'a mut Cow<'m, Model>,
    variables: FxHashMap<u32, ObjectId>,
}

impl Terms for Own<'_, '_> {
    fn thread(&self, thread: u32) -> ThreadId {
        ThreadId(thread)
    }

    fn variable(&mut self, variable: u32) -> Option<ObjectId> {
        let (model, history) = (&mut *self.model, self.history);
        let object = *self.variables.entry(variable).or_insert_with(|| {
            let model = model.to_mut();
            model.objects.push(Object {
                process: ProcessId(0),
                shared_by: Vec::new(),
                kind: ObjectKind::Cell,
                type_name: String::new(),
                label: Some(history.variables.text(variable).to_owned()),
                created_at: None,
                gap: false,
                thread: None,
                capacity: None,
                holders_max: None,
                id: 0,
            });
            ObjectId(model.objects.len() as u32 - 1)
        });
        Some(object)
    }

    fn lock(&mut self, lock: u32) -> Option<ObjectId> {
        Some(ObjectId(lock))
    }

    fn atomic(&mut self, _atomic: u32) -> Option<ObjectId> {
        None
    }

    fn place(&mut self, place: u32) -> RawPlace {
        RawPlace::Site(site_of(place))
    }

    fn must_order(&mut self, at: Point, is_arrival: bool) -> (SyncOp, Option<ObjectId>) {
        // A thread begins with the operation that starts it, and ends with the one that joins it.
        let operation = self.history.operations.get(at.index as usize).copied();
        let own = operation.filter(|operation| operation.thread == at.thread);
        let object = own.map(|own| thread_object(self.history, own.target));
        match (own.map(|own| own.kind), is_arrival) {
            (Some(Kind::Fork), _) => (SyncOp::Fork, object),
            (Some(Kind::Join), _) => (SyncOp::Join, object),
            (_, true) => (SyncOp::Begin, None),
            (_, false) => (SyncOp::End, None),
        }
    }

    fn frees(&self, _at: Point) -> bool {
        false
    }

    fn doubt(&self, _race: &Race) -> String {
        let is_trusted = self.history.doubtful.is_empty() && self.history.flaws.is_empty();
        (if is_trusted { "" } else { DISTRUSTED }).to_owned()
    }
}

impl Counts for Own<'_, '_> {
    fn counts(&self, _index: u32) -> bool {
        true
    }

    fn is_message(&self, _variable: u32) -> bool {
        false
    }
}

impl analysis::Terms for Own<'_, '_> {
    fn thread(&self, thread: u32) -> ThreadId {
        ThreadId(thread)
    }

    fn object(&mut self, number: u32) -> Option<ObjectId> {
        Some(ObjectId(number))
    }

    fn thread_object(&mut self, thread: u32) -> Option<ObjectId> {
        Some(thread_object(self.history, thread))
    }

    fn variable(&mut self, variable: u32) -> Option<ObjectId> {
        Terms::variable(self, variable)
    }

    fn place(&self, operation: &Operation, _acquired: Option<&Operation>) -> Option<RawPlace> {
        (!self.history.places.text(operation.place).is_empty()).then(|| RawPlace::Site(site_of(operation.place)))
    }
}
