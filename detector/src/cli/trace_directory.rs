//! The directory into which a program that is run records.

use super::stale;
use crate::source;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use trace_format::{MARKER, MARKER_PREFIX};
use tracing::debug;

/// How the names of temporary traces begin.
pub(super) const PREFIX: &str = "deadlock-check-";

/// Why a directory cannot take a trace.
#[derive(Debug, thiserror::Error)]
pub(super) enum TraceDirectoryError {
    #[error("cannot make a temporary directory for the trace: {0}; name another place with --trace DIR")]
    Temporary(io::Error),
    #[error("cannot use {} for the trace: {source}; name a directory that you may write to", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{} is neither empty nor a trace: name a directory that is missing, empty, or a trace to be added to",
        path.display()
    )]
    Foreign { path: PathBuf },
    #[error(
        "{} is a trace of another version ({marker}): name a directory that is missing or empty",
        path.display()
    )]
    OtherVersion { path: PathBuf, marker: String },
}

/// A trace directory, removed at the end if nobody asked for it.
pub(super) struct TraceDirectory {
    path: PathBuf,
    temporary: Option<TempDir>,
    /// While this run holds it, no other one takes a temporary directory for that of a dead one. Given back after its removal.
    _lock: Option<File>,
}

impl TraceDirectory {
    /// Makes a trace of `path`, or of a temporary directory; of one that stays, if it is to be kept.
    pub(super) fn prepare(path: Option<&Path>, is_kept: bool) -> Result<Self, TraceDirectoryError> {
        let Some(path) = path else {
            let private = Permissions::from_mode(0o700);
            let temporary = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir();
            let temporary = temporary.map_err(TraceDirectoryError::Temporary)?;
            let path = temporary.path().to_owned();
            let lock = if is_kept { None } else { lock(&path)? };
            make(&path, MARKER)?;
            return Ok(Self { path, temporary: Some(temporary), _lock: lock });
        };
        let failed = |source| TraceDirectoryError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        // The program may change its directory before it begins to record.
        let path = fs::canonicalize(path).map_err(failed)?;
        if is_empty(&path)? {
            make(&path, MARKER)?;
        }
        // Left behind by a run that was killed, perhaps, and asked for from now on.
        let _mostly_absent = fs::remove_file(path.join(source::TEMPORARY));
        Ok(Self { path, temporary: None, _lock: None })
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it will be removed.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Lets it stay.
    pub(super) fn keep(mut self) -> PathBuf {
        if let Some(temporary) = self.temporary.take() {
            return temporary.keep();
        }
        self.path
    }
}

/// Whether the directory is empty; an error if it is neither that nor a trace of this version.
fn is_empty(path: &Path) -> Result<bool, TraceDirectoryError> {
    let failed = |source| TraceDirectoryError::Io { path: path.to_owned(), source };
    let mut is_empty = true;
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name == MARKER {
            return Ok(false);
        }
        if name.starts_with(MARKER_PREFIX) {
            return Err(TraceDirectoryError::OtherVersion { path: path.to_owned(), marker: name.into_owned() });
        }
        is_empty = false;
    }
    if is_empty { Ok(true) } else { Err(TraceDirectoryError::Foreign { path: path.to_owned() }) }
}

/// Locks a directory that was just made, and notes that it goes with this run. Without a lock there is no note: then nobody removes it
/// if this run is killed.
fn lock(path: &Path) -> Result<Option<File>, TraceDirectoryError> {
    match stale::lock(path) {
        // Only under the lock: who sees the note, and gets the lock, knows that the run is dead.
        Ok(lock) => make(path, source::TEMPORARY).map(|()| Some(lock)),
        Err(error) => {
            debug!(%error, "a directory that cannot be locked stays if this run is killed");
            Ok(None)
        }
    }
}

/// Makes an empty file; that another process made it in between is as good.
fn make(directory: &Path, name: &str) -> Result<(), TraceDirectoryError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.join(name)) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(TraceDirectoryError::Io { path: directory.to_owned(), source })
        }
        _ => Ok(()),
    }
}
