//! Clocks that remember how threads came to know what they know of a few others.

use super::{
    Done, Ordering, Point, Step,
    clocks::{self, Clocks, VectorClocks},
    entry,
};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// How far a thread knows another one, and through what: a hop, and those before it.
#[derive(Debug)]
pub(super) struct Link {
    /// How far, as in [`clocks::Mark::time`].
    pub(super) time: u32,
    /// What was done for others to see.
    pub(super) from: Step,
    /// What saw it.
    pub(super) to: Step,
    /// How the thread of `from` knew; it is the other one itself if there is none.
    pub(super) earlier: Option<Rc<Link>>,
}

impl Link {
    /// The hops, the first one first.
    pub(super) fn hops(&self) -> Vec<(Step, Step)> {
        let mut hops = Vec::new();
        let mut next = Some(self);
        while let Some(link) = next {
            hops.push((link.from, link.to));
            next = link.earlier.as_deref();
        }
        hops.reverse();
        hops
    }
}

/// By column, how a thread knows the thread that the column is of.
type Row = Rc<Vec<Option<Rc<Link>>>>;

/// Clocks of all threads, and chains that lead to some of them.
#[derive(Debug)]
pub(super) struct Chains {
    clocks: VectorClocks,
    /// The threads that chains lead to.
    columns: Vec<u32>,
    by_thread: FxHashMap<u32, usize>,
    rows: Vec<Row>,
    /// By thread its fences: indexes and orderings.
    fences: Vec<Vec<(u32, Ordering)>>,
}

/// A thread up to one of its operations, with how it knew what it knew.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    until: clocks::Mark,
    step: Step,
    row: Row,
}

impl Chains {
    /// Clocks with chains that lead to these threads.
    pub(super) fn new(mut columns: Vec<u32>) -> Self {
        columns.sort_unstable();
        columns.dedup();
        let by_thread = columns.iter().copied().zip(0..).collect();
        Self { clocks: VectorClocks::default(), columns, by_thread, rows: Vec::new(), fences: Vec::new() }
    }

    /// How a thread knows what it knows of another one.
    pub(super) fn link(&self, thread: u32, of: u32) -> Option<&Link> {
        let column = *self.by_thread.get(&of)?;
        self.rows.get(thread as usize)?.get(column)?.as_deref()
    }

    /// The first fence of a thread for which `is_it` holds, from an index on and before another one.
    pub(super) fn fence_between(
        &self,
        thread: u32,
        since: u32,
        before: u32,
        is_it: fn(Ordering) -> bool,
    ) -> Option<u32> {
        let fences = self.fences.get(thread as usize)?;
        let first = fences.partition_point(|(index, _)| *index < since);
        let between = fences.get(first..)?.iter().take_while(|(index, _)| *index < before);
        between.filter(|(_, order)| is_it(*order)).map(|(index, _)| *index).next()
    }
}

impl Clocks for Chains {
    type Mark = Mark;

    fn depart(&mut self, at: Point, done: Done) -> Mark {
        let row = Rc::clone(entry(&mut self.rows, at.thread));
        Mark { until: self.clocks.mark(at), step: Step { at, done }, row }
    }

    fn arrive(&mut self, at: Point, done: Done, mark: &Mark) {
        if !self.clocks.join(at.thread, &mark.until) {
            return;
        }
        let to = Step { at, done };
        let row = Rc::make_mut(entry(&mut self.rows, at.thread));
        row.resize(self.columns.len(), None);
        for ((column, thread), known) in (0..).zip(&self.columns).zip(row) {
            let (time, earlier) = if *thread == mark.until.thread {
                (mark.until.time, None)
            } else {
                let Some(earlier) = mark.row.get::<usize>(column).and_then(Option::as_ref) else { continue };
                (earlier.time, Some(Rc::clone(earlier)))
            };
            if *thread != at.thread && known.as_ref().is_none_or(|known| known.time < time) {
                *known = Some(Rc::new(Link { time, from: mark.step, to, earlier }));
            }
        }
    }

    fn shown(mark: &Mark, at: Point, done: Done) -> Mark {
        Mark { step: Step { at, done }, ..mark.clone() }
    }

    fn covers(newer: &Mark, older: &Mark) -> bool {
        newer.until.covers(&older.until)
    }

    fn fence(&mut self, at: Point, order: Ordering) {
        entry(&mut self.fences, at.thread).push((at.index, order));
    }
}
