//! Schedules: threads, objects and places of their steps.

use super::{Names, race};
use crate::{
    analysis::{RawStep, RawWitness},
    finding::{Place, Step, Witness},
    model::{ObjectId, ThreadId},
    symbolize::Symbolizer,
};

pub(super) fn threads_of(raw: &RawWitness) -> impl Iterator<Item = ThreadId> + '_ {
    raw.steps.iter().flat_map(|step| std::iter::once(step.thread).chain(step.other))
}

pub(super) fn objects_of(raw: &RawWitness) -> impl Iterator<Item = ObjectId> + '_ {
    raw.steps.iter().filter_map(|step| step.object)
}

pub(super) fn explain(raw: &RawWitness, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Witness {
    let steps = raw.steps.iter().filter_map(|step| explain_step(step, names, symbolizer)).collect();
    Witness { steps, n_operations: raw.n_operations }
}

fn explain_step(raw: &RawStep, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Option<Step> {
    let place = raw.at.as_ref().map(|at| race::place(at, symbolizer));
    Some(Step {
        step: raw.number,
        thread: names.thread_idx(raw.thread)?,
        op: raw.op,
        mode: raw.mode.map(str::to_owned),
        object: raw.object.and_then(|object| names.object_idx(object)),
        other: raw.other.and_then(|thread| names.thread_idx(thread)),
        at: place.filter(Place::is_known),
    })
}
