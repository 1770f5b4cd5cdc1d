//! What the handles of every channel record: the channel itself, its handles, its messages.
//!
//! SEND is recorded before a message is handed over and RECEIVE after it was taken out, so that in a merged trace
//! the one comes before the other. A message travels in an envelope that numbers it.

use crate::{
    identity::Identity,
    probe::{self, Site},
    trace::{Labelled, sealed},
};
use std::{
    any,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, ObjectKind};

pub(super) use crate::probe::{Waiting, generation};

use crate::probe::atomic::Room;

/// A message with its number; 0 if its SEND was not recorded.
pub(super) struct Envelope<T> {
    number: u64,
    pub(super) message: T,
}

impl<T> Envelope<T> {
    #[inline]
    pub(super) fn new(message: T, sent: Option<Sent>) -> Self {
        Self { number: sent.map_or(0, |sent| sent.number), message }
    }
}

/// What the handles of a channel share.
struct Channel {
    identity: Identity,
    n_senders: AtomicUsize,
    n_receivers: AtomicUsize,
    /// How many messages wait in it at most; 0 at a rendezvous, `None` without a bound.
    bound: Option<usize>,
    class: fn() -> (ObjectKind, &'static str),
}

impl Channel {
    /// Records that the channel exists, and its room.
    #[cold]
    #[inline(never)]
    fn create(&self) {
        let object = probe::object(&self.identity, self.class);
        if !object.is_none() {
            let room = self.bound.map_or(MESSAGE_MAX, |bound| (bound as u64).min(MESSAGE_MAX - 1));
            probe::append(Event::new(Kind::CAPACITY, Flags::NONE, 0, object, room));
        }
    }
}

/// A handle's part in its channel; dropping it records that the handle is gone.
pub(super) struct Handle {
    channel: Arc<Channel>,
    kind: Flags,
}

impl Handle {
    /// The first sender's and the first receiver's part in a new channel of `T`.
    #[track_caller]
    pub(super) fn pair<T>(bound: Option<usize>) -> (Self, Self) {
        let channel = Arc::new(Channel {
            identity: Identity::new(),
            n_senders: AtomicUsize::new(1),
            n_receivers: AtomicUsize::new(1),
            bound,
            class: || (ObjectKind::Channel, any::type_name::<T>()),
        });
        if probe::recording() {
            // Now, not at the first operation: that may be another thread's, and who made a channel matters.
            channel.create();
        }
        (Self { channel: Arc::clone(&channel), kind: Flags::SENDER }, Self { channel, kind: Flags::RECEIVER })
    }

    /// An operation on the channel, if it is to be recorded.
    #[inline]
    pub(super) fn operation(&self, site: Site, patience: Patience) -> Option<Operation> {
        if probe::recording() { self.recorded_operation(site, patience) } else { None }
    }

    /// Room in the channel, if a full one makes its senders wait and no rendezvous says for whom.
    fn room(&self, site: Site) -> Option<Room> {
        self.channel.bound.is_some_and(|bound| bound > 0).then(|| Room::of(&*self.channel, site))
    }

    fn recorded_operation(&self, site: Site, patience: Patience) -> Option<Operation> {
        if self.channel.identity.known_object() == 0 {
            // Made before recording was switched on. Two threads may both come here, and say the room twice.
            self.channel.create();
        }
        let (object, number) = probe::operation(&self.channel.identity, self.channel.class, site)?;
        Some(Operation { object, site: number, flags: patience.flags() })
    }

    /// An operation that is about to receive, if it is to be recorded.
    #[inline]
    pub(super) fn receiving(&self, site: Site, patience: Patience) -> Option<Operation> {
        let operation = self.operation(site, patience)?;
        if let Some(room) = self.room(site) {
            room.makes();
        }
        Some(operation)
    }

    /// Records that a message is about to be sent, and numbers it.
    #[inline]
    pub(super) fn sending(&self, site: Site, patience: Patience) -> Option<Sent> {
        let operation = self.operation(site, patience)?;
        let number = self.channel.identity.next_number();
        operation.append(Kind::SEND, operation.flags, number);
        let is_rendezvous = self.channel.bound == Some(0);
        Some(Sent { operation, number, is_rendezvous, room: self.room(site) })
    }

    /// Handles of this one's kind.
    fn count(&self) -> &AtomicUsize {
        if self.kind == Flags::SENDER { &self.channel.n_senders } else { &self.channel.n_receivers }
    }

