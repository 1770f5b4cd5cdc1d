//! Channels with several receivers: each message goes to one of them.
//!
//! In shape as [`mpsc`](super::mpsc), with one kind of sender; std's own are not stable yet. Errors are those of
//! [`std::sync::mpsc`].

mod core;
mod either;
#[allow(clippy::duplicate_mod, reason = "one text serves the receivers of both modules")]
#[path = "mpsc/iter.rs"]
mod iter;

pub use self::{
    either::{Either, recv_either},
    iter::{IntoIter, Iter, TryIter},
};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use self::core::End;
use super::channel::{Envelope, Failure, Handle, Operation, Patience, Sent};
use crate::native::Instant;
use std::{error, fmt, panic::Location, time::Duration};

/// A channel without a bound: sending never waits.
///
/// ```
/// use instrumented_sync::{mpmc, thread};
///
/// let (sender, receiver) = mpmc::channel();
/// let sum: u32 = thread::scope(|scope| {
///     let counts = [receiver.clone(), receiver].map(|own| scope.spawn(move || own.iter().sum::<u32>()));
///     (1..=10).for_each(|n| sender.send(n).unwrap());
///     drop(sender);
///     counts.map(|count| count.join().unwrap()).iter().sum()
/// });
/// assert_eq!(sum, 55);
/// ```
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    with_bound(None)
}

/// A channel in which `bound` messages wait at most; with 0 a send returns when its message was received.
///
/// ```
/// use instrumented_sync::mpmc::{self, TrySendError};
///
/// let (sender, receiver) = mpmc::sync_channel(1);
/// assert_eq!(sender.try_send(1), Ok(()));
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
#[must_use]
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    with_bound(Some(bound))
}

#[track_caller]
fn with_bound<T>(bound: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let (sending, receiving) = Handle::pair::<T>(bound);
    let (sender, receiver) = End::pair(bound);
    (Sender { handle: sending, end: sender }, Receiver { handle: receiving, end: receiver })
}

/// Why [`Sender::send_timeout`] gave the message back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The time is over.
    Timeout(T),
    /// All receivers are gone.
    Disconnected(T),
}

impl<T> SendTimeoutError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(message) | Self::Disconnected(message) => message,
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out waiting on send operation",
            Self::Disconnected(_) => "sending on a closed channel",
        })
    }
}

impl<T> error::Error for SendTimeoutError<T> {}

/// A sending handle. The channel is disconnected when the last one is dropped.
///
/// The handle's record comes first: that the last sender is gone is recorded before a receiver can find out.
pub struct Sender<T> {
    pub(super) handle: Handle,
    end: End<T>,
}

impl<T> Sender<T> {
    /// Sends, waiting for room, or at a rendezvous for a receiver.
    ///
    /// # Errors
    ///
    /// All receivers are gone; the error holds the message.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.send_within(message, None, Location::caller()).map_err(|error| SendError(error.into_inner()))
    }

    /// As [`Self::send`], for so long at most.
    ///
    /// # Errors
    ///
    /// The time is over, or all receivers are gone; the error holds the message.
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_within(message, Some(timeout), Location::caller())
    }

    fn send_within(
        &self,
        message: T,
        timeout: Option<Duration>,
        site: &'static Location<'static>,
    ) -> Result<(), SendTimeoutError<T>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let sent = self.handle.sending(site, patience(timeout));
        let result = match self.end.try_send(Envelope::new(message, sent)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(envelope)) => Err(SendTimeoutError::Disconnected(envelope)),
            Err(TrySendError::Full(envelope)) => {
                let waiting = sent.map(Sent::waits);
                let result = self.end.send(envelope, deadline);
                if let Some(waiting) = waiting {
                    waiting.end();
                }
                result
            }
        };
        arrived(sent, result.is_ok());
        result.map_err(|error| match error {
            SendTimeoutError::Timeout(envelope) => {
                SendTimeoutError::Timeout(came_back(sent, envelope, Failure::TimedOut))
            }
            SendTimeoutError::Disconnected(envelope) => {
                SendTimeoutError::Disconnected(came_back(sent, envelope, Failure::Disconnected))
            }
        })
    }

    /// Sends if that is possible without waiting: there is room, or at a rendezvous a receiver that waits.
    ///
    /// # Errors
    ///
    /// The channel is full, or all receivers are gone; the error holds the message.
    #[track_caller]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let sent = self.handle.sending(Location::caller(), Patience::Zero);
        let result = self.end.try_send(Envelope::new(message, sent));
        arrived(sent, result.is_ok());
        result.map_err(|error| match error {
            TrySendError::Full(envelope) => TrySendError::Full(came_back(sent, envelope, Failure::NotNow)),
            TrySendError::Disconnected(envelope) => {
                TrySendError::Disconnected(came_back(sent, envelope, Failure::Disconnected))
            }
        })
    }
}

