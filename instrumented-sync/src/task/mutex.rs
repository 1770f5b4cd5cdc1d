//! A mutex that tasks hold across awaits.

use super::side::{Attempt, Counted, Hold, How, LockSide};
use crate::native;
use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    ops::{Deref, DerefMut},
    panic::Location,
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

/// An asynchronous mutex, first in, first out: a release hands it to the future that waited first.
///
/// Such a future has it from then on, whether it is polled again or not; dropping the future passes it on. A future
/// that was polled once and is kept without being polled therefore keeps everybody else out. The value moves into the
/// guard and back, so a large one is better boxed. It is not poisoned by panics.
///
/// ```
/// use instrumented_sync::task::{self, Mutex};
///
/// let hits = Mutex::new(0);
/// task::block_on(async { *hits.lock().await += 1 });
/// assert_eq!(hits.into_inner(), 1);
/// ```
pub struct Mutex<T> {
    side: LockSide,
    state: native::Mutex<State<T>>,
}

struct State<T> {
    /// The value while no guard has it.
    value: Option<T>,
    /// The future that the lock was handed to and that has not been polled since.
    granted: Option<u64>,
    queue: VecDeque<Waiter>,
    next_ticket: u64,
}

/// A future in the queue.
struct Waiter {
    ticket: u64,
    counted: Counted,
    waker: Waker,
    attempt: Attempt,
}

impl<T> Mutex<T> {
    native::const_unless_modelled! {
        /// A mutex that is free.
        #[track_caller]
        pub const fn new(value: T) -> Self {
            let state = State { value: Some(value), granted: None, queue: VecDeque::new(), next_ticket: 0 };
            Self { side: LockSide::new(), state: native::Mutex::new(state) }
        }
    }

    /// Acquires the mutex, when its turn comes. Nothing happens before the first poll.
    #[track_caller]
    pub const fn lock(&self) -> Lock<'_, T> {
        Lock { mutex: self, site: Location::caller(), queued: None }
    }

    /// Acquires the mutex if it is free now.
    ///
    /// ```
    /// let lock = instrumented_sync::task::Mutex::new(());
    /// let guard = lock.try_lock();
    /// assert!(guard.is_some() && lock.try_lock().is_none());
    /// ```
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let attempt = self.side.attempt::<T>(Location::caller());
        let mut state = self.state();
        let value = state.take_if_free()?;
        drop(state);
        Some(self.guard(value, &attempt, How::Tried))
    }

    /// Takes the value out.
    ///
    /// # Panics
    ///
    /// A guard was leaked, which has the value.
    pub fn into_inner(self) -> T {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.value.unwrap_or_else(|| unreachable!("a guard was leaked, which has the value"))
    }

    fn state(&self) -> native::MutexGuard<'_, State<T>> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(recorded)]
    pub(super) const fn side(&self) -> &LockSide {
        &self.side
    }

    fn guard(&self, value: T, attempt: &Attempt, how: How) -> MutexGuard<'_, T> {
        MutexGuard { hold: self.side.acquired(attempt, how), value: Some(value), mutex: self }
    }

    /// Hands the lock to the first in the queue, of which the returned waker is; or leaves it free.
    fn pass_on(state: &mut State<T>) -> Option<(Waker, Counted)> {
        let Waiter { ticket, counted, waker, attempt } = state.queue.pop_front()?;
        state.granted = Some(ticket);
        attempt.granted();
        Some((waker, counted))
    }
}

impl<T> State<T> {
    fn take_if_free(&mut self) -> Option<T> {
        if self.granted.is_some() { None } else { self.value.take() }
    }
}

/// Wakes outside of all locks: the waker is the executor's code.
fn wake(woken: Option<(Waker, Counted)>) {
    if let Some((waker, counted)) = woken {
        // Before it wakes: a count that outlives its waker would stand for one in other hands.
        counted.end();
        waker.wake();
    }
}

/// The future of [`Mutex::lock`].
#[must_use = "futures do nothing unless they are polled"]
pub struct Lock<'a, T> {
    mutex: &'a Mutex<T>,
    site: &'static Location<'static>,
    /// Once it is in the queue: its ticket, and who put it there.
    queued: Option<(u64, Attempt)>,
}

impl<'a, T> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.queued.take() {
            None => self.begin(context),
            Some((ticket, attempt)) => self.go_on(ticket, attempt, context),
        }
    }
}

impl<'a, T> Lock<'a, T> {
    fn begin(&mut self, context: &Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let mutex = self.mutex;
        let attempt = mutex.side.attempt::<T>(self.site);
        let mut state = mutex.state();
        if let Some(value) = state.take_if_free() {
            drop(state);
            return Poll::Ready(mutex.guard(value, &attempt, How::AtOnce));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let (counted, waker) = (Counted::of(context.waker()), context.waker().clone());
        state.queue.push_back(Waiter { ticket, counted, waker, attempt: attempt.clone() });
        drop(state);
        attempt.requested();
        attempt.pending();
        self.queued = Some((ticket, attempt));
        Poll::Pending
    }

    fn go_on(&mut self, ticket: u64, attempt: Attempt, context: &Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let mutex = self.mutex;
        let mut state = mutex.state();
        if state.granted == Some(ticket) {
            state.granted = None;
            if let Some(value) = state.value.take() {
                drop(state);
                return Poll::Ready(mutex.guard(value, &attempt, How::Queued));
            }
        }
        let old = state.queue.iter_mut().find(|waiter| waiter.ticket == ticket).and_then(|waiter| {
            let differs = !waiter.waker.will_wake(context.waker());
            differs.then(|| {
                let counted = std::mem::replace(&mut waiter.counted, Counted::of(context.waker()));
                (std::mem::replace(&mut waiter.waker, context.waker().clone()), counted)
            })
        });
        drop(state);
        // A waker's destructor is the executor's code, too.
        drop(old);
        attempt.pending();
        self.queued = Some((ticket, attempt));
        Poll::Pending
    }
}

impl<T> Drop for Lock<'_, T> {
    fn drop(&mut self) {
        let Some((ticket, attempt)) = self.queued.take().filter(|_| !native::is_over()) else { return };
        let mut state = self.mutex.state();
        if state.granted == Some(ticket) {
            state.granted = None;
            attempt.ungranted();
            let woken = Mutex::pass_on(&mut state);
            drop(state);
            wake(woken);
            return;
        }
        let place = state.queue.iter().position(|waiter| waiter.ticket == ticket);
        let waiter = place.and_then(|place| state.queue.remove(place));
        drop(state);
        drop(waiter);
    }
}

/// The mutex, held; dropping it hands it on.
///
/// It may be sent to another task or thread if the value may.
#[must_use = "if unused the lock is released immediately"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    hold: Hold,
    /// Always there until it is dropped.
    value: Option<T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().unwrap_or_else(|| unreachable!("only `drop` takes the value"))
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().unwrap_or_else(|| unreachable!("only `drop` takes the value"))
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if native::is_over() {
            return;
        }
        self.hold.release();
        let mut state = self.mutex.state();
        state.value = self.value.take();
        let woken = Mutex::pass_on(&mut state);
        drop(state);
        wake(woken);
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let mut mutex = f.debug_struct("Mutex");
        match &state.value {
            Some(value) => mutex.field("value", value),
            None => mutex.field("value", &format_args!("<locked>")),
        };
        mutex.finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("is_queued", &self.queued.is_some()).finish_non_exhaustive()
    }
}
