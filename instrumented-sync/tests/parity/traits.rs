//! Each type is `Send`, `Sync`, `Clone` and so on exactly if std's is, whatever is in it.

use std::{
    cell::Cell,
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
    iter::FusedIterator,
    ops::{Deref, DerefMut},
    os::unix::thread::JoinHandleExt,
    panic::{RefUnwindSafe, UnwindSafe},
    rc::Rc,
    sync::Arc,
};

trait Otherwise {
    const IMPLEMENTS: bool = false;
}

impl<T: ?Sized> Otherwise for T {}

/// Whether a type implements a trait, as a `bool`: an inherent constant, which exists only if it does, comes
/// before that of the trait that everything implements.
macro_rules! implements {
    ($type:ty: $trait:path) => {{
        struct Asked<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used only for types that implement the trait")]
        impl<T: ?Sized + $trait> Asked<T> {
            const IMPLEMENTS: bool = true;
        }
        <Asked<$type>>::IMPLEMENTS
    }};
}

/// The traits that `std` and ours must agree about, with what is implemented of them.
macro_rules! traits {
    ($type:ty) => {
        [
            ("Send", implements!($type: Send)),
            ("Sync", implements!($type: Sync)),
            ("Unpin", implements!($type: Unpin)),
            ("UnwindSafe", implements!($type: UnwindSafe)),
            ("RefUnwindSafe", implements!($type: RefUnwindSafe)),
            ("Copy", implements!($type: Copy)),
            ("Clone", implements!($type: Clone)),
            ("Debug", implements!($type: Debug)),
            ("Display", implements!($type: Display)),
            ("Default", implements!($type: Default)),
            ("PartialEq", implements!($type: PartialEq)),
            ("Eq", implements!($type: Eq)),
            ("Iterator", implements!($type: Iterator)),
            ("IntoIterator", implements!($type: IntoIterator)),
            ("FusedIterator", implements!($type: FusedIterator)),
            ("PartialOrd", implements!($type: PartialOrd)),
            ("Ord", implements!($type: Ord)),
            ("Hash", implements!($type: Hash)),
            ("Error", implements!($type: Error)),
            ("Deref", implements!($type: Deref)),
            ("DerefMut", implements!($type: DerefMut)),
            ("From<i32>", implements!($type: From<i32>)),
            ("JoinHandleExt", implements!($type: JoinHandleExt)),
        ]
    };
}

macro_rules! assert_parity {
    ($($module:ident :: $name:ident $(< $($lifetime:lifetime),* $(,)? $($t:ident),* >)? ),* $(,)?) => {
        $(assert_eq!(
            traits!(instrumented_sync::$module::$name $(<$($lifetime,)* $($t),*>)?),
            traits!(std::$module::$name $(<$($lifetime,)* $($t),*>)?),
            "{}", stringify!($module::$name $(<$($lifetime,)* $($t),*>)?)
        );)*
    };
}

/// Parity of every type that has a type parameter.
macro_rules! assert_parity_of_all {
    ($($t:ident),*) => {
        $(
            assert_parity!(
                sync::Mutex<$t>, sync::MutexGuard<'static, $t>,
                sync::RwLock<$t>, sync::RwLockReadGuard<'static, $t>, sync::RwLockWriteGuard<'static, $t>,
                sync::OnceLock<$t>, sync::LazyLock<$t>, sync::LazyLock<i32, $t>, sync::LazyLock<RcInt, $t>,
                thread::JoinHandle<$t>, thread::ScopedJoinHandle<'static, $t>,
            );
            assert_eq!(
                channel_traits!(instrumented_sync::sync::mpsc, $t),
                channel_traits!(std::sync::mpsc, $t),
                "channels of {}", stringify!($t)
            );
        )*
    };
}

macro_rules! channel_traits {
    ($($mpsc:ident)::*, $t:ty) => {
        [
            ("Sender", traits!($($mpsc)::*::Sender<$t>)),
            ("SyncSender", traits!($($mpsc)::*::SyncSender<$t>)),
            ("Receiver", traits!($($mpsc)::*::Receiver<$t>)),
            ("&Receiver", traits!(&'static $($mpsc)::*::Receiver<$t>)),
            ("Iter", traits!($($mpsc)::*::Iter<'static, $t>)),
            ("TryIter", traits!($($mpsc)::*::TryIter<'static, $t>)),
            ("IntoIter", traits!($($mpsc)::*::IntoIter<$t>)),
            ("SendError", traits!($($mpsc)::*::SendError<$t>)),
        ]
    };
}

type CellInt = Cell<i32>;
type RcInt = Rc<i32>;
type Guard = std::sync::MutexGuard<'static, i32>;
type ArcCell = Arc<Cell<i32>>;
type MutRef = &'static mut i32;
type Pointer = *const u8;
type Pinned = std::marker::PhantomPinned;

#[test]
fn the_question_can_be_answered_both_ways() {
    assert!(implements!(i32: Send) && !implements!(RcInt: Send));
    assert!(implements!(Guard: Sync) && !implements!(Guard: Send));
}

#[test]
fn generic_types() {
    assert_parity_of_all!(i32, String, CellInt, RcInt, Guard, ArcCell, MutRef, Pointer, Pinned);
}

#[test]
fn unsized_types() {
    type Object = dyn Debug + Send;
    assert_parity!(sync::Mutex<str>, sync::Mutex<Object>, sync::RwLock<str>, sync::RwLock<Object>);
    assert_parity!(sync::MutexGuard<'static, str>, sync::MutexGuard<'static, Object>);
    assert_parity!(sync::RwLockReadGuard<'static, str>, sync::RwLockReadGuard<'static, Object>);
    assert_parity!(sync::RwLockWriteGuard<'static, str>, sync::RwLockWriteGuard<'static, Object>);
}

#[test]
fn atomic_types() {
    macro_rules! of_atomics {
        ($($type:ident $(<$t:ty>)?),*) => {
            $(assert_eq!(
                traits!(instrumented_sync::atomic::$type $(<$t>)?),
                traits!(std::sync::atomic::$type $(<$t>)?),
                "{}", stringify!($type $(<$t>)?)
            );)*
        };
    }
    of_atomics!(AtomicBool, AtomicI8, AtomicU8, AtomicI16, AtomicU16, AtomicI32, AtomicU32, AtomicI64, AtomicU64);
    of_atomics!(AtomicIsize, AtomicUsize, AtomicPtr<i32>, AtomicPtr<RcInt>, AtomicPtr<CellInt>, AtomicPtr<MutRef>);
}

#[test]
fn other_types() {
    assert_parity!(sync::Condvar, sync::WaitTimeoutResult, sync::Barrier, sync::BarrierWaitResult, sync::Once);
    assert_parity!(process::Child, process::Command, process::Stdio, process::ExitStatus, process::Output);
    assert_parity!(thread::Builder, thread::Thread, thread::ThreadId, thread::Scope<'static, 'static>);
}
