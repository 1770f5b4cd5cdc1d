//! Drop-in for `std::sync::mpsc`: messages travel in an envelope that numbers them.
//!
//! Errors are std's own, with the message taken out of its envelope.

mod iter;
mod sender;

pub use self::{
    iter::{IntoIter, Iter, TryIter},
    sender::{Sender, SyncSender},
};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use super::channel::{Envelope, Failure, Handle, Patience};
use crate::native;
use std::{fmt, panic::Location, time::Duration};

/// As [`std::sync::mpsc::channel`].
///
/// ```
/// use instrumented_sync::{mpsc, thread};
///
/// let (sender, receiver) = mpsc::channel();
/// thread::spawn(move || sender.send(7).unwrap());
/// assert_eq!(receiver.recv(), Ok(7));
/// assert_eq!(receiver.recv(), Err(mpsc::RecvError));
/// ```
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = native::mpsc::channel();
    let (sending, receiving) = Handle::pair::<T>(None);
    (Sender { handle: sending, native: sender }, Receiver { handle: receiving, native: receiver })
}

/// As [`std::sync::mpsc::sync_channel`].
#[must_use]
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = native::mpsc::sync_channel(bound);
    let (sending, receiving) = Handle::pair::<T>(Some(bound));
    (SyncSender { handle: sending, native: sender }, Receiver { handle: receiving, native: receiver })
}

/// Drop-in for [`std::sync::mpsc::Receiver`].
pub struct Receiver<T> {
    pub(super) handle: Handle,
    native: native::mpsc::Receiver<Envelope<T>>,
}

impl<T> Receiver<T> {
    /// As [`std::sync::mpsc::Receiver::recv`].
    ///
    /// # Errors
    ///
    /// The channel is empty and all senders are gone.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let Some(operation) = self.handle.receiving(Location::caller(), Patience::Endless) else {
            return self.native.recv().map(|envelope| envelope.message);
        };
        match self.native.try_recv() {
            Ok(envelope) => Ok(operation.received(envelope)),
            Err(TryRecvError::Disconnected) => {
                operation.receive_failed(Failure::Disconnected);
                Err(RecvError)
            }
            Err(TryRecvError::Empty) => {
                let waiting = operation.waits_to_receive(None);
                let result = self.native.recv();
                waiting.end();
                result
                    .map(|envelope| operation.received(envelope))
                    .inspect_err(|_| operation.receive_failed(Failure::Disconnected))
            }
        }
    }

    /// As [`std::sync::mpsc::Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// The channel is empty.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let Some(operation) = self.handle.receiving(Location::caller(), Patience::Zero) else {
            return self.native.try_recv().map(|envelope| envelope.message);
        };
        self.native.try_recv().map(|envelope| operation.received(envelope)).inspect_err(|error| match error {
            TryRecvError::Empty => operation.receive_failed(Failure::NotNow),
            TryRecvError::Disconnected => operation.receive_failed(Failure::Disconnected),
        })
    }

    /// As [`std::sync::mpsc::Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// The channel is empty and the time is over, or all senders are gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let Some(operation) = self.handle.receiving(Location::caller(), Patience::Timed) else {
            return self.native.recv_timeout(timeout).map(|envelope| envelope.message);
        };
        let waiting = operation.waits_to_receive(None);
        let result = self.native.recv_timeout(timeout);
        waiting.end();
        result.map(|envelope| operation.received(envelope)).inspect_err(|error| match error {
            RecvTimeoutError::Timeout => operation.receive_failed(Failure::TimedOut),
            RecvTimeoutError::Disconnected => operation.receive_failed(Failure::Disconnected),
        })
    }

    /// As [`std::sync::mpsc::Receiver::iter`].
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// As [`std::sync::mpsc::Receiver::try_iter`].
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}
