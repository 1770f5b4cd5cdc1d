//! Merges the events of a process's threads into one order that could have been, by the rules in FORMAT.md,
//! "Order". There is no clock to sort by: the order follows from the numbers that events carry.
//!
//! Two passes. The first (`first_pass`) goes over the file in order of place: it gives the objects dense indexes,
//! finds which stretches belong to which thread, and counts the shared sections of each lock and epoch, which an
//! exclusive acquire has to wait for. The second (`order`) is greedy: it runs a thread until its next event is not
//! ready, parks it at what it needs, and takes it up again when that has advanced. Which thread goes first makes
//! no difference to whether the end is reached, since an event that is ready stays ready; so a trace without loss
//! never gets stuck. When every thread is parked, a number is missing: a *gap*. The merge steps over the smallest
//! one, marks the object, and goes on.
//!
//! The order of threads is first in, first out, so the same trace always gives the same order.

mod first_pass;
mod lock;
mod objects;
mod order;
mod rules;
mod stripes;

pub use first_pass::FirstPass;
pub use objects::{AT_ADDRESS, NO_OBJECT, Objects};
pub use order::{Merged, run};
pub use rules::NOTIFIES_MAX;

use trace_format::Event;

/// An event with the indexes that the merge gave its thread and object.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Index into [`FirstPass::threads`].
    pub thread: u32,
    /// Index into [`FirstPass::objects`]; [`NO_OBJECT`] if the event names none.
    pub object: u32,
    /// The event.
    pub event: Event,
}

/// Takes the merged order.
///
/// Where must-order leaves a thread ([`Sink::depart`]) and reaches another one ([`Sink::arrive`]) is the merge's
/// knowledge; what it means is the sink's. Locks are no such places: their order is one schedule's only.
pub trait Sink {
    /// What a thread has behind it at one moment.
    type Mark: Clone;

    /// The next event of the order.
    fn step(&mut self, step: &Step);

    /// The event to come is a notify that wakes, or makes, so many. Of no interest to most.
    fn notified(&mut self, _step: &Step, _n: u64) {}

    /// The release to come, by `dead`, is one that it owed when it was killed; `step` is that of the thread that found out. Of no
    /// interest to most.
    fn died(&mut self, _dead: u32, _step: &Step) {}

    /// Whatever `thread` did so far comes before whatever arrives with the mark.
    fn depart(&mut self, thread: u32) -> Self::Mark;

    /// Whatever `thread` does from here on comes after the mark.
    fn arrive(&mut self, thread: u32, mark: &Self::Mark);
}
