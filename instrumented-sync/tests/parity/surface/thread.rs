//! Threads.

use super::thread;
use std::{
    any::Any,
    cell::{Cell, RefCell},
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
    time::Duration,
};
use thread::{AccessError, Builder, JoinHandle, LocalKey, Scope, ScopedJoinHandle, Thread, ThreadId};

surface! {
    {struct thread::AccessError}
    {thread::AccessError: impl [] Clone => AccessError}
    {thread::AccessError: impl [] Copy => AccessError}
    {thread::AccessError: impl [] Debug => AccessError}
    {thread::AccessError: impl [] Display => AccessError}
    {thread::AccessError: impl [] Eq => AccessError}
    {thread::AccessError: impl [] Error => AccessError}
    {thread::AccessError: impl [] PartialEq => AccessError}
    {struct thread::LocalKey}
    {thread::LocalKey: impl [T: 'static,] Debug => LocalKey<T>}
    {thread::LocalKey: impl [T: 'static,] LocalKey<Cell<T>>: fn get(&'static self) -> T where {T: Copy}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<Cell<T>>: fn replace(&'static self, value: T) -> T}
    {thread::LocalKey: impl [T: 'static,] LocalKey<Cell<T>>: fn set(&'static self, value: T)}
    {thread::LocalKey: impl [T: 'static,] LocalKey<Cell<T>>: fn take(&'static self) -> T where {T: Default}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<RefCell<T>>: fn replace(&'static self, value: T) -> T}
    {thread::LocalKey: impl [T: 'static,] LocalKey<RefCell<T>>: fn set(&'static self, value: T)}
    {thread::LocalKey: impl [T: 'static,] LocalKey<RefCell<T>>: fn take(&'static self) -> T where {T: Default}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<RefCell<T>>: fn with_borrow<F, R>(&'static self, f: F) -> R
        where {F: FnOnce(&T) -> R}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<RefCell<T>>: fn with_borrow_mut<F, R>(&'static self, f: F) -> R
        where {F: FnOnce(&mut T) -> R}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<T>: fn try_with<F, R>(&'static self, f: F)
        -> Result<R, AccessError>
        where {F: FnOnce(&T) -> R}}
    {thread::LocalKey: impl [T: 'static,] LocalKey<T>: fn with<F, R>(&'static self, f: F) -> R
        where {F: FnOnce(&T) -> R}}
    {type thread::Result<T> = Result<T, Box<dyn Any + Send + 'static>>}
    {struct thread::Scope}
    {thread::Scope: impl [] Debug => Scope<'_, '_>}
    {thread::Scope: impl ['scope, 'env,] Scope<'scope, 'env>: fn spawn<F, T>(&'scope self, f: F)
        -> ScopedJoinHandle<'scope, T>
        where {F: FnOnce() -> T + Send + 'scope, T: Send + 'scope}}
    {struct thread::Thread}
    {thread::Thread: impl [] Clone => Thread}
    {thread::Thread: impl [] Debug => Thread}
    {thread::Thread: impl [] Thread: fn id(&self) -> ThreadId}
    {thread::Thread: impl [] Thread: fn name(&self) -> Option<&str>}
    {thread::Thread: impl [] Thread: fn unpark(&self)}
    {struct thread::ThreadId}
    {thread::ThreadId: impl [] Clone => ThreadId}
    {thread::ThreadId: impl [] Copy => ThreadId}
    {thread::ThreadId: impl [] Debug => ThreadId}
    {thread::ThreadId: impl [] Eq => ThreadId}
    {thread::ThreadId: impl [] Hash => ThreadId}
    {thread::ThreadId: impl [] PartialEq => ThreadId}
    {fn thread::current() -> Thread}
    {fn thread::panicking() -> bool}
    {fn thread::park()}
    {fn thread::park_timeout(dur: Duration)}
    {fn thread::park_timeout_ms(ms: u32)}
    {fn thread::scope<'env, F, T>(f: F) -> T where {F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T}}
    {fn thread::sleep(dur: Duration)}
    {fn thread::sleep_ms(ms: u32)}
    {fn thread::spawn<F, T>(f: F) -> JoinHandle<T> where {F: FnOnce() -> T + Send + 'static, T: Send + 'static}}
    {fn thread::yield_now()}
}

/// `Result` is that of `io`.
pub(crate) mod started {
    use super::*;
    use std::{io::Result, num::NonZero};

    surface! {
        {struct thread::Builder}
        {thread::Builder: impl [] Builder: fn name(self, name: String) -> Builder}
        {thread::Builder: impl [] Builder: fn new() -> Builder}
        {thread::Builder: impl [] Builder: fn spawn<F, T>(self, f: F) -> Result<JoinHandle<T>>
            where {F: FnOnce() -> T + Send + 'static, T: Send + 'static}}
        {thread::Builder: impl [] Builder: fn spawn_scoped<'scope, 'env, F, T>(self, scope: &'scope Scope<'scope, 'env>, f: F)
            -> Result<ScopedJoinHandle<'scope, T>>
            where {F: FnOnce() -> T + Send + 'scope, T: Send + 'scope}}
        {thread::Builder: impl [] Builder: fn stack_size(self, size: usize) -> Builder}
        {thread::Builder: impl [] Builder: unsafe fn spawn_unchecked<F, T>(self, f: F) -> Result<JoinHandle<T>>
            where {F: FnOnce() -> T + Send, T: Send}}
        {thread::Builder: impl [] Debug => Builder}
        {fn thread::available_parallelism() -> Result<NonZero<usize>>}
    }
}

/// `Result` is that of `thread`.
pub(crate) mod joined {
    use super::*;
    use std::os::unix::thread::JoinHandleExt;
    use thread::Result;

    surface! {
        {struct thread::JoinHandle}
        {thread::JoinHandle: impl [T,] Debug => JoinHandle<T>}
        {thread::JoinHandle: impl [T,] JoinHandle<T>: fn is_finished(&self) -> bool}
        {thread::JoinHandle: impl [T,] JoinHandle<T>: fn join(self) -> Result<T>}
        {thread::JoinHandle: impl [T,] JoinHandle<T>: fn thread(&self) -> &Thread}
        {thread::JoinHandle: impl [T,] JoinHandleExt => JoinHandle<T>}
        {thread::JoinHandle: impl [T,] Send => JoinHandle<T>}
        {thread::JoinHandle: impl [T,] Sync => JoinHandle<T>}
        {struct thread::ScopedJoinHandle}
        {thread::ScopedJoinHandle: impl ['scope, T,] Debug => ScopedJoinHandle<'scope, T>}
        {thread::ScopedJoinHandle: impl ['scope, T,] ScopedJoinHandle<'scope, T>: fn is_finished(&self) -> bool}
        {thread::ScopedJoinHandle: impl ['scope, T,] ScopedJoinHandle<'scope, T>: fn join(self) -> Result<T>}
        {thread::ScopedJoinHandle: impl ['scope, T,] ScopedJoinHandle<'scope, T>: fn thread(&self) -> &Thread}
    }
}
