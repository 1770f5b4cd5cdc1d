//! Cells whose use a model checker may look at.

pub use std::cell::{BorrowError, BorrowMutError, Cell, OnceCell, Ref, RefCell, RefMut};

/// As [`std::cell::UnsafeCell`], but lent instead of pointed into, so that loom can stand in for it.
///
/// Under loom it is loom's, which tells of uses that nothing orders. Everywhere else it is std's, at no cost.
///
/// ```
/// use instrumented_sync::cell::UnsafeCell;
///
/// let cell = UnsafeCell::new(1);
/// // SAFETY: nobody else knows of the cell.
/// cell.with_mut(|value| unsafe { *value += 1 });
/// assert_eq!(cell.into_inner(), 2);
/// ```
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// A cell with this value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the value for reading: nobody may write it before `f` returns.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(cell.with(|value| unsafe { *value }), 1);
    /// ```
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Lends the value for writing: nobody else may use it before `f` returns.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::UnsafeCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(cell.with_mut(|value| unsafe { std::mem::replace(&mut *value, 2) }), 1);
    /// ```
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

impl<T> From<T> for UnsafeCell<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}
