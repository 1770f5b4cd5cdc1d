//! Sources: where traces come from. [`open`] reads a trace directory, as the recorder writes it; [`history`] a trace in one
//! file, in formats of others: [`std_text`] and [`rapid_bin`].
//!
//! Nothing is mapped: bytes are copied with `read_at` into own buffers, so a file that shrinks or changes under
//! the reader is at worst a short read. Every number in a file is checked against the length of that file before
//! anything is sized by it. Events are not loaded: a [`ProcessFile`] keeps where they lie, and the merge reads
//! them window by window.

mod apart;
mod bytes;
mod compressed;
mod dictionary;
mod ends;
mod family;
mod file;
mod live;
mod liveness;
mod memory;
mod os_threads;
pub mod rapid_bin;
mod recorded;
mod seen;
mod slots;
pub mod std_text;
mod stream;

pub use bytes::Bytes;
pub use compressed::Compression;
pub use dictionary::{Class, Dictionary, Location, Module, Place, ThreadRecord};
pub use ends::{Ends, Lying};
pub use family::{Family, Ids, Member, in_space};
pub use file::{Encoding, Found, HistoryError, HistoryFile, history, look};
pub use live::{LiveProcess, LiveSlots, open_slots};
pub use liveness::is_file_of_live_process;
pub use memory::Memory;
pub use os_threads::{OsThread, is_thread};
pub use recorded::{Chunk, FileError, ProcessFile};
pub use seen::SeenThreads;
pub use slots::SlotState;
pub use stream::{Cursor, Run, scan};

use crate::finding::Problem;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use trace_format::{MARKER, MARKER_PREFIX, PROCESS_FILE_SUFFIX};

/// A trace, opened: what of it is readable, and what is wrong with the rest.
#[derive(Debug, Default)]
pub struct Trace {
    /// Its processes, those together that have to do with each other, in order of their files' names.
    pub families: Vec<Family>,
    /// What could not be read, each with its path and a remedy.
    pub problems: Vec<Problem>,
}

/// Why a directory cannot be used as a trace at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing at the path.
    #[error("there is no trace at {path}: record one with `deadlock-check run -- CMD`, or check the path")]
    Missing {
        /// The path given.
        path: PathBuf,
    },
    /// The path is not a directory.
    #[error("{path} is not a directory: name the trace's directory, which holds a file {MARKER}")]
    NotADirectory {
        /// The path given.
        path: PathBuf,
    },
    /// The directory lacks the marker.
    #[error("{path} is not a trace, it has no file {MARKER}: name the directory that DEADLOCK_CHECK_TRACE named")]
    NotATrace {
        /// The path given.
        path: PathBuf,
    },
    /// The directory has the marker of another major version.
    #[error(
        "{path} is a trace of another version, {marker}, and this tool reads {MARKER}: \
         use the deadlock-check of that version, or record again"
    )]
    OtherVersion {
        /// The path given.
        path: PathBuf,
        /// The marker that was found.
        marker: String,
    },
    /// The operating system refused.
    #[error("cannot read {path}: {source}; check that you may read it")]
    Io {
        /// The path given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Opens a trace directory.
///
/// A trace in which nothing was recorded opens without problems and has no processes.
///
/// # Errors
///
/// Only if the directory as a whole is unusable; what is wrong with single files is in [`Trace::problems`].
pub fn open(dir: &Path) -> Result<Trace, OpenError> {
    let mut names = names_in(dir)?;
    names.sort();
    check_marker(dir, &names)?;
    let mut trace = Trace::default();
    let mut files = Vec::new();
    for name in names {
        let path = dir.join(&name);
        if name.ends_with(PROCESS_FILE_SUFFIX) {
            match File::open(&path) {
                Ok(file) => {
                    let seen = seen::read(&path);
                    let read = trace.read_file(path, Box::new(file));
                    files.extend(read.map(|file| ProcessFile { seen_threads: file.seen_threads.or(seen), ..file }));
                }
                Err(source) => trace.reject(&FileError::Io { path, source }),
            }
        } else if !is_of_a_trace(&name) {
            let text = format!("{} is not part of the trace and was not read: remove it", path.display());
            trace.problems.push(Problem { text, fatal: false });
        }
    }
    trace.problems.extend(apart::problems(&files));
    trace.families = Family::of(files);
    Ok(trace)
}

/// Name of the note that a trace is temporary: nobody asked for it, and it goes with the run that made it.
pub const TEMPORARY: &str = "temporary";

/// Whether a trace has files of this name.
pub fn is_of_a_trace(name: &str) -> bool {
    [MARKER, TEMPORARY].contains(&name) || name.ends_with(PROCESS_FILE_SUFFIX) || name.ends_with(seen::SUFFIX)
}

/// Names of the process files in a directory, in order; none if it cannot be read.
pub fn process_files(dir: &Path) -> Vec<String> {
    let mut names = names_in(dir).unwrap_or_default();
    names.retain(|name| name.ends_with(PROCESS_FILE_SUFFIX));
    names.sort();
    names
}

impl Trace {
    /// A trace of process files, wherever they are. What is wrong with one becomes a problem.
    pub fn of(files: impl IntoIterator<Item = (PathBuf, Box<dyn Bytes>)>) -> Self {
        let mut trace = Self::default();
        let files = files.into_iter().filter_map(|(path, bytes)| trace.read_file(path, bytes)).collect();
        trace.families = Family::of(files);
        trace
    }

    /// The files of all families.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.families.iter().flat_map(|family| &family.members)
    }

    fn read_file(&mut self, path: PathBuf, bytes: Box<dyn Bytes>) -> Option<ProcessFile> {
        match ProcessFile::read(path, bytes) {
            Ok(file) => {
                let mut file = file?;
                self.problems.append(&mut file.problems);
                Some(file)
            }
            Err(error) => {
                self.reject(&error);
                None
            }
        }
    }

    fn reject(&mut self, error: &FileError) {
        // A process that was killed while it began had done nothing yet.
        let fatal = !matches!(error, FileError::Unbegun { .. });
        self.problems.push(Problem { text: error.to_string(), fatal });
    }
}

fn names_in(dir: &Path) -> Result<Vec<String>, OpenError> {
    let path = || dir.to_path_buf();
    let entries = fs::read_dir(dir).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path() },
        io::ErrorKind::NotADirectory => OpenError::NotADirectory { path: path() },
        _ => OpenError::Io { path: path(), source },
    })?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()
        .map_err(|source| OpenError::Io { path: path(), source })
}

fn check_marker(dir: &Path, names: &[String]) -> Result<(), OpenError> {
    if names.iter().any(|name| name == MARKER) {
        return Ok(());
    }
    let path = dir.to_path_buf();
    match names.iter().find(|name| name.starts_with(MARKER_PREFIX)) {
        Some(marker) => Err(OpenError::OtherVersion { path, marker: marker.clone() }),
        None => Err(OpenError::NotATrace { path }),
    }
}
