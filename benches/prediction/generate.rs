//! Traces of any size, in which is known what there is to find: STD text, made the same way each time.
//!
//! Threads take locks, one in another, each above those that they hold already, so that the bulk has no cycles. Half of
//! what they do with a lock in their hands is with what it guards, the rest with what is theirs alone. Then come cycles, of which
//! five are deadlocks, and what only looks like cycles.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// Deadlocks in each trace: three cycles of two threads, one of three, one of five.
pub(crate) const N_DEADLOCKS: u64 = 5;

/// Cycles that no schedule reaches: one is ordered by a value that is read, one by a fork.
pub(crate) const N_REFUTED: u64 = 2;

/// What a trace is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Operations, but for the cycles, which are a few dozen.
    pub(crate) n_operations: u64,
    /// Threads, beside the first; at least five.
    pub(crate) n_threads: u64,
    pub(crate) n_locks: u64,
    /// Variables of each thread that no other one uses.
    pub(crate) n_variables: u64,
    /// Locks that a thread holds at most.
    pub(crate) nesting: usize,
    /// Of a thousand operations, those that are about locks.
    pub(crate) sync_permille: u64,
}

/// Variables that each lock guards.
const GUARDED: u64 = 8;

/// Of a hundred variables, those that are used in four of five operations.
const HOT_PERCENT: u64 = 10;

/// Writes a trace.
pub(crate) fn write(shape: Shape, path: &Path) -> io::Result<()> {
    let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut trace = Trace { shape, out, n_written: 0, random: Random(shape.n_operations), taken: HashSet::new() };
    for thread in 1..=shape.n_threads {
        trace.line(0, "fork", format_args!("T{thread}"), thread)?;
    }
    trace.bulk()?;
    trace.deadlocks()?;
    trace.no_deadlocks()?;
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
    fn line(&mut self, thread: u64, kind: &str, operand: std::fmt::Arguments<'_>, place: u64) -> io::Result<()> {
        self.n_written += 1;
        writeln!(self.out, "T{thread}|{kind}({operand})|{place}")
    }

    /// Threads in turn, a few operations each.
    fn bulk(&mut self) -> io::Result<()> {
        let mut held = vec![Vec::new(); self.shape.n_threads as usize];
        while self.n_written < self.shape.n_operations {
            let turn = self.random.below(self.shape.n_threads);
            for _ in 0..=self.random.below(8) {
                if self.random.below(1000) < self.shape.sync_permille {
                    self.lock_or_unlock(turn + 1, &mut held[turn as usize])?;
                } else {
                    self.read_or_write(turn + 1, held[turn as usize].last().copied())?;
                }
            }
        }
        for (thread, held) in (1..).zip(&mut held) {
            while let Some(lock) = held.pop() {
                self.line(thread, "rel", format_args!("L{lock}"), 900)?;
            }
        }
        Ok(())
    }

    fn lock_or_unlock(&mut self, thread: u64, held: &mut Vec<u64>) -> io::Result<()> {
        if held.len() >= self.shape.nesting || self.random.below(100) >= 55 {
            let Some(lock) = held.pop() else { return Ok(()) };
            self.taken.remove(&lock);
            return self.line(thread, "rel", format_args!("L{lock}"), 1200 + lock % 200);
        }
        let least = held.last().map_or(0, |lock| lock + 1);
        let n = (self.shape.n_locks - least).min(self.shape.n_locks / self.shape.nesting as u64);
        if n == 0 {
            return Ok(());
        }
        let lock = least + self.random.below(n);
        if !self.taken.insert(lock) {
            return Ok(());
        }
        held.push(lock);
        self.line(thread, "acq", format_args!("L{lock}"), 1000 + lock % 200)
    }

    fn read_or_write(&mut self, thread: u64, held: Option<u64>) -> io::Result<()> {
        let kind = if self.random.below(10) < 3 { "w" } else { "r" };
        let place = 2000 + self.random.below(1000);
        if let Some(lock) = held.filter(|_| self.random.below(2) == 0) {
            let of_lock = self.random.below(GUARDED);
            return self.line(thread, kind, format_args!("V{lock}.{of_lock}"), place);
        }
        let n = self.shape.n_variables;
        let n = if self.random.below(5) < 4 { (n * HOT_PERCENT / 100).max(1) } else { n };
        let variable = 1_000_000 + thread * self.shape.n_variables + self.random.below(n);
        self.line(thread, kind, format_args!("V{variable}"), place)
    }

    /// Sections of a thread, each in the one before.
    fn nest(&mut self, thread: u64, locks: &[&str], place: u64) -> io::Result<()> {
        for (at, lock) in (place..).zip(locks) {
            self.line(thread, "acq", format_args!("{lock}"), at)?;
        }
        for (at, lock) in (place + 50..).zip(locks.iter().rev()) {
            self.line(thread, "rel", format_args!("{lock}"), at)?;
        }
        Ok(())
    }

    /// Threads of a ring, each of which takes a lock and, in it, that of the next one.
    fn ring(&mut self, name: &str, n: u64, place: u64) -> io::Result<()> {
        for at in 0..n {
            let (own, next) = (format!("{name}{at}"), format!("{name}{}", (at + 1) % n));
            self.nest(at + 1, &[&own, &next], place + 100 * at)?;
        }
        Ok(())
    }

    fn deadlocks(&mut self) -> io::Result<()> {
        for (name, place) in [("LA", 5000), ("LB", 5200), ("LC", 5400)] {
            self.ring(name, 2, place)?;
        }
        self.ring("LD", 3, 6000)?;
        self.ring("LE", 5, 6500)
    }

    fn no_deadlocks(&mut self) -> io::Result<()> {
        // Both do it within a third lock.
        self.nest(1, &["LF", "LF0", "LF1"], 7000)?;
        self.nest(2, &["LF", "LF1", "LF0"], 7100)?;
        // One thread does both.
        self.nest(1, &["LG0", "LG1"], 7200)?;
        self.nest(1, &["LG1", "LG0"], 7300)?;
        // The second begins when it has read what the first writes at its end.
        self.nest(1, &["LH0", "LH1"], 7400)?;
        self.line(1, "w", format_args!("VH"), 7490)?;
        self.line(2, "r", format_args!("VH"), 7491)?;
        self.nest(2, &["LH1", "LH0"], 7500)?;
        // The second is started after the first.
        let late = self.shape.n_threads + 1;
        self.nest(0, &["LI0", "LI1"], 7600)?;
        self.line(0, "fork", format_args!("T{late}"), 7690)?;
        self.nest(late, &["LI1", "LI0"], 7700)?;
        self.line(0, "join", format_args!("T{late}"), 7790)
    }
}

/// Numbers that look random and are the same each time: a counter, mixed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        ((u128::from(mixed ^ mixed >> 32) * u128::from(n)) >> 64) as u64
    }
}
