//! One process file: its header, its dictionary, its slots, and where its events lie.

use super::{
    bytes::{self, Bytes},
    dictionary::Dictionary,
    liveness,
    os_threads::{self, OsThread},
    seen,
    slots::{self, SlotState},
};
use crate::finding::Problem;
use std::{
    io,
    path::{Path, PathBuf},
};
use trace_format::{
    Event, Kind,
    chunk::{self, CHUNK_ALIGN, ChunkKind},
    process::{self, HEADER_BYTES, Header},
    version::{CURRENT, Incompatible},
    words::{Copied, word_at},
};

/// Bytes of an event.
const EVENT_BYTES: u64 = 16;

/// A process file, read up to its events.
#[derive(Debug)]
pub struct ProcessFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Whether its process is still alive.
    pub alive: bool,
    /// What its ids stand for.
    pub dictionary: Dictionary,
    /// What its threads hold and wait for.
    pub slots: Vec<SlotState>,
    /// Its threads as the operating system has them, recorded or not; empty when the process is gone.
    pub os_threads: Vec<OsThread>,
    /// Ids and names of its threads: now, if it is alive, else as the tool saw them before it ended the process.
    pub seen_threads: Option<Vec<(u32, String)>>,
    /// The chunks that hold events, in order of place.
    pub segments: Vec<Chunk>,
    /// The monotonic clock at the time of reading, in nanoseconds since the file was made.
    pub now_ns: u64,
    pub(super) problems: Vec<Problem>,
    pub(super) bytes: Box<dyn Bytes>,
}

/// Where the published part of a chunk's payload lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Offset of the payload.
    pub start: u64,
    /// Offset behind what is published of it, within the file.
    pub end: u64,
}

/// Why a process file holds nothing that can be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot read {path}: {source}; check that you may read it")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file ends within its header.
    #[error("{path} is truncated: it ends after {len} of its header's {HEADER_BYTES} bytes; copy or record it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// The file has no header, or the beginning of one that was never written.
    #[error(
        "{path} holds no recording: it has {len} bytes, and a header alone has {HEADER_BYTES}; its process was \
         killed while it began, or the file was cut: record again"
    )]
    Unbegun {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// The file does not begin like a process file.
    #[error("{path} is not a recording: it does not begin with DLCTRACE; remove it from the trace, or record again")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another major version.
    #[error("cannot read {path}: {source}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Which is newer.
        #[source]
        source: Incompatible,
    },
}

/// Bytes at the end of a segment in which the site of its thread's last operation is looked for.
const LAST_BYTES: u64 = 4096;

