//! Traces of any size, in which is known what races: STD text, made the same way each time.

use std::{
    collections::HashSet,
    fmt::Arguments,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// What most of a trace does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bulk {
    /// What is accessed is guarded by a lock that is held, or the thread's own.
    Guarded,
    /// Half of it is anybody's, and often read: threads learn of each other all the time.
    Shared,
    /// Half of it is anybody's, and only written: threads know of each other what sections of locks say.
    Written,
    /// Each thread in its turn writes what all write, between sections of locks that only two threads take. Nobody reads.
    Phases,
}

/// What a trace is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Operations, but for the patterns, which are a few dozen.
    pub(crate) n_operations: u64,
    /// Threads, beside the first.
    pub(crate) n_threads: u64,
    pub(crate) n_locks: u64,
    /// Variables that are shared.
    pub(crate) n_variables: u64,
    /// Of a thousand operations, those that are about locks.
    pub(crate) sync_permille: u64,
    pub(crate) bulk: Bulk,
}

/// Locks that a thread holds at most.
const NESTING: usize = 3;

/// Variables of each thread that no other one uses.
const OWN: u64 = 512;

/// Places of accesses, and of shared ones.
const PLACES: u64 = 1_000;
const SHARED_PLACES: u64 = 16;

/// Writes a trace.
pub(crate) fn write(shape: Shape, path: &Path) -> io::Result<()> {
    let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut trace = Trace { shape, out, n_written: 0, random: Random(shape.n_operations), taken: HashSet::new() };
    for thread in 1..=shape.n_threads {
        trace.line(0, "fork", format_args!("T{thread}"), thread)?;
    }
    match shape.bulk {
        Bulk::Guarded | Bulk::Shared | Bulk::Written => trace.bulk()?,
        Bulk::Phases => trace.phases()?,
    }
    trace.patterns()?;
    for thread in 1..=shape.n_threads {
        trace.line(0, "join", format_args!("T{thread}"), thread)?;
    }
    trace.out.flush()
}

struct Trace {
    shape: Shape,
    out: BufWriter<File>,
    n_written: u64,
    random: Random,
    /// Locks of the bulk that somebody holds.
    taken: HashSet<u64>,
}

impl Trace {
    fn line(&mut self, thread: u64, kind: &str, operand: Arguments<'_>, place: u64) -> io::Result<()> {
        self.n_written += 1;
        writeln!(self.out, "T{thread}|{kind}({operand})|{place}")
    }

    /// Threads in turn, a few operations each.
    fn bulk(&mut self) -> io::Result<()> {
        let mut held = vec![Vec::new(); self.shape.n_threads as usize];
        while self.n_written < self.shape.n_operations {
            let thread = self.random.below(self.shape.n_threads);
            for _ in 0..=self.random.below(8) {
                let held = &mut held[thread as usize];
                if self.random.below(1_000) < self.shape.sync_permille {
                    self.lock_or_unlock(thread + 1, held)?;
                } else {
                    self.access(thread + 1, held.last().copied())?;
                }
            }
        }
        for (thread, held) in (1..).zip(held) {
            for lock in held.into_iter().rev() {
                self.line(thread, "rel", format_args!("L{lock}"), 9)?;
            }
        }
        Ok(())
    }

    fn lock_or_unlock(&mut self, thread: u64, held: &mut Vec<u64>) -> io::Result<()> {
        if held.len() < NESTING && self.random.below(100) < 55 {
            let above = held.last().map_or(0, |last| last + 1);
            let n_above = self.shape.n_locks.saturating_sub(above);
            if n_above > 0 {
                let lock = above + self.random.below(n_above.min((self.shape.n_locks / NESTING as u64).max(1)));
                if self.taken.insert(lock) {
                    held.push(lock);
                    self.line(thread, "acq", format_args!("L{lock}"), 1_000 + lock % 200)?;
                }
            }
        } else if let Some(lock) = held.pop() {
            self.taken.remove(&lock);
            self.line(thread, "rel", format_args!("L{lock}"), 1_200 + lock % 200)?;
        }
        Ok(())
    }

    fn access(&mut self, thread: u64, lock: Option<u64>) -> io::Result<()> {
        let kind = if self.random.below(10) < 3 { "w" } else { "r" };
        let place = 2_000 + self.random.below(PLACES);
        if self.shape.bulk != Bulk::Guarded && self.random.below(2) == 0 {
            let kind = if self.shape.bulk == Bulk::Written { "w" } else { kind };
            let variable = self.random.below(self.shape.n_variables);
            return self.line(thread, kind, format_args!("S{variable}"), 4_000 + place % SHARED_PLACES);
        }
        if let Some(lock) = lock.filter(|_| self.random.below(2) == 0) {
            let of_lock = self.random.below(self.shape.n_variables / self.shape.n_locks);
            return self.line(thread, kind, format_args!("V{lock}.{of_lock}"), place);
        }
        let variable = self.random.below(OWN);
        self.line(thread, kind, format_args!("O{thread}.{variable}"), place)
    }

    /// One thread after the other: a section of a lock that the next one takes too, and writes.
    fn phases(&mut self) -> io::Result<()> {
        let n_each = self.shape.n_operations / self.shape.n_threads;
        for thread in 1..=self.shape.n_threads {
            let end = self.n_written + n_each;
            while self.n_written < end {
                let lock = (thread + self.random.below(2)) % self.shape.n_locks;
                self.line(thread, "acq", format_args!("L{lock}"), 1_000 + lock)?;
                self.line(thread, "rel", format_args!("L{lock}"), 1_200 + lock)?;
                for _ in 0..2_000 / self.shape.sync_permille - 2 {
                    let variable = self.random.below(self.shape.n_variables);
                    self.line(thread, "w", format_args!("S{variable}"), 4_000 + variable % SHARED_PLACES)?;
                }
            }
        }
        Ok(())
    }

    fn section(&mut self, thread: u64, lock: &str, place: u64) -> io::Result<()> {
        self.line(thread, "acq", format_args!("{lock}"), place)?;
        self.line(thread, "rel", format_args!("{lock}"), place + 1)
    }

    /// Three races, of which happens-before orders one, and two pairs of accesses that are none.
    fn patterns(&mut self) -> io::Result<()> {
        self.line(1, "w", format_args!("R1"), 8_000)?;
        self.line(2, "w", format_args!("R1"), 8_001)?;
        self.line(1, "w", format_args!("R2"), 8_100)?;
        self.section(1, "LR", 8_110)?;
        self.section(2, "LR", 8_120)?;
        self.line(2, "w", format_args!("R2"), 8_101)?;
        self.line(1, "w", format_args!("R3"), 8_200)?;
        self.line(2, "r", format_args!("R3"), 8_201)?;
        for thread in [1, 2] {
            self.line(thread, "acq", format_args!("LS"), 8_300)?;
            self.line(thread, "w", format_args!("G"), 8_301)?;
            self.line(thread, "rel", format_args!("LS"), 8_302)?;
        }
        let late = self.shape.n_threads + 1;
        self.line(0, "w", format_args!("F"), 8_400)?;
        self.line(0, "fork", format_args!("T{late}"), 8_401)?;
        self.line(late, "w", format_args!("F"), 8_402)?;
        self.line(0, "join", format_args!("T{late}"), 8_403)
    }
}

/// Numbers that look random and are the same each time: a counter, mixed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        ((u128::from(mixed ^ mixed >> 32) * u128::from(n)) >> 64) as u64
    }
}
