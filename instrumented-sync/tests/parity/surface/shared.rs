//! What is std's own with either root: for `Arc`, `Weak` and the atomics the names are enough.

use super::{root, sync};
use std::cell::Cell;
use sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

surface! {
    {name sync::Arc}
    {name sync::Weak}
    {const sync::atomic::ATOMIC_BOOL_INIT: AtomicBool}
    {const sync::atomic::ATOMIC_ISIZE_INIT: AtomicIsize}
    {const sync::atomic::ATOMIC_USIZE_INIT: AtomicUsize}
    {name sync::atomic::AtomicBool}
    {name sync::atomic::AtomicI16}
    {name sync::atomic::AtomicI32}
    {name sync::atomic::AtomicI64}
    {name sync::atomic::AtomicI8}
    {name sync::atomic::AtomicIsize}
    {name sync::atomic::AtomicPtr}
    {name sync::atomic::AtomicU16}
    {name sync::atomic::AtomicU32}
    {name sync::atomic::AtomicU64}
    {name sync::atomic::AtomicU8}
    {name sync::atomic::AtomicUsize}
    {name sync::atomic::Ordering}
    {fn sync::atomic::compiler_fence(order: Ordering)}
    {fn sync::atomic::fence(order: Ordering)}
    {fn sync::atomic::spin_loop_hint()}
    {macro thread_local}
}
