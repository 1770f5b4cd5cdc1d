//! The sending handles.

use super::{Envelope, Handle, SendError, TrySendError};
use crate::{
    native,
    probe::{self, Waiting},
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location};
use trace_format::{Event, Flags, Kind, ObjectId};

/// A send that was recorded: channel, site, number of the message.
type Sent = (ObjectId, u32, u64);

impl Handle {
    /// Records that a message is about to be sent, and numbers it.
    fn sending(&self, site: probe::Site) -> Option<Sent> {
        let (object, site) = self.operation(site)?;
        let number = self.channel.identity.next_number();
        probe::append(Event::new(Kind::SEND, Flags::NONE, site, object, number));
        Some((object, site, number))
    }

    /// Records that a message was handed over, where that says that it was received.
    fn sent(&self, (object, site, number): Sent) {
        if self.channel.is_rendezvous {
            probe::append(Event::new(Kind::SENT, Flags::NONE, site, object, number));
        }
    }
}

fn seal<T>(message: T, sent: Option<Sent>) -> Envelope<T> {
    Envelope { number: sent.map_or(0, |(_, _, number)| number), message }
}

/// Records that a message came back; takes it out of its envelope.
fn came_back<T>(sent: Option<Sent>, envelope: Envelope<T>, flags: Flags) -> T {
    if let Some((object, site, number)) = sent {
        probe::append(Event::new(Kind::SEND_FAILED, flags, site, object, number));
    }
    envelope.message
}

/// Drop-in for [`std::sync::mpsc::Sender`].
pub struct Sender<T> {
    pub(super) handle: Handle,
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
        let sent = self.handle.sending(Location::caller());
        let result = self.native.send(seal(t, sent));
        result.map_err(|SendError(envelope)| SendError(came_back(sent, envelope, Flags::DISCONNECTED)))
    }
}

/// Drop-in for [`std::sync::mpsc::SyncSender`].
pub struct SyncSender<T> {
    pub(super) handle: Handle,
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
        let sent = self.handle.sending(Location::caller());
        let Some((object, site, number)) = sent else {
            return self.native.send(seal(t, None)).map_err(|SendError(envelope)| SendError(envelope.message));
        };
        let envelope = match self.native.try_send(seal(t, sent)) {
            Ok(()) => {
                self.handle.sent((object, site, number));
                return Ok(());
            }
            Err(TrySendError::Full(envelope) | TrySendError::Disconnected(envelope)) => envelope,
        };
        let waiting = Waiting::begin_silent(Event::new(Kind::SEND, Flags::NONE, site, object, number));
        let result = self.native.send(envelope);
        waiting.end();
        if result.is_ok() {
            self.handle.sent((object, site, number));
        }
        result.map_err(|SendError(envelope)| SendError(came_back(sent, envelope, Flags::DISCONNECTED)))
    }

    /// As [`std::sync::mpsc::SyncSender::try_send`].
    ///
    /// # Errors
    ///
    /// The channel is full, or the receiver is gone; the error holds the message.
    #[track_caller]
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        let sent = self.handle.sending(Location::caller());
        let result = self.native.try_send(seal(t, sent));
        if let (Ok(()), Some(sent)) = (&result, sent) {
            self.handle.sent(sent);
        }
        result.map_err(|error| match error {
            TrySendError::Full(envelope) => TrySendError::Full(came_back(sent, envelope, Flags::TRY)),
            TrySendError::Disconnected(envelope) => {
                TrySendError::Disconnected(came_back(sent, envelope, Flags::DISCONNECTED))
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

        impl<T> sealed::Sealed for $sender<T> {}

        impl<T> Labelled for $sender<T> {
            fn label(&self, text: &str) {
                probe::label(&self.handle.channel.identity, self.handle.channel.class, text);
            }
        }
    };
}

sender!(Sender);
sender!(SyncSender);
