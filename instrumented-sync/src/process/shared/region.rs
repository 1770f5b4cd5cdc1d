//! Memory that processes share, and what lies where in it.
//!
//! ```text
//! word 0 magic, 1 version, 2 bytes of the file, 3 first byte that nothing lies in, 4 whose numbers the processes have
//! byte 64  128 entries of 128 bytes: 0 kind, once it is made, 1 size, 2 offset, 3 birth, 4 size, alignment and length of the name, 5- name
//! then the objects, each at a multiple of 64
//! ```
//!
//! Whoever makes something here has the file locked (`flock`), which the system undoes when he is killed: so an entry is either whole or
//! not there. No number read from the memory is used before it was compared with what it may be.

use super::owner;
use rustix::fs::{FallocateFlags, FlockOperation, MemfdFlags, Mode, OFlags, SealFlags};
use std::{
    fmt, fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const MAGIC: u64 = u64::from_le_bytes(*b"DLCSHARE");
const VERSION: u64 = 1;
const ENTRIES: usize = 128;
const ENTRY_WORDS: usize = 16;
const FIRST_ENTRY: usize = 8;
const HEADER_BYTES: usize = (FIRST_ENTRY + ENTRIES * ENTRY_WORDS) * 8;
/// Objects do not share lines of the processors' caches.
const ALIGN: usize = 64;
/// Longest name of an object, in bytes.
const NAME_MAX: usize = (ENTRY_WORDS - 5) * 8;
/// Largest region: nobody means more.
const BYTES_MAX: usize = 1 << 40;

/// Memory that processes share: a file, mapped.
///
/// Locks are opened in it by name; whoever comes first makes them. A region that is opened twice is mapped twice, and its locks are the
/// same. Clones are one mapping. It lasts as long as its file, and beyond that as long as somebody has it mapped.
///
/// ```
/// use instrumented_sync::process::shared::{Mutex, Region};
///
/// let region = Region::anonymous(4096)?;
/// let balance = Mutex::open(&region, "balance", 100_u64)?;
/// *balance.lock().unwrap() += 1;
/// let again = Mutex::open(&region, "balance", 0_u64)?;
/// assert_eq!(*again.lock().unwrap(), 101);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Region(Arc<Mapping>);

struct Mapping {
    map: memmap2::MmapRaw,
    file: OwnedFd,
    device: u64,
    inode: u64,
    n_bytes: usize,
    /// How `/proc` writes that a process has it mapped: not everywhere by the numbers above.
    shown_as: String,
}

/// What lies somewhere: the same numbers in all processes, whether they record or not. 0 is nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lies {
    Mutex = 1,
    RwLock,
    Semaphore,
    Condvar,
    Barrier,
}

/// What is to be opened: its kind, its size, and size and alignment of what it guards.
pub(super) struct Wanted<'a> {
    pub(super) kind: Lies,
    pub(super) size: usize,
    pub(super) guards: (usize, usize),
    pub(super) name: &'a str,
}

/// Where an object lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) offset: usize,
    pub(super) birth: u64,
}

impl Region {
    /// The region with a name that all processes of this machine know: `/dev/shm/NAME`. Made, with room for `n_bytes`, if it is not there;
    /// nobody else than this user may open it then.
    ///
    /// # Errors
    ///
    /// The name is empty or has a `/` in it; the system refuses; the file is something else, of another version, or smaller.
    pub fn named(name: &str, n_bytes: usize) -> io::Result<Self> {
        Self::at(path_of(name)?, n_bytes)
    }

    /// The same with a file anywhere. On a file system that keeps it, locks are what they were when their last process ended.
    ///
    /// # Errors
    ///
    /// As [`Self::named`].
    pub fn at(path: impl AsRef<Path>, n_bytes: usize) -> io::Result<Self> {
        let path = path.as_ref();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(|error| told(&error.into(), path, "check that you may write to it"))?;
        Self::of(file, Some(n_bytes), path)
    }

    /// A region without a name, for processes that are forked from this one, or that are handed its descriptor.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn anonymous(n_bytes: usize) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("deadlock-check-shared", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let region = Self::of(file, Some(n_bytes), Path::new("an anonymous region"))?;
        // Nobody can cut it, so touching it raises no SIGBUS.
        rustix::fs::fcntl_add_seals(&region.0.file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(region)
    }

