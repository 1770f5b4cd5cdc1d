//! The channel itself: a queue behind a mutex, and who waits for it to change.
//!
//! At a rendezvous the queue holds the messages of senders that wait: a send puts its message there and returns when
//! somebody has taken it, or takes it back. Values are dropped, and threads of the program run, outside the mutex.

use super::SendTimeoutError;
use crate::{
    native::{self, Condvar, Instant, Mutex, MutexGuard},
    sync::channel::{Envelope, generation},
};
use std::{
    collections::VecDeque,
    mem,
    ops::Deref,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, TryRecvError, TrySendError},
    },
};

/// What all handles of a channel share.
pub(super) struct Core<T> {
    state: Mutex<State<T>>,
    /// How many messages wait at most; 0 at a rendezvous.
    bound: Option<usize>,
    /// There is a message, or the last sender is gone.
    filled: Condvar,
    /// There is room, a sender's message was taken, or the last receiver is gone.
    emptied: Condvar,
    /// Whether `recv_either` asks the other channel first the next time.
    is_others_turn: AtomicBool,
}

struct State<T> {
    /// Messages with their tickets, which rise.
    queue: VecDeque<(u64, Envelope<T>)>,
    n_pushed: u64,
    n_senders: usize,
    n_receivers: usize,
    /// Receivers that sleep on `filled`.
    n_receiving: usize,
    /// Senders that sleep on `emptied`.
    n_sending: usize,
    /// Receivers that wait for other channels too.
    watches: Vec<Arc<Watch>>,
    /// Generation of the process that the sleepers belong to.
    generation: u64,
}

impl<T> State<T> {
    fn place(&self, ticket: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&ticket, |(queued, _)| *queued).ok()
    }
}

