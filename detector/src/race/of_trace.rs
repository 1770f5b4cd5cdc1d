//! Takes the merged order of a recorded process as operations.

use super::{Access, Kind as Does, Operations, Ordering, Point};
use crate::{
    merge::{self, FirstPass, NO_OBJECT, Sink, Step},
    source::{Ends, Family, Lying, Memory},
};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, Mode, ObjectKind, Order};

/// What the trace lacks, or leaves open, for which a race is not more than possible.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Doubt {
    /// Events are missing.
    Lost,
    /// An operation on an atomic variable was not numbered.
    Uncertain,
}

/// What was found out besides the operations.
#[derive(Debug, Default)]
pub struct Passed {
    /// What makes everything doubtful.
    pub doubt: Option<Doubt>,
    /// By variable the object of the merge that it is, or lies at.
    pub objects: FxHashMap<u32, u32>,
    /// Whether some memory was said to end.
    pub frees: bool,
    /// Whether some of it has more parts than are looked at, so that the others go on.
    pub is_cut: bool,
}

/// A family prepared to be gone through, any number of times with the same numbers.
#[derive(Debug)]
pub struct Recorded<'a> {
    file: &'a Family,
    memory: Memory,
    /// Objects whose holders do not exclude each other by mode alone.
    semaphores: FxHashSet<u32>,
}

impl<'a> Recorded<'a> {
    /// Prepares a family; `kind` says what its objects are.
    pub fn new(file: &'a Family, first: &FirstPass, kind: impl Fn(u32) -> ObjectKind) -> Self {
        let semaphores = (0..first.objects.len() as u32).filter(|object| kind(*object) == ObjectKind::Semaphore);
        Self { file, memory: Memory::of(file), semaphores: semaphores.collect() }
    }

    /// Goes through the family.
    pub fn pass<O: Operations>(&self, operations: &mut O) -> Passed {
        let first = FirstPass::new(self.file);
        let n_objects = first.objects.len() as u32;
        let mut driver = Driver {
            operations,
            recorded: self,
            index: 0,
            latest: (0, 0),
            threads: first.threads.iter().copied().zip(0..).collect(),
            members: (0..first.threads.len() as u32).map(|thread| first.member_of(thread)).collect(),
            arrived: Vec::new(),
            tasks: FxHashMap::default(),
            first_part: n_objects,
            ends: Ends::new(&self.memory),
            passed: Passed::default(),
        };
        let merged = merge::run(self.file, first, &mut driver);
        let mut passed = driver.passed;
        if merged.n_gaps > 0 || self.file.n_lost() > 0 {
            passed.doubt = Some(Doubt::Lost);
        }
        passed
    }
}

impl Recorded<'_> {
    /// What happened at these points: thread, kind, and object of the merge.
    pub fn events_at(&self, indexes: &FxHashSet<u32>) -> FxHashMap<u32, (u32, Kind, u32)> {
        let mut looked = Looked { indexes, index: 0, found: FxHashMap::default() };
        merge::run(self.file, FirstPass::new(self.file), &mut looked);
        looked.found
    }
}

/// Looks at some events of the order.
struct Looked<'a> {
    indexes: &'a FxHashSet<u32>,
    index: u32,
    found: FxHashMap<u32, (u32, Kind, u32)>,
}

impl Sink for Looked<'_> {
    type Mark = ();

    fn step(&mut self, step: &Step) {
        self.index = self.index.saturating_add(1);
        if self.indexes.contains(&self.index) {
            let Step { thread, object, event } = *step;
            self.found.insert(self.index, (thread, event.kind(), object));
        }
    }

    fn depart(&mut self, _: u32) {}

    fn arrive(&mut self, _: u32, (): &()) {}
}

struct Driver<'a, O: Operations> {
    operations: &'a mut O,
    recorded: &'a Recorded<'a>,
    /// Of the step.
    index: u32,
    /// Thread and place of the latest step.
    latest: (u32, u32),
    /// By id.
    threads: FxHashMap<u64, u32>,
    /// By thread: the member of the family.
    members: Vec<u32>,
    /// What the event to come arrives from.
    arrived: Vec<(u32, O::Mark)>,
    /// What tasks that do not run have behind them.
    tasks: FxHashMap<u32, O::Mark>,
    /// The variable of the first part of marked memory; before it come those of objects.
    first_part: u32,
    ends: Ends<'a>,
    passed: Passed,
}

impl<O: Operations> Sink for Driver<'_, O> {
    type Mark = O::Mark;

    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        self.index = self.index.saturating_add(1);
        self.latest = (thread, event.site().0);
        let at = Point { thread, place: event.site().0, index: self.index };
        for (of, mark) in std::mem::take(&mut self.arrived) {
            if of == thread {
                self.operations.arrive(at, &mark);
            } else {
                self.tasks.insert(of, mark);
            }
        }
        // Of a damaged event it is not known what it is about.
        let is_known = object != NO_OBJECT;
        match event.kind() {
            _ if Ends::is_told(event) => self.ends.tell(thread, event),
            Kind::ACQUIRE | Kind::RELEASE | Kind::UPGRADE | Kind::DOWNGRADE if is_known => self.lock(at, object, event),
            Kind::CELL_READ | Kind::CELL_WRITE | Kind::CELL_FREE if is_known => self.cell(at, object, event),
            Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW | Kind::PUBLISH | Kind::OBSERVE if is_known => {
                self.atomic(at, object, event);
            }
            Kind::FENCE => self.operations.fence(at, ordering(event.flags().order())),
            Kind::TASK_BEGIN | Kind::TASK_SUSPEND | Kind::TASK_END => self.task(at, event),
            Kind::LOST => self.passed.doubt = Some(Doubt::Lost),
            _ => {}
        }
    }

    fn depart(&mut self, thread: u32) -> O::Mark {
        let place = if self.latest.0 == thread { self.latest.1 } else { 0 };
        self.operations.depart(Point { thread, place, index: self.index })
    }

    fn arrive(&mut self, thread: u32, mark: &O::Mark) {
        self.arrived.push((thread, mark.clone()));
    }
}

