//! Memory that a program marks, cut into parts: accesses that overlap have parts in common.
//!
//! A mark names an address and a length, and what one access covers another one may cover in part: a structure and one of its
//! fields. Cut at all ends of all accesses, each access is some whole parts, mostly one.

use super::{Family, in_space, scan};
use rustc_hash::FxHashSet;
use std::ops::Range;
use trace_format::{Event, Kind};

/// Parts of one access that are looked at: an array of which each element was marked by itself may have millions.
const PARTS_MAX: usize = 4096;

/// The parts, from lower to higher addresses.
#[derive(Debug, Default)]
pub struct Memory {
    /// First address of each part, and the first one behind it.
    parts: Vec<(u64, u64)>,
}

impl Memory {
    /// Of all that the marks of a process cover. An atomic variable is a part too if something marks it.
    pub fn of(file: &Family) -> Self {
        let is_mark =
            |event: Event| matches!(event.kind(), Kind::CELL_READ | Kind::CELL_WRITE) && event.is_at_address();
        let marked = ranges(file, is_mark);
        if marked.is_empty() {
            return Self::default();
        }
        let is_atomic =
            |event: Event| matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW);
        let atomics = ranges(file, is_atomic);
        Self::cut(&marked, &atomics)
    }

    /// Of ranges in order.
    pub(super) fn cut(marked: &[(u64, u64)], atomics: &[(u64, u64)]) -> Self {
        let union = union(marked);
        let is_marked = |of: &&(u64, u64)| {
            let next = union.partition_point(|(_, end)| *end <= of.0);
            union.get(next).is_some_and(|(start, _)| *start < of.1)
        };
        let cuts = marked.iter().chain(atomics.iter().filter(is_marked));
        let mut ends: Vec<u64> = cuts.flat_map(|(start, end)| [*start, *end]).collect();
        ends.sort_unstable();
        ends.dedup();
        let parts = ends.windows(2).map(|pair| (pair[0], pair[1])).filter(|part| is_marked(&part)).collect();
        Self { parts }
    }

    /// The parts that an access covers, if any; of very many the first ones.
    pub fn parts(&self, member: u32, event: Event) -> Range<usize> {
        let Range { start, end } = self.all_parts(member, event);
        start..end.min(start + PARTS_MAX)
    }

    /// Whether an access covers more than [`Self::parts`] says.
    pub fn is_cut(&self, member: u32, event: Event) -> bool {
        self.all_parts(member, event).len() > PARTS_MAX
    }

    fn all_parts(&self, member: u32, event: Event) -> Range<usize> {
        let (start, end) = covered(member, event);
        let first = self.parts.partition_point(|(_, behind)| *behind <= start);
        let n = self.parts[first..].partition_point(|(start, _)| *start < end);
        first..first + n
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether nothing was marked.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// What such events cover, each range once, in order.
fn ranges(file: &Family, is_one: impl Fn(Event) -> bool) -> Vec<(u64, u64)> {
    let mut ranges = FxHashSet::default();
    scan(file, |member, event| {
        if is_one(event) {
            ranges.insert(covered(member, event));
        }
    });
    let mut ranges: Vec<_> = ranges.into_iter().collect();
    ranges.sort_unstable();
    ranges
}

/// The first address that an event on memory is about, and the first one behind, in the space of its process.
fn covered(member: u32, event: Event) -> (u64, u64) {
    let n = match event.kind() {
        Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW => event.flags().n_bytes(),
        _ => event.beside(),
    };
    let start = in_space(member, event.address());
    (start, start + n.max(1))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(marked: &[(u64, u64)], atomics: &[(u64, u64)]) -> Memory {
        Memory::cut(marked, atomics)
    }

    fn parts(memory: &Memory, start: u64, n: u64) -> Range<usize> {
        use trace_format::Flags;
        memory.parts(0, Event::at_address(Kind::CELL_READ, Flags::ADDRESS, 0, start, n))
    }

    #[test]
    fn what_overlaps_has_parts_in_common() {
        let memory = memory(&[(100, 116), (108, 112), (200, 208)], &[(104, 108), (300, 304)]);
        assert_eq!(memory.parts, [(100, 104), (104, 108), (108, 112), (112, 116), (200, 208)]);
        assert_eq!(parts(&memory, 100, 16), 0..4);
        assert_eq!(parts(&memory, 108, 4), 2..3);
        assert_eq!(parts(&memory, 200, 8), 4..5);
        assert!(
            parts(&memory, 300, 4).is_empty()
                && parts(&memory, 116, 84).is_empty()
                && parts(&memory, 0, 100).is_empty()
        );
    }

    #[test]
    fn of_very_many_parts_the_first_ones_are_looked_at_and_that_is_known() {
        let marked: Vec<_> = (0..=PARTS_MAX as u64).map(|n| (n * 8, n * 8 + 8)).collect();
        let memory = memory(&marked, &[]);
        let free = |n| Event::at_address(Kind::CELL_FREE, trace_format::Flags::NONE, 0, 0, n * 8);
        assert_eq!(
            (memory.parts(0, free(PARTS_MAX as u64)), memory.is_cut(0, free(PARTS_MAX as u64))),
            (0..PARTS_MAX, false)
        );
        let more = free(PARTS_MAX as u64 + 1);
        assert_eq!((memory.parts(0, more), memory.is_cut(0, more)), (0..PARTS_MAX, true));
    }

    #[test]
    fn fields_side_by_side_have_nothing_in_common() {
        let memory = memory(&[(64, 68), (68, 72)], &[]);
        assert_eq!((parts(&memory, 64, 4), parts(&memory, 68, 4)), (0..1, 1..2));
        assert_eq!(parts(&memory, 60, 12), 0..2);
    }
}
