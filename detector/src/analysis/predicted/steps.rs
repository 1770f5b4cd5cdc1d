//! A witness in the terms of findings.

use crate::{
    analysis::{RawPlace, RawStep, RawWitness, mode_name},
    finding::Op,
    history::{History, Kind, Operation, Target},
    model::{ObjectId, ThreadId, site_of},
    prediction::{
        Witness,
        witness::{self, Counts, Step, What},
    },
};

/// What the numbers of a history stand for in the model that a finding is about.
pub trait Terms: Counts {
    /// The thread.
    fn thread(&self, thread: u32) -> ThreadId;

    /// The lock, if it is in the model.
    fn object(&self, lock: u32) -> Option<ObjectId>;

    /// Where an operation is; of a release `acquired` is what it releases.
    fn place(&self, operation: &Operation, acquired: Option<&Operation>) -> Option<RawPlace>;
}

/// The steps of a witness that are shown.
pub fn steps(history: &History, of: &Witness, terms: &impl Terms) -> RawWitness {
    let shown = witness::show(history, of, terms);
    let steps = shown.steps.iter().filter_map(|step| raw(history, *step, terms)).collect();
    RawWitness { steps, n_operations: u64::from(shown.n_operations) }
}

fn raw(history: &History, step: Step, terms: &impl Terms) -> Option<RawStep> {
    let operation = history.operations.get(step.index as usize)?;
    let acquired = match step.what {
        What::Ends(acquired) => history.operations.get(acquired as usize),
        _ => None,
    };
    let (op, other) = match step.what {
        What::Starts(other) => (Op::Fork, Some(other)),
        What::Precedes(other) => (Op::Precede, Some(other)),
        What::Follows(other) => (Op::Follow, Some(other)),
        What::Ends(_) => (Op::Release, None),
        What::Blocks => (Op::Block, None),
        What::Happens => match operation.kind {
            Kind::Acquire => (Op::Acquire, None),
            Kind::Join => (Op::Join, Some(operation.target)),
            // Nothing else is shown.
            _ => return None,
        },
    };
    let is_of_lock = operation.kind.target() == Target::Lock;
    Some(RawStep {
        number: u64::from(step.number),
        thread: terms.thread(operation.thread),
        op,
        mode: is_of_lock.then(|| mode_name(operation.mode)),
        object: if is_of_lock { terms.object(operation.target) } else { None },
        other: other.map(|thread| terms.thread(thread)),
        at: terms.place(operation, acquired),
    })
}

/// A history whose model has its numbers.
pub(super) struct Own<'a>(pub(super) &'a History);

impl Counts for Own<'_> {
    fn counts(&self, _operation: &Operation) -> bool {
        true
    }

    fn is_message(&self, _variable: u32) -> bool {
        false
    }
}

impl Terms for Own<'_> {
    fn thread(&self, thread: u32) -> ThreadId {
        ThreadId(thread)
    }

    fn object(&self, lock: u32) -> Option<ObjectId> {
        Some(ObjectId(lock))
    }

    fn place(&self, operation: &Operation, _acquired: Option<&Operation>) -> Option<RawPlace> {
        (!self.0.places.text(operation.place).is_empty()).then(|| RawPlace::Site(site_of(operation.place)))
    }
}
