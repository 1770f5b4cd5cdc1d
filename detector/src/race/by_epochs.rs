//! Races as RAPID's happens-before engine by epochs counts them, for comparison with published numbers.
//!
//! It remembers of writes the last one; of reads the last one, or of each thread one if they are not ordered, but none that raced; and
//! where a write finds such a list, it forgets it. So it finds the first race of each variable, and not each access that races.

use crate::history::{History, Kind, Operation};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

type Clock = Vec<u64>;

/// What is remembered of a variable's reads.
enum Reads {
    Last(usize, u64),
    Shared(Clock),
}

/// Counts races as RAPID's happens-before engine by epochs does (its numbers are those of the published tables): accesses that race with
/// one of those that it remembers, and their places.
///
/// ```
/// use detector::{race::{self, Rule}, source::std_text};
///
/// // The second write of `T1` races with both reads; the read that raced itself is not remembered.
/// let text = "T0|fork(T1)|1\nT1|w(x)|2\nT0|r(x)|3\nT1|w(x)|4\n";
/// let (history, _) = std_text::read(text.as_bytes(), "x.std");
/// assert_eq!(race::count_by_epochs(&history), (1, 1));
/// assert_eq!(race::of_history(&history, Rule::HappensBefore).n_accesses, 2);
/// ```
pub fn count_by_epochs(history: &History) -> (u64, u64) {
    let mut engine = Engine::new(history.threads.len());
    let (mut racy, mut places) = (0, BTreeSet::new());
    for operation in &history.operations {
        if engine.races(operation) {
            racy += 1;
            places.insert(operation.place);
        }
    }
    (racy, places.len() as u64)
}

struct Engine {
    threads: Vec<Clock>,
    locks: FxHashMap<u32, Clock>,
    /// The last write of each variable.
    writes: FxHashMap<u32, (usize, u64)>,
    reads: FxHashMap<u32, Reads>,
}

impl Engine {
    fn new(n: usize) -> Self {
        Self {
            threads: (0..n).map(|own| (0..n).map(|other| u64::from(other == own)).collect()).collect(),
            locks: FxHashMap::default(),
            writes: FxHashMap::default(),
            reads: FxHashMap::default(),
        }
    }

    /// Goes past an operation; whether it races.
    fn races(&mut self, operation: &Operation) -> bool {
        let (own, other) = (operation.thread as usize, operation.target as usize);
        match operation.kind {
            Kind::Acquire => {
                join(&mut self.threads[own], self.locks.get(&operation.target).map_or(&[], |clock| clock));
            }
            Kind::Release => {
                self.locks.insert(operation.target, self.threads[own].clone());
                self.threads[own][own] += 1;
            }
            Kind::Fork => {
                let clock = self.threads[own].clone();
                join(&mut self.threads[other], &clock);
                self.threads[own][own] += 1;
            }
            Kind::Join => {
                let clock = self.threads[other].clone();
                join(&mut self.threads[own], &clock);
            }
            Kind::Read if !self.is_after_write(operation) => return true,
            Kind::Read => note_read(&mut self.reads, operation.target, own, &self.threads[own]),
            Kind::Write => return self.write(operation),
            _ => {}
        }
        false
    }

    fn is_after_write(&self, operation: &Operation) -> bool {
        let clock = &self.threads[operation.thread as usize];
        self.writes.get(&operation.target).is_none_or(|(writer, time)| *time <= clock[*writer])
    }

    fn write(&mut self, operation: &Operation) -> bool {
        let mut races = !self.is_after_write(operation);
        let own = operation.thread as usize;
        let clock = &self.threads[own];
        match self.reads.get(&operation.target) {
            Some(Reads::Last(reader, time)) => races |= *time > clock[*reader],
            Some(Reads::Shared(shared)) => {
                races |= shared.iter().zip(clock).any(|(read, known)| read > known);
                self.reads.remove(&operation.target);
            }
            None => {}
        }
        self.writes.insert(operation.target, (own, clock[own]));
        races
    }
}

fn note_read(reads: &mut FxHashMap<u32, Reads>, variable: u32, own: usize, clock: &Clock) {
    let now = clock[own];
    let noted = match reads.remove(&variable) {
        Some(Reads::Shared(mut shared)) => {
            shared[own] = now;
            Reads::Shared(shared)
        }
        Some(Reads::Last(reader, time)) if time > clock[reader] => {
            let mut shared = vec![0; clock.len()];
            (shared[reader], shared[own]) = (time, now);
            Reads::Shared(shared)
        }
        _ => Reads::Last(own, now),
    };
    reads.insert(variable, noted);
}

fn join(clock: &mut Clock, other: &[u64]) {
    for (own, other) in clock.iter_mut().zip(other) {
        *own = (*own).max(*other);
    }
}