impl<T> Core<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while the state is locked, but for a failed allocation, which leaves it as it was.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation() {
            // Forked: whoever sleeps here is a thread of the parent, and a message must not count on it.
            state.generation = generation();
            (state.n_receiving, state.n_sending) = (0, 0);
            state.watches.clear();
        }
        state
    }

    /// Sends if that is possible without waiting: there is room, or at a rendezvous a receiver that waits.
    pub(super) fn try_send(&self, envelope: Envelope<T>) -> Result<(), TrySendError<Envelope<T>>> {
        let state = self.state();
        if state.n_receivers == 0 {
            return Err(TrySendError::Disconnected(envelope));
        }
        let has_room = match self.bound {
            None => true,
            // Each message that lies there already will take one of the receivers that wait.
            Some(0) => state.n_receiving > state.queue.len(),
            Some(bound) => state.queue.len() < bound,
        };
        if !has_room {
            return Err(TrySendError::Full(envelope));
        }
        self.hand_over(state, envelope, None).map_err(|error| TrySendError::Disconnected(error.into_inner()))
    }

    /// Sends, waiting until the deadline if there is one.
    pub(super) fn send(
        &self,
        envelope: Envelope<T>,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<Envelope<T>>> {
        let mut state = self.state();
        if let Some(bound) = self.bound.filter(|bound| *bound > 0) {
            state.n_sending += 1;
            let mut is_over = false;
            while !is_over && state.n_receivers > 0 && state.queue.len() >= bound {
                (state, is_over) = sleep(&self.emptied, state, deadline);
            }
            state.n_sending -= 1;
            if is_over {
                return Err(SendTimeoutError::Timeout(envelope));
            }
        }
        if state.n_receivers == 0 {
            return Err(SendTimeoutError::Disconnected(envelope));
        }
        self.hand_over(state, envelope, deadline)
    }

    /// Queues a message; at a rendezvous waits until it was taken.
    fn hand_over(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        envelope: Envelope<T>,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<Envelope<T>>> {
        state.n_pushed += 1;
        let ticket = state.n_pushed;
        state.queue.push_back((ticket, envelope));
        if state.n_receiving > 0 {
            self.filled.notify_one();
        }
        state.watches.iter().for_each(|watch| watch.change());
        if self.bound != Some(0) {
            return Ok(());
        }
        state.n_sending += 1;
        let came_back = loop {
            let Some(place) = state.place(ticket) else { break None };
            let is_disconnected = state.n_receivers == 0;
            let mut is_over = is_disconnected;
            if !is_disconnected {
                // When the time is over the state was not unlocked, and the place is still the message's.
                (state, is_over) = sleep(&self.emptied, state, deadline);
            }
            if is_over {
                break state.queue.remove(place).map(|(_, envelope)| (envelope, is_disconnected));
            }
        };
        state.n_sending -= 1;
        match came_back {
            None => Ok(()),
            Some((envelope, true)) => Err(SendTimeoutError::Disconnected(envelope)),
            Some((envelope, false)) => Err(SendTimeoutError::Timeout(envelope)),
        }
    }

    /// Receives if there is a message.
    pub(super) fn try_receive(&self) -> Result<Envelope<T>, TryRecvError> {
        self.take(&mut self.state())
    }

    /// Receives, waiting until the deadline if there is one.
    pub(super) fn receive(&self, deadline: Option<Instant>) -> Result<Envelope<T>, RecvTimeoutError> {
        let mut state = self.state();
        state.n_receiving += 1;
        let result = loop {
            match self.take(&mut state) {
                Ok(envelope) => break Ok(envelope),
                Err(TryRecvError::Disconnected) => break Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let is_over;
            (state, is_over) = sleep(&self.filled, state, deadline);
            if is_over {
                break Err(RecvTimeoutError::Timeout);
            }
        };
        state.n_receiving -= 1;
        result
    }

    fn take(&self, state: &mut State<T>) -> Result<Envelope<T>, TryRecvError> {
        let Some((_, envelope)) = state.queue.pop_front() else {
            return Err(if state.n_senders == 0 { TryRecvError::Disconnected } else { TryRecvError::Empty });
        };
        if state.n_sending > 0 {
            if self.bound == Some(0) {
                // One of them, and they all sleep on the same condition.
                self.emptied.notify_all();
            } else {
                self.emptied.notify_one();
            }
        }
        Ok(envelope)
    }

    /// Says of two channels, of which this is the first, whether the other one is to be asked first.
    pub(super) fn takes_turns(&self) -> bool {
        // Relaxed: nothing but fairness depends on it.
        self.is_others_turn.fetch_xor(true, Ordering::Relaxed)
    }

    pub(super) fn add_watch(&self, watch: &Arc<Watch>) {
        self.state().watches.push(Arc::clone(watch));
    }

    pub(super) fn remove_watch(&self, watch: &Arc<Watch>) {
        self.state().watches.retain(|known| !Arc::ptr_eq(known, watch));
    }

    fn last_sender_is_gone(&self, state: &State<T>) {
        self.filled.notify_all();
        state.watches.iter().for_each(|watch| watch.change());
    }
}

/// Sleeps until woken, and then says false; says true, without unlocking, if the time is over.
fn sleep<'a, S>(condvar: &Condvar, guard: MutexGuard<'a, S>, deadline: Option<Instant>) -> (MutexGuard<'a, S>, bool) {
    let Some(deadline) = deadline else {
        return (condvar.wait(guard).unwrap_or_else(PoisonError::into_inner), false);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return (guard, true);
    }
    (condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0, false)
}

/// What a receiver of two channels sleeps on.
pub(super) struct Watch {
    is_changed: Mutex<bool>,
    changed: Condvar,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { is_changed: Mutex::new(false), changed: Condvar::new() })
    }

    fn change(&self) {
        *self.is_changed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Sleeps until a channel has changed since the last time.
    pub(super) fn wait(&self) {
        let mut is_changed = self.is_changed.lock().unwrap_or_else(PoisonError::into_inner);
        while !mem::take(&mut *is_changed) {
            is_changed = self.changed.wait(is_changed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Which end of the channel a handle is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
}

/// A handle's share of the channel. The last one of a side disconnects it when dropped.
pub(super) struct End<T> {
    core: Arc<Core<T>>,
    side: Side,
}

impl<T> End<T> {
    /// Both ends of a new channel: the sender's, the receiver's.
    pub(super) fn pair(bound: Option<usize>) -> (Self, Self) {
        let state = State {
            queue: VecDeque::new(),
            n_pushed: 0,
            n_senders: 1,
            n_receivers: 1,
            n_receiving: 0,
            n_sending: 0,
            watches: Vec::new(),
            generation: generation(),
        };
        let core = Arc::new(Core {
            state: Mutex::new(state),
            bound,
            filled: Condvar::new(),
            emptied: Condvar::new(),
            is_others_turn: AtomicBool::new(false),
        });
        (Self { core: Arc::clone(&core), side: Side::Sender }, Self { core, side: Side::Receiver })
    }
}

impl<T> Deref for End<T> {
    type Target = Core<T>;

    fn deref(&self) -> &Core<T> {
        &self.core
    }
}

impl<T> Clone for End<T> {
    fn clone(&self) -> Self {
        let mut state = self.state();
        match self.side {
            Side::Sender => state.n_senders += 1,
            Side::Receiver => state.n_receivers += 1,
        }
        Self { core: Arc::clone(&self.core), side: self.side }
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if native::is_over() {
            return;
        }
        let mut state = self.state();
        let n_left = match self.side {
            Side::Sender => &mut state.n_senders,
            Side::Receiver => &mut state.n_receivers,
        };
        *n_left -= 1;
        if *n_left > 0 {
            return;
        }
        if self.side == Side::Sender {
            return self.last_sender_is_gone(&state);
        }
        self.emptied.notify_all();
        // At a rendezvous the messages are those of senders that wait, who take them back.
        let dropped = if self.bound == Some(0) { VecDeque::new() } else { mem::take(&mut state.queue) };
        drop(state);
        drop(dropped);
    }
}
