//! Who owns what lies in shared memory: a thread, told from later ones with its number by the time it was started.

use super::protocol::{Life, WANTS, Word};
use std::{
    cell::{Cell, RefCell},
    fs, io,
    sync::atomic::{AtomicU32, AtomicU64},
    time::{Duration, Instant},
};

/// For how long an owner counts as alive, if its thread exists, before it is asked whether its process still has the memory: after an `exec` the
/// thread goes on, and knows nothing of what it held.
const MAPPED_AFTER: Duration = Duration::from_secs(1);

/// How long after the last look a wait asks again whether the same owner is alive.
const ASKED_AFTER: Duration = Duration::from_millis(5);

/// Set in the word of an owner whose process has run another program since, which has the memory mapped too.
const LEFT: u64 = 1 << 30;

/// Bits of a thread's id in its word; above them stands when it was started.
const TID: u64 = 0x3fff_ffff;

thread_local! {
    /// Process and word of this thread, as it was when last asked: a forked process has another one.
    static ME: Cell<(u32, u64)> = const { Cell::new((0, 0)) };
}

/// The word of this thread; never 0.
pub(super) fn me() -> u64 {
    let process = std::process::id();
    let (of, word) = ME.try_with(Cell::get).unwrap_or_default();
    if of == process {
        return word;
    }
    let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    let start = started("/proc/thread-self/stat").map_or(0, |(_, start)| start);
    let word = u64::from(tid) & TID | u64::from(start) << 32;
    let _kept = ME.try_with(|me| me.set((process, word)));
    word
}

/// The thread's id in a word.
pub(super) const fn tid(word: u64) -> u32 {
    (word & TID) as u32
}

/// The low bits of the time when the thread of a word was started.
pub(super) const fn start(word: u64) -> u32 {
    (word >> 32) as u32
}

/// State and start time, its low bits, of the thread of a file in `/proc`.
fn started(path: &str) -> Option<(char, u32)> {
    let stat = fs::read(path).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may hold anything but is the only part in parentheses.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start: u64 = fields.nth(18)?.parse().ok()?;
    Some((state, start as u32))
}

/// Finds out about owners of what lies in one region, for one wait.
pub(super) struct Watch<'a> {
    /// How `/proc` writes that a process has the memory mapped; empty if that is not known.
    shown_as: &'a str,
    /// Whether the first look already finds out: of who does not wait.
    at_once: bool,
    /// Owners that are waited for: since when, and when they were last asked about.
    looked: RefCell<Vec<(u64, Instant, Instant)>>,
}

/// More of them are not remembered; nothing has so many owners at once.
const LOOKED_MAX: usize = 128;

impl<'a> Watch<'a> {
    pub(super) const fn new(shown_as: &'a str, at_once: bool) -> Self {
        Self { shown_as, at_once, looked: RefCell::new(Vec::new()) }
    }

    /// For how long this owner has been waited for, if it is time to ask about it: who waits among many that come and go sees
    /// another owner each time, and need not ask.
    fn waited(&self, owner: u64) -> Option<Duration> {
        let now = Instant::now();
        let mut looked = self.looked.borrow_mut();
        if let Some((_, since, last)) = looked.iter_mut().find(|(of, ..)| *of == owner) {
            let is_due = now.duration_since(*last) >= ASKED_AFTER;
            if is_due {
                *last = now;
            }
            return is_due.then(|| now.duration_since(*since));
        }
        if looked.len() == LOOKED_MAX {
            looked.clear();
        }
        looked.push((owner, now, now));
        self.at_once.then_some(Duration::ZERO)
    }

    /// Whether a thread that exists is of a process that does not have the memory any more.
    fn has_left(&self, owner: u64) -> bool {
        if self.shown_as.is_empty() {
            return false;
        }
        // What may not be read says nothing.
        let Ok(maps) = fs::read(format!("/proc/{}/maps", tid(owner))) else { return false };
        !maps.is_empty() && !String::from_utf8_lossy(&maps).lines().any(|line| shown_in(line) == Some(self.shown_as))
    }
}

