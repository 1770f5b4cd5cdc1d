//! Dictionary records: what the ids in events stand for.
//!
//! A record is a header word - its length in bytes with the header, a multiple of 8, in the low 32 bits and its
//! tag in the next 16 - followed by payload words. Text is UTF-8, padded with zeros to a word. Records are
//! written under the recorder's lock and published by the chunk's `head`; an id is written before any event
//! that carries it is published.
//!
//! ```text
//! 1 location   id 32 | line 32, column 32 | text length 32, file
//! 2 stack      id 32 | n 32, n return addresses, innermost first
//! 3 site       id 32 | location 32, stack 32 | 0
//! 4 module     base, start, end, build id length 32 | text length 32, build id, path
//! 5 label      object, text length, label
//! 6 thread     object, os thread id 32 | text length 32, start time in clock ticks since boot, name
//! 7 class      id 32 | object kind 8 | 0, text length, type name
//! 8 program    text length, path of the executable
//! 9 shared     object, device, inode, offset, birth
//! 10 child     object, pid 32 | 0, start time in clock ticks since boot
//! 11 role      text length, what the process is to be called
//! ```

use crate::{
    event::ObjectKind,
    id::{ClassId, LocationId, ObjectId, SiteId, StackId},
    words::word_at,
};
use core::fmt;

/// Largest number of return addresses in a stack record.
pub const STACK_FRAMES_MAX: usize = 128;
/// Longest text in a record, in bytes; writers cut longer ones.
pub const TEXT_BYTES_MAX: usize = 4096;

/// A record, its text borrowed. Text is bytes here: a reader decides what to do about invalid UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// A source location.
    Location {
        /// Its id.
        id: LocationId,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// Path of the file as the compiler knew it.
        file: &'a [u8],
    },
    /// A call stack.
    Stack {
        /// Its id.
        id: StackId,
        /// Return addresses, innermost first.
        addresses: Addresses<'a>,
    },
    /// A location together with a stack.
    Site {
        /// Its id.
        id: SiteId,
        /// Where.
        location: LocationId,
        /// On which path; [`StackId::NONE`] if no stack was captured.
        stack: StackId,
    },
    /// A module of the process: its executable or a shared library.
    Module {
        /// What to subtract from an address to get that in the file.
        base: u64,
        /// First address mapped.
        start: u64,
        /// First address behind the module.
        end: u64,
        /// GNU build id, empty if it has none.
        build_id: &'a [u8],
        /// Path of the file.
        path: &'a [u8],
    },
    /// A name that the program gave an object.
    Label {
        /// The object.
        object: ObjectId,
        /// Its name.
        text: &'a [u8],
    },
    /// A thread.
    Thread {
        /// The thread as an object.
        object: ObjectId,
        /// Its id in the operating system.
        tid: u32,
        /// When the operating system started it, clock ticks since boot; 0 if not known.
        start: u64,
        /// Its name, empty if it has none.
        name: &'a [u8],
    },
    /// What objects of a class are.
    Class {
        /// Its id.
        id: ClassId,
        /// Kind of the objects.
        kind: ObjectKind,
        /// Rust type of the data that they guard or carry.
        type_name: &'a [u8],
    },
    /// The executable of the process.
    Program {
        /// Its path.
        path: &'a [u8],
    },
    /// Which object of shared memory an object is, whatever other processes and handles call it.
    Shared {
        /// The object.
        object: ObjectId,
        /// The device of the memory's file.
        device: u64,
        /// Its inode there.
        inode: u64,
        /// Where in the file the object lies, in bytes.
        offset: u64,
        /// A number drawn when it was made there: inodes and places in files are used again.
        birth: u64,
    },
    /// Which process a child process is.
    Child {
        /// The child as an object.
        object: ObjectId,
        /// Its id.
        pid: u32,
        /// When it was started, clock ticks since boot; 0 if that is not known.
        start: u64,
    },
    /// What the process is to be called.
    Role {
        /// Its name.
        text: &'a [u8],
    },
    /// A record of a newer minor version.
    Unknown {
        /// Its tag.
        tag: u16,
    },
}

