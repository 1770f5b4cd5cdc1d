//! A witness in the terms of findings.

use super::{RawPlace, RawStep, RawWitness, mode_name};
use crate::{
    finding::{Op, RECEIVE_OR_END},
    history::{History, Kind, Operation, Resource, Target},
    model::{ObjectId, ThreadId, site_of, thread_object},
    prediction::{
        Witness,
        witness::{self, Counts, Step, What},
    },
};

/// What the numbers of a history stand for in the model that a finding is about.
pub trait Terms: Counts {
    /// The thread.
    fn thread(&self, thread: u32) -> ThreadId;

    /// The lock or resource, if it is in the model, or can be put there.
    fn object(&mut self, number: u32) -> Option<ObjectId>;

    /// The same of a thread that others wait for.
    fn thread_object(&mut self, thread: u32) -> Option<ObjectId>;

    /// The variable, if it is data that people know of.
    fn variable(&mut self, _variable: u32) -> Option<ObjectId> {
        None
    }

    /// Where an operation is; of a release `acquired` is what it releases.
    fn place(&self, operation: &Operation, acquired: Option<&Operation>) -> Option<RawPlace>;
}

/// The steps of a witness that are shown.
pub fn steps(history: &History, of: &Witness, terms: &mut impl Terms) -> RawWitness {
    let shown = witness::show(history, of, terms);
    let steps = shown.steps.iter().filter_map(|step| raw(history, *step, terms)).collect();
    RawWitness { steps, n_operations: u64::from(shown.n_operations) }
}

/// What an operation waits for, and how.
pub(super) fn wanted(
    history: &History,
    operation: &Operation,
    terms: &mut impl Terms,
) -> (Option<ObjectId>, &'static str) {
    let is_channel = || matches!(history.resources.kind(operation.target), Resource::Channel { .. });
    match operation.kind {
        Kind::Acquire => (terms.object(operation.target), mode_name(operation.mode)),
        Kind::Join => (terms.thread_object(operation.target), "join"),
        Kind::Await => (None, "scope end"),
        Kind::Give | Kind::Confirm => (terms.object(operation.target), "send"),
        // In the run nobody was left to send.
        Kind::FindClosed => (terms.object(operation.target), RECEIVE_OR_END),
        _ if is_channel() => (terms.object(operation.target), "receive"),
        _ => (terms.object(operation.target), "wait"),
    }
}

fn raw(history: &History, step: Step, terms: &mut impl Terms) -> Option<RawStep> {
    let operation = history.operations.get(step.index as usize)?;
    let acquired = match step.what {
        What::Ends(acquired) => history.operations.get(acquired as usize),
        _ => None,
    };
    let joined = (operation.kind == Kind::Join).then_some(operation.target);
    let (op, other) = match step.what {
        What::Starts(other) => (Op::Fork, Some(other)),
        What::Precedes(other) => (Op::Precede, Some(other)),
        What::Follows(other) => (Op::Follow, Some(other)),
        What::Ends(_) => (Op::Release, None),
        // What a race is made of does not block: it comes next.
        What::Blocks if operation.kind == Kind::Read => (Op::Read, None),
        What::Blocks if operation.kind == Kind::Write => (Op::Write, None),
        What::Blocks => (Op::Block, joined),
        What::Happens => (happens(operation.kind)?, joined),
    };
    let (object, mode) = match (step.what, operation.kind.target()) {
        (What::Blocks, Target::Variable) => (terms.variable(operation.target), None),
        (What::Blocks, _) => {
            let (object, mode) = wanted(history, operation, terms);
            (object, Some(mode))
        }
        (_, Target::Lock) => (terms.object(operation.target), Some(mode_name(operation.mode))),
        (_, Target::Resource) => (terms.object(operation.target), None),
        _ => (None, None),
    };
    Some(RawStep {
        number: u64::from(step.number),
        thread: terms.thread(operation.thread),
        op,
        mode,
        object,
        other: other.map(|thread| terms.thread(thread)),
        // What begins a wait is where its lock is given up.
        at: terms.place(witness::gives_up(history, step.index).unwrap_or(operation), acquired),
    })
}

/// What an operation is called; nothing else is shown.
const fn happens(kind: Kind) -> Option<Op> {
    Some(match kind {
        Kind::Acquire => Op::Acquire,
        Kind::Join => Op::Join,
        Kind::Take => Op::Take,
        Kind::Confirm => Op::Confirm,
        Kind::FindClosed => Op::FindClosed,
        Kind::Give => Op::Give,
        Kind::GiveAll => Op::GiveAll,
        // What the run went past is a wait in a schedule that has it.
        Kind::Enter | Kind::Pass => Op::Enter,
        Kind::Close => Op::Close,
        _ => return None,
    })
}

/// A history whose model has its numbers.
#[derive(Debug)]
pub struct Own<'a>(pub &'a History);

impl Counts for Own<'_> {
    fn counts(&self, _index: u32) -> bool {
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

    fn object(&mut self, number: u32) -> Option<ObjectId> {
        Some(ObjectId(number))
    }

    fn thread_object(&mut self, thread: u32) -> Option<ObjectId> {
        Some(thread_object(self.0, thread))
    }

    fn place(&self, operation: &Operation, _acquired: Option<&Operation>) -> Option<RawPlace> {
        (!self.0.places.text(operation.place).is_empty()).then(|| RawPlace::Site(site_of(operation.place)))
    }
}
