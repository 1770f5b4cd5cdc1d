//! Notifies and unparks that come too early: a notify before the wait wakes nobody, and a second unpark before the first
//! park leaves no more than the first.

use super::{Hunt, Key, Way, knot};
use crate::{
    history::{Kind, Resource},
    prediction::{
        machine::{Blocked, Run},
        moves::NONE,
        past::{Event, Occurrence},
        reordered_locks,
        replay::Schedule,
        waits::AbstractWait,
    },
};

/// Waits that are tried of one kind, the latest first: what wakes an early one is often done again.
const TRIED_MAX: usize = 4;

/// Gives that come too early, of one wait.
const GIVES_MAX: usize = 4;

/// How far before a take its thread is looked for where it began to wait, and around that for where it took the lock.
const NEAR: u32 = 64;

impl Hunt<'_> {
    pub(super) fn lost(&mut self) {
        let waits = self.waits;
        for wait in &waits.all {
            let Blocked::Resource(resource) = wait.want else { continue };
            if !matches!(self.history.resources.kind(resource), Resource::Condition | Resource::Token) {
                continue;
            }
            for occurrence in wait.occurrences.iter().rev().take(TRIED_MAX) {
                if !self.may_go_on() || self.tried(wait, resource, *occurrence) {
                    break;
                }
            }
        }
    }

    /// Lets what ended this wait come before the thread can notice. Says whether it hangs then.
    fn tried(&mut self, wait: &AbstractWait, resource: u32, take: Occurrence) -> bool {
        let key: Key = (Way::Lost, vec![(wait.thread, wait.want, take.place)]);
        if self.seen.contains(&key) {
            return true;
        }
        let Some(begin) = self.begin(wait, resource, take) else { return false };
        let Some((give, giver, behind)) = self.given(take, begin.lock) else { return false };
        self.closure.clear();
        self.closure.add(Event { thread: wait.thread, lt: begin.at.lt - 1, clock: begin.at.clock });
        self.closure.add(Event { thread: giver, lt: behind.lt - 1, clock: behind.clock });
        // One token is for all that were given before it is taken.
        if let Some((_, giver, behind)) = begin.takes.and_then(|before| self.given(before, None)) {
            self.closure.add(Event { thread: giver, lt: behind.lt - 1, clock: behind.clock });
        }
        let is_closed =
            |hunt: &mut Self| hunt.closure.close().is_ok() && !hunt.closure.contains(wait.thread, begin.at.lt);
        let machine = self.machine;
        let run = if is_closed(self) {
            for _ in 0..GIVES_MAX {
                let Some(mut run) = self.run_ideal().filter(|run| run.done(wait.thread) < begin.at.lt) else { break };
                let n = run.log().len();
                if self.ends_waiting(&mut run, &key, (wait.thread, take.index), (give, begin.has_looked)) {
                    return true;
                }
                // Others woke it: they may come too early as well.
                let of = |index: &u32| self.history.operations[*index as usize];
                let is_give = |index: &&u32| {
                    of(index).target == resource
                        && of(index).thread != wait.thread
                        && matches!(of(index).kind, Kind::Give | Kind::GiveAll)
                };
                let Some(give) = run.log()[n..].iter().find(is_give).copied() else { break };
                let Some(event) = self.move_event(resource, give) else { break };
                self.closure.add(event);
                if !is_closed(self) {
                    break;
                }
            }
            None
        } else {
            let steps = self.search(&[(wait.thread, begin.at), (giver, behind)]);
            // What it waits for may be kept where nothing is recorded, and changed under the lock.
            let is_guess = |steps: &Vec<u32>| {
                let reordered = reordered_locks(self.history, &Schedule::Steps(steps.clone()));
                begin.is_elsewhere && begin.lock.is_some_and(|lock| reordered.contains(&lock))
            };
            steps.filter(|steps| !is_guess(steps)).and_then(|steps| {
                let mut run = machine.run(None);
                run.steps(steps.into_iter()).is_ok().then_some(run)
            })
        };
        let found = (give, begin.has_looked);
        run.is_some_and(|mut run| self.ends_waiting(&mut run, &key, (wait.thread, take.index), found))
    }

    /// Lets all go on. Says whether the thread waits for ever then.
    fn ends_waiting(
        &mut self,
        run: &mut Run<'_, '_>,
        key: &Key,
        (thread, take): (u32, u32),
        (give, has_looked): (u32, bool),
    ) -> bool {
        let n_steps = run.log().len();
        let outcome = self.go_on(run);
        let stuck = knot::stuck(self.history, self.machine, run, &outcome);
        let hangs = stuck.iter().any(|waiting| (waiting.thread, waiting.index) == (thread, take));
        if hangs {
            self.found(key.clone(), Way::Lost, vec![take], (run, n_steps), &outcome, &stuck);
            if let Some(hang) = self.hangs.found.last_mut() {
                (hang.too_early, hang.has_looked) = (Some(give), has_looked);
            }
        }
        hangs
    }

    /// A give, with what comes before it.
    fn move_event(&self, resource: u32, give: u32) -> Option<Event> {
        let thread = self.history.operations[give as usize].thread;
        let flow = self.waits.flows.get(&resource)?.iter().find(|flow| flow.thread == thread)?;
        let at = flow.gives.partition_point(|one| one.index < give);
        let one = flow.gives.get(at).filter(|one| one.index == give)?;
        Some(Event { thread, lt: one.lt, clock: one.clock })
    }

    /// The operation before which the thread must be: where it begins to wait, or, of a token, its take before.
    fn begin(&self, wait: &AbstractWait, resource: u32, take: Occurrence) -> Option<Begin> {
        let operations = &self.moves.threads[wait.thread as usize];
        let of = |lt: u32| self.history.operations[operations[lt as usize - 1] as usize];
        if self.history.resources.kind(resource) == Resource::Token {
            let flow = self.waits.flows.get(&resource)?.iter().find(|flow| flow.thread == wait.thread)?;
            let number = flow.takes.partition_point(|one| one.lt < take.lt);
            let before = flow.takes.get(number.checked_sub(1)?)?;
            // Who parks in a loop, or for one thing and then for another, looks at something that is not in the history:
            // one token may be enough for it. Only who parks twice at once is taken not to look.
            let at = Occurrence { lt: before.lt, clock: before.clock, index: before.index, place: of(before.lt).place };
            let is_at_once = self.nothing_between(wait.thread, before.lt, take.lt)
                && self.given(at, None).zip(self.given(take, None)).is_some_and(|((one, giver, _), (other, of, _))| {
                    giver != of || self.nothing_between(giver, self.machine.lt(one), self.machine.lt(other))
                });
            let is_apart = at.place != take.place && is_at_once;
            return is_apart.then_some(Begin {
                at,
                lock: None,
                takes: Some(at),
                has_looked: false,
                is_elsewhere: true,
            });
        }
        let lt = (take.lt.saturating_sub(NEAR).max(1)..take.lt)
            .rev()
            .find(|lt| (of(*lt).kind, of(*lt).target) == (Kind::Enter, resource))?;
        let lock = (lt..take.lt).map(of).find(|operation| operation.kind == Kind::Release)?.target;
        let inside = (lt.saturating_sub(NEAR).max(1)..lt).rev().map(of);
        let mut inside = inside.take_while(|operation| (operation.kind, operation.target) != (Kind::Acquire, lock));
        let is_seen = self.history.unseen.binary_search(&lock).is_err();
        let has_looked = is_seen && inside.any(|operation| (operation.kind, operation.target) == (Kind::Read, lock));
        let is_elsewhere = !has_looked || !self.finds_change(wait.thread, (lt, take.lt), lock);
        // Between that and its take it learns nothing.
        let at = Occurrence { lt, index: operations[lt as usize - 1], ..take };
        Some(Begin { at, lock: Some(lock), takes: None, has_looked, is_elsewhere })
    }

    /// Whether the thread sees behind its wait what another one wrote meanwhile. If not, what it waits for may be kept where
    /// nothing is recorded, whatever it looked at before.
    fn finds_change(&self, thread: u32, (begin, take): (u32, u32), lock: u32) -> bool {
        let operations = &self.moves.threads[thread as usize];
        let behind = operations[take as usize..].iter().take(NEAR as usize);
        let mut behind = behind.map(|index| (*index, self.history.operations[*index as usize]));
        let read = behind
            .find(|(_, operation)| operation.target == lock && matches!(operation.kind, Kind::Read | Kind::Release))
            .filter(|(_, operation)| operation.kind == Kind::Read);
        let Some(write) = read.map(|(index, _)| self.moves.sees[index as usize]).filter(|write| *write != NONE) else {
            return false;
        };
        self.history.operations[write as usize].thread != thread && write > operations[begin as usize - 1]
    }

    /// What ended the wait, by whom, and the operation behind that; behind its section of the lock, if it was in one.
    fn given(&self, take: Occurrence, lock: Option<u32>) -> Option<(u32, u32, Occurrence)> {
        let thread = self.history.operations[take.index as usize].thread;
        let mark = *self.moves.threads[thread as usize].get(take.lt as usize)?;
        let write = *self.moves.sees.get(mark as usize)?;
        if self.history.operations[mark as usize].kind != Kind::Read || write == NONE {
            return None;
        }
        let giver = self.history.operations[write as usize].thread;
        let lt = self.machine.lt(write);
        let resource = self.history.operations[take.index as usize].target;
        let flow = self.waits.flows.get(&resource)?.iter().find(|flow| flow.thread == giver)?;
        let number = flow.gives.partition_point(|one| one.lt <= lt);
        let give = flow.gives.get(number.checked_sub(1)?)?;
        let end = lock.and_then(|lock| self.end_of_section(giver, lt, lock));
        Some((give.index, giver, Occurrence { lt: end.unwrap_or(lt) + 1, clock: give.clock, index: write, place: 0 }))
    }

    /// Whether a thread does nothing that anybody could see between two of its times.
    fn nothing_between(&self, thread: u32, one: u32, other: u32) -> bool {
        let between = self.moves.threads[thread as usize].get(one as usize..other.saturating_sub(1) as usize);
        between.unwrap_or_default().iter().all(|index| {
            let kind = self.history.operations[*index as usize].kind;
            matches!(kind, Kind::Read | Kind::Write | Kind::Branch)
        })
    }

    /// Where the thread gives up a lock that it holds at a time.
    fn end_of_section(&self, thread: u32, lt: u32, lock: u32) -> Option<u32> {
        let operations = &self.moves.threads[thread as usize];
        let is_of_lock = |index: &u32| {
            let operation = self.history.operations[*index as usize];
            operation.target == lock && matches!(operation.kind, Kind::Acquire | Kind::Release)
        };
        let (before, behind) = operations.split_at(lt as usize);
        let latest = before.iter().rev().take(NEAR as usize).find(|index| is_of_lock(index))?;
        let is_inside = self.history.operations[*latest as usize].kind == Kind::Acquire;
        let end = behind.iter().take(NEAR as usize).position(is_of_lock).filter(|_| is_inside)?;
        Some(lt + end as u32 + 1)
    }
}

/// Where a wait begins.
struct Begin {
    at: Occurrence,
    /// What is released for it.
    lock: Option<u32>,
    /// Of a token, its take before.
    takes: Option<Occurrence>,
    /// Whether the thread has looked at what the lock guards.
    has_looked: bool,
    /// Whether what it waits for may be kept elsewhere: it did not look, or did not find anything changed when it was woken.
    is_elsewhere: bool,
}
