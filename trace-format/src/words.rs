//! Mapped memory as 64-bit atomic words, and the two ways in which this crate publishes through it.
//!
//! A mapped file is seen by other processes while it is written, so no part of it is ever borrowed as bytes:
//! everything goes through these traits. The recorder implements them over the mapping, readers over `pread`,
//! the models over loom's atomics, so that one text of each protocol serves all three.

use core::sync::atomic::{AtomicU64, Ordering};

/// Words that can be read.
pub trait ReadWords {
    /// Reads a word. A word that is out of range or unreadable reads as 0, which no protocol gives a meaning.
    fn load(&self, word: usize, order: Ordering) -> u64;

    /// Orders loads before it against loads after it, as [`core::sync::atomic::fence`] does.
    fn fence(&self, order: Ordering);
}

/// Words that can be written, by one thread at a time unless a protocol says otherwise.
pub trait Words: ReadWords {
    /// Writes a word.
    fn store(&self, word: usize, value: u64, order: Ordering);
}

impl ReadWords for [AtomicU64] {
    fn load(&self, word: usize, order: Ordering) -> u64 {
        self.get(word).map_or(0, |word| word.load(order))
    }

    fn fence(&self, order: Ordering) {
        core::sync::atomic::fence(order);
    }
}

impl Words for [AtomicU64] {
    fn store(&self, word: usize, value: u64, order: Ordering) {
        if let Some(word) = self.get(word) {
            word.store(value, order);
        }
    }
}

/// Bytes as little-endian words: what a reader that copied a region with `read_at` looks at.
///
/// All loads are of the one copy, so no protocol that looks twice finds out what changed meanwhile: this is for
/// what no longer changes. While its process lives, a reader needs a [`ReadWords`] whose every load reads the file.
///
/// ```
/// use core::sync::atomic::Ordering::Relaxed;
/// use trace_format::words::{Copied, ReadWords};
///
/// let words = Copied(&[1, 0, 0, 0, 0, 0, 0, 0, 2]);
/// assert_eq!(words.load(0, Relaxed), 1);
/// assert_eq!(words.load(1, Relaxed), 0, "a word that is cut off reads as 0");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Copied<'a>(pub &'a [u8]);

impl ReadWords for Copied<'_> {
    fn load(&self, word: usize, _: Ordering) -> u64 {
        word_at(self.0, word)
    }

    fn fence(&self, _: Ordering) {}
}

/// Word number `word` of `bytes`, 0 if it is not wholly there.
pub fn word_at(bytes: &[u8], word: usize) -> u64 {
    word.checked_mul(8)
        .and_then(|start| bytes.get(start..)?.first_chunk::<8>())
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