    fn label(&self, text: &str) {
        probe::label(&self.channel.identity, self.channel.class, text);
    }
}

impl Clone for Handle {
    #[track_caller]
    fn clone(&self) -> Self {
        // Relaxed: a count for reports; channels count their handles themselves.
        let n_left = self.count().fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(operation) = self.operation(Location::caller(), Patience::Zero) {
            operation.append(Kind::HANDLE_CLONE, self.kind, n_left as u64);
        }
        Self { channel: Arc::clone(&self.channel), kind: self.kind }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Relaxed: as in `clone`.
        let n_left = self.count().fetch_sub(1, Ordering::Relaxed) - 1;
        // Also if it is the channel's first operation: dropping the last sender is a message of its own.
        if probe::recording() {
            let object = probe::object(&self.channel.identity, self.channel.class);
            if !object.is_none() {
                probe::append(Event::new(Kind::HANDLE_DROP, self.kind, 0, object, n_left as u64));
            }
        }
    }
}

/// How long an operation waits for its channel.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// Until it can be done.
    Endless,
    /// For a time.
    Timed,
    /// Not at all.
    Zero,
    /// Until it can be done with this channel or with another one.
    Among,
}

impl Patience {
    fn flags(self) -> Flags {
        match self {
            Self::Endless => Flags::NONE,
            Self::Timed => Flags::TIMED,
            Self::Zero => Flags::TRY,
            Self::Among => Flags::AMONG,
        }
    }
}

/// An operation that is recorded: its channel, where the program does it, and how long it waits.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    object: ObjectId,
    site: u32,
    flags: Flags,
}

impl Operation {
    fn event(self, kind: Kind, flags: Flags, number: u64) -> Event {
        Event::new(kind, flags, self.site, self.object, number)
    }

    fn append(self, kind: Kind, flags: Flags, number: u64) {
        probe::append(self.event(kind, flags, number));
    }

    /// Publishes that the thread waits for a message; one from `other` would do as well.
    pub(super) fn waits_to_receive(self, other: Option<Self>) -> Waiting {
        let event = self.event(Kind::RECEIVE, self.flags, 0);
        Waiting::begin_silent(event, other.map_or(0, |other| other.object.0))
    }

    /// Records that a message was received; takes it out of its envelope.
    pub(super) fn received<T>(self, envelope: Envelope<T>) -> T {
        if envelope.number != 0 {
            self.append(Kind::RECEIVE, self.flags, envelope.number);
        }
        envelope.message
    }

    /// Records that nothing was received.
    pub(super) fn receive_failed(self, failure: Failure) {
        // An empty channel is recorded once: a loop that polls one would fill the trace with it.
        if failure == Failure::NotNow {
            probe::observed_while_recording(self.object.0);
        } else {
            // What says TRY elsewhere says here that the time was over.
            let flags = if self.flags == Flags::TRY { Flags::TIMED } else { self.flags };
            self.append(Kind::RECEIVE_FAILED, failure.flags().with(flags), 0);
        }
    }
}

/// A send that was recorded.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    operation: Operation,
    number: u64,
    is_rendezvous: bool,
    room: Option<Room>,
}

impl Sent {
    /// Publishes that the thread waits for room, or for who receives.
    pub(super) fn waits(self) -> Waiting {
        Waiting::begin_silent(self.operation.event(Kind::SEND, self.operation.flags, self.number), 0)
    }

    /// Records that the message was handed over, where that says that it was received, or that there was room.
    pub(super) fn arrived(self) {
        if let Some(room) = self.room {
            room.finds();
        }
        if self.is_rendezvous {
            self.operation.append(Kind::SENT, self.operation.flags, self.number);
        }
    }

    /// Records that the message came back.
    pub(super) fn came_back(self, failure: Failure) {
        self.operation.append(Kind::SEND_FAILED, failure.flags(), self.number);
    }
}

/// Why nothing was sent or received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The other side is gone.
    Disconnected,
    /// The time is over.
    TimedOut,
    /// It would have had to wait.
    NotNow,
}

impl Failure {
    fn flags(self) -> Flags {
        match self {
            Self::Disconnected => Flags::DISCONNECTED,
            Self::TimedOut => Flags::TIMED_OUT,
            Self::NotNow => Flags::TRY,
        }
    }
}

macro_rules! labelled {
    ($($handle:path),*) => {$(
        impl<T> sealed::Sealed for $handle {}

        impl<T> Labelled for $handle {
            fn label(&self, text: &str) {
                self.handle.label(text);
            }
        }
    )*};
}

labelled!(super::mpmc::Sender<T>, super::mpmc::Receiver<T>);
labelled!(super::mpsc::Sender<T>, super::mpsc::SyncSender<T>, super::mpsc::Receiver<T>);
