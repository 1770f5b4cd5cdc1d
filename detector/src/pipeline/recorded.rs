//! A recorded process that was made a history, in the terms of the model.

use crate::{
    analysis::{RawPlace, Terms, predicted_hang::Growing},
    history::{Kind, Operation},
    model::{Model, ObjectId, Replayable, SiteId, ThreadId},
    prediction::{
        Hang,
        witness::{Counts, given_or_taken, gives_up},
    },
    source::Trace,
};
use std::ops::Deref;

/// A history that was made of a recorded process. A model that may change takes in what it lacks.
pub(super) struct Recorded<'a, M> {
    pub(super) of: &'a Replayable,
    pub(super) trace: &'a Trace,
    pub(super) model: M,
}

/// Whether people would call an operation of a history one.
pub(super) fn counts(of: &Replayable, index: u32) -> bool {
    let Some(operation) = of.history.operations.get(index as usize) else { return false };
    match operation.kind {
        // What a lock guards was not recorded by itself, and what orders a message belongs to it.
        Kind::Read | Kind::Write | Kind::Await => {
            of.is_message(operation.target) && given_or_taken(&of.history, index).is_none()
        }
        // To begin to wait is to give the lock up.
        Kind::Release => index.checked_sub(1).and_then(|before| gives_up(&of.history, before)).is_none(),
        Kind::Branch | Kind::Open | Kind::Pass => false,
        _ => true,
    }
}

/// Where an operation is; of a release `acquired` is what it releases.
pub(super) fn place(
    of: &Replayable,
    trace: &Trace,
    model: &Model,
    operation: &Operation,
    acquired: Option<&Operation>,
) -> Option<RawPlace> {
    if let Some(spot) = of.spot(trace, operation.place) {
        return Some(RawPlace::Spot(Box::new(spot)));
    }
    // Where one guard was dropped that was acquired there, others most likely are.
    let acquired = of.site(trace, model, acquired?.place)?;
    model.released.get(&acquired).copied().map(RawPlace::Site)
}

impl<M: Deref<Target = Model>> Counts for Recorded<'_, M> {
    fn counts(&self, index: u32) -> bool {
        counts(self.of, index)
    }

    fn is_message(&self, variable: u32) -> bool {
        self.of.is_message(variable)
    }
}

impl Terms for Recorded<'_, &Model> {
    fn thread(&self, thread: u32) -> ThreadId {
        self.of.thread(thread)
    }

    fn object(&mut self, number: u32) -> Option<ObjectId> {
        self.of.lock(self.model, number)
    }

    fn thread_object(&mut self, _thread: u32) -> Option<ObjectId> {
        // Nobody waits for threads in a cycle of locks.
        None
    }

    fn place(&self, operation: &Operation, acquired: Option<&Operation>) -> Option<RawPlace> {
        place(self.of, self.trace, self.model, operation, acquired)
    }
}

impl Terms for Recorded<'_, &mut Model> {
    fn thread(&self, thread: u32) -> ThreadId {
        self.of.thread(thread)
    }

    fn object(&mut self, number: u32) -> Option<ObjectId> {
        Some(self.of.object_in(self.trace, self.model, number))
    }

    fn thread_object(&mut self, thread: u32) -> Option<ObjectId> {
        self.of.thread_in(self.trace, self.model, thread)
    }

    fn place(&self, operation: &Operation, acquired: Option<&Operation>) -> Option<RawPlace> {
        place(self.of, self.trace, self.model, operation, acquired)
    }
}

impl Growing for Recorded<'_, &mut Model> {
    fn site(&mut self, place: u32) -> SiteId {
        self.of.site_in(self.trace, self.model, place)
    }

    fn doubt(&self, hang: &Hang) -> Option<String> {
        let doubt = self.of.doubt(self.model, hang.witness.schedule.steps(&self.of.history))?;
        Some(doubt.to_owned())
    }
}
