//! Puts a history together, and lets into it only what can have happened.
//!
//! What is checked: who holds which lock, and which threads have begun and ended. Acquires by the holder are legal
//! and collapsed: only the outermost one of them and its release become operations. What contradicts the operations
//! before it becomes a [`Flaw`]; the release that belongs to a flawed acquire goes with it. A read before any write reads
//! the initial value.
//!
//! `begin` and `end` are notes more than operations in public traces: `begin` of all threads stands at the top, before their
//! forks, and `end` is the end of a thread's body, behind which its exit locks and notifies. So the first `begin` after the fork and
//! the last `end` are kept, the others dropped. After a join, in contrast, the thread is over: another thread has seen it.
//!
//! A `wait` belongs between a release of its lock and an acquire. Where a thread holds the lock at its `wait`, both happened
//! unseen: the release is assumed at the `wait`, the acquire at the thread's next operation (unless that is it). When
//! the lock was free in truth nobody knows, so it is doubtful ([`History::doubtful`]); so is one whose release is shown, but
//! no acquire directly behind.

use super::{
    Flaw, History, Kind, Operation, Wrong,
    problems::{Origin, Problems},
};
use crate::finding::Problem;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt::Display;

/// The owner of a lock that is free.
const NOBODY: u32 = u32::MAX;

/// Takes operations in the order in which they happened.
///
/// ```
/// use detector::history::{Builder, Kind, Origin};
///
/// let mut builder = Builder::new(Origin::Lines("x.std".into()));
/// let (thread, lock) = (builder.thread("T1"), builder.lock("L1"));
/// let place = builder.place("main.rs:1");
/// for (line, kind) in [(1, Kind::Acquire), (2, Kind::Acquire), (3, Kind::Release), (4, Kind::Release), (5, Kind::Release)] {
///     builder.add(line, kind, thread, lock, place);
/// }
/// let (history, problems) = builder.finish();
/// assert_eq!((history.operations.len(), history.flaws.len()), (2, 1));
/// assert!(problems[0].text.starts_with("x.std:5: T1 releases L1, "));
/// ```
#[derive(Debug)]
pub struct Builder {
    history: History,
    threads: Vec<Thread>,
    locks: Vec<Lock>,
    /// Flawed acquires whose release is still to come: how many, by thread and lock.
    skipped: FxHashMap<(u32, u32), u64>,
    doubtful: FxHashSet<u32>,
    /// Operations that turned out to say nothing.
    void: Vec<usize>,
    problems: Problems,
}

#[derive(Clone, Debug)]
struct Thread {
    /// Whether its next operation needs more than a look at this.
    is_special: bool,
    /// Has done something, a `begin` aside.
    acted: bool,
    forked: bool,
    /// Where it was joined.
    joined: Option<u64>,
    begin: Option<usize>,
    end: Option<usize>,
    waiting: Option<Waiting>,
}

/// A wait that is not known to be over.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at: u64,
    lock: u32,
    place: u32,
    /// How often the lock was held, if nobody showed its release.
    unreleased: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    owner: u32,
    depth: u64,
    /// Where it was acquired.
    since: u64,
    /// Where it was released last, from 1.
    released: u64,
    /// Whether it was ever acquired.
    was_acquired: bool,
}

impl Builder {
    /// Begins a history without operations.
    pub fn new(origin: Origin) -> Self {
        Self {
            history: History::default(),
            threads: Vec::new(),
            locks: Vec::new(),
            skipped: FxHashMap::default(),
            doubtful: FxHashSet::default(),
            void: Vec::new(),
            problems: Problems::new(origin),
        }
    }

    /// The number of a thread.
    #[inline]
    pub fn thread(&mut self, name: &str) -> u32 {
        let number = self.history.threads.number(name);
        if self.threads.len() < self.history.threads.len() {
            self.threads.push(Thread {
                is_special: true,
                acted: false,
                forked: false,
                joined: None,
                begin: None,
                end: None,
                waiting: None,
            });
        }
        number
    }

    /// The number of a thread that has a name already.
    pub fn find_thread(&self, name: &str) -> Option<u32> {
        self.history.threads.find(name)
    }

    /// The number of a lock.
    #[inline]
    pub fn lock(&mut self, name: &str) -> u32 {
        let number = self.history.locks.number(name);
        if self.locks.len() < self.history.locks.len() {
            self.locks.push(Lock { owner: NOBODY, depth: 0, since: 0, released: 0, was_acquired: false });
        }
        number
    }

    /// The number of a variable.
    #[inline]
    pub fn variable(&mut self, name: &str) -> u32 {
        self.history.variables.number(name)
    }

    /// The number of a place.
    #[inline]
    pub fn place(&mut self, name: &str) -> u32 {
        self.history.places.number(name)
    }

    /// Says what is wrong with one operation of the trace that could not be read.
    pub fn reject(&mut self, at: u64, text: impl Display) {
        self.problems.at(at, true, text);
    }

    /// Says what is wrong with the trace as a whole.
    pub fn reject_file(&mut self, text: impl Display) {
        self.problems.of_file(text);
    }

