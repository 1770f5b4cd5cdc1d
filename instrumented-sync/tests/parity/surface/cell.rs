//! What is initialised once.

use super::sync;
use std::{
    fmt::Debug,
    ops::{Deref, DerefMut},
    panic::{RefUnwindSafe, UnwindSafe},
};
use sync::{LazyLock, OnceLock};

surface! {
    {struct sync::LazyLock}
    {sync::LazyLock: impl [T, F: FnOnce() -> T,] Deref => LazyLock<T, F>}
    #[cfg(since_1_89)]
    {sync::LazyLock: impl [T, F: FnOnce() -> T,] DerefMut => LazyLock<T, F>}
    {sync::LazyLock: impl [T, F: FnOnce() -> T,] LazyLock<T, F>: const fn new(f: F) -> LazyLock<T, F>}
    {sync::LazyLock: impl [T, F: FnOnce() -> T,] LazyLock<T, F>: fn force(this: &LazyLock<T, F>) -> &T}
    #[cfg(since_1_94)]
    {sync::LazyLock: impl [T, F: FnOnce() -> T,] LazyLock<T, F>: fn force_mut(this: &mut LazyLock<T, F>)
        -> &mut T}
    #[cfg(since_1_94)]
    {sync::LazyLock: impl [T, F,] LazyLock<T, F>: fn get(this: &LazyLock<T, F>) -> Option<&T>}
    #[cfg(since_1_94)]
    {sync::LazyLock: impl [T, F,] LazyLock<T, F>: fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T>}
    {sync::LazyLock: impl [T: Debug, F,] Debug => LazyLock<T, F>}
    {sync::LazyLock: impl [T: Default,] Default => LazyLock<T>}
    {sync::LazyLock: impl [T: RefUnwindSafe + UnwindSafe, F: UnwindSafe,] RefUnwindSafe => LazyLock<T, F>}
    {sync::LazyLock: impl [T: Sync + Send, F: Send,] Sync => LazyLock<T, F>}
    {sync::LazyLock: impl [T: UnwindSafe, F: UnwindSafe,] UnwindSafe => LazyLock<T, F>}
    {struct sync::OnceLock}
    {sync::OnceLock: impl [T: Clone,] Clone => OnceLock<T>}
    {sync::OnceLock: impl [T: Debug,] Debug => OnceLock<T>}
    {sync::OnceLock: impl [T: Eq,] Eq => OnceLock<T>}
    {sync::OnceLock: impl [T: PartialEq,] PartialEq => OnceLock<T>}
    {sync::OnceLock: impl [T: RefUnwindSafe + UnwindSafe,] RefUnwindSafe => OnceLock<T>}
    {sync::OnceLock: impl [T: Send,] Send => OnceLock<T>}
    {sync::OnceLock: impl [T: Sync + Send,] Sync => OnceLock<T>}
    {sync::OnceLock: impl [T: UnwindSafe,] UnwindSafe => OnceLock<T>}
    {sync::OnceLock: impl [T,] Default => OnceLock<T>}
    {sync::OnceLock: impl [T,] From<T> => OnceLock<T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: const fn new() -> OnceLock<T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn get(&self) -> Option<&T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn get_mut(&mut self) -> Option<&mut T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn get_or_init<F>(&self, f: F) -> &T where {F: FnOnce() -> T}}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn into_inner(self) -> Option<T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn set(&self, value: T) -> Result<(), T>}
    {sync::OnceLock: impl [T,] OnceLock<T>: fn take(&mut self) -> Option<T>}
    #[cfg(since_1_86)]
    {sync::OnceLock: impl [T,] OnceLock<T>: fn wait(&self) -> &T}
}
