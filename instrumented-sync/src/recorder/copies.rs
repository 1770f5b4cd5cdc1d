//! Several copies of the recorder in one process: one of them records, for all.
//!
//! Two versions of the crate in one program, or shared libraries that each link it, have their own variables. Were each
//! to record by itself, no cycle across them would be seen, and a primitive that is used through both would be two.
//!
//! ```text
//! a copy is told to record
//!   look: is the header of a process file mapped in this very process? (it is while a copy records, it is inherited by
//!         fork, and exec drops it, so that files of an earlier image do not confuse)
//!     no                                  this copy owns: it makes its file; the header says where its functions are
//!     yes, functions that we understand   this copy delegates: all that it records goes through those functions
//!     yes, others                         both record, apart; the file says so, and object ids do not overlap
//! ```
//! Looking and making the file are one step: a byte of the marker file, of which each process has one, is locked around
//! them. Nothing that is found is trusted before it was read and checked through `/proc/self/mem`, which cannot fault.

use super::{
    entry::{NOTHING, TABLE, Table},
    latch, platform, process,
    table_abi::{ABI, MAGIC},
};
use crate::trace::StartError;
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    ops::Range,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::FileExt, fs::OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence},
    thread,
    time::Duration,
};
use trace_format::{
    MARKER, PROCESS_FILE_SUFFIX,
    process::{APART_UNKNOWN, HEADER_BYTES, MAGIC as FILE_MAGIC, word},
};

/// Version of this crate, as headers keep it.
pub(super) const VERSION: u64 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 32
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 16
    | number(env!("CARGO_PKG_VERSION_PATCH"));

/// How often and how long to wait for another copy that is looking: two seconds, for what takes milliseconds.
const TRIES: u32 = 4000;
const PAUSE: Duration = Duration::from_micros(500);

/// Functions of the copy that records for this one; null if this one records by itself. Until that is known, and if
/// nothing is to be recorded, [`UNKNOWN`].
static OWNER: AtomicPtr<Table> = AtomicPtr::new(UNKNOWN);

const UNKNOWN: *mut Table = std::ptr::without_provenance_mut(1);

/// What the header says of a copy that records beside this one; see [`word::APART`].
static APART: AtomicU64 = AtomicU64::new(0);

/// The copy that records for this one; `None` if this one does.
///
/// Asked by operations of what is recorded already. Such a thing may come from another copy before this one had an
/// operation of its own: a guard that is dropped here, a thread that is joined here.
#[inline]
pub(super) fn owner() -> Option<&'static Table> {
    // Relaxed: an old value is `UNKNOWN`, which goes the cold way; the fence there is for tables.
    let owner = OWNER.load(Ordering::Relaxed);
    if owner.is_null() { None } else { elsewhere(owner) }
}

fn elsewhere(mut owner: *mut Table) -> Option<&'static Table> {
    if owner == UNKNOWN {
        latch::meet();
        // Relaxed: as in `owner`.
        owner = OWNER.load(Ordering::Relaxed);
        if owner.is_null() {
            return None;
        }
        if owner == UNKNOWN {
            return Some(&NOTHING);
        }
    }
    // Pairs with the release store in `delegate`: the table was checked before.
    fence(Ordering::Acquire);
    // SAFETY: the address is that of a static in a loaded module, which was checked to be a table of this version and at
    // least this long. A module that records is never unloaded.
    Some(unsafe { &*owner })
}

/// Whether another copy records for this one.
#[inline]
pub(crate) fn is_delegate() -> bool {
    owner().is_some()
}

/// Has whoever records in this process do so for this copy too. False if nobody does that it understands.
pub(super) fn join() -> bool {
    let Found::Owner(table, _) = look() else { return false };
    delegate(table);
    true
}

fn delegate(table: *const Table) {
    process::stay_closed();
    // Pairs with the fence in `elsewhere`.
    OWNER.store(table.cast_mut(), Ordering::Release);
}

/// What became of a copy that was told to record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It records into its directory, or has another copy do so.
    Directory,
    /// Another copy records for it, into another directory.
    Elsewhere,
}

/// Makes or joins the trace in `dir`; nothing is recorded before that.
pub(super) fn configure(dir: &Path) -> Result<Joined, StartError> {
    process::configure(dir)?;
    let dir = fs::canonicalize(dir).unwrap_or_default();
    let _turn = Turn::take(&dir);
    match look() {
        Found::Owner(table, theirs) => {
            delegate(table);
            return Ok(if theirs == dir { Joined::Directory } else { Joined::Elsewhere });
        }
        // Relaxed: read by whoever opens the file, under the recorder's lock.
        Found::Stranger(apart) => APART.store(apart, Ordering::Relaxed),
        Found::Nobody => {}
    }
    process::open();
    // Relaxed: what recording needs is behind the recorder's lock.
    OWNER.store(std::ptr::null_mut(), Ordering::Relaxed);
    Ok(Joined::Directory)
}

