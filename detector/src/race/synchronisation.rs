//! What orders threads: locks, must-orders, atomics and fences, whatever carries the knowledge.
//!
//! * **Locks.** A shared acquire comes after exclusive releases, an exclusive or upgradable one after all.
//! * **Stores.** One that releases shows what its thread has behind it, another one what the thread had behind it at its latest
//!   fence that releases. It begins a release sequence, which ends at the next store, also of the same thread (as since C++20).
//! * **Read-modify-writes** go on with the sequence, and add what they show themselves.
//! * **Loads** that acquire come after what the sequence shows; others do from the next fence that acquires.
//!
//! A lock or an atomic keeps the marks of those who came last, none of which covers another one: for a mutex it is one.

use super::{Done, Mode, Ordering, Point, clocks::Clocks, entry};

/// What orders the threads of a run.
#[derive(Debug)]
pub(super) struct Synchronisation<C: Clocks> {
    pub(super) clocks: C,
    /// Take each atomic operation for one that acquires and releases.
    is_strong: bool,
    locks: Vec<Lock<C::Mark>>,
    /// By atomic, what its release sequence shows.
    atomics: Vec<Vec<C::Mark>>,
    fences: Vec<Fences<C::Mark>>,
}

#[derive(Debug)]
struct Lock<M> {
    /// Releases that all come after.
    exclusive: Vec<M>,
    /// Releases after which the exclusive and upgradable come.
    shared: Vec<M>,
    /// Who holds it exclusively; [`NOBODY`] if nobody does.
    owner: u32,
}

const NOBODY: u32 = u32::MAX;

/// What a thread's fences are about.
#[derive(Debug)]
struct Fences<M> {
    /// What it had behind it at the latest that released.
    released: Option<M>,
    /// What it loaded without acquiring, and where.
    loaded: Vec<(M, Point, Done)>,
}

impl<M> Default for Lock<M> {
    fn default() -> Self {
        Self { exclusive: Vec::new(), shared: Vec::new(), owner: NOBODY }
    }
}

impl<M> Default for Fences<M> {
    fn default() -> Self {
        Self { released: None, loaded: Vec::new() }
    }
}

impl<C: Clocks> Synchronisation<C> {
    pub(super) fn new(clocks: C, is_strong: bool) -> Self {
        Self { clocks, is_strong, locks: Vec::new(), atomics: Vec::new(), fences: Vec::new() }
    }

    pub(super) fn acquire(&mut self, at: Point, lock: u32, mode: Mode) {
        let state = entry(&mut self.locks, lock);
        let done = Done::Acquire { lock, mode };
        for mark in &state.exclusive {
            self.clocks.arrive(at, done, mark);
        }
        if matches!(mode, Mode::Exclusive | Mode::Upgradable) {
            for mark in &state.shared {
                self.clocks.arrive(at, done, mark);
            }
        }
        if mode == Mode::Exclusive {
            state.owner = at.thread;
        }
    }

    pub(super) fn release(&mut self, at: Point, lock: u32, mode: Mode) {
        let mark = self.clocks.depart(at, Done::Release { lock, mode });
        let state = entry(&mut self.locks, lock);
        state.publish::<C>(mark, mode == Mode::Exclusive);
        if mode == Mode::Exclusive {
            state.owner = NOBODY;
        }
    }

    pub(super) fn downgrade(&mut self, at: Point, lock: u32, mode: Mode) {
        let mark = self.clocks.depart(at, Done::Downgrade { lock, mode });
        let state = entry(&mut self.locks, lock);
        let was_exclusive = state.owner == at.thread;
        state.publish::<C>(mark, was_exclusive);
        if was_exclusive {
            state.owner = NOBODY;
        }
    }

    pub(super) fn load(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.take(at, atomic, order, Done::Load { atomic, order });
    }

    pub(super) fn store(&mut self, at: Point, atomic: u32, order: Ordering) {
        let shown = self.show(at, order, Done::Store { atomic, order });
        let sequence = entry(&mut self.atomics, atomic);
        sequence.clear();
        sequence.extend(shown);
    }

    pub(super) fn rmw(&mut self, at: Point, atomic: u32, order: Ordering) {
        let done = Done::Rmw { atomic, order };
        self.take(at, atomic, order, done);
        if let Some(shown) = self.show(at, order, done) {
            push::<C>(entry(&mut self.atomics, atomic), shown);
        }
    }

    pub(super) fn fence(&mut self, at: Point, order: Ordering) {
        self.clocks.fence(at, order);
        if order.acquires() {
            for (mark, loaded, done) in entry(&mut self.fences, at.thread).loaded.drain(..) {
                self.clocks.arrive(loaded, done, &mark);
            }
        }
        if order.releases() {
            let mark = self.clocks.depart(at, Done::Fence { order });
            entry(&mut self.fences, at.thread).released = Some(mark);
        }
    }

    /// What an operation loads, now or at the next fence.
    fn take(&mut self, at: Point, atomic: u32, order: Ordering, done: Done) {
        let sequence = entry(&mut self.atomics, atomic);
        if order.acquires() || self.is_strong {
            for mark in sequence {
                self.clocks.arrive(at, done, mark);
            }
            return;
        }
        if sequence.is_empty() {
            return;
        }
        let loaded = &mut entry(&mut self.fences, at.thread).loaded;
        for mark in sequence {
            if !loaded.iter().any(|(known, ..)| C::covers(known, mark)) {
                loaded.retain(|(known, ..)| !C::covers(mark, known));
                loaded.push((mark.clone(), at, done));
            }
        }
    }

    /// What an operation shows.
    fn show(&mut self, at: Point, order: Ordering, done: Done) -> Option<C::Mark> {
        if order.releases() || self.is_strong {
            return Some(self.clocks.depart(at, done));
        }
        let fences = self.fences.get(at.thread as usize)?;
        fences.released.as_ref().map(|mark| C::shown(mark, at, done))
    }
}

impl<M: Clone> Lock<M> {
    fn publish<C: Clocks<Mark = M>>(&mut self, mark: M, is_exclusive: bool) {
        if is_exclusive {
            self.shared.retain(|older| !C::covers(&mark, older));
            push::<C>(&mut self.exclusive, mark);
        } else {
            push::<C>(&mut self.shared, mark);
        }
    }
}

/// Adds a mark, for those that it covers.
fn push<C: Clocks>(marks: &mut Vec<C::Mark>, mark: C::Mark) {
    match &mut marks[..] {
        [only] if C::covers(&mark, only) => *only = mark,
        _ => {
            marks.retain(|older| !C::covers(&mark, older));
            marks.push(mark);
        }
    }
}
