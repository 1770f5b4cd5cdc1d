//! Memory that a program marks, cut into parts: accesses that overlap have parts in common.
//!
//! A mark names an address and a length, and what one access covers another one may cover in part: a structure and one of its
//! fields. Cut at all ends of all accesses, each access is some whole parts, mostly one.

use crate::source::{ProcessFile, scan};
use std::ops::Range;
use trace_format::{Event, Kind};

/// The parts, from lower to higher addresses.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// First address of each part, and the first one behind it.
    parts: Vec<(u64, u64)>,
}

impl Memory {
    /// Of all that the marks of a process cover. An atomic variable is a part too if something marks it.
    pub(super) fn of(file: &ProcessFile) -> Self {
        let mut marked = Vec::new();
        let mut atomics = Vec::new();
        scan(file, |event| match event.kind() {
            Kind::CELL_READ | Kind::CELL_WRITE if event.is_at_address() => marked.push(covered(event)),
            Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW => atomics.push(covered(event)),
            _ => {}
        });
        if marked.is_empty() {
            return Self::default();
        }
        for ranges in [&mut marked, &mut atomics] {
            ranges.sort_unstable();
            ranges.dedup();
        }
        let union = union(&marked);
        let is_marked = |of: &(u64, u64)| {
            let next = union.partition_point(|(_, end)| *end <= of.0);
            union.get(next).is_some_and(|(start, _)| *start < of.1)
        };
        let mut ends: Vec<u64> = union.iter().flat_map(|(start, end)| [*start, *end]).collect();
        ends.extend(marked.iter().chain(atomics.iter().filter(|of| is_marked(of))).flat_map(|(start, end)| [*start, *end]));
        ends.sort_unstable();
        ends.dedup();
        let parts = ends.windows(2).map(|pair| (pair[0], pair[1])).filter(is_marked).collect();
        Self { parts }
    }

    /// The parts that an access covers, if any.
    pub(super) fn parts(&self, event: Event) -> Range<usize> {
        let (start, end) = covered(event);
        let first = self.parts.partition_point(|(_, behind)| *behind <= start);
        let n = self.parts[first..].partition_point(|(start, _)| *start < end);
        first..first + n
    }

    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }
}

/// The first address that an event on memory is about, and the first one behind.
fn covered(event: Event) -> (u64, u64) {
    let n = match event.kind() {
        Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW => event.flags().n_bytes(),
        _ => event.beside(),
    };
    (event.address(), event.address() + n.max(1))
}

/// Ranges that do not meet, of ranges in order.
fn union(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut union: Vec<(u64, u64)> = Vec::new();
    for (start, end) in ranges.iter().copied() {
        match union.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => union.push((start, end)),
        }
    }
    union
}
