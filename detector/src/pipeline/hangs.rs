//! Hangs that other schedules of a run reach, in the terms of its model.

use super::{Of, recorded::Recorded, replays::Replays};
use crate::{
    analysis::{
        Own, RawFinding,
        predicted::distrusted_lock,
        predicted_hang::{self, Growing},
    },
    finding::Problem,
    history::{History, Kind},
    model::{self, FamilyId, Model, Replayable, SiteId},
    prediction::{self, Hang, Hangs, Way},
    source::Trace,
};
use std::borrow::Cow;

/// Events beyond which a process is not gone through again for this: a hundred bytes each, and a microsecond.
const EVENTS_MAX: u64 = 8_000_000;

const CUT_SHORT: &str =
    "the waits that could hang in another schedule are too many to be looked at one by one: some were left out";

/// Predicts hangs of processes that did not hang. What a finding names and the model lacks is put into the model.
pub(super) fn find(
    model: &mut Cow<'_, Model>,
    of: &Of,
    replays: Option<&mut Replays<'_>>,
    hung: &[FamilyId],
) -> (Vec<RawFinding>, Vec<Problem>) {
    let mut findings = Vec::new();
    let mut is_cut_short = false;
    let mut n_too_long = 0;
    match (of, replays) {
        (Of::History(history), _) if history.operations.len() as u64 > EVENTS_MAX => {
            n_too_long += usize::from(prediction::waits_for_others(history));
        }
        (Of::History(history), _) => {
            let hangs = prediction::hangs(history);
            is_cut_short |= hangs.is_cut_short;
            let mut terms = Own(history);
            findings.extend(hangs.found.iter().map(|hang| predicted_hang::finding(history, hang, &mut terms)));
        }
        (_, None) => {}
        (_, Some(replays)) => {
            let trace = replays.trace;
            let families = (0..trace.families.len() as u32).map(FamilyId).filter(|family| !hung.contains(family));
            for family in families {
                let replayable = match replays.get(model, family, EVENTS_MAX) {
                    Ok(replayable) => replayable,
                    Err(why) => {
                        // What else cannot be gone through again is said in the report: what was lost, that tasks ran.
                        n_too_long += usize::from(why == model::TOO_LONG);
                        continue;
                    }
                };
                let hangs = prediction::hangs(&replayable.history);
                is_cut_short |= hangs.is_cut_short;
                findings.extend(in_process(hangs, replayable, trace, model));
            }
        }
    }
    let cut_short = is_cut_short.then(|| CUT_SHORT.to_owned());
    let too_long = (n_too_long > 0).then(|| {
        let millions = EVENTS_MAX / 1_000_000;
        format!(
            "more than {millions} million events in {n_too_long} of the processes: hangs that other schedules reach were \
             looked for there among locks only; record a shorter run to have all of them looked for"
        )
    });
    let problems = cut_short.into_iter().chain(too_long).map(|text| Problem { text, fatal: false });
    (findings, problems.collect())
}

fn in_process(hangs: Hangs, of: &Replayable, trace: &Trace, model: &mut Cow<'_, Model>) -> Vec<RawFinding> {
    let is_harmless = |hang: &Hang| {
        // Nobody waits for a thread that is left behind when its program ends.
        let waiting = hang.witness.blocked.iter().filter_map(|index| of.history.operations.get(*index as usize));
        let mut firsts = waiting.filter_map(|waiting| of.first_thread(model, waiting.thread));
        let ends = firsts.any(|first| hang.ended.contains(&first) && has_work(&of.history, first));
        // What such a lock guards, and so in which orders it is taken, only the program knows.
        let is_mute = hang.reordered.iter().any(|lock| of.is_mute(*lock));
        is_mute || ends && hang.way != Way::Circle
    };
    let hangs: Vec<Hang> = hangs.found.into_iter().filter(|hang| !is_harmless(hang)).collect();
    if hangs.is_empty() {
        return Vec::new();
    }
    let mut terms = Recorded { of, trace, model: model.to_mut() };
    hangs.iter().map(|hang| predicted_hang::finding(&of.history, hang, &mut terms)).collect()
}

/// Whether the thread does more than to begin and end.
fn has_work(history: &History, thread: u32) -> bool {
    let mut own = history.operations.iter().filter(|operation| operation.thread == thread);
    own.any(|operation| !matches!(operation.kind, Kind::Write | Kind::Branch | Kind::Await))
}

impl Growing for Own<'_> {
    fn site(&mut self, place: u32) -> SiteId {
        model::site_of(place)
    }

    fn doubt(&self, hang: &Hang) -> Option<String> {
        let steps = hang.witness.schedule.steps(self.0).chain(hang.witness.blocked.iter().copied());
        distrusted_lock(self.0, steps)
    }
}
