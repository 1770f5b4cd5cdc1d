//! What tasks and their locks tell the trace.
//!
//! A task's slot is written by whoever polls it, wakes it, or hands it a lock: under the small lock in its [`Shared`],
//! which is the innermost of all.

use crate::{
    identity::Identity,
    native,
    probe::{self, Site, TaskSlot},
};
use std::{
    cell::RefCell,
    fmt,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, ObjectKind};

thread_local! {
    /// The tasks that this thread polls, innermost last, each with its waker.
    static POLLED: RefCell<Vec<(Arc<Shared>, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// What is shared by a task, its wakers, and the locks that it holds or wants.
pub(super) struct Shared {
    object: ObjectId,
    /// The wait of the task while it is runnable; none if its workers are not known.
    runnable: Option<Event>,
    /// Wakers of the task that lie in queues of recorded locks.
    n_queued: AtomicUsize,
    state: native::Mutex<State>,
}

struct State {
    slot: TaskSlot,
    is_polled: bool,
    /// Woken during the current poll.
    is_woken: bool,
    pending: Pending,
    n_polls: u64,
}

/// Locks that the task found held in its current poll.
#[derive(Clone, Copy)]
enum Pending {
    None,
    One(Event),
    Several,
}

impl Shared {
    fn state(&self) -> native::MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let mut state = self.state();
        state.is_woken = true;
        if !state.is_polled {
            state.slot.wait(self.runnable);
        }
    }
}

/// The waker of a task; the number of its references tells how many wakers there are.
struct TaskWaker {
    shared: Arc<Shared>,
    /// The waker of the executor.
    inner: native::Mutex<Option<Waker>>,
}

impl TaskWaker {
    fn inner(&self) -> native::MutexGuard<'_, Option<Waker>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.shared.wake();
        let inner = self.inner().clone();
        // Before the task can be polled again, so that this reference is not taken for a waker in other hands.
        drop(self);
        if let Some(inner) = inner {
            inner.wake();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.wake();
        let inner = self.inner().clone();
        if let Some(inner) = inner {
            inner.wake();
        }
    }
}

/// A task, if it could be recorded.
pub(super) struct Task(Option<Arc<TaskWaker>>);

impl Task {
    pub(super) fn new(name: &str, made_at: Site, workers: Option<&Workers>) -> Self {
        let slot = if probe::recording() { TaskSlot::begin(name, made_at) } else { None };
        let Some(mut slot) = slot else { return Self(None) };
        let runnable = workers.and_then(|workers| workers.event(Kind::WAIT, made_at));
        slot.wait(runnable);
        let object = slot.object();
        let state = State { slot, is_polled: false, is_woken: false, pending: Pending::None, n_polls: 0 };
        let state = native::Mutex::new(state);
        let shared = Arc::new(Shared { object, runnable, n_queued: AtomicUsize::new(0), state });
        Self(Some(Arc::new(TaskWaker { shared, inner: native::Mutex::new(None) })))
    }

    pub(super) fn poll<R>(&self, context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let Some(waker) = &self.0 else { return poll(context) };
        let of_executor = Some(context.waker());
        {
            let mut inner = waker.inner();
            if !inner.as_ref().is_some_and(|inner| of_executor.is_some_and(|waker| inner.will_wake(waker))) {
                *inner = of_executor.cloned();
            }
        }
        let own = Waker::from(Arc::clone(waker));
        // Dropped last, so that the task is suspended when all wakers of this poll are gone.
        let _polling = Polling::begin(waker, &own);
        let own = own;
        poll(&mut Context::from_waker(&own))
    }

    /// This thread does nothing but wait until the task is woken.
    pub(super) fn blocks_thread(&self, site: Site, wait: impl FnOnce()) {
        let waiting = self.0.as_ref().map(|waker| {
            let site = probe::site(site).unwrap_or(0);
            let wait = Event::new(Kind::TASK_BEGIN, Flags::NONE, site, waker.shared.object, 0);
            probe::Waiting::begin_silent(wait, 0)
        });
        wait();
        if let Some(waiting) = waiting {
            waiting.end();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some(waker) = &self.0 else { return };
        *waker.inner() = None;
        let mut state = waker.shared.state();
        if state.slot.is_ours() {
            probe::append(Event::new(Kind::TASK_END, Flags::NONE, 0, waker.shared.object, 0));
        }
        state.slot.end();
    }
}

/// While it lives, a task is polled on this thread.
struct Polling<'a> {
    waker: &'a Arc<TaskWaker>,
    /// Number of this poll.
    number: u64,
}

impl<'a> Polling<'a> {
    fn begin(waker: &'a Arc<TaskWaker>, own: &Waker) -> Self {
        let shared = &waker.shared;
        let thread = probe::this_thread();
        let mut state = shared.state();
        state.n_polls = (state.n_polls + 1) & MESSAGE_MAX;
        let number = state.n_polls;
        (state.is_polled, state.is_woken, state.pending) = (true, false, Pending::None);
        let runs_on = Event::new(Kind::TASK_BEGIN, Flags::NONE, 0, ObjectId(thread), 0);
        state.slot.wait((thread != 0).then_some(runs_on));
        if state.slot.is_ours() {
            probe::append(Event::new(Kind::TASK_BEGIN, Flags::NONE, 0, shared.object, number));
        }
        drop(state);
        // During the end of a thread its variable may be gone: what is polled there is nobody's.
        let _gone = POLLED.try_with(|polled| polled.borrow_mut().push((Arc::clone(shared), own.clone())));
        Self { waker, number }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let popped = POLLED.try_with(|polled| polled.borrow_mut().pop());
        drop(popped);
        let shared = &self.waker.shared;
        let mut state = shared.state();
        state.is_polled = false;
        let is_ours = state.slot.is_ours();
        if is_ours {
            probe::append(Event::new(Kind::TASK_SUSPEND, Flags::NONE, 0, shared.object, self.number));
        }
        // Beside the task's own reference and those in queues of recorded locks: whoever has one may wake the task.
        // Relaxed: the queued ones are counted by this thread, or by one that is about to wake the task.
        let n_known = 1 + shared.n_queued.load(Relaxed);
        let wait = match state.pending {
            _ if state.is_woken => shared.runnable,
            Pending::One(request) if Arc::strong_count(self.waker) <= n_known => Some(request),
            _ => None,
        };
        state.slot.wait(wait);
        drop(state);
        if is_ours {
            begin_again_outer();
        }
    }
}

/// After a nested poll the outer task runs again.
fn begin_again_outer() {
    let outer = POLLED.try_with(|polled| polled.borrow().last().map(|(outer, _)| Arc::clone(outer)));
    if let Ok(Some(outer)) = outer {
        let number = outer.state().n_polls;
        probe::append(Event::new(Kind::TASK_BEGIN, Flags::NONE, 0, outer.object, number));
    }
}

/// The task that this thread polls.
fn current() -> Option<Arc<Shared>> {
    POLLED.try_with(|polled| polled.borrow().last().map(|(task, _)| Arc::clone(task))).ok().flatten()
}

/// The threads that poll tasks.
#[derive(Debug)]
pub(super) struct Workers(Identity);

impl Default for Workers {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Workers {
    #[track_caller]
    pub(super) const fn new() -> Self {
        Self(Identity::new())
    }

    pub(super) fn enter(&self, site: Site) {
        if let Some(arrive) = self.event(Kind::ARRIVE, site) {
            probe::append(arrive);
        }
    }

    fn event(&self, kind: Kind, site: Site) -> Option<Event> {
        let class = || (ObjectKind::Workers, "");
        let at = if probe::recording() { probe::operation(&self.0, class, site) } else { None };
        at.map(|(object, site)| Event::new(kind, Flags::NONE, site, object, 0))
    }
}

impl crate::trace::sealed::Sealed for super::Workers {}

impl crate::trace::Labelled for super::Workers {
    fn label(&self, text: &str) {
        probe::label(&self.side.0, || (ObjectKind::Workers, ""), text);
    }
}

/// The recorded side of a lock.
pub(super) struct LockSide(Identity);

impl LockSide {
    #[track_caller]
    pub(super) const fn new() -> Self {
        Self(Identity::new())
    }

    /// Whoever runs wants the lock.
    pub(super) fn attempt<T>(&self, site: Site) -> Attempt {
        let at = if probe::recording() { probe::operation(&self.0, class::<T>, site) } else { None };
        Attempt { at, owner: at.and_then(|_| current()) }
    }

    /// Records the acquire. The caller has the lock.
    pub(super) fn acquired(&self, attempt: &Attempt, how: How) -> Hold {
        let Some((object, site)) = attempt.at else { return Hold { attempt: Attempt::NONE, seq: 0 } };
        let flags = match how {
            How::AtOnce => Flags::NONE,
            How::Tried => Flags::TRY,
            How::Queued => Flags::CONTENDED,
        };
        let seq = self.0.next_version();
        let acquire = Event::new(Kind::ACQUIRE, flags, site, object, seq);
        // The future may have been polled first by another task than the one that goes on with it.
        let owner = current();
        attempt.ungranted();
        probe::append(acquire);
        if let Some(owner) = &owner {
            owner.state().slot.hold(acquire);
        }
        Hold { attempt: Attempt { at: attempt.at, owner }, seq }
    }
}

fn class<T>() -> (ObjectKind, &'static str) {
    (ObjectKind::AsyncLock, std::any::type_name::<T>())
}

impl<T> crate::trace::sealed::Sealed for super::Mutex<T> {}

impl<T> crate::trace::Labelled for super::Mutex<T> {
    fn label(&self, text: &str) {
        probe::label(&self.side().0, class::<T>, text);
    }
}

/// How a lock was acquired.
#[derive(Clone, Copy)]
pub(super) enum How {
    AtOnce,
    Tried,
    Queued,
}

/// Who wants a lock, and where.
#[derive(Clone)]
pub(super) struct Attempt {
    /// The lock and the site; `None` if it is not recorded.
    at: Option<(ObjectId, u32)>,
    /// The task; `None` if it is the thread itself.
    owner: Option<Arc<Shared>>,
}

impl Attempt {
    const NONE: Self = Self { at: None, owner: None };

    fn event(&self, kind: Kind) -> Option<Event> {
        self.at.map(|(object, site)| Event::new(kind, Flags::NONE, site, object, 0))
    }

    /// The lock is held, and the attempt is in its queue.
    pub(super) fn requested(&self) {
        if let Some(request) = self.event(Kind::REQUEST) {
            probe::append(request);
        }
    }

    /// The lock was found held in a poll of the task that runs.
    pub(super) fn pending(&self) {
        let (Some(request), Some(task)) = (self.event(Kind::REQUEST), current()) else { return };
        let mut state = task.state();
        state.pending = match state.pending {
            Pending::None => Pending::One(request),
            Pending::One(other) if other.object() == request.object() => Pending::One(request),
            _ => Pending::Several,
        };
    }

    /// The lock was handed to this attempt: from now on its task keeps it, polled or not. The task is about to be
    /// woken, which its slot says at once: it must not show that it waits for what it has.
    pub(super) fn granted(&self) {
        if let (Some(hold), Some(owner)) = (self.event(Kind::ACQUIRE), &self.owner) {
            owner.wake();
            owner.state().slot.hold(hold);
        }
    }

    /// Takes [`Self::granted`] back.
    pub(super) fn ungranted(&self) {
        if let (Some((object, _)), Some(owner)) = (self.at, &self.owner) {
            owner.state().slot.release(object);
        }
    }
}

/// A waker in the queue of a lock. Ends before the waker does: then it counts as unknown, and nobody is accused.
pub(super) struct Counted(Option<Arc<Shared>>);

impl Counted {
    /// Counts a waker that goes into a lock's queue, if it is that of the task that runs.
    pub(super) fn of(waker: &Waker) -> Self {
        let of_task = |(task, own): &(Arc<Shared>, Waker)| own.will_wake(waker).then(|| Arc::clone(task));
        let task = POLLED.try_with(|polled| polled.borrow().last().and_then(of_task)).ok().flatten();
        if let Some(task) = &task {
            // Relaxed: see the load in `Polling`.
            task.n_queued.fetch_add(1, Relaxed);
        }
        Self(task)
    }

    /// The waker is about to be used up.
    pub(super) fn end(self) {
        drop(self);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            // Relaxed: see the load in `Polling`.
            task.n_queued.fetch_sub(1, Relaxed);
        }
    }
}

/// A lock that is held.
pub(super) struct Hold {
    attempt: Attempt,
    seq: u64,
}

impl Hold {
    /// Records the release; the lock is still held.
    pub(super) fn release(&self) {
        let Some((object, _)) = self.attempt.at else { return };
        let flags = Flags::PANICKING.when(std::thread::panicking());
        probe::append(Event::new(Kind::RELEASE, flags, 0, object, self.seq));
        self.attempt.ungranted();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").finish_non_exhaustive()
    }
}
