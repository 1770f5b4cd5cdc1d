//! `Builder`.

use super::{
    handle::{JoinHandle, Thread},
    scope::{Scope, ScopedJoinHandle},
    start::{self, Announced},
};
use crate::native;
use std::{fmt, io, panic::Location};

/// Drop-in for [`std::thread::Builder`].
///
/// ```
/// use instrumented_sync::thread;
///
/// let handle = thread::Builder::new().name("adder".into()).spawn(|| 1 + 1)?;
/// assert_eq!(handle.thread().name(), Some("adder"));
/// assert_eq!(handle.join().unwrap(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "must eventually spawn the thread"]
pub struct Builder {
    native: native::thread::Builder,
}

impl Builder {
    /// As [`std::thread::Builder::new`].
    #[expect(clippy::new_without_default, reason = "std's has no default either")]
    pub fn new() -> Self {
        Self { native: native::thread::Builder::new() }
    }

    /// As [`std::thread::Builder::name`].
    pub fn name(self, name: String) -> Self {
        Self { native: self.native.name(name) }
    }

    /// As [`std::thread::Builder::stack_size`].
    pub fn stack_size(self, size: usize) -> Self {
        Self { native: self.native.stack_size(size) }
    }

    /// As [`std::thread::Builder::spawn`].
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    ///
    /// # Panics
    ///
    /// The name holds a NUL byte.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        let announced = start::announce(Location::caller(), None);
        let thread = Thread::announced(announced.object);
        let body = body(thread.clone(), announced, f);
        let native = announced.starting(|| self.native.spawn(body))?;
        Ok(JoinHandle::new(native, thread))
    }

    /// As [`std::thread::Builder::spawn_unchecked`].
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    ///
    /// # Panics
    ///
    /// The name holds a NUL byte.
    ///
    /// # Safety
    ///
    /// As std's: the thread must not outlive what its closure and its result borrow.
    ///
    /// ```
    /// use instrumented_sync::thread;
    ///
    /// let text = "borrowed".to_owned();
    /// // SAFETY: the thread is joined before `text` is dropped.
    /// let handle = unsafe { thread::Builder::new().spawn_unchecked(|| text.len()) }?;
    /// assert_eq!(handle.join().unwrap(), 8);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send,
        T: Send,
    {
        let announced = start::announce(Location::caller(), None);
        let thread = Thread::announced(announced.object);
        let body = body(thread.clone(), announced, f);
        // SAFETY: the caller answers for `f` and its result; what else the closure holds borrows nothing.
        let native = announced.starting(|| unsafe { self.native.spawn_unchecked(body) })?;
        Ok(JoinHandle::new(native, thread))
    }

    /// As [`std::thread::Builder::spawn_scoped`].
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    ///
    /// # Panics
    ///
    /// The name holds a NUL byte.
    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let announced = start::announce(Location::caller(), Some(scope.address()));
        let thread = Thread::announced(announced.object);
        let body = body(thread.clone(), announced, f);
        let native = announced.starting(|| self.native.spawn_scoped(scope.native(), body))?;
        Ok(ScopedJoinHandle::new(native, thread))
    }
}

/// What runs on the new thread.
fn body<T>(thread: Thread, announced: Announced, f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    move || {
        thread.make_current();
        announced.run(f)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}
