//! Proofs for the cycles of a recorded trace: its processes as histories, and what is found there in the model's terms.

use super::{recorded::Recorded, replays::Replays};
use crate::{
    analysis::{
        self, RawFinding,
        predicted::{self, Proof},
    },
    finding::Code,
    model::{FamilyId, Model, Replayable},
    prediction::{self, Proven, Witness},
    source::Trace,
};
use std::collections::BTreeSet;

/// Events beyond which a process is not gone through again: its history would need gigabytes.
const EVENTS_MAX: u64 = 50_000_000;

/// Looks for schedules that reach the cycles of locks that may be possible.
pub(super) fn prove(findings: &mut [RawFinding], mut replays: Option<&mut Replays<'_>>, model: &Model) {
    let cycles = findings.iter().filter(|finding| finding.code == Code::LockOrder);
    let families: BTreeSet<FamilyId> =
        cycles.filter_map(|finding| Some(model.family_of(finding.edges.first()?.thread))).collect();
    let mut tried = |family: FamilyId| {
        let replays = replays.as_mut()?;
        let trace = replays.trace;
        let proofs = replays
            .get(model, family, EVENTS_MAX)
            .map(|replayable| predicted::proofs(&replayable.history, |proven| proof(proven, replayable, trace, model)));
        Some((family, proofs))
    };
    let tried: Vec<_> = families.into_iter().filter_map(&mut tried).collect();
    predicted::prove(findings, model, &tried);
}

/// A proof in the model's terms; `None` if it is about nothing that is in the model.
fn proof(proven: &Proven, of: &Replayable, trace: &Trace, model: &Model) -> Option<Proof> {
    let Witness { schedule, blocked } = &proven.witness;
    let is_mute = |lock: &u32| of.is_mute(*lock);
    let changes_places = prediction::reordered_locks(&of.history, schedule).iter().any(is_mute);
    let mute =
        changes_places.then_some("it has sections change places of a lock of which it is not known what it guards");
    let amounts = (!proven.adds_up).then_some(
        "what it gives to and takes from channels, semaphores and condition variables does not add up in that order",
    );
    let doubt = mute.or_else(|| of.doubt(model, schedule.steps(&of.history))).or(amounts);
    let link = |(at, index): (usize, &u32)| {
        let wanting = of.history.operations.get(*index as usize)?;
        let before = blocked.get((at + blocked.len() - 1) % blocked.len())?;
        let held = of.history.operations.get(*before as usize)?.target;
        let since = prediction::acquired(&of.history, *index, held)?;
        let at = |lock, place| Some((of.lock(model, lock)?, of.site(trace, model, place)?));
        Some((of.thread(wanting.thread), at(held, since)?, at(wanting.target, wanting.place)?))
    };
    let links = blocked.iter().enumerate().map(link).collect::<Option<_>>()?;
    let witness = analysis::steps(&of.history, &proven.witness, &mut Recorded { of, trace, model });
    Some(Proof { links, witness, is_reordered: !proven.is_sync_preserving, doubt })
}
