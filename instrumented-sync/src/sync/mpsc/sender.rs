//! The sending handles.

use super::{Envelope, Failure, Handle, Patience, SendError, TrySendError};
use crate::{native, sync::channel::Sent};
use std::{fmt, panic::Location};

/// Records that a message came back; takes it out of its envelope.
fn came_back<T>(sent: Option<Sent>, envelope: Envelope<T>, failure: Failure) -> T {
    if let Some(sent) = sent {
        sent.came_back(failure);
    }
    envelope.message
}

/// Drop-in for [`std::sync::mpsc::Sender`].
pub struct Sender<T> {
    pub(in crate::sync) handle: Handle,
    pub(super) native: native::mpsc::Sender<Envelope<T>>,
}

impl<T> Sender<T> {
    /// As [`std::sync::mpsc::Sender::send`].
    ///
    /// # Errors
    ///
    /// The receiver is gone; the error holds the message.
    #[track_caller]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        let sent = self.handle.sending(Location::caller(), Patience::Endless);
        let result = self.native.send(Envelope::new(t, sent));
        result.map_err(|SendError(envelope)| SendError(came_back(sent, envelope, Failure::Disconnected)))
    }
}

/// Drop-in for [`std::sync::mpsc::SyncSender`].
pub struct SyncSender<T> {
    pub(in crate::sync) handle: Handle,
    pub(super) native: native::mpsc::SyncSender<Envelope<T>>,
}

impl<T> SyncSender<T> {
    /// As [`std::sync::mpsc::SyncSender::send`].
    ///
    /// # Errors
    ///
    /// The receiver is gone; the error holds the message.
    #[track_caller]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        let Some(sent) = self.handle.sending(Location::caller(), Patience::Endless) else {
            let result = self.native.send(Envelope::new(t, None));
            return result.map_err(|SendError(envelope)| SendError(envelope.message));
        };
        let envelope = match self.native.try_send(Envelope::new(t, Some(sent))) {
            Ok(()) => {
                sent.arrived();
                return Ok(());
            }
            Err(TrySendError::Full(envelope) | TrySendError::Disconnected(envelope)) => envelope,
        };
        let waiting = sent.waits();
        let result = self.native.send(envelope);
        waiting.end();
        if result.is_ok() {
            sent.arrived();
        }
        result.map_err(|SendError(envelope)| SendError(came_back(Some(sent), envelope, Failure::Disconnected)))
    }

    /// As [`std::sync::mpsc::SyncSender::try_send`].
    ///
    /// # Errors
    ///
    /// The channel is full, or the receiver is gone; the error holds the message.
    #[track_caller]
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        let sent = self.handle.sending(Location::caller(), Patience::Zero);
        let result = self.native.try_send(Envelope::new(t, sent));
        if let (Ok(()), Some(sent)) = (&result, sent) {
            sent.arrived();
        }
        result.map_err(|error| match error {
            TrySendError::Full(envelope) => TrySendError::Full(came_back(sent, envelope, Failure::NotNow)),
            TrySendError::Disconnected(envelope) => {
                TrySendError::Disconnected(came_back(sent, envelope, Failure::Disconnected))
            }
        })
    }
}

macro_rules! sender {
    ($sender:ident) => {
        impl<T> Clone for $sender<T> {
            #[track_caller]
            fn clone(&self) -> Self {
                Self { handle: self.handle.clone(), native: self.native.clone() }
            }
        }

        impl<T> fmt::Debug for $sender<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.native.fmt(f)
            }
        }
    };
}

sender!(Sender);
sender!(SyncSender);