/// Return addresses: in memory when a record is written, as bytes when it is read.
#[derive(Clone, Copy)]
pub enum Addresses<'a> {
    /// As captured.
    Words(&'a [u64]),
    /// As stored, little-endian.
    Bytes(&'a [u8]),
}

impl Addresses<'_> {
    /// Number of addresses.
    pub fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            Self::Bytes(bytes) => bytes.len() / 8,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The addresses, innermost first.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|i| match self {
            Self::Words(words) => words[i],
            Self::Bytes(bytes) => word_at(bytes, i),
        })
    }
}

impl PartialEq for Addresses<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Addresses<'_> {}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Offset of the record in the bytes given.
    pub offset: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed dictionary record at byte {} of its chunk", self.offset)
    }
}

impl core::error::Error for Malformed {}

impl Record<'_> {
    /// Length of the encoded record in words.
    pub fn words_len(&self) -> usize {
        let mut n_words = 0;
        self.payload(&mut |_| n_words += 1);
        n_words + 1
    }

    /// Encodes the record word by word; text beyond [`TEXT_BYTES_MAX`] is cut.
    ///
    /// ```
    /// use trace_format::{ObjectId, dictionary::{Record, records}};
    ///
    /// let label = Record::Label { object: ObjectId(3), text: b"accounts" };
    /// let mut bytes = Vec::new();
    /// label.encode(&mut |word: u64| bytes.extend(word.to_le_bytes()));
    /// assert_eq!(records(&bytes).collect::<Vec<_>>(), [Ok(label)]);
    /// ```
    pub fn encode(&self, sink: &mut impl FnMut(u64)) {
        let bytes = self.words_len() as u64 * 8;
        sink(bytes | u64::from(self.tag()) << 32);
        self.payload(sink);
    }

    const fn tag(&self) -> u16 {
        match self {
            Self::Location { .. } => 1,
            Self::Stack { .. } => 2,
            Self::Site { .. } => 3,
            Self::Module { .. } => 4,
            Self::Label { .. } => 5,
            Self::Thread { .. } => 6,
            Self::Class { .. } => 7,
            Self::Program { .. } => 8,
            Self::Shared { .. } => 9,
            Self::Child { .. } => 10,
            Self::Role { .. } => 11,
            Self::Unknown { tag } => *tag,
        }
    }

    fn payload(&self, sink: &mut impl FnMut(u64)) {
        match *self {
            Self::Location { id, line, column, file } => {
                let file = cut(file);
                sink(pair(id.0, line));
                sink(pair(column, file.len() as u32));
                put_text(file, sink);
            }
            Self::Stack { id, addresses } => {
                let n = addresses.len().min(STACK_FRAMES_MAX);
                sink(pair(id.0, n as u32));
                addresses.iter().take(n).for_each(sink);
            }
            Self::Site { id, location, stack } => {
                sink(pair(id.0, location.0));
                sink(u64::from(stack.0));
            }
            Self::Module { base, start, end, build_id, path } => {
                let (build_id, path) = (cut(build_id), cut(path));
                [base, start, end].into_iter().for_each(&mut *sink);
                sink(pair(build_id.len() as u32, path.len() as u32));
                put_text(build_id, sink);
                put_text(path, sink);
            }
            Self::Label { object, text } => {
                sink(object.0);
                put_counted(text, sink);
            }
            Self::Thread { object, tid, start, name } => {
                let name = cut(name);
                sink(object.0);
                sink(pair(tid, name.len() as u32));
                sink(start);
                put_text(name, sink);
            }
            Self::Class { id, kind, type_name } => {
                sink(pair(id.0, kind as u32));
                put_counted(type_name, sink);
            }
            Self::Program { path } => put_counted(path, sink),
            Self::Shared { object, device, inode, offset, birth } => {
                [object.0, device, inode, offset, birth].into_iter().for_each(sink);
            }
            Self::Child { object, pid, start } => [object.0, pair(pid, 0), start].into_iter().for_each(sink),
            Self::Role { text } => put_counted(text, sink),
            Self::Unknown { .. } => {}
        }
    }
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Cuts text to the longest that a record holds, at a character's boundary.
fn cut(text: &[u8]) -> &[u8] {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let mut end = TEXT_BYTES_MAX;
    while end > 0 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

fn put_counted(text: &[u8], sink: &mut impl FnMut(u64)) {
    let text = cut(text);
    sink(text.len() as u64);
    put_text(text, sink);
}

fn put_text(text: &[u8], sink: &mut impl FnMut(u64)) {
    for word in text.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        sink(u64::from_le_bytes(bytes));
    }
}

