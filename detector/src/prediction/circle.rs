//! Circles of waits of which not all are for locks: who waits for a message, the end of a thread or a permit waits for
//! those that give it later in the same run.
//!
//! Like cycles of acquires, but "holds" is wider: a thread has the end of itself in its hands all the time, and what it
//! gives to a resource until it gives it for the last time.

use super::{
    machine::Blocked,
    waits::{AbstractWait, Waits, is_lock},
};
use crate::{graph::Components, history::Mode};
use rustc_hash::{FxHashMap, FxHashSet};

/// Steps of the search, so that a graph with exponentially many circles ends it: a second or two.
const STEPS_MAX: u64 = 5_000_000;

/// Threads in a circle. Longer ones exist, but so do enough shorter ones to show the mistake.
const LENGTH_MAX: usize = 8;

/// The search for circles.
pub(super) struct Circles<'a> {
    waits: &'a Waits,
    /// Per lock who holds it in which wait, and how.
    holding: FxHashMap<u32, Vec<(u32, Mode)>>,
    /// Waits of each thread.
    of_thread: FxHashMap<u32, Vec<u32>>,
    /// Waits that lie on circles.
    is_on_circle: Vec<bool>,
}

impl<'a> Circles<'a> {
    pub(super) fn new(waits: &'a Waits) -> Self {
        let mut circles = Self {
            waits,
            holding: FxHashMap::default(),
            of_thread: FxHashMap::default(),
            is_on_circle: vec![false; waits.all.len()],
        };
        circles.leave_out_what_leads_nowhere();
        for (at, wait) in (0..).zip(&waits.all).filter(|(at, _)| circles.is_on_circle[*at as usize]) {
            circles.of_thread.entry(wait.thread).or_default().push(at);
            for (lock, mode) in &wait.held {
                circles.holding.entry(*lock).or_default().push((at, *mode));
            }
        }
        circles
    }

    /// Keeps waits for something in the same component as something that they keep others from.
    fn leave_out_what_leads_nowhere(&mut self) {
        let mut numbers: FxHashMap<Blocked, u32> = FxHashMap::default();
        for wait in &self.waits.all {
            let n = numbers.len() as u32;
            numbers.entry(wait.want).or_insert(n);
        }
        let wanted: Vec<Blocked> = numbers.keys().copied().filter(|want| !is_lock(*want)).collect();
        let mut helps: FxHashMap<u32, Vec<(Blocked, u32)>> = FxHashMap::default();
        for want in wanted {
            for (helper, last) in self.waits.helpers(want) {
                helps.entry(*helper).or_default().push((want, *last));
            }
        }
        let kept_from = |wait: &AbstractWait| -> Vec<u32> {
            let first = wait.occurrences.first().map_or(u32::MAX, |occurrence| occurrence.lt);
            let helps = helps.get(&wait.thread).map_or(&[][..], Vec::as_slice);
            let owed = helps.iter().filter(|(_, last)| first <= *last).map(|(want, _)| *want);
            let held = wait.held.iter().map(|(lock, _)| Blocked::Lock(*lock));
            held.chain(owed).filter_map(|what| numbers.get(&what).copied()).collect()
        };
        let edges: FxHashSet<(u32, u32)> = self
            .waits
            .all
            .iter()
            .flat_map(|wait| kept_from(wait).into_iter().map(|from| (from, numbers[&wait.want])))
            .collect();
        let components = Components::new(numbers.len(), edges);
        for (at, wait) in self.waits.all.iter().enumerate() {
            let to = numbers[&wait.want];
            self.is_on_circle[at] =
                kept_from(wait).into_iter().any(|from| from == to || components.are_together(from, to));
        }
    }

    /// Calls `found` with each circle once, until it says that it is enough: distinct threads, each of which waits for
    /// what the next one keeps from it. Says whether the search was cut short.
    pub(super) fn for_each(&self, mut found: impl FnMut(&[u32]) -> bool) -> bool {
        let mut n_steps = 0;
        let others = (0..self.waits.all.len() as u32).filter(|at| self.is_on_circle[*at as usize]);
        for start in others.filter(|at| !is_lock(self.wait(*at).want)) {
            // Who alone makes room in a channel may wait for room in it.
            if matches!(self.wait(start).want, Blocked::Room(_)) && self.keeps_from(start, start) && !found(&[start]) {
                return true;
            }
            // Per member of the path those to try behind it.
            let mut path = vec![start];
            let mut next = vec![self.behind(start)];
            while let Some(candidates) = next.last_mut() {
                let Some(candidate) = candidates.pop() else {
                    next.pop();
                    path.pop();
                    continue;
                };
                n_steps += 1;
                if n_steps > STEPS_MAX {
                    return true;
                }
                if !self.admits(&path, start, candidate) {
                    continue;
                }
                path.push(candidate);
                if self.keeps_from(start, candidate) {
                    if !found(&path) {
                        return true;
                    }
                    path.pop();
                } else if path.len() < LENGTH_MAX {
                    next.push(self.behind(candidate));
                } else {
                    path.pop();
                }
            }
        }
        false
    }

    fn wait(&self, at: u32) -> &'a AbstractWait {
        &self.waits.all[at as usize]
    }

    /// Waits in which a thread keeps from `at` what that wants.
    fn behind(&self, at: u32) -> Vec<u32> {
        let wait = self.wait(at);
        match wait.want {
            Blocked::Lock(lock) => {
                let holding = self.holding.get(&lock).map_or(&[][..], Vec::as_slice);
                holding.iter().filter(|(_, mode)| mode.excludes(wait.mode)).map(|(holder, _)| *holder).collect()
            }
            want => {
                let helpers = self.waits.helpers(want);
                let of = |(thread, _): &(u32, u32)| self.of_thread.get(thread).map_or(&[][..], Vec::as_slice);
                helpers.iter().flat_map(of).copied().filter(|helper| self.keeps_from(*helper, at)).collect()
            }
        }
    }

    /// Whether the thread of `holder` keeps from the other one what that waits for.
    fn keeps_from(&self, holder: u32, waiting: u32) -> bool {
        let (holder, waiting) = (self.wait(holder), self.wait(waiting));
        match waiting.want {
            Blocked::Lock(lock) => holder.held.iter().any(|(held, mode)| *held == lock && mode.excludes(waiting.mode)),
            want => {
                let first = holder.occurrences.first().map_or(u32::MAX, |occurrence| occurrence.lt);
                self.waits.last_help(holder.thread, want).is_some_and(|last| first <= last)
            }
        }
    }

    /// Whether a wait can be added: another thread, and nothing held that others hold so that it excludes it. Of the
    /// waits that are not for locks the first one begins the circle, so that each is found once.
    fn admits(&self, path: &[u32], start: u32, candidate: u32) -> bool {
        let wait = self.wait(candidate);
        let is_apart = |other: &u32| {
            let other = self.wait(*other);
            let clash =
                |(lock, mode): &(u32, Mode)| other.held.iter().any(|(held, of)| held == lock && of.excludes(*mode));
            other.thread != wait.thread && !wait.held.iter().any(clash)
        };
        (is_lock(wait.want) || candidate > start) && path.iter().all(is_apart)
    }
}
