//! The trace directory: made, joined or refused; and the paths in it, without an allocator.

use crate::trace::StartError;
use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::FromRawFd,
        unix::{ffi::OsStrExt, fs::DirBuilderExt, fs::OpenOptionsExt},
    },
    path::Path,
    sync::atomic::{
        AtomicPtr,
        Ordering::{Acquire, Relaxed},
        fence,
    },
};
use trace_format::{MARKER, MARKER_PREFIX, PROCESS_FILE_SUFFIX};

/// Longest path of a trace directory, in bytes.
const DIRECTORY_BYTES_MAX: usize = 1024;

/// The trace of this process; leaked, null before [`join`].
static DIRECTORY: AtomicPtr<PathBuffer> = AtomicPtr::new(std::ptr::null_mut());

/// Makes `dir` the trace of this process.
pub(super) fn join(dir: &Path) -> Result<(), StartError> {
    let failed = |error: io::Error| StartError::Directory(dir.display().to_string(), error.to_string());
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let absolute = fs::canonicalize(dir).map_err(failed)?;
    admit(&absolute)?;
    let mut buffer = PathBuffer::new();
    if absolute.as_os_str().len() > DIRECTORY_BYTES_MAX {
        return Err(failed(io::Error::other("the path is longer than 1024 bytes")));
    }
    buffer.push(absolute.as_os_str().as_bytes());
    // Whoever decides or starts comes here, one thread at a time, and not again when recording is on. Relaxed: that
    // recording is on publishes it.
    DIRECTORY.store(Box::into_raw(Box::new(buffer)), Relaxed);
    Ok(())
}

/// Checks that the directory is a trace, or makes it one if it is empty.
fn admit(dir: &Path) -> Result<(), StartError> {
    let failed = |error: io::Error| StartError::Directory(dir.display().to_string(), error.to_string());
    if dir.join(MARKER).exists() {
        return Ok(());
    }
    let mut empty = true;
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        empty = false;
        if name.as_bytes() == MARKER.as_bytes() {
            return Ok(());
        }
        if name.as_bytes().starts_with(MARKER_PREFIX.as_bytes()) {
            return Err(StartError::OtherVersion(dir.display().to_string(), name.to_string_lossy().into_owned()));
        }
    }
    if !empty {
        return Err(StartError::NotATrace(dir.display().to_string()));
    }
    let mut marker = OpenOptions::new();
    marker.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    match marker.open(dir.join(MARKER)) {
        Ok(_) => Ok(()),
        // Another process that starts at the same time was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Path of the process file with these numbers, or `None` before [`join`].
pub(super) fn file_path(pid: u32, start: u64, copy: u32) -> Option<PathBuffer> {
    // Pairs with the release store of `latch::settle`: this thread found recording on.
    fence(Acquire);
    // SAFETY: a pointer that is not null is that of a box which was leaked, and which nobody changes.
    let mut path = unsafe { DIRECTORY.load(Relaxed).as_ref() }?.clone();
    // Writing into the buffer cannot fail: it has room for the directory and three numbers.
    let _fits = write!(path, "/{pid}-{start}-{copy}{PROCESS_FILE_SUFFIX}");
    Some(path)
}

/// A path in memory of its own.
#[derive(Clone)]
pub(super) struct PathBuffer {
    bytes: [u8; DIRECTORY_BYTES_MAX + 64],
    len: usize,
}

impl PathBuffer {
    const fn new() -> Self {
        Self { bytes: [0; DIRECTORY_BYTES_MAX + 64], len: 0 }
    }

    /// Opens the file for reading and writing, with further `flags`.
    ///
    /// std would copy a long path to the heap, but this may be called by a thread that holds the lock of the
    /// program's allocator.
    pub(super) fn open(&self, flags: libc::c_int) -> io::Result<File> {
        let flags = flags | libc::O_RDWR | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mode: libc::mode_t = 0o600;
        loop {
            // SAFETY: the path is terminated, since no path fills its buffer, whose rest is zeros.
            let fd = unsafe { libc::open(self.bytes.as_ptr().cast(), flags, mode) };
            if fd >= 0 {
                // SAFETY: the descriptor was opened above, and nobody else knows it.
                return Ok(unsafe { File::from_raw_fd(fd) });
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    fn push(&mut self, text: &[u8]) {
        let n = text.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&text[..n]);
        self.len += n;
    }
}

impl std::fmt::Write for PathBuffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
