//! A lock for a few steps within a primitive. Whoever is killed in them leaves what they were about as it was, or done: each ends with one store
//! that counts.

use super::{event, owner, owner::Watch, protocol};
use crate::sync::deadline::Deadline;
use std::sync::atomic::AtomicU64;

/// As it lies in shared memory.
#[repr(C)]
pub(super) struct Words {
    owner: AtomicU64,
    event: event::Words,
}

/// Where a gate keeps its owner.
pub(super) const OWNER: usize = std::mem::offset_of!(Words, owner);

/// The steps are this thread's.
pub(super) struct Gate<'a> {
    words: &'a Words,
    me: u64,
}

impl Words {
    /// Waits for its turn; nobody takes long.
    pub(super) fn enter(&self, watch: &Watch<'_>) -> Gate<'_> {
        let me = owner::me();
        loop {
            let attempt = |asks| protocol::take(&self.owner, me, asks, watch);
            let taken = attempt(false).or_else(|| protocol::wait_until(&self.event.until(Deadline::NEVER), attempt));
            if taken.is_some() {
                return Gate { words: self, me };
            }
        }
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        protocol::give_back(&self.words.owner, self.me, &self.words.event.at_once(), false);
    }
}
