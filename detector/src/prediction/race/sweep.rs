//! Which accesses of other threads, before one of this thread, are not in what has to happen before both: a sweep for
//! each thread.
//!
//! Let `C(p, q)` be the closure of what comes before an access `e` of thread `t` (up to `p`, its predecessor) and an access `f` of
//! thread `u`, later in the run (up to `q`). The two race if `e` is not in it; `f` never is, as nothing in it comes after both
//! `p` and `q` in the run. `C` only grows with `p` and with `q`. So:
//!
//! * an `e` that is in `C(p, q)` is in it for all later `f` of `u`, whatever variable that accesses: it is dead for `u`;
//! * an `e` in the closure of `q` alone is, and so is one under a lock that `f` holds too;
//! * all accesses of a class (see [`Access::class`](super::accesses::Access::class)) die together.
//!
//! One set goes along the accesses of `u`, for the second rule. Where that leaves an `e`, a set for `t` and `u` is asked. It
//! goes on from the latest question if both accesses are further on, and takes back to what `q` alone needed if not, so that a
//! question costs what lies between the two accesses at most, and a line of questions about one variable as much as one
//! question.

use super::{
    super::{
        closure::Closure,
        past::{NONE, Past},
    },
    accesses::{Access, Accesses, Streams},
};
use std::{cmp::Reverse, collections::BinaryHeap};

/// Sets that are kept at once, and how many locks they may have together.
const SLOTS_MAX: usize = 8;
const SLOT_LOCKS_MAX: usize = 2 << 20;

/// Who is told of races.
pub(super) trait Judge {
    /// Whether races at different places are told apart.
    const BY_PLACE: bool;

    /// Whether it wants to know of two accesses if they race.
    fn asks(&self, first: &Access, second: &Access) -> bool;

    /// They do, and the set is what has to happen before. It may be added to.
    fn race(&mut self, first: &Access, second: &Access, before: &mut Closure<'_>) -> Verdict;

    /// They do, as is known from others of their classes. Nothing was asked, or it would have been too much.
    fn another(&mut self, first: &Access, second: &Access);

    /// How much work it did since this was asked last.
    fn take_steps(&mut self) -> u64;
}

/// What becomes of a race.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is taken, and the set was left as it was.
    Taken,
    /// It is taken; the set was added to.
    TakenWithMore,
    /// It is none, for reasons that the set does not know; the set may have been added to. Accesses behind the first are asked
    /// about.
    Refused,
}

/// The work was used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CutShort;

/// A set for two threads.
struct Slot<'a> {
    closure: Closure<'a>,
    /// The earlier accesses' thread.
    thread: u32,
    /// The access that was asked about latest; the set cannot be used for one before it.
    since: u32,
}

/// Sweeps over the accesses of a history.
pub(super) struct Sweeps<'a, J> {
    accesses: &'a Accesses,
    streams: Streams,
    judge: J,
    /// What has to happen before the access that is looked at.
    own: Closure<'a>,
    slots: Vec<Slot<'a>>,
    /// Per stream the first access that is not dead, from the stream's beginning.
    fronts: Vec<u32>,
    /// Per class, whether it is dead.
    is_dead: Vec<bool>,
    /// Per class the other class with which it is known to race.
    races_with: Vec<u32>,
    /// Streams that are to be asked: thread, local time of the front, number.
    queue: BinaryHeap<Reverse<(u32, u32, u32)>>,
    work_left: u64,
}

impl<'a, J: Judge> Sweeps<'a, J> {
    pub(super) fn new(accesses: &'a Accesses, n_variables: usize, judge: J, work_max: u64) -> Self {
        let past: &'a Past = &accesses.past;
        let streams = accesses.streams(n_variables, J::BY_PLACE);
        let n_slots = (SLOT_LOCKS_MAX / (past.n_locks + 1)).clamp(1, SLOTS_MAX).min(past.n_threads.max(1));
        let slot = || Slot { closure: Closure::new(past), thread: NONE, since: 0 };
        Self {
            accesses,
            fronts: vec![0; streams.all.len()],
            streams,
            judge,
            own: Closure::new(past),
            slots: (0..n_slots).map(|_| slot()).collect(),
            is_dead: vec![false; accesses.n_classes as usize],
            races_with: vec![NONE; accesses.n_classes as usize],
            queue: BinaryHeap::new(),
            work_left: work_max,
        }
    }

    /// Goes over all of them; the judge, and whether it was told of everything.
    pub(super) fn run(mut self) -> (J, Result<(), CutShort>) {
        let accesses = self.accesses;
        let mut threads = accesses.of_thread.iter();
        let result = threads.try_for_each(|of_thread| self.thread(of_thread));
        (self.judge, result)
    }

