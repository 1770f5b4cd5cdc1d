//! Asynchronous tasks: what std does not have, for any executor.
//!
//! A hang of tasks on a few worker threads is explained like one of threads, if the tasks are known: [`record`] names a
//! future as a task, [`Mutex`] is a lock that tasks hold across awaits, [`Workers`] says which threads poll tasks.
//! Without recording all of it works and costs next to nothing.
//!
//! A recorded task that is suspended is said to wait for a lock only if nothing else can wake it: one future of a
//! [`Mutex`] was pending in its last poll, and every waker that is left of the task's lies in a queue of such locks. A
//! timeout or a cancellation from outside is not seen, so put `timeout(…)` inside of what is recorded.
//!
//! ```
//! use instrumented_sync::task::{self, Mutex};
//!
//! let hits = Mutex::new(0);
//! let count = async {
//!     for _ in 0..3 {
//!         *hits.lock().await += 1;
//!     }
//! };
//! task::block_on(task::record("count", count));
//! assert_eq!(hits.into_inner(), 3);
//! ```

mod mutex;
#[cfg_attr(recorded, path = "task/recorded.rs")]
#[cfg_attr(not(recorded), path = "task/unrecorded.rs")]
mod side;

pub use self::mutex::{Lock, Mutex, MutexGuard};

use crate::{native, sync::deadline::lock};
use std::{
    fmt,
    future::Future,
    panic::Location,
    pin::{Pin, pin},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// A task, for executors that want to say themselves when one runs. [`record`] does it for a future.
///
/// The task ends when this is dropped.
///
/// ```
/// use instrumented_sync::task::Task;
/// use std::task::{Context, Waker};
///
/// let task = Task::new("count");
/// let mut context = Context::from_waker(Waker::noop());
/// assert_eq!(task.poll(&mut context, |_| 3), 3);
/// ```
pub struct Task {
    side: side::Task,
}

impl Task {
    /// A task that is suspended, and of which nothing is known but its name.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str) -> Self {
        Self { side: side::Task::new(name, Location::caller(), None) }
    }

    /// Runs one poll of the task on this thread. What `poll` gets is `context` with a waker that tells the trace.
    ///
    /// Polls may be nested: afterwards the outer task runs again.
    pub fn poll<R>(&self, context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.side.poll(context, poll)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// A future that is a task of the trace; see [`record`].
pub struct Recorded<F> {
    // Dropped before the task: what the future holds is released while its owner is there.
    future: Pin<Box<F>>,
    task: Task,
}

/// Makes a future a task of the trace, whatever polls it.
///
/// The task begins here and ends when the future is dropped.
///
/// ```
/// use instrumented_sync::task;
///
/// assert_eq!(task::block_on(task::record("answer", async { 42 })), 42);
/// ```
#[track_caller]
pub fn record<F: Future>(name: &str, future: F) -> Recorded<F> {
    Recorded { task: Task::new(name), future: Box::pin(future) }
}

impl<F: Future> Future for Recorded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, task } = &mut *self;
        task.poll(context, |context| future.as_mut().poll(context))
    }
}

impl<F> fmt::Debug for Recorded<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}

/// The threads that poll tasks, as something that a runnable task waits for.
///
/// A task that was made through [`Workers::record`] and is neither suspended nor polled waits for one of the threads
/// that entered. Every thread that polls such tasks has to enter before it does.
///
/// ```
/// use instrumented_sync::task::{self, Workers};
///
/// let workers = Workers::new();
/// workers.enter();
/// assert_eq!(task::block_on(workers.record("answer", async { 42 })), 42);
/// ```
#[derive(Debug, Default)]
pub struct Workers {
    side: side::Workers,
}

impl Workers {
    /// Workers of which none is known.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self { side: side::Workers::new() }
    }

    /// Makes this thread one of the workers.
    #[track_caller]
    pub fn enter(&self) {
        self.side.enter(Location::caller());
    }

    /// As [`record`]: a task that is runnable now, and that these workers poll.
    #[track_caller]
    pub fn record<F: Future>(&self, name: &str, future: F) -> Recorded<F> {
        let side = side::Task::new(name, Location::caller(), Some(&self.side));
        Recorded { task: Task { side }, future: Box::pin(future) }
    }
}

/// Polls a future on this thread until it is done.
///
/// To the trace it is a task with the thread's name, for whose wake-ups the thread waits.
///
/// ```
/// use instrumented_sync::task;
///
/// assert_eq!(task::block_on(async { 6 * 7 }), 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let thread = std::thread::current();
    let task = Task::new(thread.name().unwrap_or("block_on"));
    let unpark = Arc::new(Unpark { woken: native::Mutex::new(false), changed: native::Condvar::new() });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut future = pin!(future);
    loop {
        match task.poll(&mut Context::from_waker(&waker), |context| future.as_mut().poll(context)) {
            Poll::Ready(output) => return output,
            Poll::Pending => task.side.blocks_thread(Location::caller(), || unpark.wait()),
        }
    }
}

/// Where `block_on` sleeps. Not the thread's own parking place: the future may use that.
struct Unpark {
    woken: native::Mutex<bool>,
    changed: native::Condvar,
}

impl Unpark {
    fn wait(&self) {
        let mut woken = lock(&self.woken);
        while !*woken {
            woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        *lock(&self.woken) = true;
        self.changed.notify_one();
    }
}
