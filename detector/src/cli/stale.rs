//! Temporary traces whose `run` was killed: the next one removes them.
//!
//! A run holds a lock on its directory for as long as it lives, and leaves a note there that says that nobody asked for the trace.
//! The kernel gives the lock back however the run ends, at once, and for every process that can see the directory: a note of its
//! number and start would be read wrong from another pid namespace, and between reading and removing it would be no lock.

use super::trace_directory::PREFIX;
use crate::source;
use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::{Errno, Result, retry_on_intr},
    process::getuid,
};
use std::{
    env,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    thread::{Builder, JoinHandle},
};
use tracing::debug;

/// Begins to remove what runs that were killed left in the directory of temporary files.
///
/// To be called when the own directory is locked, and joined at the end: traces may be large.
pub(super) fn clean() -> io::Result<JoinHandle<()>> {
    let clean = || clean_in(&env::temp_dir());
    Builder::new().name("stale traces".to_owned()).spawn(clean)
}

/// Locks a directory for as long as the file is kept. A run that looks whether it is stale has it for a moment.
pub(super) fn lock(directory: &Path) -> Result<File> {
    let file = open_directory(directory)?;
    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
    Ok(file)
}

fn open_directory(path: &Path) -> Result<File> {
    // Closed by `exec`: the lock is the run's, not that of the program which it runs.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).map(File::from)
}

fn clean_in(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            let path = entry.path();
            match clean_one(&path) {
                Ok(true) => debug!(directory = %path.display(), "removed the trace of a run that was killed"),
                Ok(false) => {}
                Err(error) => debug!(directory = %path.display(), %error, "this trace could not be removed"),
            }
        }
    }
}

/// Removes the directory if it is the temporary trace of a run that is dead, and of processes that are; whether it was.
fn clean_one(path: &Path) -> io::Result<bool> {
    let directory = match open_directory(path) {
        Ok(directory) => directory,
        // A file, a link, somebody else's, or gone.
        Err(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if !is_private(&directory.metadata()?) {
        return Ok(false);
    }
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(false),
        locked => locked?,
    }
    // Who had the lock before may have removed it, and another run may have made one of the same name.
    let is_same = |now: Metadata| (now.dev(), now.ino());
    if fs::symlink_metadata(path).ok().map(is_same) != Some(is_same(directory.metadata()?)) {
        return Ok(false);
    }
    let Some(names) = names_of_a_stale_trace(path)? else { return Ok(false) };
    for name in names.iter().filter(|name| *name != source::TEMPORARY) {
        fs::remove_file(path.join(name))?;
    }
    // Last: if this run is killed before, the next one knows what it finds.
    fs::remove_file(path.join(source::TEMPORARY))?;
    fs::remove_dir(path)?;
    Ok(true)
}

/// Whether it is as a run makes it: this user's, and nobody else's business.
fn is_private(metadata: &Metadata) -> bool {
    metadata.uid() == getuid().as_raw() && metadata.mode() & 0o777 == 0o700
}

/// The files of a trace that is temporary and that nobody records into any more. `None` if it is not, or holds anything else.
fn names_of_a_stale_trace(path: &Path) -> io::Result<Option<Vec<String>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        match entry?.file_name().into_string() {
            Ok(name) if source::is_of_a_trace(&name) && !source::is_file_of_live_process(&name) => names.push(name),
            _ => return Ok(None),
        }
    }
    Ok(names.iter().any(|name| name == source::TEMPORARY).then_some(names))
}
