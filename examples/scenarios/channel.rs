//! Channels with all their handles, which do not go with the threads that use them.
//!
//! A channel with one receiving thread is std's. One with several, or one of which somebody receives that would take
//! a message of another channel as well, is an `mpmc` one, with a receiver for each thread.

use super::{
    placement::receivers,
    primitives::Unsupported,
    record::{Op, Scenario, Thread},
};
use instrumented_sync::{PoisonError, label, mpmc, mpsc};
use std::{
    iter,
    sync::{Arc, Mutex as Unrecorded},
    time::Duration,
};

/// A channel.
pub(crate) struct Channel {
    senders: Unrecorded<Vec<Option<Sender>>>,
    receivers: Receivers,
}

#[derive(Clone)]
enum Sender {
    Unbounded(Arc<mpsc::Sender<()>>),
    Bounded(Arc<mpsc::SyncSender<()>>),
    Several(Arc<mpmc::Sender<()>>),
}

enum Receivers {
    One(Unrecorded<Option<mpsc::Receiver<()>>>),
    /// One for each thread that receives; none once they are dropped.
    Several(Unrecorded<Vec<Arc<mpmc::Receiver<()>>>>),
}

/// How to receive.
#[derive(Clone, Copy)]
pub(crate) enum Receive {
    /// Waiting.
    Endless,
    /// Waiting for a while.
    For(Duration),
    /// Not waiting.
    Try,
}

impl Sender {
    fn send(&self) {
        // That the receiver is gone is an outcome like any other.
        let _sent = match self {
            Self::Unbounded(sender) => sender.send(()).is_ok(),
            Self::Bounded(sender) => sender.send(()).is_ok(),
            Self::Several(sender) => sender.send(()).is_ok(),
        };
    }

    /// Another handle of the channel.
    fn another(&self) -> Self {
        match self {
            Self::Unbounded(sender) => Self::Unbounded(Arc::new((**sender).clone())),
            Self::Bounded(sender) => Self::Bounded(Arc::new((**sender).clone())),
            Self::Several(sender) => Self::Several(Arc::new((**sender).clone())),
        }
    }
}

impl Channel {
    /// The channel that `declaration` says. `is_guarded` says that all receive under one lock.
    pub(crate) fn new(declaration: &Op, scenario: &Scenario, is_guarded: bool) -> Self {
        let name = declaration.word(1);
        let n_receivers = receivers(scenario, name).len();
        let bound = declaration.word(2).parse().ok();
        let (sender, receivers) = if is_selected(scenario, name) || (n_receivers > 1 && !is_guarded) {
            let (sender, receiver) = bound.map_or_else(mpmc::channel, mpmc::sync_channel);
            label(&receiver, name);
            let clones = (1..n_receivers).map(|_| receiver.clone()).collect::<Vec<_>>();
            let all = iter::once(receiver).chain(clones).map(Arc::new).collect();
            (Sender::Several(Arc::new(sender)), Receivers::Several(Unrecorded::new(all)))
        } else {
            let (sender, receiver) = if let Some(bound) = bound {
                let (sender, receiver) = mpsc::sync_channel(bound);
                (Sender::Bounded(Arc::new(sender)), receiver)
            } else {
                let (sender, receiver) = mpsc::channel();
                (Sender::Unbounded(Arc::new(sender)), receiver)
            };
            label(&receiver, name);
            (sender, Receivers::One(Unrecorded::new(Some(receiver))))
        };
        let n_senders = declaration.operands().find_map(|option| option.strip_prefix("tx=")?.parse().ok());
        let clones = (1..n_senders.unwrap_or(1)).map(|_: usize| sender.another()).collect::<Vec<_>>();
        let senders = iter::once(sender).chain(clones).map(Some).collect();
        Self { senders: Unrecorded::new(senders), receivers }
    }

