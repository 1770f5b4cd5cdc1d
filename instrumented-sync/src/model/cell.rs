//! The cell that is lent: recorded, or std's own. In a build for loom its own stands here.

use crate::{
    probe::{Class, ObjectKind, Unnumbered, access},
    trace::{Labelled, sealed},
};
use std::{fmt, mem::offset_of, panic::Location};

pub use std::cell::{BorrowError, BorrowMutError, Cell, OnceCell, Ref, RefCell, RefMut};

/// As [`std::cell::UnsafeCell`], with accesses that can be seen: [`with`](Self::with) and [`with_mut`](Self::with_mut) lend
/// the value, for a read or for a write.
///
/// Recorded, it tells of accesses of several threads that nothing orders. Under loom it is loom's, which does so for each
/// schedule of a model. Everywhere else it is std's, at no cost.
///
/// records: what is read by `with` and written by `with_mut`, before the closure runs. [`get`](Self::get) records nothing: what
/// is done with its pointer is not known.
///
/// It has no `from_mut`, in no build: who it is, and where it was made, lie beside the value.
///
/// ```
/// use instrumented_sync::cell::UnsafeCell;
///
/// let cell = UnsafeCell::new(1);
/// // SAFETY: nobody else knows of the cell.
/// cell.with_mut(|value| unsafe { *value += 1 });
/// assert_eq!(cell.into_inner(), 2);
/// ```
pub struct UnsafeCell<T: ?Sized> {
    identity: Unnumbered,
    // Last, so that `UnsafeCell<T>` unsizes.
    value: std::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    /// A cell with this value.
    #[must_use]
    #[track_caller]
    #[inline]
    pub const fn new(value: T) -> Self {
        Self { identity: Unnumbered::new(), value: std::cell::UnsafeCell::new(value) }
    }

    /// The value. Nobody else has it: nothing is recorded.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// As [`std::cell::UnsafeCell::raw_get`], of a value whose size is known: no reference to the cell is made. Records nothing.
    ///
    /// ```
    /// use instrumented_sync::cell::UnsafeCell;
    /// use std::mem::MaybeUninit;
    ///
    /// let cell = MaybeUninit::new(UnsafeCell::new(1));
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(unsafe { UnsafeCell::raw_get(cell.as_ptr()).read() }, 1);
    /// ```
    #[inline]
    pub const fn raw_get(this: *const Self) -> *mut T {
        // Wrapping, since nobody promises that there is a cell.
        this.wrapping_byte_add(offset_of!(Self, value)).cast::<T>().cast_mut()
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the value for reading: nobody may write it before `f` returns.
    ///
    /// records: a read, before `f` begins.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(cell.with(|value| unsafe { *value }), 1);
    /// ```
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        access::read(&self.identity, Self::CLASS, Location::caller());
        f(self.value.get())
    }

    /// Lends the value for writing: nobody else may use it before `f` returns.
    ///
    /// records: a write, before `f` begins.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(cell.with_mut(|value| unsafe { std::mem::replace(&mut *value, 2) }), 1);
    /// ```
    #[track_caller]
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        access::write(&self.identity, Self::CLASS, Location::caller());
        f(self.value.get())
    }

    /// As [`std::cell::UnsafeCell::get`]. Records nothing: what is done with the pointer, and when, is not known.
    ///
    /// In a build for loom this is loom's, whose pointer counts as an access while it lives.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// unsafe { *cell.get() += 1 };
    /// assert_eq!(cell.into_inner(), 2);
    /// ```
    #[inline]
    pub const fn get(&self) -> *mut T {
        self.value.get()
    }

    /// As [`std::cell::UnsafeCell::get_mut`]. Nobody else can use the value: nothing is recorded.
    ///
    /// ```
    /// let mut cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// *cell.get_mut() += 1;
    /// assert_eq!(cell.into_inner(), 2);
    /// ```
    #[inline]
    pub const fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    const CLASS: Class = || (ObjectKind::Cell, std::any::type_name::<T>());
}

impl<T: Default> Default for UnsafeCell<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for UnsafeCell<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for UnsafeCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: ?Sized> sealed::Sealed for UnsafeCell<T> {}

impl<T: ?Sized> Labelled for UnsafeCell<T> {
    fn label(&self, text: &str) {
        access::label(&self.identity, Self::CLASS, text);
    }
}
