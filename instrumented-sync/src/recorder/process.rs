//! What the threads of a process share: its file, the dictionary in it, pools of segments and slots.
//!
//! All of it lies behind one lock, taken only on cold paths. The lock is std's; while it is held the thread is
//! busy ([`Local::enter`](super::Local::enter)), so that neither an allocator nor a signal handler comes back.
//!
//! The file is opened anew for each chunk: a program may close descriptors that are not its own, change its
//! directory, or count its descriptors, and the recorder is to have no part in any of that.

mod dictionary;
mod directory;
mod file;
mod modules;
mod pool;

pub(super) use self::pool::Slot;

use self::{dictionary::Dictionary, file::ProcessFile, modules::Modules, pool::Pools};
use super::{
    copies, platform,
    table_abi::{Source, Text},
};
use crate::trace::StartError;
use std::{
    cell::UnsafeCell,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed},
    },
};
use trace_format::{ObjectId, process::word};

/// Ids that a thread takes at once, so that threads that make many locks do not share a counter.
const OBJECT_BLOCK: u64 = 256;

static PROCESS: Global = Global(UnsafeCell::new(Mutex::new(Process::new())));

/// Header of this process's file; null until it is open, and again in a forked child.
static HEADER: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// The first object id that no thread has taken. Goes on in a forked child, so that ids made before the fork
/// stay distinct from those made after it.
static NEXT_OBJECT: AtomicU64 = AtomicU64::new(1);

/// What [`NEXT_OBJECT`] was at the latest fork that this process came from.
static FORKED_NEXT_OBJECT: AtomicU64 = AtomicU64::new(0);

/// Forks of this process that were recorded.
static N_FORKS: AtomicU64 = AtomicU64::new(0);

/// Which of these, in the process that the header names as the one that this was forked from, led here; 0 if that was not
/// recorded.
static FORKED_NUMBER: AtomicU64 = AtomicU64::new(0);

/// What was lost before there was a file to count it in.
static LOST_BEFORE: AtomicU64 = AtomicU64::new(0);

/// How often this process was forked, counted from the first.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Differs between a process and what is forked from it: threads of another generation do not exist here.
pub(super) fn generation() -> u64 {
    // Relaxed: changes while the process has one thread only.
    FORKS.load(Relaxed)
}

struct Global(UnsafeCell<Mutex<Process>>);

// SAFETY: the mutex is shared as any mutex is; `after_fork_in_child` alone writes the cell, and at that moment
// the process has one thread.
unsafe impl Sync for Global {}

/// The recorder's shared state.
struct Process {
    file: ProcessFile,
    dictionary: Dictionary,
    pools: Pools,
}

impl Process {
    const fn new() -> Self {
        Self { file: ProcessFile::new(), dictionary: Dictionary::new(), pools: Pools::new() }
    }

    /// Opens the file if it is not open yet, and says in it what runs here.
    #[cold]
    fn open(&mut self, modules: Option<&Modules>) -> Option<()> {
        if self.file.is_open() {
            // Another thread was here while the loader was asked.
            return Some(());
        }
        // Relaxed: stored before this process had a second thread.
        self.file.open(FORKED_NEXT_OBJECT.load(Relaxed), FORKED_NUMBER.load(Relaxed))?;
        copies::keep_ids_apart(self.file.copy(), &NEXT_OBJECT);
        let header = self.file.header();
        HEADER.store(header.as_ptr().cast_mut(), Relaxed);
        // Relaxed: a statistic. What comes between the two stores is counted here too, or not before the next file.
        header[word::LOST].fetch_add(LOST_BEFORE.swap(0, Relaxed), Relaxed);
        self.dictionary.describe_program(&mut self.file, modules);
        Some(())
    }
}

/// Runs `f` with the state of this process, its file open; `None` if it cannot be opened.
fn with<R>(f: impl FnOnce(&mut Process) -> R) -> Option<R> {
    let mut process = lock();
    if !process.file.is_open() {
        // The loader is not asked under the lock; see `modules`.
        let mut modules = None;
        if !process.file.has_failed() && !Dictionary::is_inherited() {
            drop(process);
            modules = Some(Modules::loaded());
            process = lock();
        }
        process.open(modules.as_ref())?;
    }
    Some(f(&mut process))
}

fn lock() -> MutexGuard<'static, Process> {
    // SAFETY: the cell is written only between fork and the child's first own step, when no reference lives.
    let mutex = unsafe { &*PROCESS.0.get() };
    // The recorder does not panic, so a poisoned lock is one whose thread was unwound by something foreign; what
    // it guards is consistent after each step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes or joins the trace in `dir`; nothing is recorded before that.
pub(super) fn configure(dir: &Path) -> Result<(), StartError> {
    file::configure();
    directory::join(dir)
}

/// Makes the process file now, so that other copies of the recorder find it.
pub(super) fn open() {
    // Without a file nothing is recorded, which the program need not know.
    let _nothing_to_do = with(|_| ());
}

/// Another copy records: this one makes no file, not even for a thread that has not seen that yet.
pub(super) fn stay_closed() {
    lock().file.stay_closed();
}

/// Takes a block of object ids: first and one past the last.
pub(super) fn take_objects() -> (u64, u64) {
    // Relaxed: all that matters is that no two threads get the same block.
    let first = NEXT_OBJECT.fetch_add(OBJECT_BLOCK, Relaxed);
    // 2^40 ids last for weeks at a lock per microsecond; then objects become anonymous.
    if first + OBJECT_BLOCK > ObjectId::MAX.0 { (0, 0) } else { (first, first + OBJECT_BLOCK) }
}

