//! A hash table and a list in memory of their own: the recorder may run inside the program's allocator.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::segment::Segment;

const TABLE_ENTRIES_MIN: usize = 1024;

/// Maps 64-bit keys to 32-bit numbers, with open addressing; grows by doubling at half load.
///
/// Key 0 cannot be stored; callers' keys are addresses and hashes, and the entry for a hash of 0 is merely lost.
#[derive(Debug, Default)]
pub(super) struct Table {
    memory: Option<Segment>,
    n_entries: usize,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { memory: None, n_entries: 0 }
    }

    /// The number stored for `key`.
    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let words = self.memory.as_ref()?.words();
        let at = place(words, key);
        (load(words, at) == key).then(|| load(words, at + 1) as u32)
    }

    /// Stores a number; without memory for it the key stays unknown.
    pub(super) fn insert(&mut self, key: u64, number: u32) {
        let room = self.memory.as_ref().map_or(0, |memory| memory.words().len() / 4);
        if key == 0 || (self.n_entries >= room && self.grow().is_none()) {
            return;
        }
        if let Some(memory) = &self.memory {
            self.n_entries += 1;
            put(memory.words(), key, u64::from(number));
        }
    }

    fn grow(&mut self) -> Option<()> {
        let n_words = self.memory.as_ref().map_or(TABLE_ENTRIES_MIN * 2, |memory| memory.words().len() * 2);
        let grown = Segment::anonymous(n_words * 8).ok()?;
        if let Some(memory) = &self.memory {
            for entry in memory.words().chunks_exact(2).filter(|entry| load(entry, 0) != 0) {
                put(grown.words(), load(entry, 0), load(entry, 1));
            }
        }
        self.memory = Some(grown);
        Some(())
    }
}

/// Word of the entry that holds `key`, or of the free one where it belongs; there is always a free one.
fn place(words: &[AtomicU64], key: u64) -> usize {
    let n_entries = words.len() / 2;
    // Fibonacci hashing: keys are addresses, whose low bits say little.
    let mut entry = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % n_entries;
    loop {
        let found = load(words, entry * 2);
        if found == key || found == 0 {
            return entry * 2;
        }
        entry = (entry + 1) % n_entries;
    }
}

fn put(words: &[AtomicU64], key: u64, number: u64) {
    let at = place(words, key);
    // Relaxed throughout: the memory is private and only touched under the recorder's lock.
    words[at].store(key, Relaxed);
    words[at + 1].store(number, Relaxed);
}

fn load(words: &[AtomicU64], at: usize) -> u64 {
    // Relaxed: as in `put`.
    words[at].load(Relaxed)
}

/// A list of words, used as a stack or a queue of a few thousand entries.
#[derive(Debug, Default)]
pub(super) struct List {
    memory: Option<Segment>,
    n: usize,
}

impl List {
    pub(super) const fn new() -> Self {
        Self { memory: None, n: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.n
    }

    pub(super) fn get(&self, at: usize) -> Option<u64> {
        (at < self.n).then(|| self.memory.as_ref().map_or(0, |memory| load(memory.words(), at)))
    }

    /// Appends; returns false without memory for it.
    pub(super) fn push(&mut self, word: u64) -> bool {
        let room = self.memory.as_ref().map_or(0, |memory| memory.words().len());
        if self.n == room && self.grow(room).is_none() {
            return false;
        }
        if let Some(memory) = &self.memory {
            // Relaxed: as in `put`.
            memory.words()[self.n].store(word, Relaxed);
            self.n += 1;
        }
        true
    }

    pub(super) fn pop(&mut self) -> Option<u64> {
        let word = self.get(self.n.checked_sub(1)?)?;
        self.n -= 1;
        Some(word)
    }

    /// Takes out entry `at`; those behind it move up.
    pub(super) fn remove(&mut self, at: usize) -> Option<u64> {
        let removed = self.get(at)?;
        let memory = self.memory.as_ref()?;
        for i in at + 1..self.n {
            // Relaxed: as in `put`.
            memory.words()[i - 1].store(load(memory.words(), i), Relaxed);
        }
        self.n -= 1;
        Some(removed)
    }

    fn grow(&mut self, room: usize) -> Option<()> {
        let grown = Segment::anonymous((room * 2).max(512) * 8).ok()?;
        for at in 0..self.n {
            // Relaxed: as in `put`.
            grown.words()[at].store(self.get(at)?, Relaxed);
        }
        self.memory = Some(grown);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_keeps_what_it_is_given() {
        let mut table = Table::new();
        for key in 1..10_000_u64 {
            assert_eq!(table.get(key << 3), None);
            table.insert(key << 3, key as u32);
        }
        for key in 1..10_000_u64 {
            assert_eq!(table.get(key << 3), Some(key as u32));
        }
        table.insert(0, 1);
        assert_eq!(table.get(0).unwrap_or(0), 0, "key 0 stands for a free entry");
    }

    #[test]
    fn list_is_a_stack_and_a_queue() {
        let mut list = List::new();
        for word in 0..2000 {
            assert!(list.push(word));
        }
        assert_eq!(list.remove(0), Some(0));
        assert_eq!(list.remove(10), Some(11));
        assert_eq!(list.pop(), Some(1999));
        assert_eq!(list.len(), 1997);
        assert_eq!(list.get(10), Some(12));
        assert_eq!(list.get(1997), None);
    }
}
