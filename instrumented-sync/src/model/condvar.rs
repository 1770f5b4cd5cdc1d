//! The checker's condition variable, with waits that give up.

use super::{clock, engine, mutex::MutexGuard};
use std::{
    cell::Cell,
    sync::{
        LockResult, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// As [`std::sync::Condvar`], over the checker's.
///
/// A wait with a timeout lets others run and then gives up, unless there was a notify meanwhile. It does not queue, so
/// it takes no [`notify_one`](Self::notify_one) from a thread that waits without a timeout.
#[derive(Debug)]
pub struct Condvar {
    waiters: engine::sync::Condvar,
    /// So that a wait with a timeout sees whether there was one.
    n_notifies: AtomicUsize,
}

/// As [`std::sync::WaitTimeoutResult`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the wait gave up.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.0
    }
}

type Timed<'a, T> = LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>;

impl Condvar {
    /// As std's, but not `const`.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self { waiters: engine::sync::Condvar::new(), n_notifies: AtomicUsize::new(0) }
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// The mutex is poisoned.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { mutex, guard } = guard;
        match self.waiters.wait(guard) {
            Ok(guard) => Ok(mutex.guard(guard)),
            Err(error) => Err(PoisonError::new(mutex.guard(error.into_inner()))),
        }
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// The mutex is poisoned.
    #[track_caller]
    pub fn wait_while<'a, T, F>(&self, mut guard: MutexGuard<'a, T>, mut condition: F) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As std's; `timeout` is over as soon as nobody was heard of while others ran.
    ///
    /// # Errors
    ///
    /// The mutex is poisoned.
    #[track_caller]
    pub fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, timeout: Duration) -> Timed<'a, T> {
        // Relaxed, here and below: the threads of a model run one at a time, on one thread.
        let before = self.n_notifies.load(Relaxed);
        let mutex = guard.mutex;
        drop(guard);
        let_others_run();
        let locked = mutex.lock();
        let is_over = self.n_notifies.load(Relaxed) == before;
        if is_over {
            clock::advance(timeout);
        }
        HAS_GIVEN_UP.with(|has_given_up| has_given_up.set(is_over));
        let result = WaitTimeoutResult(is_over);
        match locked {
            Ok(guard) => Ok((guard, result)),
            Err(error) => Err(PoisonError::new((error.into_inner(), result))),
        }
    }

    /// As std's; see [`Self::wait_timeout`].
    ///
    /// # Errors
    ///
    /// The mutex is poisoned.
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: F,
    ) -> Timed<'a, T>
    where
        F: FnMut(&mut T) -> bool,
    {
        let mut is_over = false;
        while condition(&mut guard) {
            if is_over {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let result;
            (guard, result) = self.wait_timeout(guard, timeout)?;
            is_over = result.timed_out();
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// As std's.
    #[track_caller]
    pub fn notify_one(&self) {
        // Relaxed: as in `wait_timeout`.
        self.n_notifies.fetch_add(1, Relaxed);
        self.waiters.notify_one();
    }

    /// As std's.
    #[track_caller]
    pub fn notify_all(&self) {
        // Relaxed: as in `wait_timeout`.
        self.n_notifies.fetch_add(1, Relaxed);
        self.waiters.notify_all();
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

crate::native::thread_local! {
    /// Whether this thread's last wait with a timeout gave up.
    static HAS_GIVEN_UP: Cell<bool> = Cell::new(false);
}

/// A thread that waits with a timeout may go on at once, before anybody else; in a loop it has to let others run, or
/// the model would not end.
fn let_others_run() {
    if HAS_GIVEN_UP.with(Cell::get) {
        engine::thread::yield_now();
    }
}