impl Life for Watch<'_> {
    fn is_dead(&self, owner: u64) -> bool {
        if owner & LEFT != 0 {
            return true;
        }
        let Some(waited) = self.waited(owner) else { return false };
        match started(&format!("/proc/{}/stat", tid(owner))) {
            None => is_absent(owner),
            Some(('Z' | 'X' | 'x', _)) => true,
            Some((_, started)) if start(owner) != 0 && started != start(owner) => true,
            Some(_) => waited >= MAPPED_AFTER && self.has_left(owner),
        }
    }
}

/// Whether the system says that there is no such thread: `/proc` may not be there, or hide it.
fn is_absent(owner: u64) -> bool {
    // A number that no thread can have was written by somebody who does not keep to the protocol.
    let Some(pid) = i32::try_from(tid(owner)).ok().and_then(rustix::process::Pid::from_raw) else { return true };
    matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Device and inode of a mapping, as a line of `/proc/PID/maps` has them.
fn shown_in(line: &str) -> Option<&str> {
    // Addresses, permissions, offset, device, inode, and maybe blanks and a path.
    let (at, _) = line.match_indices(' ').nth(2)?;
    let rest = &line[at + 1..];
    let (end, _) = rest.match_indices(' ').nth(1).unwrap_or((rest.len(), ""));
    Some(&rest[..end])
}

/// How `/proc` writes what this process has mapped at an address - on some file systems it is not what `fstat` says -, and whether it has that
/// mapped there only.
pub(super) fn shown_as(address: usize) -> Option<(String, bool)> {
    let maps = fs::read("/proc/self/maps").ok()?;
    let maps = String::from_utf8_lossy(&maps);
    let is_there = |line: &&str| line.starts_with(&format!("{address:08x}-"));
    let shown = maps.lines().find(is_there).and_then(shown_in)?;
    let is_only = maps.lines().filter(|line| shown_in(line) == Some(shown)).all(|line| is_there(&line));
    Some((shown.to_owned(), is_only))
}

/// In a process that has just mapped what it did not have: this word of an owner, if it is that of its first thread, is from before the process
/// ran another program. Nothing of that can use what it guards.
pub(super) fn has_left(word: &AtomicU64) {
    let started = started("/proc/self/stat").map_or(0, |(_, start)| start);
    let first = u64::from(std::process::id()) & TID | u64::from(started) << 32;
    let owner = Word::load(word);
    if owner & !WANTS == first {
        // If it is another one's meanwhile, all is well too.
        let _is_marked = word.exchange(owner, owner | LEFT);
    }
}

/// Differs where a process has another number, or another time of its start, than it has here: in another namespace.
pub(super) fn whose_numbers() -> io::Result<u64> {
    let inode = |path: &str| Ok::<_, io::Error>(rustix::fs::stat(path)?.st_ino);
    // Older systems have one time for all.
    Ok(inode("/proc/self/ns/pid")? | inode("/proc/self/ns/time").unwrap_or(0) << 32)
}

/// The name of this thread, as the system has it, and of this program; bounded, zeros behind.
pub(super) fn names() -> [[u8; 16]; 2] {
    let name = |path: &str| {
        let mut name = [0; 16];
        let text = fs::read(path).unwrap_or_default();
        let text = text.trim_ascii_end();
        let n = text.len().min(name.len());
        name[..n].copy_from_slice(&text[..n]);
        name
    };
    [name("/proc/thread-self/comm"), name("/proc/self/comm")]
}

/// Sleeps on a word of shared memory while it has a value, for a time at most.
pub(super) fn sleep(word: &AtomicU32, seen: u32, longest: Duration) {
    use rustix::thread::futex;
    let timeout = futex::Timespec {
        tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(longest.subsec_nanos()),
    };
    // Woken, changed, interrupted, over: whoever sleeps looks again.
    let _woken = futex::wait(word, futex::Flags::empty(), seen, Some(&timeout));
}

/// Wakes who sleeps on a word, or one of them.
pub(super) fn wake(word: &AtomicU32, all: bool) {
    let _n =
        rustix::thread::futex::wake(word, rustix::thread::futex::Flags::empty(), if all { u32::MAX >> 1 } else { 1 });
}
