//! The directory into which a program that is run records.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use trace_format::{MARKER, MARKER_PREFIX};

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
}

impl TraceDirectory {
    /// Makes a trace of `path`, or of a temporary directory.
    pub(super) fn prepare(path: Option<&Path>) -> Result<Self, TraceDirectoryError> {
        let Some(path) = path else {
            let private = Permissions::from_mode(0o700);
            let temporary = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir();
            let temporary = temporary.map_err(TraceDirectoryError::Temporary)?;
            let path = temporary.path().to_owned();
            mark(&path)?;
            return Ok(Self { path, temporary: Some(temporary) });
        };
        let failed = |source| TraceDirectoryError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        // The program may change its directory before it begins to record.
        let path = fs::canonicalize(path).map_err(failed)?;
        if is_empty(&path)? {
            mark(&path)?;
        }
        Ok(Self { path, temporary: None })
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

/// Makes the marker; that another process made it in between is as good.
fn mark(path: &Path) -> Result<(), TraceDirectoryError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join(MARKER)) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(TraceDirectoryError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
