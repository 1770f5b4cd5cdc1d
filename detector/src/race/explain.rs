//! Explains races that were found: what ordered their threads last, and which atomic operation is too weak to order the accesses.
//!
//! It goes over the run again, with two sets of clocks that remember how knowledge came: one by the rules, one as if each atomic
//! operation acquired and released. Where the second orders what the first does not, a hop on the way is too weak.

use super::{
    Access, Mode, Operations, Ordering, Point,
    chains::{Chains, Link, Mark},
    clocks::{Clocks, time_of},
    synchronisation::Synchronisation,
};

/// What a thread did that orders it with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// Acquired a lock.
    Acquire {
        /// The lock.
        lock: u32,
        /// How.
        mode: Mode,
    },
    /// Released a lock.
    Release {
        /// The lock.
        lock: u32,
        /// How it was held.
        mode: Mode,
    },
    /// Went on holding a lock in a weaker mode.
    Downgrade {
        /// The lock.
        lock: u32,
        /// The new mode.
        mode: Mode,
    },
    /// Did what others come after ([`Operations::depart`]).
    Depart,
    /// Came after a departure ([`Operations::arrive`]).
    Arrive,
    /// Loaded from an atomic.
    Load {
        /// The atomic.
        atomic: u32,
        /// The ordering.
        order: Ordering,
    },
    /// Stored to an atomic.
    Store {
        /// The atomic.
        atomic: u32,
        /// The ordering.
        order: Ordering,
    },
    /// Loaded from an atomic and stored to it.
    Rmw {
        /// The atomic.
        atomic: u32,
        /// The ordering.
        order: Ordering,
    },
    /// A fence.
    Fence {
        /// The ordering.
        order: Ordering,
    },
}

impl Done {
    fn atomic(self) -> Option<(u32, Ordering)> {
        match self {
            Self::Load { atomic, order } | Self::Store { atomic, order } | Self::Rmw { atomic, order } => {
                Some((atomic, order))
            }
            _ => None,
        }
    }
}

/// An operation that orders threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Who, where and when.
    pub at: Point,
    /// What.
    pub done: Done,
}

/// What is to be said of a race.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Explanation {
    /// What ordered the threads last before the second access.
    pub last_sync: Option<LastSync>,
    /// What would order the accesses.
    pub repair: Option<Repair>,
}

/// The latest of what the first access's thread did of which the second one's thread knew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastSync {
    /// What the first one's thread did.
    pub from: Step,
    /// Through what the second one's thread came to know of it.
    pub to: Step,
    /// Through how many other threads, in between.
    pub n_between: usize,
}

/// Atomic operations that would order the accesses if they were stronger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repair {
    /// Where the way from the first access to the second one is too weak; at least one.
    pub hops: Vec<Hop>,
}

/// A load that saw a store, or what later read-modify-writes made of it, and comes not after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hop {
    /// The atomic.
    pub atomic: u32,
    /// The store; may be a read-modify-write.
    pub store: Step,
    /// The load; may be a read-modify-write.
    pub load: Step,
    /// Whether the store has to release.
    pub store_needs_release: bool,
    /// Whether the load has to acquire.
    pub load_needs_acquire: bool,
}

/// Explains races, given the same run again.
///
/// ```
/// use detector::race::{Access, Explainer, Kind, Operations, Ordering, Point};
///
/// let at = |thread, index| Point { thread, place: index, index };
/// let mut explainer = Explainer::new(&[(at(0, 0), at(1, 3))]);
/// explainer.access(Access { at: at(0, 0), variable: 0, kind: Kind::Write });
/// explainer.store(at(0, 1), 7, Ordering::Relaxed);
/// explainer.load(at(1, 2), 7, Ordering::Acquire);
/// explainer.access(Access { at: at(1, 3), variable: 0, kind: Kind::Read });
/// let repair = explainer.finish()[0].repair.clone().unwrap();
/// let [hop] = repair.hops[..] else { unreachable!() };
/// assert_eq!((hop.atomic, hop.store.at.index, hop.load.at.index), (7, 1, 2));
/// assert!(hop.store_needs_release && !hop.load_needs_acquire);
/// ```
#[derive(Debug)]
pub struct Explainer {
    /// The accesses of each race, and its number, by the index of the second one.
    races: Vec<(Point, Point, usize)>,
    /// How many of them are explained.
    n_done: usize,
    explanations: Vec<Explanation>,
    real: Synchronisation<Chains>,
    strong: Synchronisation<Chains>,
}

/// What a thread has behind it, for [`Explainer`].
#[derive(Clone, Debug)]
pub struct Behind {
    real: Mark,
    strong: Mark,
}

