//! The records in which a slot's list of holds goes on when it is longer than the slot.

use super::super::{
    process::{self, Slot},
    table::List,
};
use std::{
    mem::ManuallyDrop,
    sync::atomic::{AtomicU64, Ordering},
};
use trace_format::{segment::RawWords, slot, words::Words};

/// Addresses and file offsets of a thread's overflow records, two entries each.
///
/// Without a destructor, as all of [`Local`](super::Local); [`Overflow::give_back`] is called at the thread's end.
pub(super) struct Overflow {
    records: ManuallyDrop<List>,
}

impl Overflow {
    pub(super) const fn new() -> Self {
        Self { records: ManuallyDrop::new(List::new()) }
    }

    /// The words of record number `n`.
    pub(super) fn record(&self, n: usize) -> Option<RawWords> {
        let words = std::ptr::with_exposed_provenance::<AtomicU64>(self.records.get(n * 2)? as usize);
        // SAFETY: the list holds addresses of records, which are slots and never unmapped.
        Some(unsafe { RawWords::new(words) })
    }

    /// Sees to it that record number `n` exists, if space for it can be had.
    pub(super) fn extend_to(&mut self, slot: RawWords, n: usize) {
        if n < self.records.len() / 2 {
            return;
        }
        let Some(taken) = process::take_slot() else { return };
        // Relaxed: the link below publishes it.
        taken.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        let last = (self.records.len() / 2).checked_sub(1).and_then(|last| self.record(last));
        let has_address = self.records.push(taken.words.as_ptr().expose_provenance() as u64);
        if has_address && !self.records.push(taken.offset) {
            // Both or neither: they are found two by two.
            self.records.pop();
        } else if has_address {
            // Release: who follows the link finds the record cleared.
            match last {
                Some(last) => last.store(0, taken.offset, Ordering::Release),
                None => slot.store(slot::word::OVERFLOW, taken.offset, Ordering::Release),
            }
        }
    }

    /// Gives all records back to the pool.
    pub(super) fn give_back(&mut self) {
        while let (Some(offset), Some(record)) = (self.records.pop(), self.records.pop()) {
            let words = std::ptr::with_exposed_provenance::<AtomicU64>(record as usize);
            // SAFETY: as in `record`; all slots have this length.
            let words = unsafe { std::slice::from_raw_parts(words, slot::SLOT_WORDS) };
            // Relaxed: readers tell a free slot by this word, whenever they see it.
            words[0].store(0, Ordering::Relaxed);
            process::return_slot(Slot { words, offset });
        }
    }

    /// Forgets the records: after a fork they are the parent's.
    pub(super) fn forget(&mut self) {
        while self.records.pop().is_some() {}
    }
}
