//! Scoped threads, of loom's, which are not.

use super::{Builder, JoinHandle, Result, Thread};
use crate::{native, sync::deadline::lock};
use std::{
    fmt, io,
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process,
    sync::{Arc, Mutex, PoisonError},
};

/// As [`std::thread::Scope`].
pub struct Scope<'scope, 'env: 'scope> {
    running: Arc<Running>,
    /// As std's: neither lifetime may shrink.
    lives: PhantomData<(&'scope mut &'scope (), &'env mut &'env ())>,
}

/// The threads of a scope that may still use what they borrow.
struct Running {
    n: native::Mutex<usize>,
    one_ended: native::Condvar,
}

impl Running {
    fn begin(&self) {
        *lock(&self.n) += 1;
    }

    fn end(&self) {
        *lock(&self.n) -= 1;
        self.one_ended.notify_all();
    }

    fn wait_for_all(&self) {
        let mut n = lock(&self.n);
        while *n > 0 {
            n = self.one_ended.wait(n).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// As [`std::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<()>,
    value: Arc<Mutex<Option<T>>>,
    scope: PhantomData<&'scope ()>,
}

/// As [`std::thread::scope`].
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let running = Arc::new(Running { n: native::Mutex::new(0), one_ended: native::Condvar::new() });
    let scope = Scope { running, lives: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let ended = catch_unwind(AssertUnwindSafe(|| scope.running.wait_for_all()));
    if ended.is_err() && !is_over() {
        // Threads that borrow from this one can still run, so it must not go on; why is on the screen already.
        process::abort();
    }
    match (result, ended) {
        (Ok(value), Ok(())) => value,
        (Err(panic), _) | (_, Err(panic)) => resume_unwind(panic),
    }
}

/// Whether no thread of this model runs ever again: it has deadlocked, so that there is not even a current one.
fn is_over() -> bool {
    catch_unwind(super::current).is_err()
}

impl<'scope> Scope<'scope, '_> {
    /// As std's.
    ///
    /// # Panics
    ///
    /// The model has too many threads.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.start(Builder::new(), f) {
            Ok(handle) => handle,
            #[expect(clippy::panic, reason = "std's panics too, with these words")]
            Err(error) => panic!("failed to spawn thread: {error:?}"),
        }
    }

    #[track_caller]
    pub(super) fn start<F, T>(&'scope self, builder: Builder, f: F) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let value = Arc::new(Mutex::new(None));
        let result = Arc::clone(&value);
        let run: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || {
            let value = f();
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        });
        // SAFETY: what lives for `'scope` is used by the thread only before `Running::end`: `run` is called by value
        // and gone then, with its share of `value`. `scope`, behind which `'scope` may end, returns or unwinds in
        // three cases. All threads that began have ended so. Or waiting for that failed and the model is over: loom
        // has no current thread then, every step of the model panics, and it neither resumes a thread nor drops
        // what lies on its stack. Or a thread panicked: it does so through loom, which is left for good as before,
        // while `scope` still waits. In any other case the process ends.
        #[allow(unsafe_code, reason = "loom's threads are not scoped; see SAFETY")]
        let run: Box<dyn FnOnce() + Send + 'static> = unsafe { mem::transmute(run) };
        let running = Arc::clone(&self.running);
        running.begin();
        let ends = Arc::clone(&running);
        let handle = builder.spawn(move || {
            run();
            ends.end();
        });
        // A thread that was not started has ended.
        let handle = handle.inspect_err(|_| running.end())?;
        Ok(ScopedJoinHandle { handle, value, scope: PhantomData })
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// Never: a thread that panics ends the model.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.handle.join()?;
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(value.unwrap_or_else(|| unreachable!("a thread that has ended left its value")))
    }

    /// As std's.
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }

    /// As std's.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