fn patience(timeout: Option<Duration>) -> Patience {
    if timeout.is_some() { Patience::Timed } else { Patience::Endless }
}

fn arrived(sent: Option<Sent>, is_sent: bool) {
    if let Some(sent) = sent.filter(|_| is_sent) {
        sent.arrived();
    }
}

fn came_back<T>(sent: Option<Sent>, envelope: Envelope<T>, failure: Failure) -> T {
    if let Some(sent) = sent {
        sent.came_back(failure);
    }
    envelope.message
}

/// A receiving handle. When the last one is dropped, so are the messages that wait.
pub struct Receiver<T> {
    pub(super) handle: Handle,
    end: End<T>,
}

impl<T> Receiver<T> {
    /// Receives, waiting for a message.
    ///
    /// # Errors
    ///
    /// The channel is empty and all senders are gone.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_within(None, Location::caller()).map_err(|_| RecvError)
    }

    /// As [`Self::recv`], for so long at most.
    ///
    /// # Errors
    ///
    /// The channel is empty and the time is over, or all senders are gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_within(Some(timeout), Location::caller())
    }

    fn recv_within(&self, timeout: Option<Duration>, site: &'static Location<'static>) -> Result<T, RecvTimeoutError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let operation = self.handle.receiving(site, patience(timeout));
        let result = match self.end.try_receive() {
            Ok(envelope) => Ok(envelope),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                let waiting = operation.map(|operation| operation.waits_to_receive(None));
                let result = self.end.receive(deadline);
                if let Some(waiting) = waiting {
                    waiting.end();
                }
                result
            }
        };
        result.map(|envelope| received(operation, envelope)).inspect_err(|error| match error {
            RecvTimeoutError::Timeout => failed(operation, Failure::TimedOut),
            RecvTimeoutError::Disconnected => failed(operation, Failure::Disconnected),
        })
    }

    /// Receives if there is a message.
    ///
    /// # Errors
    ///
    /// The channel is empty.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let operation = self.handle.receiving(Location::caller(), Patience::Zero);
        let result = self.end.try_receive();
        result.map(|envelope| received(operation, envelope)).inspect_err(|error| match error {
            TryRecvError::Empty => failed(operation, Failure::NotNow),
            TryRecvError::Disconnected => failed(operation, Failure::Disconnected),
        })
    }

    /// Messages until the channel is disconnected, waiting for each.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// The messages that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

fn received<T>(operation: Option<Operation>, envelope: Envelope<T>) -> T {
    match operation {
        Some(operation) => operation.received(envelope),
        None => envelope.message,
    }
}

fn failed(operation: Option<Operation>, failure: Failure) {
    if let Some(operation) = operation {
        operation.receive_failed(failure);
    }
}

macro_rules! handle {
    ($handle:ident) => {
        impl<T> Clone for $handle<T> {
            #[track_caller]
            fn clone(&self) -> Self {
                Self { handle: self.handle.clone(), end: self.end.clone() }
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }
    };
}

handle!(Sender);
handle!(Receiver);
