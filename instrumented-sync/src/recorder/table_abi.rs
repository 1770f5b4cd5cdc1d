//! What crosses from one copy of the recorder to another: plain words, addresses and lengths.
//!
//! The copies may be of different versions and made by different compilers, so no type of Rust crosses, and nothing
//! unwinds: what has an owner stays on its side.
//!
//! **When to raise [`ABI`]:** when the meaning, the arguments or the result of a function changes, when one is removed
//! or moves, or when the layout of slots does, which tasks of all copies write. A function that is added at the end of
//! the table makes the table longer and leaves the number: a copy that needs it finds the table too short.

use std::{panic::Location, sync::atomic::AtomicU64};
use trace_format::Event;

/// Version of the table of functions. See the module's documentation.
pub(super) const ABI: u32 = 1;

/// First word of a table: `DLCTABLE` in little-endian order.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"DLCTABLE");

/// A text that lives as long as the call that it is an argument of, or that returns it as part of a static.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Text {
    start: *const u8,
    len: usize,
}

impl Text {
    pub(crate) const fn of(text: &str) -> Self {
        Self { start: text.as_ptr(), len: text.len() }
    }

    /// # Safety
    ///
    /// The text must live as long as the result is used.
    pub(super) const unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: made from a text, which the caller promises is alive.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    pub(super) const fn len(self) -> usize {
        self.len
    }

    /// What tells this text from others, if it is part of a static.
    pub(super) fn key(self) -> u64 {
        self.start.addr() as u64
    }
}

/// An event as two words.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    first: u64,
    second: u64,
}

impl From<Event> for Pair {
    #[inline]
    fn from(event: Event) -> Self {
        let [first, second] = event.words();
        Self { first, second }
    }
}

impl From<Pair> for Event {
    #[inline]
    fn from(pair: Pair) -> Self {
        Self::from_words([pair.first, pair.second])
    }
}

/// A location, spelled out.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(super) file: Text,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A location as its address, and who can spell it out, which is asked for each location once.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Source {
    key: usize,
    describe: extern "C" fn(key: usize) -> Place,
}

impl Source {
    #[inline]
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        Self { key: std::ptr::from_ref(location).expose_provenance(), describe }
    }

    #[inline]
    pub(super) const fn key(self) -> usize {
        self.key
    }

    pub(super) fn place(self) -> Place {
        (self.describe)(self.key)
    }
}

extern "C" fn describe(key: usize) -> Place {
    let location = std::ptr::with_exposed_provenance::<Location<'static>>(key);
    // SAFETY: the key comes with this function, in a `Source`: it is the address of a static of this copy's module,
    // or of one that was linked with it.
    let location: &'static Location<'static> = unsafe { &*location };
    Place { file: Text::of(location.file()), line: location.line(), column: location.column() }
}

/// A slot: where it is mapped, and where it lies in the file. No address: there is none.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawSlot {
    pub(super) words: *const AtomicU64,
    pub(super) offset: u64,
}

impl RawSlot {
    pub(super) const NONE: Self = Self { words: std::ptr::null(), offset: 0 };
}
