//! Mutexes and readers-writer locks.

use super::sync;
use std::{
    error::Error,
    fmt::{Debug, Display},
    ops::{Deref, DerefMut},
    panic::{RefUnwindSafe, UnwindSafe},
};
use sync::{
    LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};

surface! {
    {type sync::LockResult<T> = Result<T, PoisonError<T>>}
    {struct sync::Mutex}
    {sync::Mutex: impl [T: ?Sized + Debug,] Debug => Mutex<T>}
    {sync::Mutex: impl [T: ?Sized + Send,] Send => Mutex<T>}
    {sync::Mutex: impl [T: ?Sized + Send,] Sync => Mutex<T>}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn clear_poison(&self)}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn get_mut(&mut self) -> LockResult<&mut T>}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn into_inner(self) -> LockResult<T> where {T: Sized}}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn is_poisoned(&self) -> bool}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn lock(&self) -> LockResult<MutexGuard<'_, T>>}
    {sync::Mutex: impl [T: ?Sized,] Mutex<T>: fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>>}
    {sync::Mutex: impl [T: ?Sized,] RefUnwindSafe => Mutex<T>}
    {sync::Mutex: impl [T: ?Sized,] UnwindSafe => Mutex<T>}
    {sync::Mutex: impl [T: Default,] Default => Mutex<T>}
    {sync::Mutex: impl [T,] From<T> => Mutex<T>}
    {sync::Mutex: impl [T,] Mutex<T>: const fn new(t: T) -> Mutex<T>}
    {struct sync::MutexGuard}
    {sync::MutexGuard: impl [T: ?Sized + Debug,] Debug => MutexGuard<'_, T>}
    {sync::MutexGuard: impl [T: ?Sized + Display,] Display => MutexGuard<'_, T>}
    {sync::MutexGuard: impl [T: ?Sized + Sync,] Sync => MutexGuard<'_, T>}
    {sync::MutexGuard: impl [T: ?Sized,] !Send => MutexGuard<'_, T>}
    {sync::MutexGuard: impl [T: ?Sized,] Deref => MutexGuard<'_, T>}
    {sync::MutexGuard: impl [T: ?Sized,] DerefMut => MutexGuard<'_, T>}
    {struct sync::PoisonError}
    {sync::PoisonError: impl [T,] Debug => PoisonError<T>}
    {sync::PoisonError: impl [T,] Display => PoisonError<T>}
    {sync::PoisonError: impl [T,] Error => PoisonError<T>}
    {sync::PoisonError: impl [T,] PoisonError<T>: fn get_mut(&mut self) -> &mut T}
    {sync::PoisonError: impl [T,] PoisonError<T>: fn get_ref(&self) -> &T}
    {sync::PoisonError: impl [T,] PoisonError<T>: fn into_inner(self) -> T}
    {sync::PoisonError: impl [T,] PoisonError<T>: fn new(data: T) -> PoisonError<T>}
    {struct sync::RwLock}
    {sync::RwLock: impl [T: ?Sized + Debug,] Debug => RwLock<T>}
    {sync::RwLock: impl [T: ?Sized + Send + Sync,] Sync => RwLock<T>}
    {sync::RwLock: impl [T: ?Sized + Send,] Send => RwLock<T>}
    {sync::RwLock: impl [T: ?Sized,] RefUnwindSafe => RwLock<T>}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn clear_poison(&self)}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn get_mut(&mut self) -> LockResult<&mut T>}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn into_inner(self) -> LockResult<T> where {T: Sized}}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn is_poisoned(&self) -> bool}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn read(&self) -> LockResult<RwLockReadGuard<'_, T>>}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>>}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>>}
    {sync::RwLock: impl [T: ?Sized,] RwLock<T>: fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>>}
    {sync::RwLock: impl [T: ?Sized,] UnwindSafe => RwLock<T>}
    {sync::RwLock: impl [T: Default,] Default => RwLock<T>}
    {sync::RwLock: impl [T,] From<T> => RwLock<T>}
    {sync::RwLock: impl [T,] RwLock<T>: const fn new(t: T) -> RwLock<T>}
    {struct sync::RwLockReadGuard}
    {sync::RwLockReadGuard: impl [T: ?Sized + Debug,] Debug => RwLockReadGuard<'_, T>}
    {sync::RwLockReadGuard: impl [T: ?Sized + Display,] Display => RwLockReadGuard<'_, T>}
    {sync::RwLockReadGuard: impl [T: ?Sized + Sync,] Sync => RwLockReadGuard<'_, T>}
    {sync::RwLockReadGuard: impl [T: ?Sized,] !Send => RwLockReadGuard<'_, T>}
    {sync::RwLockReadGuard: impl [T: ?Sized,] Deref => RwLockReadGuard<'_, T>}
    {struct sync::RwLockWriteGuard}
    #[cfg(since_1_92)]
    {sync::RwLockWriteGuard: impl ['rwlock, T: ?Sized,] RwLockWriteGuard<'rwlock, T>: fn downgrade(s: Self)
        -> RwLockReadGuard<'rwlock, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized + Debug,] Debug => RwLockWriteGuard<'_, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized + Display,] Display => RwLockWriteGuard<'_, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized + Sync,] Sync => RwLockWriteGuard<'_, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized,] !Send => RwLockWriteGuard<'_, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized,] Deref => RwLockWriteGuard<'_, T>}
    {sync::RwLockWriteGuard: impl [T: ?Sized,] DerefMut => RwLockWriteGuard<'_, T>}
    {enum sync::TryLockError}
    {sync::TryLockError: impl [T,] Debug => TryLockError<T>}
    {sync::TryLockError: impl [T,] Display => TryLockError<T>}
    {sync::TryLockError: impl [T,] Error => TryLockError<T>}
    {sync::TryLockError: impl [T,] From<PoisonError<T>> => TryLockError<T>}
    {sync::TryLockError<T>: variant Poisoned(PoisonError<T>)}
    {sync::TryLockError<T>: variant WouldBlock}
    {type sync::TryLockResult<Guard> = Result<Guard, TryLockError<Guard>>}
}