/// Where the functions of this copy are, for its header.
pub(super) fn table() -> u64 {
    std::ptr::from_ref(&TABLE).expose_provenance() as u64
}

/// What the header says of a copy that records apart. Which copy it will be in a forked child is not known.
pub(super) fn apart(is_forked: bool) -> u64 {
    // Relaxed: see `configure`.
    match APART.load(Ordering::Relaxed) {
        0 => 0,
        _ if is_forked => APART_UNKNOWN,
        apart => apart,
    }
}

/// Gives the ids of a copy that is not the first their own range, so that an object that crosses copies which do not
/// know each other is one that nobody described, and never another one.
pub(super) fn keep_ids_apart(copy: u32, next_object: &AtomicU64) {
    // Seven bits above these: the eighth says that an object lies in shared memory.
    const RANGE_BITS: u32 = 32;
    // The first in its directory, while another one records into its own: as if it were the last possible one.
    // Relaxed: see `configure`.
    let is_first_apart = copy == 0 && APART.load(Ordering::Relaxed) != 0;
    let range = if is_first_apart { 127 } else { u64::from(copy) % 127 };
    let first = range << RANGE_BITS | 1;
    // Relaxed: before the first id is taken; in a forked child ids have been, and go on.
    let _taken = next_object.compare_exchange(1, first, Ordering::Relaxed, Ordering::Relaxed);
}

enum Found {
    Nobody,
    /// A copy that can record for this one, and its trace directory.
    Owner(*const Table, PathBuf),
    /// One that cannot: what the header says of it.
    Stranger(u64),
}

/// Looks for a copy of the recorder in this process that records.
fn look() -> Found {
    let Some(memory) = Memory::open() else { return Found::Nobody };
    let mut found = Found::Nobody;
    let maps = fs::read("/proc/self/maps").unwrap_or_default();
    for (address, path) in headers(&maps) {
        let Some(header) = memory.words(address, word::TABLE + 1) else { continue };
        if header[word::MAGIC] != FILE_MAGIC {
            continue;
        }
        let table_address = header[word::TABLE];
        if table_address == table() {
            // Forked from ourselves.
            return Found::Nobody;
        }
        if memory.is_table(&maps, table_address) {
            let table = std::ptr::with_exposed_provenance(table_address as usize);
            let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
            return Found::Owner(table, dir);
        }
        let is_ours = header[word::PID] == u64::from(platform::pid());
        let copy = header[word::VERSION] & u64::from(u32::MAX);
        found = Found::Stranger(if is_ours { copy + 1 } else { APART_UNKNOWN });
    }
    found
}

/// A line of `/proc/self/maps` that is about a file.
struct Mapping<'a> {
    range: Range<u64>,
    permissions: &'a str,
    offset: u64,
    /// Device and inode.
    file: (&'a str, &'a str),
    path: &'a Path,
}

