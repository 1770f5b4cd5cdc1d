//! A trace in one file: what it is, and its history.

use super::{
    OpenError,
    compressed::{BLOCK, Compression},
    rapid_bin::{self, Header, HeaderError},
    std_text,
};
use crate::{finding::Problem, history::History};
use std::{
    fmt::{self, Debug},
    fs::{self, File},
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};
use trace_format::process;

/// Bytes by which a file is recognised.
const HEAD: usize = 4 << 10;

/// How other files begin that somebody may take for a trace, what they are, and what to do.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (&[0xfd, b'7', b'z', b'X', b'Z'], "compressed by xz", "decompress it, or compress it with gzip or zstd"),
    (b"BZh", "compressed by bzip2", "decompress it, or compress it with gzip or zstd"),
    (b"PK\x03\x04", "a zip archive", "unpack it, and name the trace in it"),
    (b"\x7fELF", "a program", "record it with `deadlock-check run -- CMD`"),
];

/// What a path is.
#[derive(Debug)]
pub enum Found {
    /// A directory; [`super::open`] tells whether it is a trace.
    Directory,
    /// A trace in one file.
    File(HistoryFile),
}

/// How a trace in one file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// STD text; see [`std_text`].
    StdText,
    /// RapidBin; see [`rapid_bin`].
    RapidBin,
}

/// A trace in one file, opened.
pub struct HistoryFile {
    /// How it is written.
    pub encoding: Encoding,
    /// How it is compressed.
    pub compression: Compression,
    path: PathBuf,
    name: String,
    input: Box<dyn BufRead>,
}

/// Why a path is no trace.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is nothing, or the operating system refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The path is a directory.
    #[error("{path} is a directory, which is not a trace in one file: name a file of STD text or RapidBin")]
    Directory {
        /// The path given.
        path: PathBuf,
    },
    /// There are no bytes in it.
    #[error("{path} is empty: make or copy it again")]
    Empty {
        /// The path given.
        path: PathBuf,
    },
    /// It is one process of a recorded trace.
    #[error("{path} is one process of a recorded trace: name the directory that it is in")]
    ProcessFile {
        /// The path given.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{path} is {found}, not a trace: {remedy}")]
    Other {
        /// The path given.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// It is nothing known.
    #[error(
        "{path} is no trace that this version knows: name a trace directory, a file of STD text \
         (lines `thread|op(operand)|location`), or of RapidBin, each file as it is or compressed with gzip or zstd"
    )]
    Unknown {
        /// The path given.
        path: PathBuf,
    },
    /// It begins like RapidBin and is not.
    #[error("{path} seems to be RapidBin, but {source}: make or copy it again")]
    Header {
        /// The path given.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: HeaderError,
    },
    /// It is compressed, and its beginning is damaged.
    #[error("{path} is compressed, and cannot be read from its beginning: {source}; make or copy it again")]
    Damaged {
        /// The path given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Finds out what a path is by what is in it; `-` is the standard input, which is a file.
///
/// # Errors
///
/// If there is nothing, or nothing that is known. Of a directory nothing is read.
pub fn look(path: &Path) -> Result<Found, HistoryError> {
    let to_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_path_buf() },
        _ => OpenError::Io { path: path.to_path_buf(), source },
    };
    if path.as_os_str() == "-" {
        let input = BufReader::with_capacity(BLOCK, io::stdin());
        return HistoryFile::recognise(Path::new("standard input"), Box::new(input)).map(Found::File);
    }
    if fs::metadata(path).map_err(to_error)?.is_dir() {
        return Ok(Found::Directory);
    }
    let input = BufReader::with_capacity(BLOCK, File::open(path).map_err(to_error)?);
    HistoryFile::recognise(path, Box::new(input)).map(Found::File)
}

/// Reads a trace in one file, STD text or RapidBin, compressed or not; `-` is the standard input.
///
/// ```
/// use detector::source;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("x.std");
/// std::fs::write(&path, "T1|acq(L)|1\nT1|rel(L)|2\nT1|rel(L)|3\n")?;
/// let (history, problems) = source::history(&path)?;
/// assert_eq!((history.operations.len(), problems.len()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If there is no such trace at the path. What is wrong within one is among the problems: of an operation that could not be
/// read, or cannot have happened (both are fatal), and of locks about which nothing will be proven.
pub fn history(path: &Path) -> Result<(History, Vec<Problem>), HistoryError> {
    match look(path)? {
        Found::File(file) => file.read(),
        Found::Directory => Err(HistoryError::Directory { path: path.to_path_buf() }),
    }
}

impl HistoryFile {
    /// Finds out how the bytes are written. `path` is what problems call them.
    ///
    /// # Errors
    ///
    /// If in no way that is known, or they cannot be read.
    pub fn recognise(path: &Path, mut input: Box<dyn BufRead>) -> Result<Self, HistoryError> {
        let of = || path.to_path_buf();
        let head = take_head(&mut input).map_err(|source| OpenError::Io { path: of(), source })?;
        let compression = Compression::of(&head);
        let mut input = compression.reader(Box::new(Cursor::new(head).chain(input)));
        let head = take_head(&mut input).map_err(|source| HistoryError::Damaged { path: of(), source })?;
        let encoding = encoding(path, &head)?;
        let name = path.display().to_string();
        Ok(Self { encoding, compression, path: of(), name, input: Box::new(Cursor::new(head).chain(input)) })
    }

    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// If it could be opened but its header is none after all.
    pub fn read(self) -> Result<(History, Vec<Problem>), HistoryError> {
        match self.encoding {
            Encoding::StdText => Ok(std_text::read(self.input, &self.name)),
            Encoding::RapidBin => rapid_bin::read(self.input, &self.name)
                .map_err(|source| HistoryError::Header { path: self.path, source }),
        }
    }
}

impl Debug for HistoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { encoding, compression, path, .. } = self;
        write!(f, "HistoryFile({path:?}, {encoding:?}, {compression:?})")
    }
}

fn encoding(path: &Path, head: &[u8]) -> Result<Encoding, HistoryError> {
    let path = path.to_path_buf();
    if head.is_empty() {
        return Err(HistoryError::Empty { path });
    }
    if head.starts_with(&process::MAGIC.to_le_bytes()) {
        return Err(HistoryError::ProcessFile { path });
    }
    if let Some((_, found, remedy)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(HistoryError::Other { path, found, remedy });
    }
    if std_text::is_like(head) {
        return Ok(Encoding::StdText);
    }
    if !rapid_bin::is_like(head) {
        return Err(HistoryError::Unknown { path });
    }
    Header::parse(head).map(|_| Encoding::RapidBin).map_err(|source| HistoryError::Header { path, source })
}

/// The first bytes of a stream, which are gone from it then.
fn take_head(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}
