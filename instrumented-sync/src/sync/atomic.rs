//! Drop-in for [`std::sync::atomic`] whose operations are recorded, with their orderings.
//!
//! What a release store publishes, and which load acquires it, orders what threads do; so does what lies between two fences.
//! Each operation is recorded with its location, without a stack.
//!
//! **Not recorded** is what needs no atomic operation, `get_mut` and `into_inner`, and what is not seen: accesses through the
//! pointer of `as_ptr` or to what `from_ptr` was made of, and `Debug`, which loads relaxed.
//!
//! The types are this crate's own, of the same layout. A function of another crate that wants a reference to std's type needs
//! std's type, of which nothing is recorded.
//!
//! ```
//! use instrumented_sync::{
//!     atomic::{AtomicBool, AtomicU32, Ordering},
//!     thread,
//! };
//!
//! static VALUE: AtomicU32 = AtomicU32::new(0);
//! static IS_READY: AtomicBool = AtomicBool::new(false);
//!
//! thread::scope(|scope| {
//!     scope.spawn(|| {
//!         VALUE.store(5, Ordering::Relaxed);
//!         IS_READY.store(true, Ordering::Release);
//!     });
//!     while !IS_READY.load(Ordering::Acquire) {
//!         std::hint::spin_loop();
//!     }
//!     assert_eq!(VALUE.load(Ordering::Relaxed), 5);
//! });
//! ```

#[macro_use]
mod define;

use crate::{
    native::atomic as native,
    probe::{self, Kind, atomic as record},
};
use std::{fmt, panic::Location};

#[allow(deprecated, reason = "std has it")]
pub use std::sync::atomic::spin_loop_hint;
pub use std::sync::atomic::{Ordering, compiler_fence};

/// A fence, as [`std::sync::atomic::fence`]; recorded.
///
/// # Panics
///
/// `order` is [`Ordering::Relaxed`].
///
/// ```
/// use instrumented_sync::atomic::{AtomicBool, Ordering, fence};
///
/// let flag = AtomicBool::new(false);
/// fence(Ordering::Release);
/// flag.store(true, Ordering::Relaxed);
/// assert!(flag.load(Ordering::Relaxed));
/// fence(Ordering::Acquire);
/// ```
#[inline]
#[track_caller]
pub fn fence(order: Ordering) {
    if !matches!(order, Ordering::Relaxed) && probe::recording() {
        record::fence(order, Location::caller());
    }
    native::fence(order);
}

atomic! {
    /// A `bool` that threads may share, as [`std::sync::atomic::AtomicBool`]; operations are recorded.
    "8" AtomicBool: bool, false
}

read_modify_write! {
    "8" AtomicBool: bool => bool {
        /// Replaces the value by whether it and `val` are both set; returns what it was.
        fetch_and,
        /// Replaces the value by whether it and `val` are not both set; returns what it was.
        fetch_nand,
        /// Replaces the value by whether it or `val` is set; returns what it was.
        fetch_or,
        /// Replaces the value by whether one of it and `val` is set; returns what it was.
        fetch_xor,
    }
}

#[cfg(target_has_atomic = "8")]
impl AtomicBool {
    /// Replaces the value by its opposite; returns what it was.
    #[inline]
    #[track_caller]
    pub fn fetch_not(&self, order: Ordering) -> bool {
        self.changed(order, Location::caller(), |this| this.fetch_not(order))
    }
}

integers! {
    "8" AtomicI8: i8,
    "8" AtomicU8: u8,
    "16" AtomicI16: i16,
    "16" AtomicU16: u16,
    "32" AtomicI32: i32,
    "32" AtomicU32: u32,
    "64" AtomicI64: i64,
    "64" AtomicU64: u64,
    "ptr" AtomicIsize: isize,
    "ptr" AtomicUsize: usize,
}

atomic! {
    /// A pointer that threads may share, as [`std::sync::atomic::AtomicPtr`]; operations are recorded.
    "ptr" AtomicPtr<T>: *mut T, std::ptr::null_mut()
}

#[cfg(since_1_91)]
read_modify_write! {
    "ptr" AtomicPtr<T>: usize => *mut T {
        /// Moves the pointer up by `val` values; returns what it was.
        fetch_ptr_add,
        /// Moves the pointer down by `val` values; returns what it was.
        fetch_ptr_sub,
        /// Moves the pointer up by `val` bytes; returns what it was.
        fetch_byte_add,
        /// Moves the pointer down by `val` bytes; returns what it was.
        fetch_byte_sub,
        /// Sets bits of the address; returns what the pointer was.
        fetch_or,
        /// Keeps bits of the address; returns what the pointer was.
        fetch_and,
        /// Flips bits of the address; returns what the pointer was.
        fetch_xor,
    }
}

#[cfg(target_has_atomic = "ptr")]
impl<T> fmt::Pointer for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.0, f)
    }
}

/// An [`AtomicBool`] that is `false`.
#[cfg(target_has_atomic = "8")]
#[deprecated(note = "the `new` function is `const`")]
#[allow(clippy::declare_interior_mutable_const, reason = "std has it")]
pub const ATOMIC_BOOL_INIT: AtomicBool = AtomicBool::new(false);

/// An [`AtomicIsize`] that is 0.
#[cfg(target_has_atomic = "ptr")]
#[deprecated(note = "the `new` function is `const`")]
#[allow(clippy::declare_interior_mutable_const, reason = "std has it")]
pub const ATOMIC_ISIZE_INIT: AtomicIsize = AtomicIsize::new(0);

/// An [`AtomicUsize`] that is 0.
#[cfg(target_has_atomic = "ptr")]
#[deprecated(note = "the `new` function is `const`")]
#[allow(clippy::declare_interior_mutable_const, reason = "std has it")]
pub const ATOMIC_USIZE_INIT: AtomicUsize = AtomicUsize::new(0);
