//! loom's threads, with what they lack.

mod scope;

pub use self::scope::{Scope, ScopedJoinHandle, scope};
pub use loom::thread::{AccessError, LocalKey, Thread, ThreadId, current, park, yield_now};
pub use std::thread::{Result, available_parallelism, panicking};

use super::clock;
use loom::sync::atomic::AtomicBool;
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Release},
    },
    time::Duration,
};

/// As [`std::thread::spawn`].
///
/// # Panics
///
/// The model has more than five threads, its own among them.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn(f) {
        Ok(handle) => handle,
        #[expect(clippy::panic, reason = "std's panics too, with these words")]
        Err(error) => panic!("failed to spawn thread: {error:?}"),
    }
}

/// Lets others run, and the model's time pass.
pub fn sleep(duration: Duration) {
    yield_now();
    clock::advance(duration);
}

/// As [`park`], but lets others run and goes on, unparked or not. What unparked it stays for the next [`park`].
pub fn park_timeout(duration: Duration) {
    sleep(duration);
}

/// As [`std::thread::JoinHandle`]. A thread that panics ends the model, so joining one never tells of it.
pub struct JoinHandle<T> {
    handle: loom::thread::JoinHandle<T>,
    is_finished: Arc<AtomicBool>,
}

impl<T> JoinHandle<T> {
    /// As std's.
    ///
    /// # Errors
    ///
    /// Never: the model is over then.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.handle.join()
    }

    /// As std's.
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }

    /// As std's.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        // Pairs with the store behind the thread's function.
        self.is_finished.load(Acquire)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

/// As [`std::thread::Builder`].
#[derive(Debug)]
pub struct Builder(loom::thread::Builder);

impl Builder {
    /// As std's.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> Self {
        Self(loom::thread::Builder::new())
    }

    /// As std's.
    #[must_use]
    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// As std's.
    #[must_use]
    pub fn stack_size(self, size: usize) -> Self {
        Self(self.0.stack_size(size))
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// Never: a model with too many threads is over.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        let is_finished = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_finished);
        let handle = self.0.spawn(move || {
            let value = f();
            // Pairs with the load in `is_finished`.
            ended.store(true, Release);
            value
        })?;
        Ok(JoinHandle { handle, is_finished })
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// Never: a model with too many threads is over.
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.start(self, f)
    }
}
