//! Finds the races of a run: conflicting accesses of which neither happens before the other.

use super::{
    Access, Kind, Mode, Operations, Ordering, Point,
    clocks::{Mark, VectorClocks},
    found::{Found, Races},
    held::HeldSets,
    synchronisation::Synchronisation,
    variables::{Cell, Variables},
};

/// What makes one access come before another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Locks, threads and atomics alone. Of the races of a run the first one is certain: behind it, threads may have done what they
    /// did because of what they raced for.
    HappensBefore,
    /// In addition a read comes after the write that it saw, from then on, unless both are atomic (Mathur, Kini and Viswanathan,
    /// OOPSLA 2018): each pair that is found can be brought side by side by another schedule of just what happened. What an atomic
    /// operation both reads and writes counts as written.
    Schedulable,
}

/// Finds races in what it is told.
///
/// ```
/// use detector::race::{Access, HappensBefore, Kind, Mode, Operations, Point, Rule};
///
/// let mut found = HappensBefore::new(Rule::Schedulable);
/// let at = |thread, index| Point { thread, place: 100 + index, index };
/// let write = |at| Access { at, variable: 0, kind: Kind::Write };
/// found.acquire(at(1, 0), 0, Mode::Exclusive);
/// found.access(write(at(1, 1)));
/// found.release(at(1, 2), 0, Mode::Exclusive);
/// found.acquire(at(2, 3), 0, Mode::Exclusive);
/// found.access(write(at(2, 4)));
/// found.release(at(2, 5), 0, Mode::Exclusive);
/// found.access(write(at(3, 6)));
/// let races = found.finish();
/// assert_eq!(races.list.len(), 1);
/// assert_eq!((races.list[0].first.at.index, races.list[0].second.at.index), (4, 6));
/// assert_eq!(races.list[0].first.held[0].place, 103);
/// ```
#[derive(Debug)]
pub struct HappensBefore {
    rule: Rule,
    order: Synchronisation<VectorClocks>,
    held: HeldSets,
    variables: Variables,
    found: Found,
}

/// What a thread has behind it, for [`HappensBefore`].
#[derive(Clone, Debug)]
pub struct Departed(Mark);

impl HappensBefore {
    /// Knows of nothing yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            order: Synchronisation::new(VectorClocks::default(), false),
            held: HeldSets::default(),
            variables: Variables::default(),
            found: Found::default(),
        }
    }

    /// The races found.
    pub fn finish(self) -> Races {
        self.found.finish()
    }

    /// Tells of each earlier access that this one races with.
    #[inline]
    fn check(&mut self, access: Access, cell: Cell) {
        let Self { order, held, variables, found, .. } = self;
        let mut is_first = true;
        variables.check(access, order.clocks.known(access.at.thread), |earlier, kind| {
            if is_first {
                found.access(cell.place);
            }
            is_first = false;
            found.pair(access.variable, (earlier, kind), (cell, access.kind), held);
        });
    }

    /// A read comes after what it read.
    #[inline]
    fn follow(&mut self, access: Access) {
        if let Some((thread, until, known)) = self.variables.written(access) {
            self.order.clocks.join_known(access.at.thread, thread, until, known);
        }
    }
}

impl Operations for HappensBefore {
    type Mark = Departed;

    #[inline]
    fn access(&mut self, access: Access) {
        let Access { at, variable, kind } = access;
        let cell = Cell::new(at, self.held.of(at.thread));
        self.check(access, cell);
        let is_schedulable = self.rule == Rule::Schedulable;
        if is_schedulable && !kind.writes() {
            self.follow(access);
        }
        match kind {
            Kind::Read => self.variables.read(variable, cell, self.order.clocks.known(at.thread)),
            Kind::Write => self.variables.write(variable, cell, self.order.clocks.known(at.thread), is_schedulable),
            Kind::AtomicRead => self.variables.atomic(variable, cell, kind, None),
            Kind::AtomicWrite => {
                let store = is_schedulable.then(|| self.order.clocks.mark(at));
                self.variables.atomic(variable, cell, kind, store);
            }
        }
    }

    fn forget(&mut self, variable: u32) {
        self.variables.forget(variable);
    }

    fn acquire(&mut self, at: Point, lock: u32, mode: Mode) {
        self.order.acquire(at, lock, mode);
        self.held.acquire(at, lock, mode);
    }

    fn release(&mut self, at: Point, lock: u32, mode: Mode) {
        self.order.release(at, lock, mode);
        self.held.release(at.thread, lock, mode);
    }

    fn downgrade(&mut self, at: Point, lock: u32, mode: Mode) {
        self.order.downgrade(at, lock, mode);
        self.held.downgrade(at.thread, lock, mode);
    }

    fn depart(&mut self, at: Point) -> Departed {
        Departed(self.order.clocks.mark(at))
    }

    fn arrive(&mut self, at: Point, mark: &Departed) {
        self.order.clocks.join(at.thread, &mark.0);
    }

    fn load(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.order.load(at, atomic, order);
    }

    fn store(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.order.store(at, atomic, order);
    }

    fn rmw(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.order.rmw(at, atomic, order);
    }

    fn fence(&mut self, at: Point, order: Ordering) {
        self.order.fence(at, order);
    }
}

#[cfg(test)]
mod tests;
