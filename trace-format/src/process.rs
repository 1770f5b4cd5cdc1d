//! The header of a process file: its first [`HEADER_BYTES`] bytes.
//!
//! ```text
//! word  0  magic
//!       1  version (high 32 bits), recorder copy (low 32 bits)
//!       2  pid
//!       3  start time of the process, in clock ticks since boot (field 22 of /proc/PID/stat)
//!       4  pid of the process that this one was forked from while recording, 0 if none
//!       5  start time of that process
//!       6  next object id at that fork: smaller ids were made by that process
//!       7  hash of the boot id: pids of another boot, or another machine, say nothing about liveness
//!       8  wall-clock time at which the file was made, nanoseconds since 1970
//!       9  monotonic time at which the file was made, nanoseconds
//!      10  end: 0 while it runs, 1 after an orderly exit        (written by the process at exit)
//!      11  operations lost that no segment could count          (added to by any thread)
//!      12  limit of the file in bytes
//!      13  bytes taken so far                                   (written under the recorder's lock)
//!      14  recorder copy of the process at word 4
//!      15  why recording stopped early: 0 it did not, 1 limit, 2 no space, 3 directory gone, 4 other
//!      16  address of the recorder's functions in the memory of the process, 0 if it has none; see FORMAT.md, Copies
//!      17  another recorder of the process that this one could not join: its copy plus 1, or 2^64 - 1 if that is not known;
//!          0 if there was none when this one began
//!      18  version of the recorder's crate: major, minor, patch in 16 bits each; 0 if it is not known
//!      19  which fork of the process at word 4 this one is, counted from 1; 0 if that was not recorded
//! ```
//! All other words are 0 and reserved. The magic is stored last, with release ordering: a file without it was
//! cut off while its header was written and holds nothing.

use crate::{version::Version, words::ReadWords};
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// First word of a process file: `DLCTRACE` in little-endian order.
pub const MAGIC: u64 = u64::from_le_bytes(*b"DLCTRACE");
/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = 4096;

/// In [`word::APART`]: there is another recorder, but which copy it is, is not known.
pub const APART_UNKNOWN: u64 = u64::MAX;

/// Words of the header; the module's picture says what each holds.
pub mod word {
    #![allow(missing_docs, reason = "the picture in the module's documentation describes each")]
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 1;
    pub const PID: usize = 2;
    pub const START: usize = 3;
    pub const FORKED_PID: usize = 4;
    pub const FORKED_START: usize = 5;
    pub const FORKED_NEXT_OBJECT: usize = 6;
    pub const BOOT: usize = 7;
    pub const WALL_NS: usize = 8;
    pub const MONOTONIC_NS: usize = 9;
    pub const END: usize = 10;
    pub const LOST: usize = 11;
    pub const LIMIT: usize = 12;
    pub const TAKEN: usize = 13;
    pub const FORKED_COPY: usize = 14;
    pub const STOPPED: usize = 15;
    pub const TABLE: usize = 16;
    pub const APART: usize = 17;
    pub const RECORDER: usize = 18;
    pub const FORKED_NUMBER: usize = 19;
}

/// Why a process stopped recording before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Stopped {
    /// It did not.
    No = 0,
    /// The limit of bytes was reached.
    Limit = 1,
    /// The file system is full.
    NoSpace = 2,
    /// The trace directory is gone.
    DirectoryGone = 3,
    /// Something else went wrong.
    Other = 4,
}

impl Stopped {
    /// The reason with this number; unknown numbers are [`Stopped::Other`].
    pub const fn from_number(number: u64) -> Self {
        match number {
            0 => Self::No,
            1 => Self::Limit,
            2 => Self::NoSpace,
            3 => Self::DirectoryGone,
            _ => Self::Other,
        }
    }
}

/// A header, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Format version.
    pub version: Version,
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot; with the pid it names a process of one boot.
    pub start: u64,
    /// Number of the recorder copy within the process.
    pub copy: u32,
    /// Process that this one was forked from: pid, start time, copy.
    pub forked_from: Option<(u32, u64, u32)>,
    /// Object ids below this one were made by the process forked from.
    pub forked_next_object: u64,
    /// Which of that process's forks it was, counted from 1; 0 if that was not recorded.
    pub forked_number: u64,
    /// Hash of the boot id.
    pub boot: u64,
    /// Wall-clock time of the start of recording, nanoseconds since 1970.
    pub wall_ns: u64,
    /// Whether the process went through an orderly exit.
    pub exited: bool,
    /// Operations lost that no segment counts.
    pub lost: u64,
    /// Limit of the file in bytes.
    pub limit_bytes: u64,
    /// Why recording stopped early.
    pub stopped: Stopped,
    /// Another recorder of the process that this one could not join.
    pub apart: Apart,
    /// Version of the recorder's crate, if it is known.
    pub recorder: Option<[u16; 3]>,
}

/// Another recorder of the same process, which records by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apart {
    /// There was none when this recorder began.
    Nobody,
    /// The one with this copy number.
    Copy(u32),
    /// There is one, but which copy it is, is not known.
    Unknown,
}

impl Apart {
    const fn from_word(word: u64) -> Self {
        match word {
            0 => Self::Nobody,
            1..=0xffff_ffff => Self::Copy(word as u32 - 1),
            _ => Self::Unknown,
        }
    }
}

impl Header {
    /// Reads a header, or `None` if the magic is not there.
    pub fn read<W: ReadWords + ?Sized>(words: &W) -> Option<Self> {
        // Pairs with the release store of the magic, the last of the header's words to be written.
        if words.load(word::MAGIC, Acquire) != MAGIC {
            return None;
        }
        let load = |word| words.load(word, Relaxed);
        let forked_pid = load(word::FORKED_PID) as u32;
        Some(Self {
            version: Version::unpack((load(word::VERSION) >> 32) as u32),
            pid: load(word::PID) as u32,
            start: load(word::START),
            copy: load(word::VERSION) as u32,
            forked_from: (forked_pid != 0)
                .then(|| (forked_pid, load(word::FORKED_START), load(word::FORKED_COPY) as u32)),
            forked_next_object: load(word::FORKED_NEXT_OBJECT),
            forked_number: load(word::FORKED_NUMBER),
            boot: load(word::BOOT),
            wall_ns: load(word::WALL_NS),
            exited: load(word::END) != 0,
            lost: load(word::LOST),
            limit_bytes: load(word::LIMIT),
            stopped: Stopped::from_number(load(word::STOPPED)),
            apart: Apart::from_word(load(word::APART)),
            recorder: recorder(load(word::RECORDER)),
        })
    }
}

const fn recorder(word: u64) -> Option<[u16; 3]> {
    if word == 0 { None } else { Some([(word >> 32) as u16, (word >> 16) as u16, word as u16]) }
}

/// A hash for text that must come out the same in recorder and reader: FNV-1a, 64 bits.
pub const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}
