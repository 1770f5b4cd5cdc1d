//! One test for each rule of what orders accesses.

use super::*;
use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// The variable that threads pass on, and the atomic by which they do.
const DATA: u32 = 0;
const FLAG: u32 = 1;

struct Run {
    found: HappensBefore,
    index: u32,
}

impl Run {
    fn new(rule: Rule) -> Self {
        Self { found: HappensBefore::new(rule), index: 0 }
    }

    fn at(&mut self, thread: u32) -> Point {
        self.index += 1;
        Point { thread, place: self.index, index: self.index }
    }

    fn access(&mut self, thread: u32, variable: u32, kind: Kind) -> &mut Self {
        let at = self.at(thread);
        self.found.access(Access { at, variable, kind });
        self
    }

    fn read(&mut self, thread: u32) -> &mut Self {
        self.access(thread, DATA, Kind::Read)
    }

    fn write(&mut self, thread: u32) -> &mut Self {
        self.access(thread, DATA, Kind::Write)
    }

    fn store(&mut self, thread: u32, order: Ordering) -> &mut Self {
        let at = self.at(thread);
        self.found.store(at, FLAG, order);
        self
    }

    fn load(&mut self, thread: u32, order: Ordering) -> &mut Self {
        let at = self.at(thread);
        self.found.load(at, FLAG, order);
        self
    }

    fn rmw(&mut self, thread: u32, order: Ordering) -> &mut Self {
        let at = self.at(thread);
        self.found.rmw(at, FLAG, order);
        self
    }

    fn fence(&mut self, thread: u32, order: Ordering) -> &mut Self {
        let at = self.at(thread);
        self.found.fence(at, order);
        self
    }

    fn acquire(&mut self, thread: u32, mode: Mode) -> &mut Self {
        let at = self.at(thread);
        self.found.acquire(at, 0, mode);
        self
    }

    fn release(&mut self, thread: u32, mode: Mode) -> &mut Self {
        let at = self.at(thread);
        self.found.release(at, 0, mode);
        self
    }

    fn downgrade(&mut self, thread: u32, mode: Mode) -> &mut Self {
        let at = self.at(thread);
        self.found.downgrade(at, 0, mode);
        self
    }

    /// Pairs that race, by index.
    fn races(&self) -> Vec<(u32, u32)> {
        self.found.found.list().iter().map(|race| (race.first.at.index, race.second.at.index)).collect()
    }
}

fn plain() -> Run {
    Run::new(Rule::HappensBefore)
}

/// Whether a message passed on by these operations orders the data.
fn is_passed(store: Ordering, load: Ordering) -> bool {
    plain().write(0).store(0, store).load(1, load).read(1).races().is_empty()
}

#[test]
fn a_message_is_passed_if_the_store_releases_and_the_load_acquires() {
    assert!(is_passed(Release, Acquire) && is_passed(SeqCst, SeqCst));
    assert!(!is_passed(Relaxed, Acquire) && !is_passed(Release, Relaxed) && !is_passed(Relaxed, Relaxed));
}

#[test]
fn what_comes_behind_a_release_is_not_released() {
    assert_eq!(plain().store(0, Release).write(0).load(1, Acquire).read(1).races(), [(2, 4)]);
}

#[test]
fn a_read_modify_write_goes_on_with_a_release_sequence_and_a_store_ends_it() {
    assert_eq!(plain().write(0).store(0, Release).rmw(1, Relaxed).load(2, Acquire).read(2).races(), []);
    assert_eq!(plain().write(0).store(0, Release).store(1, Relaxed).load(2, Acquire).read(2).races(), [(1, 5)]);
    // Also a store of the thread that began it.
    assert_eq!(plain().write(0).store(0, Release).store(0, Relaxed).load(2, Acquire).read(2).races(), [(1, 5)]);
}

#[test]
fn what_a_read_modify_write_adds_comes_to_what_was_there() {
    let mut run = plain();
    run.write(0).access(1, 9, Kind::Write).rmw(0, Release).rmw(1, Release).rmw(2, AcqRel);
    assert_eq!(run.read(2).access(2, 9, Kind::Read).races(), []);
}

#[test]
fn fences_release_for_later_stores_and_acquire_for_earlier_loads() {
    assert_eq!(plain().write(0).fence(0, Release).store(0, Relaxed).load(1, Acquire).read(1).races(), []);
    assert_eq!(plain().write(0).store(0, Release).load(1, Relaxed).fence(1, Acquire).read(1).races(), []);
    let mut both = plain();
    both.write(0).fence(0, SeqCst).store(0, Relaxed).load(1, Relaxed).fence(1, SeqCst);
    assert_eq!(both.read(1).races(), []);
}

