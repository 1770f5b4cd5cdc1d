//! Marks: what a program says that it does with memory which is in no cell.
//!
//! Each macro takes a place, as `&raw const` does, and is `()`. No memory is read and no reference is made, but for pointers on
//! the way to the place.

use crate::probe::access::{self, Mark};
use std::panic::Location;

/// Marks a read of a place, for code that reaches memory through raw pointers: `read_of!((*head).next)`.
///
/// Recorded, the bytes of the place count as read here; those of two marks that overlap are the same memory, whatever types and
/// places the marks name. So a read of a field and a write of the whole meet. What is not marked is not known, and
/// memory that is given back is marked with [`free_of!`](crate::free_of), or whatever lies there next is taken for the same.
///
/// The place may be sized, a slice or a `str`; one of no bytes is nothing. The mark stands beside the access, in the same `unsafe`
/// block: naming a field behind a raw pointer takes one. Nothing is read but pointers on the way to the place.
///
/// ```
/// use instrumented_sync::{free_of, read_of, write_of};
///
/// struct Node {
///     value: u32,
///     next: *mut Node,
/// }
///
/// let head = Box::into_raw(Box::new(Node { value: 1, next: std::ptr::null_mut() }));
/// // SAFETY: nobody else knows of the node.
/// let value = unsafe {
///     write_of!((*head).value);
///     (*head).value = 2;
///     read_of!((*head).next);
///     assert!((*head).next.is_null());
///     free_of!(*head);
///     Box::from_raw(head).value
/// };
/// assert_eq!(value, 2);
/// ```
///
/// ```edition2021
/// #![deny(warnings)]
/// use instrumented_sync::{read_of, write_of};
///
/// let mut numbers = [1, 2, 3];
/// write_of!(numbers[1..]);
/// numbers[1] = 4;
/// let range: *const std::ops::Range<i32> = &(1..3);
/// // SAFETY: the range lives as long as this function.
/// unsafe { read_of!((*range).end) };
/// // SAFETY: as above.
/// assert_eq!(numbers[1], 1 + unsafe { (*range).end });
/// ```
#[macro_export]
macro_rules! read_of {
    ($place:expr $(,)?) => {
        $crate::__mark::read(&raw const $place)
    };
}

/// Marks a write of a place; see [`read_of!`].
///
/// ```
/// static mut COUNT: u32 = 0;
/// // SAFETY: no other thread is here.
/// unsafe {
///     instrumented_sync::write_of!(COUNT);
///     COUNT += 1;
///     assert_eq!({ COUNT }, 1);
/// }
/// ```
#[macro_export]
macro_rules! write_of {
    ($place:expr $(,)?) => {
        $crate::__mark::write(&raw const $place)
    };
}

/// Marks the end of a place, which is about to be freed; see [`read_of!`].
///
/// Counts as a write: who uses the place in no order with this uses what may be gone. What is marked at its address later is
/// something else. Without this mark, memory that the allocator hands out again is taken for what it was, and findings about it are
/// `possible` only.
///
/// ```
/// let place = Box::into_raw(Box::new(1));
/// instrumented_sync::free_of!(*place);
/// // SAFETY: made by `into_raw`, and not used again.
/// assert_eq!(*unsafe { Box::from_raw(place) }, 1);
/// ```
#[macro_export]
macro_rules! free_of {
    ($place:expr $(,)?) => {
        $crate::__mark::free(&raw const $place)
    };
}

/// What can be marked: a place whose size its pointer tells.
pub trait Place {
    /// Where it starts, and how many bytes it has.
    fn bytes(self) -> (*const u8, usize);
}

impl<T> Place for *const T {
    #[inline]
    fn bytes(self) -> (*const u8, usize) {
        (self.cast(), size_of::<T>())
    }
}

impl<T> Place for *const [T] {
    #[inline]
    fn bytes(self) -> (*const u8, usize) {
        (self.cast(), self.len().saturating_mul(size_of::<T>()))
    }
}

impl Place for *const str {
    #[inline]
    fn bytes(self) -> (*const u8, usize) {
        (self as *const [u8]).bytes()
    }
}

/// What [`read_of!`] calls.
#[track_caller]
#[inline]
pub fn read(place: impl Place) {
    marked(Mark::Read, place, Location::caller());
}

/// What [`write_of!`] calls.
#[track_caller]
#[inline]
pub fn write(place: impl Place) {
    marked(Mark::Write, place, Location::caller());
}

/// What [`free_of!`](crate::free_of) calls.
#[track_caller]
#[inline]
pub fn free(place: impl Place) {
    marked(Mark::Free, place, Location::caller());
}

#[inline]
fn marked(mark: Mark, place: impl Place, site: &'static Location<'static>) {
    let (start, n_bytes) = place.bytes();
    access::marked(mark, start, n_bytes, site);
}
