//! Tells what a history does: what texts and RapidBin have, reads, writes, locks and threads.

use super::{Access, HappensBefore, Kind, Operations, Point, Races, Rule};
use crate::history::{self, History, Operation};

/// The races of a history.
///
/// Each access is counted that races with an earlier one, and each place of such an access. By [`Rule::Schedulable`] these are the
/// numbers that RAPID's SHB engine prints for a trace. Those of its engine for happens-before by epochs are lower than those by
/// [`Rule::HappensBefore`]: it remembers one write only, and forgets reads that raced.
///
/// ```
/// use detector::{race::{self, Rule}, source::std_text};
///
/// let text = "T0|fork(T1)|1\nT0|w(x)|2\nT1|w(x)|3\nT0|join(T1)|4\nT0|w(x)|5\n";
/// let (history, _) = std_text::read(text.as_bytes(), "x.std");
/// let races = race::of_history(&history, Rule::Schedulable);
/// let [race] = &races.list[..] else { unreachable!() };
/// assert_eq!((history.places.text(race.first.at.place), history.places.text(race.second.at.place)), ("2", "3"));
/// ```
pub fn of_history(history: &History, rule: Rule) -> Races {
    let mut found = HappensBefore::new(rule);
    drive(history, &mut found);
    found.finish()
}

/// Tells what a history does. A thread begins with the operation that starts it, and a join comes after its last one.
pub fn drive(history: &History, operations: &mut impl Operations) {
    let mut last = vec![Point { thread: 0, place: 0, index: 0 }; history.threads.len()];
    for (index, operation) in (0..).zip(&history.operations) {
        let Operation { thread, target, place, kind, mode, .. } = *operation;
        let at = Point { thread, place, index };
        let access = |kind| Access { at, variable: target, kind };
        match kind {
            history::Kind::Read => operations.access(access(Kind::Read)),
            history::Kind::Write => operations.access(access(Kind::Write)),
            history::Kind::Acquire => operations.acquire(at, target, mode),
            history::Kind::Release => operations.release(at, target, mode),
            history::Kind::Fork => {
                let mark = operations.depart(at);
                operations.arrive(Point { thread: target, ..at }, &mark);
            }
            history::Kind::Join => {
                let place = last.get(target as usize).map_or(place, |last| last.place);
                let mark = operations.depart(Point { thread: target, place, index });
                operations.arrive(at, &mark);
            }
            _ => {}
        }
        if let Some(last) = last.get_mut(thread as usize) {
            *last = at;
        }
    }
}
