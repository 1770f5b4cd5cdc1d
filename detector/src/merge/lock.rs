//! The order of acquires and releases of one lock.

use rustc_hash::FxHashMap;
use trace_format::{Event, Kind, Mode};

/// Where the merge is with one lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lock {
    /// Number of the latest exclusive acquire.
    pub(super) acquired: u64,
    /// Number of the latest exclusive release.
    pub(super) released: u64,
    /// Shared holds that began since `acquired` and have not ended.
    readers: u32,
    /// Shared holds that ended since `acquired`.
    readers_done: u32,
    /// Threads parked here.
    pub(super) n_waiting: u32,
    /// Thread of the latest exclusive acquire.
    pub(super) holder: u32,
    /// Index of its counts in [`Sections`], plus one.
    pub(super) sections: u32,
    /// Whether a number was missing or came twice.
    pub(super) gap: bool,
}

/// What the first pass finds out about a lock: the smallest numbers, which is where its order starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    pub(super) acquire: u64,
    pub(super) release: u64,
    pub(super) shared: u64,
}

impl Default for First {
    fn default() -> Self {
        Self { acquire: u64::MAX, release: u64::MAX, shared: u64::MAX }
    }
}

impl First {
    /// The state in front of the smallest numbers. A lock that was forked off, or whose first events were
    /// drained, starts in the middle.
    pub(super) fn lock(&self, sections: u32, inherited: bool) -> Lock {
        let before_acquire = if self.acquire == u64::MAX { u64::MAX } else { self.acquire - 1 };
        let before = before_acquire.min(self.shared).min(self.release);
        if before == u64::MAX {
            return Lock { sections, ..Lock::default() };
        }
        // A release without its acquire: the lock is held at the start.
        let released = if self.release == before { before.saturating_sub(1) } else { before };
        Lock { acquired: before, released, gap: before > 0 && !inherited, sections, ..Lock::default() }
    }
}

pub(super) fn is_lock_kind(kind: Kind) -> bool {
    matches!(kind, Kind::ACQUIRE | Kind::RELEASE | Kind::DOWNGRADE | Kind::UPGRADE | Kind::OWNER_DIED)
}

/// What an event means for the order of its lock.
enum Part {
    AcquireExclusive,
    ReleaseExclusive,
    AcquireShared,
    ReleaseShared,
    Downgrade,
}

impl Part {
    fn of(event: Event) -> Self {
        let exclusive = event.flags().mode() == Mode::Exclusive;
        match event.kind() {
            Kind::DOWNGRADE => Self::Downgrade,
            Kind::UPGRADE => Self::AcquireExclusive,
            Kind::ACQUIRE if exclusive => Self::AcquireExclusive,
            Kind::ACQUIRE => Self::AcquireShared,
            _ if exclusive => Self::ReleaseExclusive,
            _ => Self::ReleaseShared,
        }
    }
}

impl Lock {
    /// Whether `event` can come next. What is ready stays ready; what comes too late never waits.
    #[inline]
    pub(super) fn is_ready(&self, event: Event, sections: &Sections) -> bool {
        let seq = event.seq();
        match Part::of(event) {
            Part::AcquireExclusive => {
                self.acquired >= seq
                    || self.acquired + 1 == seq
                        && self.released == self.acquired
                        && self.readers_done >= sections.count(self.sections, self.acquired)
            }
            Part::AcquireShared => self.acquired > seq || self.acquired == seq && self.released == seq,
            Part::ReleaseShared => self.acquired > seq || self.acquired == seq && self.readers > 0,
            Part::ReleaseExclusive | Part::Downgrade => self.acquired >= seq,
        }
    }

    /// Of a stripe: whether what makes version `version` would come after all that saw the one before it.
    #[inline]
    pub(super) fn is_read_by_all(&self, version: u64, sections: &Sections) -> bool {
        self.acquired >= version || self.readers_done >= sections.count(self.sections, self.acquired)
    }

