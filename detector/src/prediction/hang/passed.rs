//! Conditional waits that were not needed: had the thread come earlier, it would have waited. What then?

use super::{Hunt, Key, Way, knot};
use crate::{
    history::{Kind, Operation},
    prediction::{
        machine::{Blocked, Run, Supposed},
        moves::NONE,
        waits::Passed,
    },
};
use rustc_hash::FxHashSet;

/// How far before a write its section is looked for.
const NEAR: usize = 64;

/// How far before an acquire its thread has been woken, if it takes a lock back.
const NEAR_TAKE: usize = 4;

/// How far behind a write a wait begins that it belongs to.
const NEAR_ENTER: usize = 2;

/// Writers that are gone back over.
const WRITERS_MAX: usize = 16;

/// Condition variables and places of waits for them, each with a write to what the lock guards behind which the condition
/// that is asked there is not met.
type Unmet = FxHashSet<(u32, u32, u32)>;

impl Hunt<'_> {
    pub(super) fn passed(&mut self) {
        let waits = self.waits;
        // Whose condition was met from the start would not have waited: a queue that is not full yet.
        let is_met = |passed: &&Passed| !self.found_there(**passed).any(|write| self.is_changed(**passed, write));
        let met: FxHashSet<(u32, u32)> = waits.passed.iter().filter(is_met).map(|passed| self.at(*passed)).collect();
        let unmet = if waits.passed.is_empty() { Unmet::default() } else { self.unmet() };
        for passed in &waits.passed {
            if !self.may_go_on() {
                return;
            }
            if !met.contains(&self.at(*passed)) {
                self.suppose(*passed, &unmet);
            }
        }
    }

    /// Which condition, and where.
    fn at(&self, passed: Passed) -> (u32, u32) {
        let pass = self.history.operations[passed.index as usize];
        (pass.target, self.history.resources.location(pass.place))
    }

    /// Whether a write, or one that it may have left as it was, is another thread's.
    fn is_changed(&self, passed: Passed, write: u32) -> bool {
        let mut write = write;
        for _ in 0..WRITERS_MAX {
            if self.history.operations[write as usize].thread == passed.thread {
                return false;
            }
            if !self.only_waits(write) {
                return true;
            }
            let lock = self.history.operations[passed.acquire.index as usize].target;
            let read = self.section(passed, write).and_then(|(section, _)| {
                section
                    .iter()
                    .find(|index| self.is(**index, Kind::Read, lock))
                    .map(|read| self.moves.sees[*read as usize])
            });
            match read {
                Some(NONE) => return false,
                Some(before) => write = before,
                None => return true,
            }
        }
        true
    }

    /// Whether the thread of a write did nothing but to ask for its condition before it waited.
    fn only_waits(&self, write: u32) -> bool {
        let thread = self.history.operations[write as usize].thread;
        let behind = self.moves.threads[thread as usize].iter().skip(self.machine.lt(write) as usize).take(NEAR_ENTER);
        behind.into_iter().any(|index| self.history.operations[*index as usize].kind == Kind::Enter)
    }

    /// Lets the thread come as early as it can, and wait.
    fn suppose(&mut self, passed: Passed, unmet: &Unmet) {
        let pass = self.history.operations[passed.index as usize];
        let want = Blocked::Resource(pass.target);
        let key: Key = (Way::Passed, vec![(passed.thread, want, pass.place)]);
        if self.seen.contains(&key) {
            return;
        }
        self.closure.clear();
        self.closure.add_past(passed.thread, passed.acquire);
        let is_closed = self.closure.close().is_ok() && !self.closure.contains(passed.thread, passed.acquire.lt);
        if !is_closed || !self.is_late(passed) {
            return;
        }
        let supposed = Supposed { thread: passed.thread, pass: passed.index, acquire: passed.acquire.index };
        let mut early = self.machine.run(Some(supposed));
        if early.up_to(self.closure.ideal()).is_ok() && self.hangs_there(passed, early, &key, unmet) {
            return;
        }
        // Others may wait as well by then.
        let Some(writer) = self.writer(passed) else { return };
        let mut late = self.machine.run(Some(supposed));
        late.go(|thread| match thread {
            _ if thread == passed.thread => passed.acquire.lt - 1,
            _ if thread == writer.0 => writer.1 - 1,
            _ => u32::MAX,
        });
        self.hangs_there(passed, late, &key, unmet);
    }

    /// Lets the thread come now, and wait.
    fn hangs_there(&mut self, passed: Passed, mut run: Run<'_, '_>, key: &Key, unmet: &Unmet) -> bool {
        let lock = self.history.operations[passed.acquire.index as usize].target;
        let (condition, place) = self.at(passed);
        run.only(passed.thread);
        self.charge_run();
        self.charge(run.log().len());
        // With what it would find there its condition may be met: a queue that was filled before.
        let finds = run.latest_write(lock);
        if run.log().last() != Some(&passed.index) || finds != NONE && !unmet.contains(&(condition, place, finds)) {
            return false;
        }
        let outcome = self.go_on(&mut run);
        let stuck = knot::stuck(self.history, self.machine, &run, &outcome);
        // Who finds there what it did not find in the run may notify, though it did not in the run.
        let may_notify = |thread: &u32| run.next(*thread).is_some_and(|next| self.is(next, Kind::Read, lock));
        let hangs =
            stuck.iter().any(|waiting| waiting.thread == passed.thread) && !outcome.astray.iter().any(may_notify);
        if hangs {
            let n_steps = run.log().len();
            self.found(key.clone(), Way::Passed, vec![passed.index], (&run, n_steps), &outcome, &stuck);
        }
        hangs
    }

    /// What threads that waited found, and left behind: with that the condition is not met.
    fn unmet(&self) -> Unmet {
        let mut unmet = Unmet::default();
        let of = |index: &u32| self.history.operations[*index as usize];
        for operations in &self.moves.threads {
            let enters = (0..operations.len()).filter(|at| of(&operations[*at]).kind == Kind::Enter);
            for at in enters {
                let condition = of(&operations[at]).target;
                let release = operations[at..].iter().map(of).find(|operation| operation.kind == Kind::Release);
                let Some(Operation { target: lock, place, .. }) = release else { continue };
                let place = self.history.resources.location(place);
                let inside = operations[at.saturating_sub(NEAR)..at].iter().rev();
                for index in inside.take_while(|index| !self.is(**index, Kind::Acquire, lock)) {
                    if self.is(*index, Kind::Read, lock) {
                        unmet.insert((condition, place, self.moves.sees[*index as usize]));
                    } else if self.is(*index, Kind::Write, lock) {
                        unmet.insert((condition, place, *index));
                    }
                }
            }
        }
        unmet
    }

    /// Who wrote what the thread found there, and the local time at which that one took the lock for it.
    ///
    /// A condition may write, so who only waited by one counts as a writer: then it is the one whose write that one found.
    fn writer(&self, passed: Passed) -> Option<(u32, u32)> {
        let lock = self.history.operations[passed.acquire.index as usize].target;
        let mut write = self.found_there(passed).next()?;
        for _ in 0..WRITERS_MAX {
            let (section, has_waited) = self.section(passed, write)?;
            if !has_waited {
                return Some((self.history.operations[write as usize].thread, self.machine.lt(section[0])));
            }
            let read = section.iter().find(|index| self.is(**index, Kind::Read, lock))?;
            write = Some(self.moves.sees[*read as usize]).filter(|write| *write != NONE)?;
        }
        None
    }

    /// The section of a write to what the lock guards, from its acquire to the write, and whether it is one of a thread that
    /// waited for the condition, or went past it.
    fn section(&self, passed: Passed, write: u32) -> Option<(&[u32], bool)> {
        let lock = self.history.operations[passed.acquire.index as usize].target;
        let condition = self.history.operations[passed.index as usize].target;
        let (thread, until) = (self.history.operations[write as usize].thread, self.machine.lt(write) as usize);
        let operations = &self.moves.threads[thread as usize][until.saturating_sub(NEAR)..until];
        let at = operations.iter().rposition(|index| self.is(*index, Kind::Acquire, lock))?;
        let (before, section) = operations.split_at(at);
        let near = &before[before.len().saturating_sub(NEAR_TAKE)..];
        let waits = |index: &u32| self.is(*index, Kind::Pass, condition) || self.is(*index, Kind::Enter, condition);
        // A wait begins right behind the write that its condition may have been.
        let behind = self.moves.threads[thread as usize].iter().skip(until).take(NEAR_ENTER);
        let has_waited =
            section.iter().chain(behind).any(waits) || near.iter().any(|index| self.is(*index, Kind::Take, condition));
        Some((section, has_waited))
    }

    fn is(&self, index: u32, kind: Kind, target: u32) -> bool {
        let operation = self.history.operations[index as usize];
        (operation.kind, operation.target) == (kind, target)
    }

    /// Whether what the thread found there was written by another one that need not have come before.
    fn is_late(&self, passed: Passed) -> bool {
        self.found_there(passed).any(|write| {
            let writer = self.history.operations[write as usize].thread;
            writer != passed.thread && !self.closure.contains(writer, self.machine.lt(write))
        })
    }

    /// The writes that the thread saw between taking the lock and going past the wait.
    fn found_there(&self, passed: Passed) -> impl Iterator<Item = u32> + '_ {
        let lock = self.history.operations[passed.acquire.index as usize].target;
        let inside = passed.acquire.lt as usize..self.machine.lt(passed.index) as usize;
        let reads = self.moves.threads[passed.thread as usize][inside].iter().filter(move |index| {
            let operation = self.history.operations[**index as usize];
            (operation.kind, operation.target) == (Kind::Read, lock)
        });
        reads.map(|index| self.moves.sees[*index as usize]).filter(|write| *write != NONE)
    }
}
