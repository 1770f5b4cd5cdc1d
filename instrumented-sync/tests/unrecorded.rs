//! Without the feature `record` every path is std's own type; with it, what waits, owns or orders is not.

use std::any::TypeId;

/// For each name of a type a type of that name, of this crate and of std.
macro_rules! types {
    ($function:ident: $($($path:ident)::+ $([$($argument:tt)*])?),* $(,)?) => {
        fn $function() -> Vec<(&'static str, TypeId, TypeId)> {
            vec![$((
                stringify!($($path)::+),
                TypeId::of::<instrumented_sync::$($path)::+ $(<$($argument)*>)?>(),
                TypeId::of::<std::$($path)::+ $(<$($argument)*>)?>(),
            )),*]
        }
    };
}

types! {
    wrapped:
    process::Child, process::Command,
    sync::Barrier, sync::BarrierWaitResult, sync::Condvar, sync::LazyLock[i32], sync::Mutex[i32],
    sync::MutexGuard['static, i32], sync::Once, sync::OnceLock[i32], sync::RwLock[i32],
    sync::RwLockReadGuard['static, i32], sync::RwLockWriteGuard['static, i32], sync::WaitTimeoutResult,
    sync::atomic::AtomicBool, sync::atomic::AtomicI16, sync::atomic::AtomicI32, sync::atomic::AtomicI64,
    sync::atomic::AtomicI8, sync::atomic::AtomicIsize, sync::atomic::AtomicPtr[i32], sync::atomic::AtomicU16,
    sync::atomic::AtomicU32, sync::atomic::AtomicU64, sync::atomic::AtomicU8, sync::atomic::AtomicUsize,
    sync::mpsc::IntoIter[i32], sync::mpsc::Iter['static, i32], sync::mpsc::Receiver[i32], sync::mpsc::Sender[i32],
    sync::mpsc::SyncSender[i32], sync::mpsc::TryIter['static, i32],
    thread::Builder, thread::JoinHandle[i32], thread::Scope['static, 'static], thread::ScopedJoinHandle['static, i32],
    thread::Thread,
}

types! {
    std_s_own:
    process::ChildStderr, process::ChildStdin, process::ChildStdout, process::CommandArgs['static],
    process::CommandEnvs['static], process::ExitCode, process::ExitStatus, process::Output, process::Stdio,
    sync::Arc[i32], sync::LockResult[i32], sync::OnceState, sync::PoisonError[i32], sync::TryLockError[i32],
    sync::TryLockResult[i32], sync::Weak[i32],
    sync::atomic::Ordering,
    sync::mpsc::RecvError, sync::mpsc::RecvTimeoutError, sync::mpsc::SendError[i32], sync::mpsc::TryRecvError,
    sync::mpsc::TrySendError[i32],
    thread::AccessError, thread::LocalKey[i32], thread::Result[i32], thread::ThreadId,
}

/// Every type of the list is in one of the two.
#[test]
fn every_type_is_asked_about() {
    let lines = include_str!("parity/std_api.txt").lines();
    let types = lines
        .filter_map(|line| line.split_once(' ').filter(|(kind, _)| ["name", "struct", "enum", "type"].contains(kind)));
    let mut listed: Vec<_> = types.map(|(_, name)| name.split('<').next().unwrap_or(name).to_owned()).collect();
    let mut asked: Vec<_> =
        wrapped().into_iter().chain(std_s_own()).map(|(name, _, _)| name.replace(' ', "")).collect();
    assert!(listed.len() > 50);
    listed.sort();
    asked.sort();
    assert_eq!(asked, listed);
}

#[test]
fn what_waits_owns_or_orders_is_wrapped_if_it_can_be_recorded() {
    for (name, ours, std_s) in wrapped() {
        assert_eq!(ours == std_s, cfg!(not(recorded)), "{name}");
    }
}

#[test]
fn the_rest_is_std_s() {
    for (name, ours, std_s) in std_s_own() {
        assert_eq!(ours, std_s, "{name}");
    }
}

#[cfg(not(recorded))]
#[test]
fn nothing_is_recorded() {
    use instrumented_sync::trace;

    assert_eq!(TypeId::of::<instrumented_sync::Mutex<i32>>(), TypeId::of::<std::sync::Mutex<i32>>());
    let guard = TypeId::of::<instrumented_sync::MutexGuard<'static, i32>>();
    assert_eq!(guard, TypeId::of::<std::sync::MutexGuard<'static, i32>>());

    // No more than the value.
    assert_eq!(size_of::<instrumented_sync::cell::UnsafeCell<[u8; 3]>>(), 3);
    assert_eq!(size_of::<instrumented_sync::cell::RaceCell<[u8; 3]>>(), 3);

    let lock = instrumented_sync::Mutex::new(1);
    instrumented_sync::label(&lock, "nothing");
    instrumented_sync::process::set_role("nobody");
    assert!(!trace::is_recording());
    assert_eq!(trace::start("/nowhere"), Err(trace::StartError::NotCompiled));
}