/// The mapped files, by the text of `/proc/self/maps`.
fn mappings(maps: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    maps.split(|byte| *byte == b'\n').filter_map(|line| {
        // Range, permissions, offset, device, inode; then spaces and the path, which may have spaces.
        let path_at = line.iter().position(|byte| *byte == b'/')?;
        let (fields, path) = (std::str::from_utf8(&line[..path_at]).ok()?, &line[path_at..]);
        let mut fields = fields.split_ascii_whitespace();
        let (range, permissions, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        Some(Mapping {
            range: number(start)?..number(end)?,
            permissions,
            offset: number(offset)?,
            file: (fields.next()?, fields.next()?),
            path: Path::new(OsStr::from_bytes(path)),
        })
    })
}

/// Addresses of mapped headers of process files, and the paths of the files.
fn headers(maps: &[u8]) -> impl Iterator<Item = (u64, &Path)> {
    let headers = mappings(maps).filter(|Mapping { range, permissions, offset, path, .. }| {
        path.as_os_str().as_bytes().ends_with(PROCESS_FILE_SUFFIX.as_bytes())
            && *offset == 0
            && permissions.starts_with("rw")
            && range.end - range.start >= HEADER_BYTES as u64
    });
    headers.map(|Mapping { range, path, .. }| (range.start, path))
}

/// The memory of this process, read without a fault where there is none.
struct Memory(File);

impl Memory {
    fn open() -> Option<Self> {
        File::open("/proc/self/mem").ok().map(Self)
    }

    fn words(&self, address: u64, n: usize) -> Option<Vec<u64>> {
        let mut bytes = vec![0; n * 8];
        self.0.read_exact_at(&mut bytes, address).ok()?;
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        Some(bytes.chunks_exact(8).map(word).collect())
    }

    /// Whether at this address lies a table that this copy can use: of its version, at least as long as its own, in a file
    /// that is loaded, with functions of that file. The loader, which would know, is not asked: in a forked child its lock
    /// may belong to a thread that does not exist there.
    fn is_table(&self, maps: &[u8], address: u64) -> bool {
        const HEAD_WORDS: usize = 2;
        let n_words = size_of::<Table>() / 8;
        let mapping = |address: u64| mappings(maps).find(|mapping| mapping.range.contains(&address));
        let Some(module) = mapping(address).filter(|_| address % 8 == 0) else { return false };
        let Some(words) = self.words(address, n_words) else { return false };
        let (abi, n_bytes) = (words[1] as u32, words[1] >> 32);
        let is_function = |address: &u64| {
            mapping(*address)
                .is_some_and(|of| of.file == module.file && of.permissions.as_bytes().get(2) == Some(&b'x'))
        };
        words[0] == MAGIC
            && abi == ABI
            && n_bytes >= size_of::<Table>() as u64
            && words[HEAD_WORDS..].iter().all(is_function)
    }
}

/// While it lives, no other copy in this process looks for one that records. Without it - on a file system that cannot
/// lock, or after two seconds - copies that are told to record at the same moment may record apart.
struct Turn(Option<File>);

impl Turn {
    fn take(dir: &Path) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let Ok(marker) = options.open(dir.join(MARKER)) else { return Self(None) };
        for _ in 0..TRIES {
            if lock(&marker, libc::F_WRLCK) {
                return Self(Some(marker));
            }
            if std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock {
                break;
            }
            thread::sleep(PAUSE);
        }
        Self(None)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Said, not left to closing: a child that is forked now has the file open too.
        if let Some(marker) = &self.0 {
            lock(marker, libc::F_UNLCK);
        }
    }
}

/// Locks or unlocks this process's byte of the marker. The lock is the open file's, not the process's: of the latter
/// copies in one process would take no notice, and closing any descriptor of the file would end it.
fn lock(marker: &File, kind: libc::c_int) -> bool {
    // SAFETY: all fields are numbers, for which zeros are valid.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as libc::c_short;
    range.l_whence = libc::SEEK_SET as libc::c_short;
    range.l_start = libc::off_t::from(platform::pid());
    range.l_len = 1;
    // SAFETY: the descriptor is open, and `range` is what this command reads.
    unsafe { libc::fcntl(marker.as_raw_fd(), libc::F_OFD_SETLK, &raw mut range) == 0 }
}

const fn number(text: &str) -> u64 {
    let mut number = 0;
    let mut at = 0;
    while at < text.len() {
        number = number * 10 + (text.as_bytes()[at] - b'0') as u64;
        at += 1;
    }
    number & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_among_mappings() {
        let maps = b"7f0000000000-7f0000001000 rw-s 00000000 00:2a 77   /tmp/a trace/12-34-0.events\n\
            7f0000002000-7f0000003000 rw-s 00010000 00:2a 77   /tmp/a trace/12-34-0.events\n\
            7f0000004000-7f0000005000 r-xp 00000000 00:2a 78   /tmp/lib.so\n\
            7f0000006000-7f0000007000 rw-s 00000000 00:2a 79   /t/1-2-3.events (deleted)\n\
            7f0000008000-7f0000009000 rw-p 00000000 00:00 0\n\
            nonsense\n";
        let found: Vec<_> = headers(maps).collect();
        assert_eq!(
            found,
            [
                (0x7f00_0000_0000, Path::new("/tmp/a trace/12-34-0.events")),
                (0x7f00_0000_6000, Path::new("/t/1-2-3.events"))
            ]
        );
    }

    #[test]
    fn only_a_table_is_taken_for_one() {
        let (memory, maps) = (Memory::open().unwrap(), fs::read("/proc/self/maps").unwrap());
        assert!(memory.is_table(&maps, table()), "this copy's own");
        assert!(!memory.is_table(&maps, 0));
        assert!(!memory.is_table(&maps, table() + 8), "in a file, but not a table");
        let words = memory.words(table(), size_of::<Table>() / 8).unwrap();
        assert!(!memory.is_table(&maps, words.as_ptr().addr() as u64), "a table, but in no file");
    }

    #[test]
    fn ids_of_copies_do_not_overlap() {
        let next = AtomicU64::new(1);
        keep_ids_apart(0, &next);
        assert_eq!(next.load(Ordering::Relaxed), 1);
        keep_ids_apart(3, &next);
        assert_eq!(next.load(Ordering::Relaxed), 3 << 32 | 1);
        keep_ids_apart(4, &next);
        assert_eq!(next.load(Ordering::Relaxed), 3 << 32 | 1, "what goes on is not moved");
    }
}