    /// The next operation; `at` counts those of the trace from 1, and all numbers are from this builder, `target` as
    /// [`Kind::target`] says.
    #[inline]
    pub fn add(&mut self, at: u64, kind: Kind, thread: u32, target: u32, place: u32) {
        let operation = Operation::new(thread, kind, target, place);
        let Some(state) = self.threads.get(thread as usize) else { return };
        if state.is_special && !self.take_up(at, operation) {
            return;
        }
        match kind {
            Kind::Acquire => self.acquire(at, operation, 1),
            Kind::Release => self.release(at, operation),
            Kind::Request if self.owner(target) == thread => {}
            Kind::Fork => self.fork(at, operation),
            Kind::Join => self.join(at, operation),
            Kind::Begin => self.begin(operation),
            Kind::End => self.end(operation),
            Kind::Wait => self.wait(at, operation),
            _ => self.history.operations.push(operation),
        }
    }

    /// The history, and what is wrong with the trace.
    pub fn finish(mut self) -> (History, Vec<Problem>) {
        self.remove_void();
        self.history.doubtful = self.doubtful.into_iter().collect();
        self.history.doubtful.sort_unstable();
        self.history.operations.shrink_to_fit();
        (self.history, self.problems.finish())
    }

    /// Looks at what a thread was in before its next operation; whether that can be.
    fn take_up(&mut self, at: u64, operation: Operation) -> bool {
        let Operation { thread, kind, .. } = operation;
        let Some(state) = self.threads.get_mut(thread as usize) else { return false };
        if let Some(joined) = state.joined {
            // Traces end with an `end` of every thread.
            if kind != Kind::End {
                self.joined_before(at, operation, joined);
            }
            return false;
        }
        if matches!(kind, Kind::Begin | Kind::End) {
            return true;
        }
        state.acted = true;
        self.void.extend(state.end.take());
        match state.waiting {
            Some(waiting) => self.end_wait(thread, waiting, operation),
            None => state.is_special = false,
        }
        true
    }

    fn owner(&self, lock: u32) -> u32 {
        self.locks.get(lock as usize).map_or(NOBODY, |lock| lock.owner)
    }

    fn acquire(&mut self, at: u64, operation: Operation, depth: u64) {
        let Operation { thread, target, .. } = operation;
        let Some(lock) = self.locks.get_mut(target as usize) else { return };
        if lock.owner == thread {
            lock.depth = lock.depth.saturating_add(depth);
        } else if lock.owner == NOBODY {
            *lock = Lock { owner: thread, depth, since: at, was_acquired: true, ..*lock };
            self.history.operations.push(operation);
        } else {
            let (owner, since) = (lock.owner, lock.since);
            *self.skipped.entry((thread, target)).or_default() += depth;
            self.flaw(at, operation, Wrong::AcquiresHeld);
            let (by, since) = (self.history.threads.text(owner), self.problems.origin().item(since));
            let fault = format!("which {by} has held since {since}");
            self.say(at, operation, "acquires", &fault, "record the release before it");
        }
    }

    fn release(&mut self, at: u64, operation: Operation) {
        let Operation { thread, target, .. } = operation;
        let Some(lock) = self.locks.get_mut(target as usize) else { return };
        let (owner, since, released) = (lock.owner, lock.since, lock.released);
        if owner == thread {
            lock.depth -= 1;
            if lock.depth == 0 {
                (lock.owner, lock.released) = (NOBODY, at);
                self.history.operations.push(operation);
            }
        } else if let Some(left) = self.skipped.get_mut(&(thread, target)) {
            *left -= 1;
            if *left == 0 {
                self.skipped.remove(&(thread, target));
            }
        } else if owner == NOBODY {
            self.flaw(at, operation, Wrong::ReleasesFree);
            let fault = match released {
                0 => "which nobody holds".to_owned(),
                released => format!("which was released at {} already", self.problems.origin().item(released)),
            };
            self.say(at, operation, "releases", &fault, "record the acquire before it, or drop this one");
        } else {
            self.flaw(at, operation, Wrong::ReleasesOthers);
            let (by, since) = (self.history.threads.text(owner), self.problems.origin().item(since));
            let fault = format!("which {by} has held since {since}");
            self.say(at, operation, "releases", &fault, "record it as a release by that thread");
        }
    }

    fn fork(&mut self, at: u64, operation: Operation) {
        let Some(forked) = self.threads.get_mut(operation.target as usize) else { return };
        if forked.acted || forked.forked || operation.target == operation.thread {
            self.flaw(at, operation, Wrong::ForksBegun);
            self.say(at, operation, "starts", "which has begun already", "give each thread a name of its own");
            return;
        }
        forked.forked = true;
        // Its join, if it had one, was before its life and saw nothing.
        forked.joined = None;
        self.void.extend(forked.begin.take());
        self.history.operations.push(operation);
    }

    fn join(&mut self, at: u64, operation: Operation) {
        let Some(joined) = self.threads.get_mut(operation.target as usize) else { return };
        if operation.target == operation.thread {
            self.flaw(at, operation, Wrong::AfterEnd);
            self.say(at, operation, "joins", "which is itself", "record whom it joins");
            return;
        }
        joined.joined.get_or_insert(at);
        joined.is_special = true;
        self.history.operations.push(operation);
    }