impl ProcessFile {
    /// Reads all but the events. `None` if the process was killed before it had written the header: such a file
    /// is all zeros, and holds nothing.
    ///
    /// # Errors
    ///
    /// If nothing in the file can be read.
    pub fn read(path: PathBuf, bytes: Box<dyn Bytes>) -> Result<Option<Self>, FileError> {
        let io_error = |source| FileError::Io { path: path.clone(), source };
        let head = bytes::copy(&*bytes, 0, HEADER_BYTES).map_err(io_error)?;
        // After the header: a live process lengthens its file before it says so there.
        let len = bytes.len().map_err(io_error)?;
        if head.iter().all(|byte| *byte == 0) {
            return if head.len() < HEADER_BYTES { Err(FileError::Unbegun { path, len }) } else { Ok(None) };
        }
        if head.len() < HEADER_BYTES {
            return Err(FileError::Truncated { path, len });
        }
        let Some(header) = Header::read(&Copied(&head)) else {
            return Err(FileError::Foreign { path });
        };
        if let Err(source) = header.version.check_readable_by(CURRENT) {
            return Err(FileError::Version { path, source });
        }
        let made_ns = word_at(&head, process::word::MONOTONIC_NS);
        let taken = word_at(&head, process::word::TAKEN);
        let mut file = Self {
            alive: liveness::is_alive(&header),
            path,
            header,
            dictionary: Dictionary::default(),
            slots: Vec::new(),
            os_threads: Vec::new(),
            seen_threads: None,
            segments: Vec::new(),
            now_ns: liveness::monotonic_ns().saturating_sub(made_ns),
            problems: Vec::new(),
            bytes,
        };
        if let Err(error) = file.read_chunks(len, taken) {
            file.problem(&format!("cannot be read to its end: {error}; what was read is reported"));
        }
        if file.alive {
            let waiting = file.slots.iter().filter(|slot| slot.wait.is_some()).map(|slot| slot.tid).collect();
            file.os_threads = os_threads::of(file.header.pid, &waiting);
            file.seen_threads = Some(seen::names(file.header.pid, &file.os_threads));
        }
        Ok(Some(file))
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &dyn Bytes {
        &*self.bytes
    }

    /// Walks the chunks. Where one should be and is not, the file ends, unless another one follows: then the file
    /// is damaged there, and reading goes on behind the damage. The file once had `taken` bytes at least.
    fn read_chunks(&mut self, len: u64, taken: u64) -> io::Result<()> {
        let mut at = HEADER_BYTES as u64;
        let mut damaged_at = None;
        let mut whole_len = taken;
        while at < len {
            let head = bytes::copy(&*self.bytes, at, chunk::HEADER_BYTES)?;
            let Some(header) = chunk::Header::read(&Copied(&head)) else {
                damaged_at.get_or_insert(at);
                at += CHUNK_ALIGN as u64;
                continue;
            };
            if let Some(damaged_at) = damaged_at.take() {
                self.problem(&format!("is corrupt at byte {damaged_at}: the chunk there was skipped; record it again"));
            }
            self.read_chunk(&header, at, len)?;
            at += header.bytes as u64;
            whole_len = whole_len.max(at);
        }
        if whole_len > len {
            self.problem(&format!(
                "is truncated: it ends at byte {len}, and bytes up to {whole_len} were recorded; what is left was \
                 analysed, copy or record it again"
            ));
        }
        // What a killed process leaves is a chunk without a magic and with nothing in it.
        if let Some(damaged_at) = damaged_at
            && !self.is_zero_at(damaged_at)?
        {
            self.problem(&format!("is corrupt at byte {damaged_at}: nothing behind it was read; record it again"));
        }
        Ok(())
    }

    fn read_chunk(&mut self, header: &chunk::Header, at: u64, len: u64) -> io::Result<()> {
        let start = at + chunk::HEADER_BYTES as u64;
        let published = at + header.head as u64;
        let chunk = Chunk { start, end: published.min(len).max(start) };
        match header.kind {
            ChunkKind::EVENTS => self.segments.push(chunk),
            // A slot counts from the moment when its state says so, whatever the chunk's head.
            ChunkKind::SLOTS => {
                let chunk = Chunk { start, end: (at + header.bytes as u64).min(len).max(start) };
                slots::read(&*self.bytes, chunk, len, &mut self.slots)?;
            }
            ChunkKind::DICTIONARY => {
                // At most CHUNK_BYTES_MAX, and no more than the file has.
                let payload = bytes::copy(&*self.bytes, chunk.start, (chunk.end - chunk.start) as usize)?;
                // A chunk that the end of the file cuts is reported at the end.
                if let Err(error) = self.dictionary.add(&payload)
                    && published <= len
                {
                    self.problem(&format!("is corrupt: {error} at {at}; names and lines may be missing"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_zero_at(&self, at: u64) -> io::Result<bool> {
        let sample = bytes::copy(&*self.bytes, at, chunk::HEADER_BYTES)?;
        Ok(sample.iter().all(|byte| *byte == 0))
    }

    fn problem(&mut self, text: &str) {
        let text = format!("{} {text}", Path::display(&self.path));
        self.problems.push(Problem { text, fatal: true });
    }
}

/// The thread that writes a segment, and the last site that it recorded there.
pub(super) fn last_site(bytes: &dyn Bytes, segment: Chunk) -> io::Result<Option<(u64, u32)>> {
    let head = bytes::copy(bytes, segment.start - chunk::HEADER_BYTES as u64, chunk::HEADER_BYTES)?;
    let thread = word_at(&head, chunk::word::THREAD);
    let n_bytes = (segment.end - segment.start).min(LAST_BYTES) / EVENT_BYTES * EVENT_BYTES;
    let events = bytes::copy(bytes, segment.end - n_bytes, n_bytes as usize)?;
    let mut site = None;
    for at in (0..events.len() / 8).step_by(Event::WORDS) {
        let event = Event::from_words([word_at(&events, at), word_at(&events, at + 1)]);
        match event.kind() {
            Kind::OWNER => site = None,
            // A release has a stack at most, which says nothing without symbols.
            Kind::EXTEND | Kind::RELEASE => {}
            _ if event.site().is_none() => {}
            _ => site = Some(event.site().0),
        }
    }
    Ok(site.map(|site| (thread, site)))
}
