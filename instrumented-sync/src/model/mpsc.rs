//! std's channels, of the crate's own with several receivers.

#[allow(clippy::duplicate_mod, reason = "one text serves the receivers of all channels")]
#[path = "../sync/mpsc/iter.rs"]
mod iter;

pub use self::iter::{IntoIter, Iter, TryIter};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::sync::mpmc;
use std::{cell::Cell, fmt, marker::PhantomData, time::Duration};

/// As [`std::sync::mpsc::channel`].
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpmc::channel();
    (Sender(sender), Receiver(receiver, PhantomData))
}

/// As [`std::sync::mpsc::sync_channel`], with a bound of zero too.
#[must_use]
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = mpmc::sync_channel(bound);
    (SyncSender(sender), Receiver(receiver, PhantomData))
}

/// As [`std::sync::mpsc::Sender`].
pub struct Sender<T>(mpmc::Sender<T>);

/// As [`std::sync::mpsc::SyncSender`].
pub struct SyncSender<T>(mpmc::Sender<T>);

/// As [`std::sync::mpsc::Receiver`]. Not `Sync`, as std's.
pub struct Receiver<T>(mpmc::Receiver<T>, PhantomData<Cell<()>>);

impl<T> Sender<T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// The receiver is gone.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send(message)
    }
}

impl<T> SyncSender<T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// The receiver is gone.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send(message)
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// There is no room, or the receiver is gone.
    #[track_caller]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(message)
    }
}

impl<T> Receiver<T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// There is no message, and no sender.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.recv()
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// There is no message.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// As std's; time is the model's.
    ///
    /// # Errors
    ///
    /// There is no message, and no sender, or nobody sent one while others ran.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(timeout)
    }

    /// As std's.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// As std's.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
