//! The process file: made once, extended chunk by chunk.

use super::{
    super::{copies, platform},
    directory,
};
use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};
use trace_format::{
    MAX_BYTES_VARIABLE, PROCESS_BYTES_MAX_DEFAULT,
    chunk::{self, CHUNK_ALIGN, ChunkKind},
    process::{HEADER_BYTES, MAGIC, Stopped, word},
    segment::Segment,
    version,
};

/// Copies of the recorder that one process may have, images before and after exec included.
const COPIES_MAX: u32 = 1000;

/// Bytes that slots and the dictionary may take beyond the limit, so that hangs are still explained.
const BEYOND_LIMIT_BYTES_MAX: u64 = 64 << 20;

/// The process that this one remembers having been: pid, start time and copy of the latest file opened, which
/// after a fork is that of the parent.
static LATEST: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// The limit of bytes. Read from the environment when recording is decided on, not when a file is made: in a forked child
/// the environment's lock may belong to nobody.
static BYTES_MAX: AtomicU64 = AtomicU64::new(PROCESS_BYTES_MAX_DEFAULT);

pub(super) struct ProcessFile {
    header: Option<&'static [AtomicU64]>,
    copy: u32,
    inode: (u64, u64),
    n_bytes: u64,
    bytes_max: u64,
    failed: bool,
}

impl ProcessFile {
    pub(super) const fn new() -> Self {
        Self { header: None, copy: 0, inode: (0, 0), n_bytes: 0, bytes_max: 0, failed: false }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.header.is_some()
    }

    /// Whether it cannot be opened.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn header(&self) -> &'static [AtomicU64] {
        self.header.unwrap_or(&[])
    }

    /// Which copy of the recorder the file is of.
    pub(super) const fn copy(&self) -> u32 {
        self.copy
    }

    /// There will be no file.
    pub(super) const fn stay_closed(&mut self) {
        self.failed = true;
    }

    /// Makes the file and its header. Tried once: a directory that cannot be written stays one.
    pub(super) fn open(&mut self, next_object: u64, forked_number: u64) -> Option<()> {
        if self.failed {
            return None;
        }
        self.failed = true;
        if platform::file_bytes_max() < HEADER_BYTES as u64 {
            return None;
        }
        let (pid, start) = (platform::pid(), platform::process_start());
        let (file, copy) = create(pid, start)?;
        let metadata = file.metadata().ok()?;
        let header = Segment::create(&file, 0, HEADER_BYTES, HEADER_BYTES).ok()?.leak();
        self.copy = copy;
        self.inode = (metadata.dev(), metadata.ino());
        self.n_bytes = HEADER_BYTES as u64;
        // Relaxed: published with the directory, for which `create` has fenced.
        self.bytes_max = BYTES_MAX.load(Relaxed);
        self.fill_header(header, (pid, start), next_object, forked_number);
        self.header = Some(header);
        self.failed = false;
        Some(())
    }

    fn fill_header(&self, header: &[AtomicU64], (pid, start): (u32, u64), next_object: u64, forked_number: u64) {
        // Relaxed: the release store of the magic publishes all of them.
        let put = |word: usize, value: u64| header[word].store(value, Relaxed);
        put(word::VERSION, u64::from(version::CURRENT.pack()) << 32 | u64::from(self.copy));
        put(word::PID, u64::from(pid));
        put(word::START, start);
        // Relaxed, here and below: LATEST is touched under the recorder's lock only.
        let latest = LATEST.each_ref().map(|word| word.load(Relaxed));
        if latest[0] != 0 {
            put(word::FORKED_PID, latest[0]);
            put(word::FORKED_START, latest[1]);
            put(word::FORKED_COPY, latest[2]);
            put(word::FORKED_NEXT_OBJECT, next_object);
            put(word::FORKED_NUMBER, forked_number);
        }
        for (word, value) in LATEST.iter().zip([u64::from(pid), start, u64::from(self.copy)]) {
            word.store(value, Relaxed);
        }
        put(word::TABLE, copies::table());
        put(word::APART, copies::apart(latest[0] != 0));
        put(word::RECORDER, copies::VERSION);
        put(word::BOOT, platform::boot());
        put(word::WALL_NS, platform::wall_ns());
        put(word::MONOTONIC_NS, platform::monotonic_ns());
        put(word::LIMIT, self.bytes_max);
        put(word::TAKEN, self.n_bytes);
        // Pairs with the acquire load in `Header::read`.
        header[word::MAGIC].store(MAGIC, Release);
    }

    /// Appends a chunk; its words live until somebody unmaps them. Returns its offset too.
    pub(super) fn append(&mut self, kind: ChunkKind, bytes: usize, thread: u64) -> Option<(&'static [AtomicU64], u64)> {
        debug_assert_eq!(bytes % CHUNK_ALIGN, 0);
        let beyond = if kind == ChunkKind::EVENTS { 0 } else { BEYOND_LIMIT_BYTES_MAX };
        if self.n_bytes + bytes as u64 > platform::file_bytes_max() {
            // Beyond it the kernel would kill the program with SIGXFSZ.
            self.stop(Stopped::NoSpace);
            return None;
        }
        if self.n_bytes + bytes as u64 > self.bytes_max.saturating_add(beyond) {
            self.stop(Stopped::Limit);
            return None;
        }
        let offset = self.n_bytes;
        match self.map(offset, bytes) {
            Ok(segment) => {
                let words = segment.leak();
                chunk::begin(words, kind, bytes, thread);
                self.n_bytes += bytes as u64;
                // Relaxed: for display.
                self.header()[word::TAKEN].store(self.n_bytes, Relaxed);
                Some((words, offset))
            }
            Err(error) => {
                self.stop(reason(&error));
                None
            }
        }
    }

    fn map(&self, offset: u64, bytes: usize) -> io::Result<Segment> {
        let path = directory::file_path(platform::pid(), self.header()[word::START].load(Relaxed), self.copy)
            .ok_or(io::ErrorKind::NotFound)?;
        let file = path.open(0)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.inode {
            return Err(io::ErrorKind::NotFound.into());
        }
        Segment::create(&file, offset, bytes, bytes)
    }

    fn stop(&self, why: Stopped) {
        let stopped = &self.header()[word::STOPPED];
        // Relaxed: for display; the first reason stays.
        if stopped.load(Relaxed) == Stopped::No as u64 {
            stopped.store(why as u64, Relaxed);
        }
    }
}

fn create(pid: u32, start: u64) -> Option<(File, u32)> {
    for copy in 0..COPIES_MAX {
        match directory::file_path(pid, start, copy)?.open(libc::O_CREAT | libc::O_EXCL) {
            Ok(file) => return Some((file, copy)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return None,
        }
    }
    None
}

/// Asks the environment how long files may be.
pub(super) fn configure() {
    let wanted = std::env::var_os(MAX_BYTES_VARIABLE);
    let wanted = wanted.and_then(|text| text.to_str()?.trim().parse().ok()).unwrap_or(PROCESS_BYTES_MAX_DEFAULT);
    // Relaxed: that recording is on publishes it.
    BYTES_MAX.store(wanted, Relaxed);
}

fn reason(error: &io::Error) -> Stopped {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Stopped::NoSpace,
        io::ErrorKind::NotFound => Stopped::DirectoryGone,
        _ => Stopped::Other,
    }
}
