//! Condition variables, barriers, `Once`.

use super::sync;
use std::{
    fmt::Debug,
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};
use sync::{Barrier, BarrierWaitResult, Condvar, LockResult, MutexGuard, Once, OnceState, WaitTimeoutResult};

surface! {
    {struct sync::Barrier}
    {sync::Barrier: impl [] Barrier: const fn new(n: usize) -> Barrier}
    {sync::Barrier: impl [] Barrier: fn wait(&self) -> BarrierWaitResult}
    {sync::Barrier: impl [] Debug => Barrier}
    {sync::Barrier: impl [] RefUnwindSafe => Barrier}
    {struct sync::BarrierWaitResult}
    {sync::BarrierWaitResult: impl [] BarrierWaitResult: fn is_leader(&self) -> bool}
    {sync::BarrierWaitResult: impl [] Debug => BarrierWaitResult}
    {struct sync::Condvar}
    {sync::Condvar: impl [] Condvar: const fn new() -> Condvar}
    {sync::Condvar: impl [] Condvar: fn notify_all(&self)}
    {sync::Condvar: impl [] Condvar: fn notify_one(&self)}
    {sync::Condvar: impl [] Condvar: fn wait<'a, T>(&self, guard: MutexGuard<'a, T>)
        -> LockResult<MutexGuard<'a, T>>}
    {sync::Condvar: impl [] Condvar: fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, dur: Duration)
        -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>}
    {sync::Condvar: impl [] Condvar: fn wait_timeout_ms<'a, T>(&self, guard: MutexGuard<'a, T>, ms: u32)
        -> LockResult<(MutexGuard<'a, T>, bool)>}
    {sync::Condvar: impl [] Condvar: fn wait_timeout_while<'a, T, F>(&self, guard: MutexGuard<'a, T>, dur: Duration, condition: F)
        -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
        where {F: FnMut(&mut T) -> bool}}
    {sync::Condvar: impl [] Condvar: fn wait_while<'a, T, F>(&self, guard: MutexGuard<'a, T>, condition: F)
        -> LockResult<MutexGuard<'a, T>>
        where {F: FnMut(&mut T) -> bool}}
    {sync::Condvar: impl [] Debug => Condvar}
    {sync::Condvar: impl [] Default => Condvar}
    {sync::Condvar: impl [] RefUnwindSafe => Condvar}
    {sync::Condvar: impl [] UnwindSafe => Condvar}
    {const sync::ONCE_INIT: Once}
    {struct sync::Once}
    {sync::Once: impl [] Debug => Once}
    {sync::Once: impl [] Once: const fn new() -> Once}
    {sync::Once: impl [] Once: fn call_once<F>(&self, f: F) where {F: FnOnce()}}
    {sync::Once: impl [] Once: fn call_once_force<F>(&self, f: F) where {F: FnOnce(&OnceState)}}
    {sync::Once: impl [] Once: fn is_completed(&self) -> bool}
    #[cfg(since_1_86)]
    {sync::Once: impl [] Once: fn wait(&self)}
    #[cfg(since_1_86)]
    {sync::Once: impl [] Once: fn wait_force(&self)}
    {sync::Once: impl [] RefUnwindSafe => Once}
    {sync::Once: impl [] UnwindSafe => Once}
    {struct sync::OnceState}
    {sync::OnceState: impl [] Debug => OnceState}
    {sync::OnceState: impl [] OnceState: fn is_poisoned(&self) -> bool}
    {struct sync::WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] Clone => WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] Copy => WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] Debug => WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] Eq => WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] PartialEq => WaitTimeoutResult}
    {sync::WaitTimeoutResult: impl [] WaitTimeoutResult: fn timed_out(&self) -> bool}
}
