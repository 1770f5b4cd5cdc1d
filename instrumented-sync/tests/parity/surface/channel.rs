//! Channels.

use super::sync;
use std::{
    error::Error,
    fmt::{Debug, Display},
    time::Duration,
};
use sync::mpsc::{
    IntoIter, Iter, Receiver, RecvError, RecvTimeoutError, SendError, Sender, SyncSender, TryIter, TryRecvError,
    TrySendError,
};

surface! {
    {struct sync::mpsc::IntoIter}
    {sync::mpsc::IntoIter: impl [T: Debug,] Debug => IntoIter<T>}
    {sync::mpsc::IntoIter: impl [T,] Iterator => IntoIter<T>}
    {struct sync::mpsc::Iter}
    {sync::mpsc::Iter: impl ['a, T: Debug + 'a,] Debug => Iter<'a, T>}
    {sync::mpsc::Iter: impl ['a, T,] Iterator => Iter<'a, T>}
    {struct sync::mpsc::Receiver}
    {sync::mpsc::Receiver: impl ['a, T,] IntoIterator => &'a Receiver<T>}
    {sync::mpsc::Receiver: impl [T: Send,] Send => Receiver<T>}
    {sync::mpsc::Receiver: impl [T,] !Sync => Receiver<T>}
    {sync::mpsc::Receiver: impl [T,] Debug => Receiver<T>}
    {sync::mpsc::Receiver: impl [T,] IntoIterator => Receiver<T>}
    {sync::mpsc::Receiver: impl [T,] Receiver<T>: fn iter(&self) -> Iter<'_, T>}
    {sync::mpsc::Receiver: impl [T,] Receiver<T>: fn recv(&self) -> Result<T, RecvError>}
    {sync::mpsc::Receiver: impl [T,] Receiver<T>: fn recv_timeout(&self, timeout: Duration)
        -> Result<T, RecvTimeoutError>}
    {sync::mpsc::Receiver: impl [T,] Receiver<T>: fn try_iter(&self) -> TryIter<'_, T>}
    {sync::mpsc::Receiver: impl [T,] Receiver<T>: fn try_recv(&self) -> Result<T, TryRecvError>}
    {struct sync::mpsc::RecvError}
    {sync::mpsc::RecvError: impl [] Clone => RecvError}
    {sync::mpsc::RecvError: impl [] Copy => RecvError}
    {sync::mpsc::RecvError: impl [] Debug => RecvError}
    {sync::mpsc::RecvError: impl [] Display => RecvError}
    {sync::mpsc::RecvError: impl [] Eq => RecvError}
    {sync::mpsc::RecvError: impl [] Error => RecvError}
    {sync::mpsc::RecvError: impl [] PartialEq => RecvError}
    {enum sync::mpsc::RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Clone => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Copy => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Debug => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Display => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Eq => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] Error => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] From<RecvError> => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: impl [] PartialEq => RecvTimeoutError}
    {sync::mpsc::RecvTimeoutError: variant Disconnected}
    {sync::mpsc::RecvTimeoutError: variant Timeout}
    {struct sync::mpsc::SendError}
    {sync::mpsc::SendError<T>: field 0: T}
    {sync::mpsc::SendError: impl [T: Clone,] Clone => SendError<T>}
    {sync::mpsc::SendError: impl [T: Copy,] Copy => SendError<T>}
    {sync::mpsc::SendError: impl [T: Eq,] Eq => SendError<T>}
    {sync::mpsc::SendError: impl [T: PartialEq,] PartialEq => SendError<T>}
    {sync::mpsc::SendError: impl [T,] Debug => SendError<T>}
    {sync::mpsc::SendError: impl [T,] Display => SendError<T>}
    {sync::mpsc::SendError: impl [T,] Error => SendError<T>}
    {struct sync::mpsc::Sender}
    {sync::mpsc::Sender: impl [T: Send,] Send => Sender<T>}
    {sync::mpsc::Sender: impl [T: Send,] Sync => Sender<T>}
    {sync::mpsc::Sender: impl [T,] Clone => Sender<T>}
    {sync::mpsc::Sender: impl [T,] Debug => Sender<T>}
    {sync::mpsc::Sender: impl [T,] Sender<T>: fn send(&self, t: T) -> Result<(), SendError<T>>}
    {struct sync::mpsc::SyncSender}
    {sync::mpsc::SyncSender: impl [T: Send,] Send => SyncSender<T>}
    {sync::mpsc::SyncSender: impl [T,] Clone => SyncSender<T>}
    {sync::mpsc::SyncSender: impl [T,] Debug => SyncSender<T>}
    {sync::mpsc::SyncSender: impl [T,] SyncSender<T>: fn send(&self, t: T) -> Result<(), SendError<T>>}
    {sync::mpsc::SyncSender: impl [T,] SyncSender<T>: fn try_send(&self, t: T) -> Result<(), TrySendError<T>>}
    {struct sync::mpsc::TryIter}
    {sync::mpsc::TryIter: impl ['a, T: Debug + 'a,] Debug => TryIter<'a, T>}
    {sync::mpsc::TryIter: impl ['a, T,] Iterator => TryIter<'a, T>}
    {enum sync::mpsc::TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Clone => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Copy => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Debug => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Display => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Eq => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] Error => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] From<RecvError> => TryRecvError}
    {sync::mpsc::TryRecvError: impl [] PartialEq => TryRecvError}
    {sync::mpsc::TryRecvError: variant Disconnected}
    {sync::mpsc::TryRecvError: variant Empty}
    {enum sync::mpsc::TrySendError}
    {sync::mpsc::TrySendError: impl [T: Clone,] Clone => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T: Copy,] Copy => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T: Eq,] Eq => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T: PartialEq,] PartialEq => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T,] Debug => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T,] Display => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T,] Error => TrySendError<T>}
    {sync::mpsc::TrySendError: impl [T,] From<SendError<T>> => TrySendError<T>}
    {sync::mpsc::TrySendError<T>: variant Disconnected(T)}
    {sync::mpsc::TrySendError<T>: variant Full(T)}
    {fn sync::mpsc::channel<T>() -> (Sender<T>, Receiver<T>)}
    {fn sync::mpsc::sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>)}
}
