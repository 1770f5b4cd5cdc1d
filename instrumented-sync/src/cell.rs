//! Cells that threads share with nothing to guard them: their accesses are recorded, or seen by a model checker.
//!
//! [`UnsafeCell`] is std's with accesses that can be seen, [`RaceCell`] a `static mut` with them. What lies in neither is
//! marked, where it is read, written and freed: [`read_of!`](crate::read_of), [`write_of!`](crate::write_of),
//! [`free_of!`](crate::free_of). Two accesses that nothing orders, one of which writes, are a data race: undefined behaviour.
//!
//! records: each read and each write, before it happens; not one that repeats an access since which the thread did nothing
//! that is recorded but access cells. Not what the borrow checker proves to be alone: `get_mut`, `into_inner`, drop.
//!
//! `Cell`, `RefCell` and `OnceCell` are std's own: threads cannot share them.

mod race;

pub use self::race::RaceCell;
pub use crate::model::cell::*;
