//! The modules that are loaded, as records of the dictionary, in memory of their own.
//!
//! The loader is asked while the recorder's lock is free: a thread that holds the loader's lock, in a constructor or in a
//! callback, may be about to take the recorder's. In a forked child it is never asked: the loader's lock may belong to
//! a thread that does not exist there. The child knows the modules that its parent knew at first.

use super::super::{platform, table::List};
use trace_format::dictionary::Record;

/// Modules that are loaded.
pub(super) struct Modules {
    /// Records, each behind the number of its words.
    words: List,
}

/// The record of a module.
pub(super) struct Module<'a> {
    words: &'a List,
    first: usize,
    pub(super) n_words: usize,
}

impl Modules {
    /// Asks the loader. What there is no memory for is left out.
    pub(super) fn loaded() -> Self {
        if super::generation() != 0 {
            return Self { words: List::new() };
        }
        let mut buffer = [0; 4096];
        let program = executable(&mut buffer).unwrap_or(&[]);
        let mut words = List::new();
        platform::for_each_module(|module| {
            let path = if module.name.is_empty() { program } else { module.name };
            // The kernel's own page is a module without a file.
            if path.starts_with(b"linux-vdso") {
                return;
            }
            let platform::Module { base, start, end, build_id, .. } = *module;
            let record = Record::Module { base, start, end, build_id, path };
            let first = words.len();
            let mut complete = words.push(record.words_len() as u64);
            record.encode(&mut |word| complete = complete && words.push(word));
            while !complete && words.len() > first {
                words.pop();
            }
        });
        Self { words }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Module<'_>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let n_words = self.words.get(next)? as usize;
            let first = next + 1;
            next = first + n_words;
            Some(Module { words: &self.words, first, n_words })
        })
    }
}

impl Module<'_> {
    /// Word number `at` of the record.
    pub(super) fn word(&self, at: usize) -> u64 {
        self.words.get(self.first + at).unwrap_or(0)
    }
}

/// Path of the program.
pub(super) fn executable(buffer: &mut [u8; 4096]) -> Option<&[u8]> {
    // SAFETY: the path is a terminated string, and the buffer is as long as it is said to be.
    let len = unsafe { libc::readlink(c"/proc/self/exe".as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(len).ok().map(|len| &buffer[..len])
}