/// Decodes the records of a dictionary chunk's payload, published bytes only.
///
/// Stops after the first malformed record: what follows it cannot be found. Never panics, whatever the bytes.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Malformed>> {
    let mut offset = 0;
    core::iter::from_fn(move || {
        if offset >= bytes.len() {
            return None;
        }
        let at = offset;
        let record = record_at(bytes, at);
        offset = record.map_or(bytes.len(), |(_, end)| end);
        Some(record.map(|(record, _)| record).ok_or(Malformed { offset: at }))
    })
}

fn record_at(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let header = u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let len = header as u32 as usize;
    if len < 8 || len % 8 != 0 {
        return None;
    }
    let end = at.checked_add(len)?;
    let mut fields = Fields { bytes: bytes.get(at + 8..end)? };
    Some((decode((header >> 32) as u16, &mut fields)?, end))
}

fn decode<'a>(tag: u16, fields: &mut Fields<'a>) -> Option<Record<'a>> {
    Some(match tag {
        1 => {
            let (id, line) = fields.pair()?;
            let (column, len) = fields.pair()?;
            Record::Location { id: LocationId(id), line, column, file: fields.text(len)? }
        }
        2 => {
            let (id, n) = fields.pair()?;
            if n as usize > STACK_FRAMES_MAX {
                return None;
            }
            Record::Stack { id: StackId(id), addresses: Addresses::Bytes(fields.take(n as usize * 8)?) }
        }
        3 => {
            let (id, location) = fields.pair()?;
            let (stack, _) = fields.pair()?;
            Record::Site { id: SiteId(id), location: LocationId(location), stack: StackId(stack) }
        }
        4 => {
            let (base, start, end) = (fields.word()?, fields.word()?, fields.word()?);
            let (build_id_len, path_len) = fields.pair()?;
            let (build_id, path) = (fields.text(build_id_len)?, fields.text(path_len)?);
            Record::Module { base, start, end, build_id, path }
        }
        5 => {
            let object = ObjectId(fields.word()?);
            let len = u32::try_from(fields.word()?).ok()?;
            Record::Label { object, text: fields.text(len)? }
        }
        6 => {
            let object = ObjectId(fields.word()?);
            let (tid, len) = fields.pair()?;
            let start = fields.word()?;
            Record::Thread { object, tid, start, name: fields.text(len)? }
        }
        7 => {
            let (id, kind) = fields.pair()?;
            let len = u32::try_from(fields.word()?).ok()?;
            let kind = ObjectKind::from_number(kind as u8);
            Record::Class { id: ClassId(id), kind, type_name: fields.text(len)? }
        }
        8 => {
            let len = u32::try_from(fields.word()?).ok()?;
            Record::Program { path: fields.text(len)? }
        }
        9 => Record::Shared {
            object: ObjectId(fields.word()?),
            device: fields.word()?,
            inode: fields.word()?,
            offset: fields.word()?,
            birth: fields.word()?,
        },
        10 => {
            let object = ObjectId(fields.word()?);
            let (pid, _) = fields.pair()?;
            Record::Child { object, pid, start: fields.word()? }
        }
        11 => {
            let len = u32::try_from(fields.word()?).ok()?;
            Record::Role { text: fields.text(len)? }
        }
        tag => Record::Unknown { tag },
    })
}

/// The payload of a record, taken word by word.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u64> {
        Some(word_at(self.take(8)?, 0))
    }

    fn pair(&mut self) -> Option<(u32, u32)> {
        let word = self.word()?;
        Some((word as u32, (word >> 32) as u32))
    }

    fn text(&mut self, len: u32) -> Option<&'a [u8]> {
        let len = len as usize;
        if len > TEXT_BYTES_MAX {
            return None;
        }
        self.take(len.next_multiple_of(8)).map(|padded| &padded[..len])
    }
}
