//! Recorded families of processes as histories, each made once for all that asks for it.

use crate::{
    model::{self, FamilyId, Model, Replayable},
    source::Trace,
};
use std::collections::BTreeMap;

/// The families of a trace that were gone through again.
pub(super) struct Replays<'a> {
    pub(super) trace: &'a Trace,
    /// Of each family those of which no earlier one was short enough.
    made: BTreeMap<FamilyId, Vec<Result<Replayable, &'static str>>>,
}

impl<'a> Replays<'a> {
    pub(super) const fn new(trace: &'a Trace) -> Self {
        Self { trace, made: BTreeMap::new() }
    }

    /// The family as a history, if it has no more than so many events; why not, for people.
    pub(super) fn get(
        &mut self,
        model: &Model,
        family: FamilyId,
        n_events_max: u64,
    ) -> Result<&Replayable, &'static str> {
        let is_made = |made: &Result<Replayable, &str>| match made {
            Ok(made) => made.n_events <= n_events_max,
            Err(why) => *why != model::TOO_LONG,
        };
        let known = self.made.entry(family).or_default();
        let place = known.iter().position(is_made).unwrap_or_else(|| {
            known.push(model::replayable(self.trace, model, family, n_events_max));
            known.len() - 1
        });
        known.get(place).ok_or(model::TOO_LONG)?.as_ref().map_err(|why| *why)
    }
}
