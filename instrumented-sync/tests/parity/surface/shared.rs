//! What is std's own with either root: for `Arc`, `Weak` and the atomics the names are enough.

use super::{root, sync};
use std::cell::Cell;
use sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

surface! {
    {struct sync::Arc}
    {struct sync::Weak}
    {const sync::atomic::ATOMIC_BOOL_INIT: AtomicBool}
    {const sync::atomic::ATOMIC_ISIZE_INIT: AtomicIsize}
    {const sync::atomic::ATOMIC_USIZE_INIT: AtomicUsize}
    {struct sync::atomic::AtomicBool}
    {struct sync::atomic::AtomicI16}
    {struct sync::atomic::AtomicI32}
    {struct sync::atomic::AtomicI64}
    {struct sync::atomic::AtomicI8}
    {struct sync::atomic::AtomicIsize}
    {struct sync::atomic::AtomicPtr}
    {struct sync::atomic::AtomicU16}
    {struct sync::atomic::AtomicU32}
    {struct sync::atomic::AtomicU64}
    {struct sync::atomic::AtomicU8}
    {struct sync::atomic::AtomicUsize}
    {enum sync::atomic::Ordering}
    {fn sync::atomic::compiler_fence(order: Ordering)}
    {fn sync::atomic::fence(order: Ordering)}
    {fn sync::atomic::spin_loop_hint()}
    {macro thread_local}
}
