//! Slots of processes that run, for looking at them again and again: what a look costs depends on the number of
//! threads, not on the length of the trace.

use super::{
    OpenError, SlotState,
    bytes::{self, Bytes},
    check_marker, liveness, names_in,
    recorded::Chunk,
    slots,
};
use rustc_hash::FxHasher;
use std::{
    collections::BTreeMap,
    fs::File,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
};
use trace_format::{
    PROCESS_FILE_SUFFIX,
    chunk::{self, ChunkKind},
    process::{self, HEADER_BYTES, Header},
    version::CURRENT,
    words::{Copied, word_at},
};

/// The slots of a trace's live processes. Keeps where they lie, and a file open for each live process.
#[derive(Debug)]
pub struct LiveSlots {
    directory: PathBuf,
    /// By name; `None` where nothing is left to be seen.
    files: BTreeMap<String, Option<LiveFile>>,
}

/// A live process at one look.
#[derive(Clone, Debug)]
pub struct LiveProcess {
    /// Name of its file in the trace.
    pub file: String,
    /// Process id.
    pub pid: u32,
    /// The monotonic clock at the time of the look, in nanoseconds since the file was made.
    pub now_ns: u64,
    /// How many threads the operating system counts, recorded or not.
    pub n_os_threads: u64,
    /// What its recorded threads hold and wait for.
    pub slots: Vec<SlotState>,
}

#[derive(Debug)]
struct LiveFile {
    bytes: File,
    header: Header,
    made_ns: u64,
    /// Where the next chunk will be.
    next: u64,
    slots: Vec<Chunk>,
    /// Offsets of the chunks that are not slots.
    others: Vec<u64>,
}

/// Opens a trace to look at the slots of its live processes.
///
/// # Errors
///
/// If the directory is no trace; what is wrong with single files is left to [`super::open`] to say.
pub fn open_slots(dir: &Path) -> Result<LiveSlots, OpenError> {
    check_marker(dir, &names_in(dir)?)?;
    Ok(LiveSlots { directory: dir.to_path_buf(), files: BTreeMap::new() })
}

impl LiveSlots {
    /// Looks at every process that is alive, those included that began since the last look.
    pub fn look(&mut self) -> Vec<LiveProcess> {
        // Of a directory that is gone, the files that were open can still be read.
        for name in names_in(&self.directory).unwrap_or_default() {
            if name.ends_with(PROCESS_FILE_SUFFIX) && !self.files.contains_key(&name) {
                match LiveFile::open(&self.directory.join(&name)) {
                    Ok(Opened::Live(file)) => drop(self.files.insert(name, Some(file))),
                    Ok(Opened::Unbegun) => {}
                    Ok(Opened::Unusable) | Err(_) => drop(self.files.insert(name, None)),
                }
            }
        }
        let mut processes = Vec::new();
        for (name, place) in &mut self.files {
            let Some(file) = place else { continue };
            match file.look(name) {
                Ok(Some(process)) => processes.push(process),
                Ok(None) | Err(_) => *place = None,
            }
        }
        processes
    }

    /// A number that changes whenever a live process records an event or uses processor time.
    ///
    /// Costs a read for each chunk.
    pub fn activity(&self) -> u64 {
        let mut hasher = FxHasher::default();
        for file in self.files.values().flatten() {
            // What a process uses that watches itself is its watch's.
            let is_other = file.header.pid != std::process::id();
            let vitals = liveness::vitals(&file.header).filter(|_| is_other);
            vitals.map(|vitals| vitals.cpu_ticks).hash(&mut hasher);
            for at in &file.others {
                let head = bytes::copy(&file.bytes, *at, chunk::HEADER_BYTES).unwrap_or_default();
                [chunk::word::HEAD, chunk::word::GENERATION].map(|word| word_at(&head, word)).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// What became of opening a file.
enum Opened {
    Live(LiveFile),
    /// It has no header yet.
    Unbegun,
    /// Its process is gone, or it is of another version.
    Unusable,
}

impl LiveFile {
    fn open(path: &Path) -> io::Result<Opened> {
        let bytes = File::open(path)?;
        let head = bytes::copy(&bytes, 0, HEADER_BYTES)?;
        let Some(header) = Header::read(&Copied(&head)) else { return Ok(Opened::Unbegun) };
        if header.version.check_readable_by(CURRENT).is_err() || liveness::vitals(&header).is_none() {
            return Ok(Opened::Unusable);
        }
        let made_ns = word_at(&head, process::word::MONOTONIC_NS);
        let next = HEADER_BYTES as u64;
        Ok(Opened::Live(Self { bytes, header, made_ns, next, slots: Vec::new(), others: Vec::new() }))
    }

    /// `None` if the process has ended. One that runs its exit handlers has not: these can hang like anything else.
    fn look(&mut self, name: &str) -> io::Result<Option<LiveProcess>> {
        let Some(vitals) = liveness::vitals(&self.header) else { return Ok(None) };
        let len = Bytes::len(&self.bytes)?;
        self.find_chunks(len)?;
        let mut slots = Vec::new();
        for chunk in &self.slots {
            slots::read(
                &self.bytes,
                Chunk { start: chunk.start, end: chunk.end.min(len).max(chunk.start) },
                len,
                &mut slots,
            )?;
        }
        Ok(Some(LiveProcess {
            file: name.to_owned(),
            pid: self.header.pid,
            now_ns: liveness::monotonic_ns().saturating_sub(self.made_ns),
            n_os_threads: vitals.n_threads,
            slots,
        }))
    }

    /// Goes over the chunks that are new.
    fn find_chunks(&mut self, len: u64) -> io::Result<()> {
        while self.next < len {
            let head = bytes::copy(&self.bytes, self.next, chunk::HEADER_BYTES)?;
            // Being made; what is damaged ends the file here.
            let Some(header) = chunk::Header::read(&Copied(&head)) else { break };
            let end = self.next + header.bytes as u64;
            if header.kind == ChunkKind::SLOTS {
                self.slots.push(Chunk { start: self.next + chunk::HEADER_BYTES as u64, end });
            } else {
                self.others.push(self.next);
            }
            self.next = end;
        }
        Ok(())
    }
}