impl Explainer {
    /// Will explain these races, each given by its first and second access.
    pub fn new(races: &[(Point, Point)]) -> Self {
        let first: Vec<u32> = races.iter().map(|(first, _)| first.thread).collect();
        let of_rule = |is_strong| Synchronisation::new(Chains::new(first.clone()), is_strong);
        let mut races: Vec<_> = races.iter().zip(0..).map(|((first, second), n)| (*first, *second, n)).collect();
        races.sort_by_key(|(_, second, _)| second.index);
        let explanations = vec![Explanation::default(); races.len()];
        Self { races, n_done: 0, explanations, real: of_rule(false), strong: of_rule(true) }
    }

    /// The explanations, in the order of the races.
    pub fn finish(self) -> Vec<Explanation> {
        self.explanations
    }

    fn explain(&self, first: Point, second: Point) -> Explanation {
        let last_sync = self.real.clocks.link(second.thread, first.thread).and_then(|link| {
            let hops = link.hops();
            let ((from, _), (_, to)) = (hops.first()?, hops.last()?);
            Some(LastSync { from: *from, to: *to, n_between: hops.len() - 1 })
        });
        let link = self.strong.clocks.link(second.thread, first.thread);
        let repair =
            link.filter(|link| link.time >= time_of(first.index)).and_then(|link| self.repair(first, second, link));
        Explanation { last_sync, repair }
    }

    /// What of a way from one access to another one is too weak, if something is.
    fn repair(&self, first: Point, second: Point, link: &Link) -> Option<Repair> {
        let hops = joined(&link.hops());
        let mut weak = Vec::new();
        // Since when the hop's thread knows.
        let mut since = first.index;
        for (n, (store, load)) in hops.iter().enumerate() {
            let next = hops.get(n + 1).map_or(second.index, |(next, _)| next.at.index);
            let (Some((atomic, stored)), Some((_, loaded))) = (store.done.atomic(), load.done.atomic()) else {
                since = load.at.index;
                continue;
            };
            let clocks = &self.real.clocks;
            // From `since` on: the fence that acquired what this hop shows may release it too.
            let released = clocks.fence_between(store.at.thread, since, store.at.index, Ordering::releases);
            let acquired = clocks.fence_between(load.at.thread, load.at.index, next, Ordering::acquires);
            let store_needs_release = !stored.releases() && released.is_none();
            let load_needs_acquire = !loaded.acquires() && acquired.is_none();
            if store_needs_release || load_needs_acquire {
                weak.push(Hop { atomic, store: *store, load: *load, store_needs_release, load_needs_acquire });
            }
            since = if loaded.acquires() { load.at.index } else { acquired.unwrap_or(load.at.index) };
        }
        (!weak.is_empty()).then_some(Repair { hops: weak })
    }
}

/// The hops, those through read-modify-writes of one release sequence made one: what begins it reaches what ends it, however weak
/// they are.
fn joined(hops: &[(Step, Step)]) -> Vec<(Step, Step)> {
    let mut joined: Vec<(Step, Step)> = Vec::new();
    for (from, to) in hops {
        match joined.last_mut() {
            Some((_, last)) if matches!(from.done, Done::Rmw { .. }) && from == last => *last = *to,
            _ => joined.push((*from, *to)),
        }
    }
    joined
}

impl Operations for Explainer {
    type Mark = Behind;

    #[inline]
    fn access(&mut self, access: Access) {
        while let Some((first, second, number)) = self.races.get(self.n_done).copied()
            && second.index <= access.at.index
        {
            if second.index == access.at.index {
                self.explanations[number] = self.explain(first, second);
            }
            self.n_done += 1;
        }
    }

    fn forget(&mut self, _variable: u32) {}

    fn acquire(&mut self, at: Point, lock: u32, mode: Mode) {
        self.real.acquire(at, lock, mode);
        self.strong.acquire(at, lock, mode);
    }

    fn release(&mut self, at: Point, lock: u32, mode: Mode) {
        self.real.release(at, lock, mode);
        self.strong.release(at, lock, mode);
    }

    fn downgrade(&mut self, at: Point, lock: u32, mode: Mode) {
        self.real.downgrade(at, lock, mode);
        self.strong.downgrade(at, lock, mode);
    }

    fn depart(&mut self, at: Point) -> Behind {
        let [real, strong] = [&mut self.real, &mut self.strong].map(|order| order.clocks.depart(at, Done::Depart));
        Behind { real, strong }
    }

    fn arrive(&mut self, at: Point, mark: &Behind) {
        self.real.clocks.arrive(at, Done::Arrive, &mark.real);
        self.strong.clocks.arrive(at, Done::Arrive, &mark.strong);
    }

    fn load(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.real.load(at, atomic, order);
        self.strong.load(at, atomic, order);
    }

    fn store(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.real.store(at, atomic, order);
        self.strong.store(at, atomic, order);
    }

    fn rmw(&mut self, at: Point, atomic: u32, order: Ordering) {
        self.real.rmw(at, atomic, order);
        self.strong.rmw(at, atomic, order);
    }

    fn fence(&mut self, at: Point, order: Ordering) {
        self.real.fence(at, order);
        self.strong.fence(at, order);
    }
}
