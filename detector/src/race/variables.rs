//! What is remembered of each variable's accesses, and what of it a new access races with.
//!
//! In the manner of FastTrack: of most variables one write and one read are enough, those after which any race with an earlier
//! access is also a race with them. Where accesses race or several threads read, or accesses are atomic, there is more:
//! for each thread and kind the latest one. An access is forgotten when one comes after it that conflicts with whatever it conflicts
//! with, so that each access which races with an earlier one races with one that is remembered.

use super::{
    Access, Kind, Point,
    clocks::{Known, Mark, time, time_of},
    entry,
    found::Seen,
    held::HeldSets,
};
use std::rc::Rc;

/// An access, as it is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) thread: u32,
    pub(super) index: u32,
    pub(super) place: u32,
    /// What the thread held.
    pub(super) held: u32,
}

/// The thread of an access that there was not.
const NOBODY: u32 = u32::MAX;

const NONE: Cell = Cell { thread: NOBODY, index: 0, place: 0, held: 0 };

impl Cell {
    pub(super) fn new(at: Point, held: u32) -> Self {
        Self { thread: at.thread, index: at.index, place: at.place, held }
    }

    pub(super) fn seen(self, kind: Kind, held: &HeldSets) -> Seen {
        let Self { thread, index, place, .. } = self;
        Seen { at: Point { thread, place, index }, kind, held: held.list(self.held) }
    }

    /// Whether a thread that knows this has not got it behind it.
    #[inline]
    fn is_unordered(self, thread: u32, known: &[u32]) -> bool {
        self.thread != thread && self.thread != NOBODY && time(known, self.thread) < time_of(self.index)
    }
}

/// The variables of a run.
#[derive(Debug, Default)]
pub(super) struct Variables {
    list: Vec<Variable>,
    /// Of those of which there is more to remember.
    more: Vec<More>,
    /// Elements of [`Variables::more`] that nobody uses.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Variable {
    /// The latest that is not atomic.
    write: Cell,
    /// The latest that is not atomic, unless it is forgotten.
    read: Cell,
    /// What the writer of `write` knew, if that is asked for and no atomic write came later.
    knew: Option<Known>,
    /// Number in [`Variables::more`]; [`NOTHING`] if there is none.
    more: u32,
}

const NOTHING: u32 = u32::MAX;

impl Default for Variable {
    fn default() -> Self {
        Self { write: NONE, read: NONE, knew: None, more: NOTHING }
    }
}

/// Accesses of a variable beyond the latest ones, each list in the order of threads, and then of kinds.
#[derive(Debug, Default)]
struct More {
    writes: Vec<(Cell, Kind)>,
    reads: Vec<(Cell, Kind)>,
    atomics: Vec<(Cell, Kind)>,
    /// The latest atomic write, if that is asked for and no other write came later.
    store: Option<Mark>,
}

impl Variables {
    /// Looks at an access of a thread that knows this, and tells of each earlier one that it races with.
    #[inline]
    pub(super) fn check(&self, access: Access, known: &[u32], mut race: impl FnMut(Cell, Kind)) {
        let Some(variable) = self.list.get(access.variable as usize) else { return };
        let thread = access.at.thread;
        if access.kind.writes() && variable.read.is_unordered(thread, known) {
            race(variable.read, Kind::Read);
        }
        if variable.write.is_unordered(thread, known) {
            race(variable.write, Kind::Write);
        }
        if let Some(more) = self.more.get(variable.more as usize) {
            more.check(access, known, &mut race);
        }
    }

    /// By which thread until when, and with what knowledge, that was written what an access reads, where that is not ordered
    /// otherwise: if both are atomic, their orderings say.
    #[inline]
    pub(super) fn written(&self, access: Access) -> Option<(u32, u32, &Known)> {
        let variable = self.list.get(access.variable as usize)?;
        if let Some(knew) = &variable.knew {
            return Some((variable.write.thread, time_of(variable.write.index), knew));
        }
        if access.kind != Kind::Read {
            return None;
        }
        let store = self.more.get(variable.more as usize)?.store.as_ref()?;
        Some((store.thread, store.time, &store.known))
    }