    /// Of a stripe: goes past what makes a version, or has seen one.
    #[inline]
    pub(super) fn pass(&mut self, writes: bool, version: u64) {
        if writes && self.acquired >= version || self.acquired > version {
            self.gap = true;
            return;
        }
        if self.acquired < version {
            *self = Self { acquired: version, released: version, readers: 0, readers_done: 0, ..*self };
        }
        if !writes {
            self.readers_done += 1;
        }
    }

    /// Goes past `event`, which may be forced: then the state is brought to where the event makes sense.
    #[inline]
    pub(super) fn apply(&mut self, event: Event, thread: u32) {
        let seq = event.seq();
        match Part::of(event) {
            Part::AcquireExclusive => {
                if self.acquired >= seq {
                    self.gap = true;
                    return;
                }
                *self = Self { acquired: seq, released: seq - 1, readers: 0, readers_done: 0, holder: thread, ..*self };
            }
            part => {
                if self.acquired > seq {
                    self.gap = true;
                    return;
                }
                if self.acquired < seq {
                    *self = Self { acquired: seq, released: seq, readers: 0, readers_done: 0, ..*self };
                }
                match part {
                    Part::AcquireShared | Part::Downgrade => {
                        self.released = seq;
                        self.readers += 1;
                    }
                    Part::ReleaseShared => {
                        self.readers = self.readers.saturating_sub(1);
                        self.readers_done += 1;
                    }
                    _ => self.released = seq,
                }
            }
        }
    }
}

/// How many shared sections end in each epoch of each lock that has any; and how many parties arrive in each generation of
/// a barrier or latch, which is the same kind of number.
///
/// Epochs count exclusive acquires, generations arrivals, so together they are no more than the file's events and tables serve them: a byte for
/// each, which is all of the merge that grows with the events. Numbers beyond that are damage, or go back to before a
/// fork, and are kept in a hash map; so is what of a count does not fit in a byte.
#[derive(Debug)]
pub(super) struct Sections {
    tables: Vec<Vec<u8>>,
    sparse: FxHashMap<(u32, u64), u32>,
    entries_left: u64,
}

impl Sections {
    pub(super) fn new(n_events: u64) -> Self {
        Self { tables: Vec::new(), sparse: FxHashMap::default(), entries_left: n_events.saturating_mul(4) + 4096 }
    }

    /// Counts one section; `of` is the lock's index plus one, 0 until it has one.
    pub(super) fn add(&mut self, of: &mut u32, epoch: u64) {
        if *of == 0 {
            self.tables.push(Vec::new());
            *of = self.tables.len() as u32;
        }
        let Some(table) = self.tables.get_mut(*of as usize - 1) else { return };
        let missing = (epoch + 1).saturating_sub(table.len() as u64);
        if missing > self.entries_left {
            *self.sparse.entry((*of, epoch)).or_default() += 1;
            return;
        }
        self.entries_left -= missing;
        if missing > 0 {
            table.resize(epoch as usize + 1, 0);
        }
        match table.get_mut(epoch as usize) {
            Some(count) if *count < u8::MAX => *count += 1,
            _ => *self.sparse.entry((*of, epoch)).or_default() += 1,
        }
    }

    #[inline]
    pub(super) fn count(&self, of: u32, epoch: u64) -> u32 {
        if of == 0 {
            return 0;
        }
        let counted = self.tables.get(of as usize - 1).and_then(|table| table.get(epoch as usize)).copied();
        // Full, or counted before the budget ran out: an epoch may be in both.
        let sparse =
            if self.sparse.is_empty() { 0 } else { self.sparse.get(&(of, epoch)).copied().unwrap_or_default() };
        u32::from(counted.unwrap_or_default()).saturating_add(sparse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_counted_beyond_a_byte_and_beyond_the_budget() {
        let mut sections = Sections::new(0);
        let (mut first, mut second) = (0, 0);
        for n in 1..=1000 {
            sections.add(&mut first, 3);
            sections.add(&mut second, 1 << 40);
            assert_eq!((sections.count(first, 3), sections.count(second, 1 << 40)), (n, n));
        }
        assert_eq!((sections.count(first, 2), sections.count(first, 4), sections.count(0, 3)), (0, 0, 0));
    }
}
