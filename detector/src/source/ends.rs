//! Where marked memory ended, and who had not heard of it when it was accessed.
//!
//! Nothing orders a thread that is given memory with the one that freed it, but that it has observed the end (see FORMAT.md, at
//! "Addresses"). An access of a thread that has not is one of what was there before, wherever the merge puts it: if it is not
//! ordered with the end by anything else, memory was used while, or after, it was freed.

use super::Memory;
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;
use trace_format::{Event, Kind};

/// What lies in a part of marked memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lying {
    /// The part.
    pub part: usize,
    /// How often it had ended before.
    pub n_ends: u32,
}

/// The parts of marked memory while a process is gone through.
#[derive(Debug)]
pub struct Ends<'a> {
    memory: &'a Memory,
    /// Those that ended: how often, and as which version that was published; the greatest until that is known.
    parts: FxHashMap<usize, (u32, u64)>,
    /// By thread: the version that it knows of, and what has ended in it since it published the last.
    threads: FxHashMap<u32, (u64, FxHashSet<usize>)>,
}

impl<'a> Ends<'a> {
    /// Before the first event.
    pub fn new(memory: &'a Memory) -> Self {
        Self { memory, parts: FxHashMap::default(), threads: FxHashMap::default() }
    }

    /// Whether an event says which memory had ended by then, and orders nothing else.
    pub fn is_told(event: Event) -> bool {
        matches!(event.kind(), Kind::PUBLISH | Kind::OBSERVE) && event.address() == 0
    }

    /// Goes past such an event.
    pub fn tell(&mut self, thread: u32, event: Event) {
        let (known, ended) = self.threads.entry(thread).or_default();
        *known = event.beside().max(*known);
        if event.kind() == Kind::PUBLISH {
            for part in ended.drain() {
                if let Some((_, version)) = self.parts.get_mut(&part) {
                    *version = event.beside();
                }
            }
        }
    }

    /// What an access of a thread of a member is about.
    pub fn accessed(&self, member: u32, thread: u32, event: Event) -> impl Iterator<Item = Lying> + use<'_, 'a> {
        let parts: Range<usize> = self.memory.parts(member, event);
        let known = self.threads.get(&thread).map_or(0, |(known, _)| *known);
        parts.map(move |part| {
            let (n_ends, version) = self.parts.get(&part).copied().unwrap_or_default();
            // Who ended it knows, also before it has published that.
            let is_own = || self.threads.get(&thread).is_some_and(|(_, ended)| ended.contains(&part));
            let has_heard = n_ends == 0 || known >= version || is_own();
            Lying { part, n_ends: n_ends - u32::from(!has_heard) }
        })
    }

    /// The memory of an event of a member ends.
    pub fn end(&mut self, member: u32, thread: u32, event: Event) {
        for part in self.memory.parts(member, event) {
            let (n_ends, version) = self.parts.entry(part).or_default();
            (*n_ends, *version) = (n_ends.saturating_add(1), u64::MAX);
            self.threads.entry(thread).or_default().1.insert(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace_format::Flags;

    #[test]
    fn who_has_not_heard_of_an_end_accesses_what_was_there_before() {
        let memory = Memory::cut(&[(64, 72)], &[]);
        let mut ends = Ends::new(&memory);
        let access = Event::at_address(Kind::CELL_WRITE, Flags::ADDRESS, 0, 64, 8);
        let told = |kind, version| Event::at_address(kind, Flags::NONE, 0, 0, version);
        let n_ends =
            |ends: &Ends<'_>, thread| ends.accessed(0, thread, access).map(|lying| lying.n_ends).collect::<Vec<_>>();
        assert_eq!((n_ends(&ends, 1), n_ends(&ends, 2)), (vec![0], vec![0]));
        ends.end(0, 1, access);
        assert_eq!((n_ends(&ends, 1), n_ends(&ends, 2)), (vec![1], vec![0]), "it is not published yet");
        ends.tell(1, told(Kind::PUBLISH, 5));
        ends.tell(2, told(Kind::OBSERVE, 4));
        assert_eq!((n_ends(&ends, 1), n_ends(&ends, 2)), (vec![1], vec![0]));
        ends.tell(2, told(Kind::OBSERVE, 5));
        assert_eq!(n_ends(&ends, 2), [1]);
        assert!(Ends::is_told(told(Kind::OBSERVE, 5)) && !Ends::is_told(access));
    }
}
