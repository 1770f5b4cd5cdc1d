//! Without the feature `record` every path is std's own type; with it, what waits is not.

use std::any::TypeId;

macro_rules! assert_types {
    ($compare:ident: $($($path:ident)::+ $(<$argument:ty>)?),* $(,)?) => {
        $($compare!(
            TypeId::of::<instrumented_sync::$($path)::+ $(<$argument>)?>(),
            TypeId::of::<std::$($path)::+ $(<$argument>)?>(),
            "{}", stringify!($($path)::+)
        );)*
    };
}

#[cfg(recorded)]
#[test]
fn what_waits_is_wrapped() {
    assert_types!(assert_ne: sync::Mutex<i32>, sync::RwLock<i32>, sync::Condvar, sync::mpsc::Sender<i32>);
    assert_types!(assert_ne: sync::mpsc::SyncSender<i32>, sync::mpsc::Receiver<i32>, thread::JoinHandle<i32>);
    assert_types!(assert_ne: sync::Barrier, sync::Once, sync::OnceLock<i32>, sync::LazyLock<i32>);
}

#[cfg(not(recorded))]
#[test]
fn nothing_is_wrapped() {
    use instrumented_sync::trace;

    assert_types!(assert_eq: sync::Mutex<i32>, sync::RwLock<i32>, sync::Condvar, sync::WaitTimeoutResult);
    assert_types!(assert_eq: sync::mpsc::Sender<i32>, sync::mpsc::SyncSender<i32>, sync::mpsc::Receiver<i32>);
    assert_types!(assert_eq: sync::Barrier, sync::BarrierWaitResult, sync::Once, sync::OnceLock<i32>);
    assert_types!(assert_eq: sync::LazyLock<i32>, thread::JoinHandle<i32>, thread::Builder, thread::Thread);
    assert_eq!(TypeId::of::<instrumented_sync::Mutex<i32>>(), TypeId::of::<std::sync::Mutex<i32>>());
    let guard = TypeId::of::<instrumented_sync::MutexGuard<'static, i32>>();
    assert_eq!(guard, TypeId::of::<std::sync::MutexGuard<'static, i32>>());

    let lock = instrumented_sync::Mutex::new(1);
    instrumented_sync::label(&lock, "nothing");
    assert!(!trace::is_recording());
    assert_eq!(trace::start("/nowhere"), Err(trace::StartError::NotCompiled));
}

/// What does not wait, or does not own, is std's own either way.
#[test]
fn the_rest_is_std_s() {
    assert_types!(assert_eq: sync::Arc<i32>, sync::OnceState, sync::Weak<i32>);
    assert_types!(assert_eq: sync::PoisonError<i32>, sync::TryLockError<i32>, sync::atomic::AtomicBool);
    assert_types!(assert_eq: sync::mpsc::SendError<i32>, sync::mpsc::RecvError, sync::mpsc::TryRecvError);
    assert_types!(assert_eq: thread::ThreadId, thread::AccessError, thread::Result<i32>);
}
