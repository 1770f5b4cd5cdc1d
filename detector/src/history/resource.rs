//! What operations take and give that is no lock: messages, permits, wake-ups, and who waits for whom.

use rustc_hash::FxHashMap;

/// What a [`Kind::Take`](super::Kind::Take) waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Resource {
    /// Nothing that is known well enough: a take of it never waits.
    #[default]
    Opaque,
    /// Messages, first in, first out. A give waits while as many as there is room for are under way; without any room it
    /// does not wait, but a [`Kind::Confirm`](super::Kind::Confirm) behind it does.
    Channel {
        /// How many messages may be under way; `None` is no bound.
        room: Option<u32>,
    },
    /// Permits, of which so many are there at first.
    Permits(u32),
    /// One token, however often it is given.
    Token,
    /// Threads that wait to be woken, in the order in which they came; a give that finds nobody is lost.
    Condition,
    /// Open for ever after so many gives.
    Latch(u32),
    /// Lets so many threads go on whenever so many have given.
    Barrier(u32),
}

/// What a history knows beyond its operations, of resources.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// By the number that operations have as their target.
    pub kinds: Vec<Resource>,
    /// How many a give or take is about, by operation, if it is not one.
    pub amounts: FxHashMap<u32, u32>,
    /// By take, or confirm, of a message: the give of it.
    pub messages: FxHashMap<u32, u32>,
    /// By [`Kind::Pass`](super::Kind::Pass): the lock that is released while waiting.
    pub passes: FxHashMap<u32, u32>,
    /// By place what it is without its callers, if that is something else.
    pub locations: FxHashMap<u32, u32>,
}

impl Resources {
    /// What a target is.
    pub fn kind(&self, target: u32) -> Resource {
        self.kinds.get(target as usize).copied().unwrap_or_default()
    }

    /// A place without its callers: the same for two that differ in how they were come to.
    pub fn location(&self, place: u32) -> u32 {
        self.locations.get(&place).copied().unwrap_or(place)
    }

    /// How many a give or take is about.
    pub fn amount(&self, operation: u32) -> u32 {
        self.amounts.get(&operation).copied().unwrap_or(1)
    }
}
