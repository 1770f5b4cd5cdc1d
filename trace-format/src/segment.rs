//! The one routine that maps a piece of a process file.

use crate::words::{ReadWords, Words};
use core::sync::atomic::{AtomicU64, Ordering};
use memmap2::{MmapOptions, MmapRaw};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
    mm::{Advice, madvise},
};
use std::{fs::File, io, os::fd::AsFd, os::unix::fs::FileExt};

/// A mapped piece of a file, reached as atomic words only. Unmapped when dropped.
#[derive(Debug)]
pub struct Segment {
    map: MmapRaw,
}

impl Segment {
    /// Extends `file` by `bytes` at `offset`, maps that piece, and has its pages made.
    ///
    /// Space is allocated before mapping, since a page of a sparse file costs tens of nanoseconds per event at
    /// its first touch and kills the process with SIGBUS on a full disk. Making the pages in one call costs
    /// about a quarter of letting each fault; where the kernel is too old for it they fault one by one.
    ///
    /// # Errors
    ///
    /// The file system is full, the limit of mappings is reached, or `offset` is not a multiple of a page.
    pub fn create(file: &File, offset: u64, bytes: usize, populate: usize) -> io::Result<Self> {
        allocate(file, offset, bytes)?;
        let map = MmapOptions::new().offset(offset).len(bytes).map_raw(file)?;
        if populate > 0 {
            // SAFETY: the range lies in the mapping just made, and populating it for writing changes no byte
            // that anybody has seen: the pages are new and read as zeros before and after.
            let _faults_later =
                unsafe { madvise(map.as_mut_ptr().cast(), populate.min(bytes), Advice::LinuxPopulateWrite) };
        }
        Ok(Self { map })
    }

    /// Maps a piece of a file that exists already.
    ///
    /// # Errors
    ///
    /// As [`Segment::create`], but for allocation.
    pub fn open(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        Ok(Self { map: MmapOptions::new().offset(offset).len(bytes).map_raw(file)? })
    }

    /// Memory of this process alone, zeroed, that no allocator knows of.
    ///
    /// # Errors
    ///
    /// The limit of memory or mappings is reached.
    pub fn anonymous(bytes: usize) -> io::Result<Self> {
        Ok(Self { map: MmapRaw::from(memmap2::MmapMut::map_anon(bytes)?) })
    }

    /// The words of the piece.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY:
        // - The mapping is page-aligned, readable and writable, `len` bytes long, and lives as long as `self`.
        // - `AtomicU64` has the layout of `u64`, for which all bytes are valid.
        // - Other mappings of the same memory, in this process or another, are touched through atomics or the
        //   kernel only; every routine that maps a trace is in this module.
        unsafe { std::slice::from_raw_parts(first_word(&self.map), self.map.len() / 8) }
    }

    /// Gives the mapping up without unmapping it: the words live until the process ends.
    pub fn leak(self) -> &'static [AtomicU64] {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: as in `words`; the mapping is never unmapped, so the words outlive everything.
        unsafe { std::slice::from_raw_parts(first_word(&this.map), this.map.len() / 8) }
    }
}

/// Unmaps words that [`Segment::leak`] gave.
///
/// # Safety
///
/// `words` must be all that one call of [`Segment::leak`] returned, and nobody may use them any more.
pub unsafe fn unmap(words: &'static [AtomicU64]) {
    let start = words.as_ptr().cast_mut().cast();
    // SAFETY: the range is a whole mapping, and the caller promises that nobody uses it any more. The kernel
    // refuses only ranges that are not a mapping; that leaves it mapped, which harms nobody.
    let _stays_mapped = unsafe { rustix::mm::munmap(start, size_of_val(words)) };
}

/// A mapping starts at a page, so its first word is aligned.
fn first_word(map: &MmapRaw) -> *const AtomicU64 {
    map.as_mut_ptr().cast_const().cast()
}

fn allocate(file: &File, offset: u64, bytes: usize) -> io::Result<()> {
    match fallocate(file.as_fd(), FallocateFlags::empty(), offset, bytes as u64) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, offset, bytes),
        Err(error) => Err(error.into()),
    }
}

/// Allocates by writing zeros, for file systems that cannot be asked.
fn fill(file: &File, offset: u64, bytes: usize) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let end = offset + bytes as u64;
    let mut at = offset;
    while at < end {
        let len = (end - at).min(ZEROS.len() as u64) as usize;
        file.write_all_at(&ZEROS[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

/// Words behind a pointer, without a length: what an append goes through, since the length was checked before.
#[derive(Clone, Copy, Debug)]
pub struct RawWords {
    words: *const AtomicU64,
}

impl RawWords {
    /// Words that start at `words`.
    ///
    /// # Safety
    ///
    /// Every word that is loaded from or stored to through the result must be part of a live mapping, as
    /// [`Segment::words`] gives it, at that time.
    pub const unsafe fn new(words: *const AtomicU64) -> Self {
        Self { words }
    }

    /// Where the words start.
    pub const fn as_ptr(self) -> *const AtomicU64 {
        self.words
    }

    #[inline]
    fn word(&self, word: usize) -> &AtomicU64 {
        // SAFETY: whoever made `self` promised that the words used are part of a live mapping.
        unsafe { &*self.words.add(word) }
    }
}

impl ReadWords for RawWords {
    #[inline]
    fn load(&self, word: usize, order: Ordering) -> u64 {
        self.word(word).load(order)
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        core::sync::atomic::fence(order);
    }
}

impl Words for RawWords {
    #[inline]
    fn store(&self, word: usize, value: u64, order: Ordering) {
        self.word(word).store(value, order);
    }
}
