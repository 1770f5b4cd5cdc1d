//! Room in bounded channels: a send that found none comes after the receive that made it.
//!
//! Nothing says which receive that was, but how many there must have been: the send that comes as number `n` into a channel with room
//! for `c` messages returns after `n - c` receives. Which of several senders that block comes first only the program knows; where
//! counting alone would hold everybody up, a sender goes on without, and nothing is missing for it.

use super::Step;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use trace_format::Kind;

/// What is known of room, if whoever takes the order asks for it.
#[derive(Debug)]
pub(super) struct Rooms<M> {
    by_channel: FxHashMap<u32, Room<M>>,
    /// By thread whose latest send was into a full channel: the channel, and how many receives come before it goes on.
    waiting: FxHashMap<u32, (u32, u64)>,
}

#[derive(Debug)]
struct Room<M> {
    capacity: u64,
    n_sent: u64,
    /// Receives so far, and the marks of the latest ones.
    n_received: u64,
    received: VecDeque<M>,
}

impl<M: Clone> Rooms<M> {
    /// Of channels by their capacities.
    pub(super) fn new(capacities: impl Iterator<Item = (u32, u64)>) -> Self {
        let room = |capacity| Room { capacity, n_sent: 0, n_received: 0, received: VecDeque::new() };
        let by_channel = capacities.map(|(channel, capacity)| (channel, room(capacity))).collect();
        Self { by_channel, waiting: FxHashMap::default() }
    }

    /// The channel in which the thread has no room yet.
    #[inline]
    pub(super) fn lacking(&self, step: &Step) -> Option<u32> {
        if self.waiting.is_empty() || step.event.kind() == Kind::SEND_FAILED {
            return None;
        }
        let (channel, n) = self.waiting.get(&step.thread)?;
        self.by_channel.get(channel).is_some_and(|room| room.n_received < *n).then_some(*channel)
    }

    /// The thread goes on, whether there is room or not; what made it, if that is known.
    pub(super) fn go_on(&mut self, step: &Step) -> Option<M> {
        if self.waiting.is_empty() {
            return None;
        }
        let (channel, n) = self.waiting.remove(&step.thread)?;
        let room = self.by_channel.get_mut(&channel).filter(|room| room.n_received >= n)?;
        if step.event.kind() == Kind::SEND_FAILED {
            return None;
        }
        // Whoever comes later needs a later one.
        let newer = (room.n_received - n) as usize;
        let place = room.received.len().checked_sub(newer + 1)?;
        room.received.drain(..place);
        room.received.front().cloned()
    }

    /// Whether the event makes room; then [`Self::receive`] is told of it.
    pub(super) fn makes(&self, step: &Step) -> bool {
        step.event.kind() == Kind::RECEIVE && self.by_channel.contains_key(&step.object)
    }

    pub(super) fn receive(&mut self, channel: u32, mark: M) {
        if let Some(room) = self.by_channel.get_mut(&channel) {
            room.n_received += 1;
            room.received.push_back(mark);
        }
    }

    /// A message was sent, or could not be.
    pub(super) fn send(&mut self, step: &Step) {
        let Some(room) = self.by_channel.get_mut(&step.object) else { return };
        match step.event.kind() {
            Kind::SEND => {
                room.n_sent += 1;
                let n = room.n_sent.saturating_sub(room.capacity);
                if n > 0 {
                    self.waiting.insert(step.thread, (step.object, n));
                }
            }
            Kind::SEND_FAILED => room.n_sent = room.n_sent.saturating_sub(1),
            _ => {}
        }
    }

    /// Nothing is known of how the thread found room.
    pub(super) fn forget(&mut self, thread: u32) {
        self.waiting.remove(&thread);
    }
}