    /// Sends by the `n`-th handle, or the last if there are fewer.
    pub(crate) fn send(&self, n: usize) {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let own = senders.get(n.min(senders.len().saturating_sub(1))).cloned().flatten();
        let sender = own.or_else(|| senders.iter().flatten().next().cloned());
        drop(senders);
        if let Some(sender) = sender {
            sender.send();
        }
    }

    /// Drops the `n`-th handle; if that is gone, another one.
    pub(crate) fn close(&self, n: usize) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let last = senders.len().saturating_sub(1);
        let own = senders.get_mut(n.min(last)).and_then(Option::take);
        let closed = own.or_else(|| senders.iter_mut().find_map(Option::take));
        drop(senders);
        drop(closed);
    }

    /// Receives by the `n`-th receiver. A message, none, and nobody to send one are outcomes alike.
    ///
    /// # Errors
    ///
    /// It is std's, and another thread uses it.
    pub(crate) fn receive(&self, n: usize, how: Receive) -> Result<(), Unsupported> {
        match &self.receivers {
            Receivers::One(receiver) => {
                let Ok(receiver) = receiver.try_lock() else {
                    return Err(Unsupported("two threads receive from one channel at the same time".to_owned()));
                };
                let _received = receiver.as_ref().map(|receiver| match how {
                    Receive::Endless => receiver.recv().is_ok(),
                    Receive::For(time) => receiver.recv_timeout(time).is_ok(),
                    Receive::Try => receiver.try_recv().is_ok(),
                });
            }
            Receivers::Several(_) => {
                let _received = self.receiver(n).map(|receiver| match how {
                    Receive::Endless => receiver.recv().is_ok(),
                    Receive::For(time) => receiver.recv_timeout(time).is_ok(),
                    Receive::Try => receiver.try_recv().is_ok(),
                });
            }
        }
        Ok(())
    }

    /// Receives from this channel or `other`, by the `n`-th receiver of each.
    ///
    /// A channel that is closed is ready here; for `recv_either` only two of them are.
    pub(crate) fn receive_either(&self, other: &Self, n: (usize, usize)) {
        let (Some(first), Some(second)) = (self.receiver(n.0), other.receiver(n.1)) else { return };
        for (channel, receiver) in [(self, &first), (other, &second)] {
            if channel.is_closed() {
                let _received = receiver.try_recv();
                return;
            }
        }
        let _received = mpmc::recv_either(&first, &second);
    }

    fn is_closed(&self) -> bool {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Option::is_none)
    }

    fn receiver(&self, n: usize) -> Option<Arc<mpmc::Receiver<()>>> {
        let Receivers::Several(receivers) = &self.receivers else { return None };
        receivers.lock().unwrap_or_else(PoisonError::into_inner).get(n).cloned()
    }

    /// Drops the receivers.
    pub(crate) fn drop_receivers(&self) {
        match &self.receivers {
            Receivers::One(receiver) => drop(receiver.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Receivers::Several(receivers) => {
                drop(std::mem::take(&mut *receivers.lock().unwrap_or_else(PoisonError::into_inner)));
            }
        }
    }
}

/// Whether somebody receives from the channel who would take a message of another one as well.
fn is_selected(scenario: &Scenario, channel: &str) -> bool {
    let mut ops = scenario.program.iter().flat_map(Op::all);
    ops.any(|op| op.name() == "select_recv" && op.operands().any(|operand| operand == channel))
}

/// Which of a channel's senders is `thread`'s: its place among the threads that send or close.
pub(crate) fn sender_of(channel: &str, thread: &str, program: &[Thread]) -> usize {
    let sends = |op: &Op| ["send", "close"].contains(&op.name()) && op.word(1) == channel;
    let users = program.iter().filter(|thread| Op::all(thread).iter().any(sends));
    users.into_iter().position(|user| user.name == thread).unwrap_or(0)
}

/// Which of a channel's receivers is `thread`'s.
pub(crate) fn receiver_of(channel: &str, thread: &str, scenario: &Scenario) -> usize {
    receivers(scenario, channel).iter().position(|user| *user == thread).unwrap_or(0)
}