    /// Remembers a read that is not atomic.
    #[inline]
    pub(super) fn read(&mut self, number: u32, cell: Cell, known: &[u32]) {
        let variable = entry(&mut self.list, number);
        let earlier = std::mem::replace(&mut variable.read, cell);
        if variable.more == NOTHING && !earlier.is_unordered(cell.thread, known) {
            return;
        }
        let more = self.more(number);
        if earlier.is_unordered(cell.thread, known) {
            insert(&mut more.reads, earlier, Kind::Read);
        }
        if let Ok(own) = find(&more.reads, cell.thread, Kind::Read) {
            more.reads.remove(own);
        }
    }

    /// Remembers a write that is not atomic, by a thread that knows this; forgets what it comes after.
    #[inline]
    pub(super) fn write(&mut self, number: u32, cell: Cell, known: &Known, keeps_known: bool) {
        let variable = entry(&mut self.list, number);
        let earlier = std::mem::replace(&mut variable.write, cell);
        if keeps_known && !variable.knew.as_ref().is_some_and(|knew| Rc::ptr_eq(knew, known)) {
            variable.knew = Some(Rc::clone(known));
        }
        if !variable.read.is_unordered(cell.thread, known) {
            variable.read = NONE;
        }
        let is_unordered = earlier.is_unordered(cell.thread, known);
        if variable.more == NOTHING && !is_unordered {
            return;
        }
        let more = self.more(number);
        more.store = None;
        for list in [&mut more.writes, &mut more.reads, &mut more.atomics] {
            list.retain(|(cell_before, _)| cell_before.is_unordered(cell.thread, known));
        }
        if is_unordered {
            insert(&mut more.writes, earlier, Kind::Write);
        }
        if more.is_empty() {
            self.drop_more(number);
        }
    }

    /// Remembers an atomic access; of a write what its thread had behind it, if that is asked for.
    pub(super) fn atomic(&mut self, number: u32, cell: Cell, kind: Kind, store: Option<Mark>) {
        if kind.writes() {
            entry(&mut self.list, number).knew = None;
        }
        let more = self.more(number);
        insert(&mut more.atomics, cell, kind);
        if kind.writes() {
            more.store = store;
        }
    }

    /// Forgets all accesses of a variable.
    pub(super) fn forget(&mut self, number: u32) {
        self.drop_more(number);
        *entry(&mut self.list, number) = Variable::default();
    }

    #[cold]
    fn more(&mut self, number: u32) -> &mut More {
        let variable = entry(&mut self.list, number);
        if variable.more == NOTHING {
            variable.more = self.free.pop().unwrap_or(self.more.len() as u32);
        }
        entry(&mut self.more, variable.more)
    }

    fn drop_more(&mut self, number: u32) {
        let variable = entry(&mut self.list, number);
        if let Some(more) = self.more.get_mut(variable.more as usize) {
            *more = More::default();
            self.free.push(variable.more);
            variable.more = NOTHING;
        }
    }
}

impl More {
    #[cold]
    fn check(&self, access: Access, known: &[u32], race: &mut impl FnMut(Cell, Kind)) {
        for list in [&self.writes, &self.reads, &self.atomics] {
            // All of a list conflict or none, but for atomics.
            if !list.first().is_some_and(|(_, kind)| kind.is_atomic() || kind.conflicts(access.kind)) {
                continue;
            }
            for (cell, kind) in list {
                if kind.conflicts(access.kind) && cell.is_unordered(access.at.thread, known) {
                    race(*cell, *kind);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.reads.is_empty() && self.atomics.is_empty()
    }
}

fn find(list: &[(Cell, Kind)], thread: u32, kind: Kind) -> Result<usize, usize> {
    list.binary_search_by_key(&(thread, kind), |(cell, kind)| (cell.thread, *kind))
}

/// Remembers an access for the earlier one of this kind by its thread.
fn insert(list: &mut Vec<(Cell, Kind)>, cell: Cell, kind: Kind) {
    match find(list, cell.thread, kind) {
        Ok(at) => list[at] = (cell, kind),
        Err(at) => list.insert(at, (cell, kind)),
    }
}
