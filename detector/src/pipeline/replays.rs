//! Recorded processes as histories, each made once for all that asks for it.

use crate::{
    model::{self, Model, ProcessId, Replayable},
    source::Trace,
};
use std::collections::BTreeMap;

/// The processes of a trace that were gone through again.
pub(super) struct Replays<'a> {
    pub(super) trace: &'a Trace,
    made: BTreeMap<ProcessId, Result<Replayable, &'static str>>,
}

impl<'a> Replays<'a> {
    pub(super) const fn new(trace: &'a Trace) -> Self {
        Self { trace, made: BTreeMap::new() }
    }

    /// The process as a history, if it has no more than so many events; why not, for people.
    pub(super) fn get(
        &mut self,
        model: &Model,
        process: ProcessId,
        n_events_max: u64,
    ) -> Result<&Replayable, &'static str> {
        let make = || model::replayable(self.trace, model, process, n_events_max);
        let made = self.made.entry(process).or_insert_with(make).as_ref().map_err(|why| *why)?;
        if made.n_events > n_events_max { Err(model::TOO_LONG) } else { Ok(made) }
    }
}
