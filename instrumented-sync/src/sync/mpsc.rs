//! Drop-in for `std::sync::mpsc`: messages travel in an envelope that numbers them.
//!
//! SEND is recorded before the message is handed over and RECEIVE after it was taken out, so that in a merged
//! trace the one comes before the other. Errors are std's own, with the message taken out of its envelope.

mod iter;
mod sender;

pub use self::{
    iter::{IntoIter, Iter, TryIter},
    sender::{Sender, SyncSender},
};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::{
    identity::Identity,
    native,
    probe::{self, Waiting},
    trace::{Labelled, sealed},
};
use std::{
    any, fmt,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use trace_format::{Event, Flags, Kind, ObjectId, ObjectKind};

/// A message with its number; 0 if its SEND was not recorded.
struct Envelope<T> {
    number: u64,
    message: T,
}

/// What the handles of a channel share.
struct Channel {
    identity: Identity,
    n_senders: AtomicUsize,
    /// Whether a send has to wait for its receive: `sync_channel(0)`.
    is_rendezvous: bool,
    class: fn() -> (ObjectKind, &'static str),
}

/// A handle's part in [`Channel`]; dropping it records that the handle is gone.
struct Handle {
    channel: Arc<Channel>,
    kind: Flags,
}

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
    let (sending, receiving) = handles::<T>(false);
    (Sender { handle: sending, native: sender }, Receiver { handle: receiving, native: receiver })
}

/// As [`std::sync::mpsc::sync_channel`].
#[must_use]
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = native::mpsc::sync_channel(bound);
    let (sending, receiving) = handles::<T>(bound == 0);
    (SyncSender { handle: sending, native: sender }, Receiver { handle: receiving, native: receiver })
}

#[track_caller]
fn handles<T>(is_rendezvous: bool) -> (Handle, Handle) {
    let class: fn() -> _ = || (ObjectKind::Channel, any::type_name::<T>());
    let channel = Arc::new(Channel { identity: Identity::new(), n_senders: AtomicUsize::new(1), is_rendezvous, class });
    // Who made it may give a handle to anybody later: whose channel it is must not depend on who uses it first.
    if probe::recording() {
        let _none_if_it_cannot_be_recorded = probe::object(&channel.identity, class);
    }
    (Handle { channel: Arc::clone(&channel), kind: Flags::SENDER }, Handle { channel, kind: Flags::RECEIVER })
}

impl Handle {
    /// Object and site of an operation on the channel, if it is to be recorded.
    fn operation(&self, site: probe::Site) -> Option<(ObjectId, u32)> {
        if probe::recording() { probe::operation(&self.channel.identity, self.channel.class, site) } else { None }
    }

    fn change(&self, kind: Kind, n_left: usize, site: probe::Site) {
        if let Some((object, site)) = self.operation(site) {
            probe::append(Event::new(kind, self.kind, site, object, n_left as u64));
        }
    }
}

impl Clone for Handle {
    #[track_caller]
    fn clone(&self) -> Self {
        // Relaxed: a count for reports; channels count their handles themselves.
        let n_left = self.channel.n_senders.fetch_add(1, Ordering::Relaxed) + 1;
        self.change(Kind::HANDLE_CLONE, n_left, Location::caller());
        Self { channel: Arc::clone(&self.channel), kind: self.kind }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let n_left = if self.kind == Flags::SENDER {
            // Relaxed: as in `clone`.
            self.channel.n_senders.fetch_sub(1, Ordering::Relaxed) - 1
        } else {
            0
        };
        // Also if it is the channel's first operation: dropping the last sender is a message of its own.
        if probe::recording() {
            let object = probe::object(&self.channel.identity, self.channel.class);
            if !object.is_none() {
                probe::append(Event::new(Kind::HANDLE_DROP, self.kind, 0, object, n_left as u64));
            }
        }
    }
}

/// Drop-in for [`std::sync::mpsc::Receiver`].
pub struct Receiver<T> {
    handle: Handle,
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
        let Some(operation) = self.handle.operation(Location::caller()) else {
            return self.native.recv().map(|envelope| envelope.message);
        };
        match self.native.try_recv() {
            Ok(envelope) => Ok(received(operation, envelope)),
            Err(TryRecvError::Disconnected) => {
                failed(operation, Flags::DISCONNECTED);
                Err(RecvError)
            }
            Err(TryRecvError::Empty) => {
                let waiting = waits_to_receive(operation, Flags::NONE);
                let result = self.native.recv();
                waiting.end();
                result
                    .map(|envelope| received(operation, envelope))
                    .inspect_err(|_| failed(operation, Flags::DISCONNECTED))
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
        let Some(operation) = self.handle.operation(Location::caller()) else {
            return self.native.try_recv().map(|envelope| envelope.message);
        };
        let result = self.native.try_recv().map(|envelope| received(operation, envelope));
        // An empty channel is not recorded: a loop that polls one would fill the trace with it.
        if let Err(TryRecvError::Disconnected) = result {
            failed(operation, Flags::DISCONNECTED);
        }
        result
    }

    /// As [`std::sync::mpsc::Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// The channel is empty and the time is over, or all senders are gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let Some(operation) = self.handle.operation(Location::caller()) else {
            return self.native.recv_timeout(timeout).map(|envelope| envelope.message);
        };
        let waiting = waits_to_receive(operation, Flags::TIMED);
        let result = self.native.recv_timeout(timeout);
        waiting.end();
        result.map(|envelope| received(operation, envelope)).inspect_err(|error| match error {
            RecvTimeoutError::Timeout => failed(operation, Flags::TIMED_OUT),
            RecvTimeoutError::Disconnected => failed(operation, Flags::DISCONNECTED),
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

fn received<T>((object, site): (ObjectId, u32), envelope: Envelope<T>) -> T {
    if envelope.number != 0 {
        probe::append(Event::new(Kind::RECEIVE, Flags::NONE, site, object, envelope.number));
    }
    envelope.message
}

fn failed((object, site): (ObjectId, u32), flags: Flags) {
    probe::append(Event::new(Kind::RECEIVE_FAILED, flags, site, object, 0));
}

fn waits_to_receive((object, site): (ObjectId, u32), flags: Flags) -> Waiting {
    Waiting::begin_silent(Event::new(Kind::RECEIVE, flags, site, object, 0))
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}

impl<T> sealed::Sealed for Receiver<T> {}

impl<T> Labelled for Receiver<T> {
    fn label(&self, text: &str) {
        probe::label(&self.handle.channel.identity, self.handle.channel.class, text);
    }
}
