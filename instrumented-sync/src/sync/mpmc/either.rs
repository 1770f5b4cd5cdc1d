//! Receiving from whichever of two channels has a message first.

use super::{
    Receiver, RecvError, TryRecvError,
    core::{Core, Watch},
};
use crate::native;
use crate::sync::channel::{Envelope, Failure, Handle, Operation, Patience, Waiting};
use std::{panic::Location, sync::Arc};

/// What [`recv_either`] received, and from which channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Either<A, B> {
    /// From the first channel.
    First(A),
    /// From the second channel.
    Second(B),
}

/// Receives from whichever channel has a message first.
///
/// Where both have messages, calls ask the one and the other first by turns. A channel that is disconnected and
/// empty leaves the other one. A receiver that waits here is not one that [`Sender::try_send`](super::Sender::try_send)
/// meets at a rendezvous: it may yet go away with the other channel's message.
///
/// # Errors
///
/// Both channels are empty and all their senders are gone.
///
/// ```
/// use instrumented_sync::mpmc::{self, Either};
///
/// let (work, from_work) = mpmc::channel();
/// let (stop, from_stop) = mpmc::channel::<()>();
/// work.send(7).unwrap();
/// assert_eq!(mpmc::recv_either(&from_work, &from_stop), Ok(Either::First(7)));
/// stop.send(()).unwrap();
/// assert_eq!(mpmc::recv_either(&from_work, &from_stop), Ok(Either::Second(())));
/// drop((work, stop));
/// assert!(mpmc::recv_either(&from_work, &from_stop).is_err());
/// ```
#[track_caller]
pub fn recv_either<A, B>(first: &Receiver<A>, second: &Receiver<B>) -> Result<Either<A, B>, RecvError> {
    let site = Location::caller();
    let operation = |handle: &Handle| handle.receiving(site, Patience::Among);
    let operations = (operation(&first.handle), operation(&second.handle));
    match receive(&first.end, &second.end, operations) {
        Some(Either::First(envelope)) => Ok(Either::First(super::received(operations.0, envelope))),
        Some(Either::Second(envelope)) => Ok(Either::Second(super::received(operations.1, envelope))),
        None => {
            for operation in [operations.0, operations.1].into_iter().flatten() {
                operation.receive_failed(Failure::Disconnected);
            }
            Err(RecvError)
        }
    }
}

/// `None` if both are disconnected.
fn receive<A, B>(
    first: &Core<A>,
    second: &Core<B>,
    operations: (Option<Operation>, Option<Operation>),
) -> Option<Either<Envelope<A>, Envelope<B>>> {
    let second_first = first.takes_turns();
    let mut watching = None;
    loop {
        let is_open = match look(first, second, second_first) {
            Ok(envelope) => return Some(envelope),
            Err((false, false)) => return None,
            Err(is_open) => is_open,
        };
        let Some(watching) = &watching else {
            // What comes from here on is noticed; what came before, by looking again.
            watching = Some(Watching::new(first, second));
            continue;
        };
        let waiting = waits(operations.0.filter(|_| is_open.0), operations.1.filter(|_| is_open.1));
        watching.watch.wait();
        if let Some(waiting) = waiting {
            waiting.end();
        }
    }
}

fn waits(first: Option<Operation>, second: Option<Operation>) -> Option<Waiting> {
    let both = first.map(|first| first.waits_to_receive(second));
    both.or_else(|| second.map(|second| second.waits_to_receive(None)))
}

/// Receives if there is a message; else says of each channel whether one may still come.
fn look<A, B>(
    first: &Core<A>,
    second: &Core<B>,
    second_first: bool,
) -> Result<Either<Envelope<A>, Envelope<B>>, (bool, bool)> {
    let mut is_open = (false, false);
    for is_second in [second_first, !second_first] {
        if is_second {
            match second.try_receive() {
                Ok(envelope) => return Ok(Either::Second(envelope)),
                Err(error) => is_open.1 = error == TryRecvError::Empty,
            }
        } else {
            match first.try_receive() {
                Ok(envelope) => return Ok(Either::First(envelope)),
                Err(error) => is_open.0 = error == TryRecvError::Empty,
            }
        }
    }
    Err(is_open)
}

/// While it lives, changes of both channels wake the watch.
struct Watching<'a, A, B> {
    watch: Arc<Watch>,
    first: &'a Core<A>,
    second: &'a Core<B>,
}

impl<'a, A, B> Watching<'a, A, B> {
    fn new(first: &'a Core<A>, second: &'a Core<B>) -> Self {
        let watch = Watch::new();
        first.add_watch(&watch);
        second.add_watch(&watch);
        Self { watch, first, second }
    }
}

impl<A, B> Drop for Watching<'_, A, B> {
    fn drop(&mut self) {
        if native::is_over() {
            return;
        }
        self.first.remove_watch(&self.watch);
        self.second.remove_watch(&self.watch);
    }
}
