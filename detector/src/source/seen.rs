//! What the tool saw of a process that it was about to end: which threads it had, those included that recorded nothing.
//! Kept beside the process file, so that the trace says afterwards what was said while the process was alive.

use super::{Member, OsThread};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How names of these files end.
pub(super) const SUFFIX: &str = ".threads";

/// Larger files are not the tool's.
const BYTES_MAX: u64 = 16 << 20;

/// The threads of a process while it was alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenThreads {
    path: PathBuf,
    text: String,
}

impl SeenThreads {
    /// What is known of a live process; `None` if it is not alive.
    pub fn of(file: &Member) -> Option<Self> {
        let line = |(tid, name): &(u32, String)| format!("{tid} {}\n", name.replace('\n', " "));
        let threads = file.seen_threads.as_ref().filter(|_| file.alive)?;
        Some(Self { path: path_beside(&file.path), text: threads.iter().map(line).collect() })
    }

    /// Leaves it in the trace.
    ///
    /// # Errors
    ///
    /// The file cannot be written; then the trace says less afterwards.
    pub fn leave(&self) -> io::Result<()> {
        fs::write(&self.path, &self.text)
    }
}

/// What was left beside a process file; `None` if nothing was, or nothing that can be read.
pub(super) fn read(process_file: &Path) -> Option<Vec<(u32, String)>> {
    let path = path_beside(process_file);
    if fs::metadata(&path).ok()?.len() > BYTES_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let thread = |line: &str| {
        let (tid, name) = line.split_once(' ')?;
        Some((tid.parse().ok()?, name.to_owned()))
    };
    Some(text.lines().filter_map(thread).collect())
}

/// Ids and names; the first thread has that of its program from the system, and is `main` to everybody.
pub(super) fn names(pid: u32, threads: &[OsThread]) -> Vec<(u32, String)> {
    let name = |thread: &OsThread| if thread.tid == pid { "main".to_owned() } else { thread.name.clone() };
    threads.iter().map(|thread| (thread.tid, name(thread))).collect()
}

fn path_beside(process_file: &Path) -> PathBuf {
    let mut path = process_file.as_os_str().to_owned();
    path.push(SUFFIX);
    path.into()
}