    fn begin(&mut self, operation: Operation) {
        let next = self.history.operations.len();
        let Some(thread) = self.threads.get_mut(operation.thread as usize) else { return };
        if !thread.acted && thread.begin.is_none() {
            thread.begin = Some(next);
            self.history.operations.push(operation);
        }
    }

    fn end(&mut self, operation: Operation) {
        let next = self.history.operations.len();
        let Some(thread) = self.threads.get_mut(operation.thread as usize) else { return };
        if thread.end.is_none() {
            thread.end = Some(next);
            (thread.acted, thread.is_special) = (true, true);
            self.history.operations.push(operation);
        }
    }

    fn wait(&mut self, at: u64, operation: Operation) {
        let Operation { thread, target, place, .. } = operation;
        let Some(lock) = self.locks.get_mut(target as usize) else { return };
        let mut waiting = Waiting { at, lock: target, place, unreleased: None };
        if lock.owner == thread {
            waiting.unreleased = Some(lock.depth);
            (lock.owner, lock.depth, lock.released) = (NOBODY, 0, at);
            self.history.operations.push(Operation { kind: Kind::Release, ..operation });
            self.doubt(waiting, thread, "while it holds it");
        }
        self.history.operations.push(operation);
        if let Some(thread) = self.threads.get_mut(thread as usize) {
            thread.waiting = Some(waiting);
            thread.is_special = true;
        }
    }

    /// A thread that waited does something.
    fn end_wait(&mut self, thread: u32, waiting: Waiting, operation: Operation) {
        let is_of_lock = operation.target == waiting.lock;
        if is_of_lock && operation.kind == Kind::Request {
            return;
        }
        if let Some(state) = self.threads.get_mut(thread as usize) {
            state.waiting = None;
            state.is_special = false;
        }
        let is_acquire = is_of_lock && operation.kind == Kind::Acquire;
        let is_known = self.locks.get(waiting.lock as usize).is_some_and(|lock| lock.was_acquired);
        match waiting.unreleased {
            None if !is_acquire && is_known => self.doubt(waiting, thread, "and is not seen to take it back"),
            None => {}
            Some(depth) => {
                // What is shown counts from there.
                let (depth, place) = if is_acquire { (depth - 1, operation.place) } else { (depth, waiting.place) };
                let acquire = Operation::new(thread, Kind::Acquire, waiting.lock, place);
                self.take_back(waiting.at, acquire, depth);
            }
        }
    }

    /// An acquire that nobody showed, if the lock can be had.
    fn take_back(&mut self, at: u64, acquire: Operation, depth: u64) {
        if depth == 0 {
            return;
        }
        if self.owner(acquire.target) == NOBODY {
            self.acquire(at, acquire, depth);
        } else {
            *self.skipped.entry((acquire.thread, acquire.target)).or_default() += depth;
        }
    }

    /// Of a lock it is not known when it was held; told once.
    fn doubt(&mut self, waiting: Waiting, thread: u32, why: &str) {
        if !self.doubtful.insert(waiting.lock) {
            return;
        }
        let (thread, lock) = (self.history.threads.text(thread), self.history.locks.text(waiting.lock));
        let text = format!(
            "{thread} waits with {lock} {why}: when others could hold {lock} is not known, and nothing about it is proven; \
             record rel({lock}) before the wait and acq({lock}) after it"
        );
        self.problems.at(waiting.at, false, text);
    }

    #[cold]
    fn flaw(&mut self, at: u64, operation: Operation, wrong: Wrong) {
        self.history.flaws.push(Flaw { at, before: self.history.operations.len(), operation, wrong });
    }

    #[cold]
    fn joined_before(&mut self, at: u64, operation: Operation, joined: u64) {
        self.flaw(at, operation, Wrong::AfterEnd);
        let (thread, joined) = (self.history.threads.text(operation.thread), self.problems.origin().item(joined));
        let text = format!(
            "{thread} does something after it was joined at {joined}; the operation is left out: \
             record the join behind it, or give each thread a name of its own"
        );
        self.problems.at(at, true, text);
    }

    /// Says what is wrong with an operation that was left out.
    #[cold]
    fn say(&mut self, at: u64, operation: Operation, does: &str, fault: &str, remedy: &str) {
        let (thread, target) = (self.history.threads.text(operation.thread), self.history.target_name(operation));
        let text = format!("{thread} {does} {target}, {fault}; the operation is left out: {remedy}");
        self.problems.at(at, true, text);
    }

    fn remove_void(&mut self) {
        if self.void.is_empty() {
            return;
        }
        self.void.sort_unstable();
        let void = &self.void;
        for flaw in &mut self.history.flaws {
            flaw.before -= void.partition_point(|idx| *idx < flaw.before);
        }
        let mut idx = 0;
        let mut next = 0;
        self.history.operations.retain(|_| {
            let is_void = void.get(next) == Some(&idx);
            next += usize::from(is_void);
            idx += 1;
            !is_void
        });
    }
}