impl<O: Operations> Driver<'_, O> {
    fn lock(&mut self, at: Point, lock: u32, event: Event) {
        // Permits are held in shared mode, and each may be the one that another holder gave back.
        let is_permit = self.recorded.semaphores.contains(&lock);
        let mode = if is_permit { Mode::Exclusive } else { event.flags().mode() };
        match event.kind() {
            Kind::RELEASE => self.operations.release(at, lock, mode),
            Kind::DOWNGRADE => self.operations.downgrade(at, lock, mode),
            Kind::UPGRADE => self.operations.acquire(at, lock, Mode::Exclusive),
            _ => self.operations.acquire(at, lock, mode),
        }
    }

    fn cell(&mut self, at: Point, object: u32, event: Event) {
        let kind = if event.kind() == Kind::CELL_READ { Does::Read } else { Does::Write };
        if !event.is_at_address() {
            self.passed.objects.entry(object).or_insert(object);
            self.operations.access(Access { at, variable: object, kind });
            return;
        }
        if event.kind() == Kind::CELL_FREE {
            return self.end(at, object, event);
        }
        for variable in self.lying(at.thread, object, event) {
            self.operations.access(Access { at, variable, kind });
        }
    }

    fn member_of(&self, thread: u32) -> u32 {
        self.members.get(thread as usize).copied().unwrap_or(0)
    }

    /// Memory ends: that is a write of what was there. What comes next has the number of what was there before that.
    fn end(&mut self, at: Point, object: u32, event: Event) {
        self.passed.frees = true;
        self.passed.is_cut |= self.recorded.memory.is_cut(self.member_of(at.thread), event);
        for variable in self.lying(at.thread, object, event) {
            self.operations.access(Access { at, variable, kind: Does::Write });
        }
        self.ends.end(self.member_of(at.thread), at.thread, event);
        for variable in self.lying(at.thread, object, event) {
            self.operations.forget(variable);
        }
    }

    /// The variables that an access of a thread is about. Of each part two are told apart: what lies there, and what was there
    /// before, which some may still access.
    fn lying(&mut self, thread: u32, object: u32, event: Event) -> Vec<u32> {
        let variable = |lying: Lying| {
            // Of more than there are numbers for the last ones are not looked at.
            let part = u32::try_from(lying.part).ok()?.checked_mul(2)?;
            self.first_part.checked_add(part)?.checked_add(lying.n_ends & 1)
        };
        let variables: Vec<u32> =
            self.ends.accessed(self.member_of(thread), thread, event).filter_map(variable).collect();
        for variable in &variables {
            self.passed.objects.entry(*variable).or_insert(object);
        }
        variables
    }

    fn atomic(&mut self, at: Point, object: u32, event: Event) {
        if event.flags().has(Flags::UNCERTAIN) {
            self.passed.doubt = self.passed.doubt.or(Some(Doubt::Uncertain));
        }
        let order = ordering(event.flags().order());
        let does = match event.kind() {
            Kind::ATOMIC_LOAD => {
                self.operations.load(at, object, order);
                Does::AtomicRead
            }
            Kind::ATOMIC_STORE => {
                self.operations.store(at, object, order);
                Does::AtomicWrite
            }
            Kind::ATOMIC_RMW => {
                self.operations.rmw(at, object, order);
                Does::AtomicWrite
            }
            Kind::PUBLISH => return self.operations.rmw(at, object, Ordering::Release),
            _ => return self.operations.load(at, object, Ordering::Acquire),
        };
        for variable in self.lying(at.thread, object, event) {
            self.operations.access(Access { at, variable, kind: does });
        }
    }

    /// What a task does in one poll comes after what it did in those before, wherever they were.
    fn task(&mut self, at: Point, event: Event) {
        let Some(task) = self.threads.get(&event.object().0).copied() else { return };
        if event.kind() == Kind::TASK_BEGIN {
            if let Some(mark) = self.tasks.get(&task).cloned() {
                self.operations.arrive(at, &mark);
            }
        } else {
            let mark = self.operations.depart(at);
            self.tasks.insert(task, mark);
        }
    }
}

const fn ordering(order: Order) -> Ordering {
    match order {
        Order::Relaxed => Ordering::Relaxed,
        Order::Acquire => Ordering::Acquire,
        Order::Release => Ordering::Release,
        Order::AcqRel => Ordering::AcqRel,
        Order::SeqCst => Ordering::SeqCst,
    }
}