/// Numbers a fork of this process that is about to be recorded.
pub(super) fn next_fork() -> u64 {
    // Relaxed: all that matters is that numbers are unique.
    N_FORKS.fetch_add(1, Relaxed) + 1
}

/// Gives an id to a location, which may be unknown, with a stack; 0 if the dictionary is full.
pub(super) fn intern_site(source: Option<Source>, stack: &[u64]) -> u32 {
    let known = with(|Process { file, dictionary, .. }| {
        (!dictionary.needs_modules(stack)).then(|| dictionary.site(file, source, stack))
    });
    match known {
        Some(Some(site)) => site,
        Some(None) => {
            let modules = Modules::loaded();
            with(|Process { file, dictionary, .. }| {
                dictionary.describe_modules(file, &modules);
                dictionary.site(file, source, stack)
            })
            .unwrap_or(0)
        }
        None => 0,
    }
}

/// Gives an id to a class of objects.
pub(super) fn intern_class(kind: trace_format::ObjectKind, type_name: Text) -> u32 {
    with(|process| process.dictionary.class(&mut process.file, kind, type_name)).unwrap_or(0)
}

/// Whether no thread of this process had this name before.
pub(super) fn is_new_name(name: &[u8]) -> bool {
    with(|process| process.dictionary.is_new_name(name)).unwrap_or(false)
}

/// Writes a name into the dictionary.
pub(super) fn write_record(record: &trace_format::dictionary::Record<'_>) {
    with(|process| process.dictionary.write(&mut process.file, record));
}

/// Says who this thread is.
pub(super) fn describe_thread(object: u64, name: &[u8]) {
    let (tid, start) = (platform::tid(), platform::thread_start());
    write_record(&trace_format::dictionary::Record::Thread { object: ObjectId(object), tid, start, name });
}

/// A segment for a thread: its words and the word to go on at.
pub(super) fn take_segment(thread: u64, bytes: usize) -> Option<(&'static [AtomicU64], usize)> {
    with(|process| process.pools.take_segment(&mut process.file, thread, bytes)).flatten()
}

/// A thread is done with a segment: it is full, or the thread ends with room left.
pub(super) fn return_segment(words: &'static [AtomicU64], full: bool) {
    with(|process| process.pools.return_segment(words, full));
}

/// A slot, or an overflow record for one.
pub(super) fn take_slot() -> Option<Slot> {
    with(|process| process.pools.take_slot(&mut process.file)).flatten()
}

/// A thread has ended and holds nothing.
pub(super) fn return_slot(slot: Slot) {
    with(|process| process.pools.return_slot(slot));
}

/// Memory for a thread's caches, `bytes` of it; its content is that of its last owner.
pub(super) fn take_area(bytes: usize) -> Option<&'static [AtomicU64]> {
    with(|process| process.pools.take_area(bytes)).flatten()
}

/// A thread has ended.
pub(super) fn return_area(words: &'static [AtomicU64]) {
    with(|process| process.pools.return_area(words));
}

/// Counts operations that no segment can count; those before there is a file go into it when it is made.
pub(super) fn count_lost(n: u64) {
    let count = header().map_or(&LOST_BEFORE, |header| &header[word::LOST]);
    // Relaxed: a statistic.
    count.fetch_add(n, Relaxed);
}

/// Monotonic nanoseconds since the process file was made; 0 if there is none.
pub(super) fn elapsed_ns() -> u64 {
    header().map_or(0, |header| platform::monotonic_ns().saturating_sub(header[word::MONOTONIC_NS].load(Relaxed)))
}

fn header() -> Option<&'static [AtomicU64]> {
    // Relaxed: the words behind the pointer were written by this thread or under the lock that it took since.
    let header = HEADER.load(Relaxed);
    // SAFETY: a pointer that is not null is that of a header that was leaked: mapped, `HEADER_BYTES` long, and
    // never unmapped. In a forked child it is null until the child has a header of its own.
    (!header.is_null()).then(|| unsafe { std::slice::from_raw_parts(header, trace_format::process::HEADER_BYTES / 8) })
}

/// The program goes through an orderly exit.
pub(super) fn at_exit() {
    if let Some(header) = header() {
        // Release: pairs with the acquire load of a reader that trusts what an ended process left behind.
        header[word::END].store(1, std::sync::atomic::Ordering::Release);
    }
}

/// In a forked child: forgets the parent's file, whose mappings the child shares and must not write. `number` is that of
/// the fork. A parent without a file is not the one that the header will name: what its own parent was forked as counts.
///
/// Async-signal-safe: stores only. The lock may have been held by a thread that does not exist here, so it is
/// replaced, not taken; what it guarded is forgotten with it (the memory stays, copy-on-write).
pub(super) fn after_fork_in_child(number: u64) {
    // Relaxed, here and below: the child has one thread.
    FORKS.fetch_add(1, Relaxed);
    if !HEADER.swap(std::ptr::null_mut(), Relaxed).is_null() {
        FORKED_NUMBER.store(number, Relaxed);
        N_FORKS.store(0, Relaxed);
    }
    LOST_BEFORE.store(0, Relaxed);
    // Relaxed: as in `Process::open`.
    FORKED_NEXT_OBJECT.store(NEXT_OBJECT.load(Relaxed), Relaxed);
    // SAFETY: the child has one thread, and it is here, not inside `with`: a fork from a signal handler that
    // interrupted `with` leaves that frame's guard pointing at the new mutex, which it then unlocks; an unlocked
    // mutex stays unlocked by that.
    unsafe { std::ptr::write(PROCESS.0.get(), Mutex::new(Process::new())) };
}