    /// The region of a descriptor that another process handed on.
    ///
    /// ```
    /// use instrumented_sync::process::shared::Region;
    /// use std::os::fd::AsFd;
    ///
    /// let region = Region::anonymous(4096)?;
    /// let again = Region::from_fd(region.as_fd().try_clone_to_owned()?)?;
    /// assert_eq!(again.n_bytes(), region.n_bytes());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system refuses, or the descriptor is not one of a region.
    pub fn from_fd(file: impl Into<OwnedFd>) -> io::Result<Self> {
        Self::of(file.into(), None, Path::new("the descriptor"))
    }

    /// Takes a name away. Whoever has the region keeps it; whoever opens the name next makes another one.
    ///
    /// # Errors
    ///
    /// There is no such name, or the system refuses.
    pub fn remove(name: &str) -> io::Result<()> {
        fs::remove_file(path_of(name)?)
    }

    /// Bytes of the whole region.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.0.n_bytes
    }

    fn of(file: OwnedFd, wanted: Option<usize>, path: &Path) -> io::Result<Self> {
        let _locked = Locked::new(&file).map_err(|error| told(&error, path, "check that /proc is there"))?;
        let wanted = wanted.map(bytes_of).transpose()?;
        let len = usize::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(usize::MAX);
        let n_bytes = match (len, wanted) {
            (0, Some(wanted)) => {
                make_room(&file, wanted).map_err(|error| told(&error, path, "make room, or name another place"))?;
                wanted
            }
            _ => len,
        };
        if !(HEADER_BYTES..=BYTES_MAX).contains(&n_bytes) {
            return Err(foreign(path));
        }
        let map = memmap2::MmapOptions::new().len(n_bytes).map_raw(&file);
        let map = map.map_err(|error| told(&error, path, "check that you may write to it"))?;
        let stat = rustix::fs::fstat(&file)?;
        let (shown_as, is_only) = owner::shown_as(map.as_ptr() as usize).unwrap_or_default();
        let region = Self(Arc::new(Mapping { map, file, device: stat.st_dev, inode: stat.st_ino, n_bytes, shown_as }));
        region.begin(path)?;
        if is_only {
            region.disown();
        }
        match wanted {
            Some(wanted) if wanted > n_bytes => Err(invalid(format!(
                "{}: it has {n_bytes} bytes, and {wanted} are wanted: remove it, or ask for fewer",
                path.display()
            ))),
            _ => Ok(region),
        }
    }

    /// Writes the header, if it is all zeros still, and compares it. The file is locked.
    fn begin(&self, path: &Path) -> io::Result<()> {
        let numbers = owner::whose_numbers().map_err(|error| told(&error, path, "check that /proc is there"))?;
        // Relaxed, here and below: whoever writes the header has the file locked, as this thread has. The magic comes last, since a
        // process may be killed here.
        if (0..HEADER_BYTES / 8).all(|n| (1..=4).contains(&n) || self.get(n) == 0) {
            let header = [(1, VERSION), (2, self.0.n_bytes as u64), (3, HEADER_BYTES as u64), (4, numbers), (0, MAGIC)];
            for (n, value) in header {
                self.word(n).store(value, Ordering::Relaxed);
            }
        }
        if self.get(0) != MAGIC || self.get(1) == VERSION && self.get(2) != self.0.n_bytes as u64 {
            return Err(foreign(path));
        }
        let wrong = |text: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {text}", path.display()));
        if self.get(1) != VERSION {
            return Err(wrong(format!("a region of version {}, and this is {VERSION}: remove it", self.get(1))));
        }
        if self.get(4) != numbers {
            return Err(wrong(
                "made where processes have other numbers (another PID or time namespace), so that it cannot be told who is \
                 dead: remove it, or run both in one"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Nothing in this process had the memory, so nothing in it owns what lies there: what says so is from before an `exec`. The file is locked.
    fn disown(&self) {
        for entry in 0..ENTRIES {
            let [kind, size, offset] = std::array::from_fn(|n| self.get(at(entry, n)) as usize);
            for owner in super::owners(kind as u64) {
                let word = offset.checked_add(owner).filter(|word| word % 8 == 0 && owner + 8 <= size);
                if let Some(word) = word.filter(|_| self.holds(offset, size)) {
                    let word = self.0.map.as_mut_ptr().wrapping_add(word);
                    // SAFETY: an object of this size lies within the mapping, the word in it, and it is aligned; of such words nothing but
                    // atomics is ever made.
                    owner::has_left(unsafe { AtomicU64::from_ptr(word.cast()) });
                }
            }
        }
    }

    /// Finds an object or makes it: `begin` gets its memory, which is zero, before anybody else can find it.
    pub(super) fn open(&self, wanted: &Wanted<'_>, begin: impl FnOnce(&Found)) -> io::Result<Found> {
        let Wanted { kind, size, name, .. } = *wanted;
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(invalid(format!("`{name}`: a name in a region has 1 to {NAME_MAX} bytes")));
        }
        let _locked = Locked::new(&self.0.file)?;
        for entry in 0..ENTRIES {
            if self.get(at(entry, 0)) == 0 {
                return self.make(wanted, entry, begin);
            }
            if self.name_of(entry) != name.as_bytes() {
                continue;
            }
            let [made, size_there, offset, birth, layout] = std::array::from_fn(|n| self.get(at(entry, n)));
            let offset = offset as usize;
            if (made, size_there, layout) != (kind as u64, size as u64, layout_of(wanted)) || !self.holds(offset, size)
            {
                let text = format!("`{name}` is another kind of object in this region, or guards another type");
                return Err(invalid(text));
            }
            return Ok(Found { offset, birth });
        }
        Err(invalid(format!("`{name}`: the region has {ENTRIES} objects already, and room for no more")))
    }

    fn make(&self, wanted: &Wanted<'_>, entry: usize, begin: impl FnOnce(&Found)) -> io::Result<Found> {
        let offset = (self.get(3) as usize).checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        if !self.holds(offset, wanted.size) {
            let text = format!("`{}`: the region of {} bytes is full: make a larger one", wanted.name, self.0.n_bytes);
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        let mut birth = [0; 8];
        rustix::rand::getrandom(&mut birth, rustix::rand::GetRandomFlags::empty())?;
        let found = Found { offset, birth: u64::from_le_bytes(birth) };
        // SAFETY: `holds` found room there; nobody has found this memory yet, and the file is locked. It may not be zero: who was to
        // make something here may have been killed.
        unsafe { self.at_offset(found, wanted.size).write_bytes(0, wanted.size) };
        begin(&found);
        // Relaxed: the file is locked until the entry is whole. The kind comes last, since a process may be killed here.
        let set = |n: usize, value: u64| self.word(n).store(value, Ordering::Relaxed);
        for (n, bytes) in wanted.name.as_bytes().chunks(8).enumerate() {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            set(at(entry, 5 + n), u64::from_le_bytes(whole));
        }
        set(at(entry, 4), layout_of(wanted));
        set(at(entry, 3), found.birth);
        set(at(entry, 2), offset as u64);
        set(at(entry, 1), wanted.size as u64);
        set(3, (offset + wanted.size) as u64);
        // Release: the lock of the file would do; but who is killed here leaves no half of it even to those who do not know of it.
        self.word(at(entry, 0)).store(wanted.kind as u64, Ordering::Release);
        Ok(found)
    }

    fn name_of(&self, entry: usize) -> Vec<u8> {
        let len = (self.get(at(entry, 4)) as usize & 0xff).min(NAME_MAX);
        let bytes = (0..len.div_ceil(8)).flat_map(|n| self.get(at(entry, 5 + n)).to_le_bytes());
        bytes.take(len).collect()
    }

    /// Whether something of this size may lie there.
    fn holds(&self, offset: usize, size: usize) -> bool {
        let end = offset.checked_add(size);
        offset >= HEADER_BYTES && offset % ALIGN == 0 && end.is_some_and(|end| end <= self.0.n_bytes)
    }

    /// A word of the header. The file is locked.
    fn get(&self, n: usize) -> u64 {
        // Acquire: what lies there may have been written by somebody who was killed.
        self.word(n).load(Ordering::Acquire)
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins with a page")]
    fn word(&self, n: usize) -> &AtomicU64 {
        assert!(n < HEADER_BYTES / 8, "no word of the header");
        // SAFETY: the mapping begins with a header of so many words, is aligned to a page, and lasts as long as `self`; nothing but
        // atomics is ever made of these bytes.
        unsafe { AtomicU64::from_ptr(self.0.map.as_mut_ptr().cast::<u64>().add(n)) }
    }

    /// The first byte of an object.
    pub(super) fn at_offset(&self, found: Found, size: usize) -> *mut u8 {
        // Once for each use, and cheap: nothing that lies in the memory can change `found`, but all soundness hangs on it.
        assert!(self.holds(found.offset, size), "`open` has compared it");
        self.0.map.as_mut_ptr().wrapping_add(found.offset)
    }

    pub(super) fn device(&self) -> u64 {
        self.0.device
    }

    pub(super) fn inode(&self) -> u64 {
        self.0.inode
    }

    /// How `/proc` writes that a process has it mapped; empty if that is not known.
    pub(super) fn shown_as(&self) -> &str {
        &self.0.shown_as
    }
}

/// Keeps all others from making something in a region, until it is closed.
struct Locked {
    _file: OwnedFd,
}

impl Locked {
    /// The lock is one of an open file, of which forked processes have the same: so the file is opened anew.
    fn new(file: &OwnedFd) -> io::Result<Self> {
        let again = format!("/proc/self/fd/{}", file.as_raw_fd());
        let again = rustix::fs::open(again, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        loop {
            match rustix::fs::flock(&again, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                locked => return locked.map(|()| Self { _file: again }).map_err(io::Error::from),
            }
        }
    }
}

impl AsFd for Region {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mapping { device, inode, n_bytes, .. } = &*self.0;
        let mut shown = f.debug_struct("Region");
        shown.field("device", device).field("inode", inode).field("n_bytes", n_bytes).finish()
    }
}

fn bytes_of(wanted: usize) -> io::Result<usize> {
    let n_bytes = wanted.checked_add(HEADER_BYTES).and_then(|sum| sum.checked_next_multiple_of(4096));
    n_bytes
        .filter(|n_bytes| *n_bytes <= BYTES_MAX)
        .ok_or_else(|| invalid(format!("a region of {wanted} bytes is too large")))
}

/// Makes a file as long as wanted, with all the room that it takes: a full disk is an error now and no SIGBUS later.
fn make_room(file: &OwnedFd, n_bytes: usize) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, n_bytes as u64) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let zeros = [0; 4096];
            for at in (0..n_bytes).step_by(zeros.len()) {
                let n = zeros.len().min(n_bytes - at);
                // Short of all of it: the file is another length then, and whoever opens it is told so.
                rustix::io::pwrite(file, &zeros[..n], at as u64)?;
            }
            Ok(())
        }
        made => made.map_err(io::Error::from),
    }
}

/// The number of a word of an entry among those of the header.
const fn at(entry: usize, word: usize) -> usize {
    FIRST_ENTRY + entry * ENTRY_WORDS + word
}

/// Size and alignment of what is guarded, and the length of the name.
const fn layout_of(wanted: &Wanted<'_>) -> u64 {
    let (size, align) = wanted.guards;
    (size as u64) << 16 | (align as u64 & 0xff) << 8 | wanted.name.len() as u64
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn path_of(name: &str) -> io::Result<PathBuf> {
    if name.is_empty() || name.contains('/') || name.contains('\0') || name == "." || name == ".." {
        return Err(invalid(format!("`{name}`: the name of a region is that of a file, without `/`")));
    }
    Ok(Path::new("/dev/shm").join(name))
}

fn told(error: &io::Error, path: &Path, remedy: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}; {remedy}", path.display()))
}

fn foreign(path: &Path) -> io::Error {
    let text =
        format!("{}: it is no region of instrumented_sync, or was cut: remove it, or name another one", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}
