//! Structures as a user of `instrumented-sync` writes them: each right, and wrong in one way that a model finds.

use instrumented_sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{self, Acquire, Relaxed, Release},
    },
    cell::UnsafeCell,
};
use std::collections::VecDeque;

#[cfg(instrumented_sync_loom)]
mod lacks;

/// A queue that holds so many messages, and makes senders and receivers wait.
pub struct Queue<T> {
    messages: Mutex<VecDeque<T>>,
    bound: usize,
    changed: Condvar,
}

impl<T> Queue<T> {
    pub fn new(bound: usize) -> Self {
        Self { messages: Mutex::new(VecDeque::new()), bound, changed: Condvar::new() }
    }

    pub fn push(&self, message: T) {
        let mut messages = self.lock();
        while messages.len() == self.bound {
            messages = self.changed.wait(messages).unwrap_or_else(PoisonError::into_inner);
        }
        messages.push_back(message);
        self.changed.notify_all();
    }

    pub fn pop(&self) -> T {
        loop {
            let mut messages = self.lock();
            if let Some(message) = messages.pop_front() {
                self.changed.notify_all();
                return message;
            }
            drop(self.changed.wait(messages).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// As [`Self::pop`], but looks and waits under two locks: what is pushed in between is missed.
    pub fn pop_late(&self) -> T {
        if self.lock().is_empty() {
            drop(self.changed.wait(self.lock()).unwrap_or_else(PoisonError::into_inner));
        }
        self.pop()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ring of two places for one producer and one consumer.
pub struct Ring {
    places: [UnsafeCell<u32>; 2],
    n_pushed: AtomicUsize,
    n_popped: AtomicUsize,
    /// `Release`, or the consumer may look at a place before the message is there.
    publish: Ordering,
}

// SAFETY: a place is the producer's until `n_pushed` says that it is filled, and the consumer's until `n_popped` says
// that it is empty again; with `Relaxed` for `publish` that is what goes wrong, and what a model finds.
unsafe impl Sync for Ring {}

impl Ring {
    pub fn new() -> Self {
        Self::publishing(Release)
    }

    /// With an ordering that is too weak, if it is `Relaxed`.
    pub fn publishing(publish: Ordering) -> Self {
        let places = [UnsafeCell::new(0), UnsafeCell::new(0)];
        Self { places, n_pushed: AtomicUsize::new(0), n_popped: AtomicUsize::new(0), publish }
    }

    /// For the producer only. False if the ring is full.
    pub fn push(&self, message: u32) -> bool {
        let n_pushed = self.n_pushed.load(Relaxed);
        if n_pushed - self.n_popped.load(Acquire) == self.places.len() {
            return false;
        }
        // SAFETY: the place is empty, and the only producer is here.
        self.places[n_pushed % 2].with_mut(|place| unsafe { *place = message });
        self.n_pushed.store(n_pushed + 1, self.publish);
        true
    }

    /// For the consumer only.
    pub fn pop(&self) -> Option<u32> {
        let n_popped = self.n_popped.load(Relaxed);
        if self.n_pushed.load(Acquire) == n_popped {
            return None;
        }
        // SAFETY: the place is filled, and the only consumer is here.
        let message = self.places[n_popped % 2].with(|place| unsafe { *place });
        self.n_popped.store(n_popped + 1, Release);
        Some(message)
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

/// Two accounts, each with a lock.
pub struct Accounts(pub [Mutex<i32>; 2]);

impl Accounts {
    pub fn new() -> Self {
        Self([Mutex::new(100), Mutex::new(100)])
    }

    /// Locks in a fixed order.
    pub fn transfer(&self, from: usize, to: usize, amount: i32) {
        let (first, second) = (from.min(to), from.max(to));
        let mut balances = [self.lock(first), self.lock(second)];
        *balances[usize::from(from > to)] -= amount;
        *balances[usize::from(to > from)] += amount;
    }

    /// Locks in the order of the arguments.
    pub fn transfer_in_any_order(&self, from: usize, to: usize, amount: i32) {
        let mut from = self.lock(from);
        let mut to = self.lock(to);
        *from -= amount;
        *to += amount;
    }

    fn lock(&self, account: usize) -> MutexGuard<'_, i32> {
        self.0[account].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new()
    }
}