    fn thread(&mut self, of_thread: &[u32]) -> Result<(), CutShort> {
        if of_thread.is_empty() {
            return Ok(());
        }
        self.own.clear();
        for slot in &mut self.slots {
            slot.closure.clear();
            slot.thread = NONE;
        }
        self.fronts.fill(0);
        self.is_dead.fill(false);
        self.races_with.fill(NONE);
        self.charge((self.fronts.len() + self.is_dead.len()) as u64 / 16)?;
        let accesses = self.accesses;
        for second in of_thread {
            let second = &accesses.all[*second as usize];
            self.own.add_before(second.event);
            // Only what contradicts itself has sections that should have ended and did not.
            if self.own.close().is_err() {
                break;
            }
            let n_steps = 1 + self.own.take_steps();
            self.charge(n_steps)?;
            self.second(second)?;
        }
        Ok(())
    }

    fn charge(&mut self, n_steps: u64) -> Result<(), CutShort> {
        self.work_left = self.work_left.checked_sub(n_steps).ok_or(CutShort)?;
        Ok(())
    }

    /// Looks for what races with an access, among those before it.
    fn second(&mut self, second: &Access) -> Result<(), CutShort> {
        let streams = self.streams.of_variable[second.variable as usize].clone();
        self.charge(streams.len() as u64 / 2)?;
        self.queue.clear();
        for number in streams {
            self.enqueue(number, second);
        }
        while let Some(Reverse((_, _, number))) = self.queue.pop() {
            let Some(first) = self.front(number, second) else { continue };
            if !self.judge.asks(first, second) {
                continue;
            }
            if !self.races(first, second)? {
                self.is_dead[first.class as usize] = true;
                self.enqueue(number, second);
                continue;
            }
            self.races_with[first.class as usize] = second.class;
            let n_slots = self.slots.len();
            let slot = &mut self.slots[first.event.thread as usize % n_slots];
            let verdict = self.judge.race(first, second, &mut slot.closure);
            if verdict != Verdict::Taken {
                slot.thread = NONE;
            }
            let n_steps = self.judge.take_steps();
            self.charge(n_steps)?;
            if verdict == Verdict::Refused {
                self.fronts[number as usize] += 1;
                self.enqueue(number, second);
            }
        }
        Ok(())
    }

    /// Has a stream asked, if it has an access that may race, and it is not known already.
    fn enqueue(&mut self, number: u32, second: &Access) {
        let stream = &self.streams.all[number as usize];
        if stream.thread == second.event.thread || !(stream.is_write || second.is_write) {
            return;
        }
        let Some(first) = self.front(number, second) else { return };
        if self.judge.asks(first, second) && (J::BY_PLACE || self.races_with[first.class as usize] != second.class) {
            self.queue.push(Reverse((first.event.thread, first.event.lt, number)));
        } else if self.races_with[first.class as usize] == second.class {
            self.judge.another(first, second);
        }
    }

    /// The first access of a stream before `second` that is not known to be dead.
    fn front(&mut self, number: u32, second: &Access) -> Option<&'a Access> {
        let stream = &self.streams.all[number as usize];
        let entries = &self.streams.entries[stream.entries.start as usize..stream.entries.end as usize];
        let accesses = self.accesses;
        let front = &mut self.fronts[number as usize];
        loop {
            let first = &accesses.all[*entries.get(*front as usize)? as usize];
            if first.index > second.index {
                return None;
            }
            let is_dead = &mut self.is_dead[first.class as usize];
            if !*is_dead && !self.own.contains(first.event.thread, first.event.lt) {
                if !accesses.are_kept_apart(first, second) {
                    return Some(first);
                }
                *is_dead = true;
            }
            *front += 1;
            self.work_left = self.work_left.saturating_sub(1);
        }
    }

    /// Whether two accesses race; leaves in the slot of the first one's thread what has to happen before them.
    fn races(&mut self, first: &Access, second: &Access) -> Result<bool, CutShort> {
        let n_slots = self.slots.len();
        let (thread, lt) = (first.event.thread, first.event.lt);
        let slot = &mut self.slots[thread as usize % n_slots];
        let goes_on = slot.thread == thread && slot.since <= lt;
        if !goes_on {
            slot.closure.back();
        }
        slot.closure.add_before(second.event);
        let mut is_closed = goes_on || slot.closure.close().is_ok();
        if !goes_on {
            slot.closure.mark();
        }
        slot.closure.add_before(first.event);
        is_closed &= slot.closure.close().is_ok();
        // What cannot be closed is of no use for another question.
        slot.thread = if is_closed { thread } else { NONE };
        slot.since = lt;
        let is_free =
            !slot.closure.contains(thread, lt) && !slot.closure.contains(second.event.thread, second.event.lt);
        let n_steps = 1 + slot.closure.take_steps();
        self.charge(n_steps)?;
        Ok(is_closed && is_free)
    }
}