#[test]
fn fences_on_the_wrong_side_order_nothing() {
    assert_eq!(plain().write(0).store(0, Relaxed).fence(0, Release).load(1, Acquire).read(1).races(), [(1, 5)]);
    assert_eq!(plain().fence(0, Release).write(0).store(0, Relaxed).load(1, Acquire).read(1).races(), [(2, 5)]);
    assert_eq!(plain().write(0).store(0, Release).fence(1, Acquire).load(1, Relaxed).read(1).races(), [(1, 5)]);
    assert_eq!(plain().write(0).fence(0, Acquire).store(0, Relaxed).load(1, Acquire).read(1).races(), [(1, 5)]);
}

#[test]
fn atomic_accesses_race_with_plain_ones_only() {
    let mut run = plain();
    run.access(0, DATA, Kind::AtomicWrite).access(1, DATA, Kind::AtomicWrite).access(2, DATA, Kind::AtomicRead);
    assert_eq!(run.races(), []);
    assert_eq!(run.read(3).races(), [(1, 4), (2, 4)]);
    run.write(4);
    assert_eq!(run.found.finish().n_accesses, 2, "it races with four, and is one");
}

#[test]
fn readers_come_after_writers_and_writers_after_all() {
    use Mode::{Exclusive, Shared};
    let mut run = plain();
    run.acquire(0, Exclusive).write(0).release(0, Exclusive);
    run.acquire(1, Shared).read(1).release(1, Shared).acquire(2, Shared).read(2).release(2, Shared);
    assert_eq!(run.acquire(3, Exclusive).write(3).release(3, Exclusive).races(), []);
    // A reader does not come after another one.
    let mut run = plain();
    run.acquire(0, Shared).write(0).release(0, Shared).acquire(1, Shared).read(1);
    assert_eq!(run.races(), [(2, 5)]);
}

#[test]
fn who_goes_on_reading_has_written_before_other_readers() {
    use Mode::{Exclusive, Shared, Upgradable};
    let mut run = plain();
    run.acquire(0, Upgradable).acquire(0, Exclusive).write(0).downgrade(0, Shared);
    assert_eq!(run.acquire(1, Shared).read(1).races(), []);
    // Nobody wrote under an upgradable lock, as far as readers know.
    let mut run = plain();
    run.acquire(0, Upgradable).write(0).downgrade(0, Shared).acquire(1, Shared).read(1);
    assert_eq!(run.races(), [(2, 5)]);
}

#[test]
fn permits_come_after_all_releases() {
    use Mode::Exclusive;
    let mut run = plain();
    run.acquire(0, Exclusive).acquire(1, Exclusive).write(0).access(1, 9, Kind::Write);
    run.release(0, Exclusive).release(1, Exclusive);
    assert_eq!(run.acquire(2, Exclusive).read(2).access(2, 9, Kind::Read).races(), []);
}

#[test]
fn what_was_freed_is_something_else_later() {
    let mut run = plain();
    let free = |run: &mut Run, thread| {
        let at = run.at(thread);
        run.found.access(Access { at, variable: DATA, kind: Kind::Write });
        run.found.forget(DATA);
    };
    run.write(0);
    free(&mut run, 0);
    assert_eq!(run.write(1).races(), []);
    free(&mut run, 2);
    assert_eq!(run.read(3).races(), [(3, 4)]);
}

#[test]
fn the_first_race_makes_no_second_one_if_they_are_to_be_schedulable() {
    // The second thread may read the first variable because of what it read in the second one.
    let run = |rule| {
        let mut run = Run::new(rule);
        run.access(0, 8, Kind::Write).access(0, 9, Kind::Write).access(1, 9, Kind::Read).access(1, 8, Kind::Read);
        run.races()
    };
    assert_eq!(run(Rule::HappensBefore), [(2, 3), (1, 4)]);
    assert_eq!(run(Rule::Schedulable), [(2, 3)]);
}

#[test]
fn pairs_at_the_same_places_are_one_race_in_either_order() {
    let mut run = plain();
    for _ in 0..3 {
        for thread in [0, 1] {
            run.index += 1;
            let at = Point { thread, place: 100 + thread, index: run.index };
            run.found.access(Access { at, variable: DATA, kind: Kind::Write });
        }
    }
    let races = run.found.finish();
    let [race] = &races.list[..] else { panic!("{races:?}") };
    assert_eq!((race.count, races.n_accesses, races.n_places, races.left_out), (5, 5, 2, 0));
}

#[test]
fn races_are_told_apart_up_to_a_bound() {
    let mut run = plain();
    for variable in 0..=crate::race::RACES_MAX as u32 {
        run.access(0, variable, Kind::Write).access(1, variable, Kind::Write);
    }
    let races = run.found.finish();
    assert_eq!((races.list.len(), races.left_out), (crate::race::RACES_MAX, 1));
}
