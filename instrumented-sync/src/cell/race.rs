//! `RaceCell`: what a `static mut` is, with accesses that can be seen.
#![allow(unsafe_code, reason = "it is shared without a lock, and who uses it promises what the compiler cannot know")]

use super::UnsafeCell;
use crate::{
    native,
    trace::{Labelled, sealed},
};
use std::{fmt, ptr};

/// A value that threads share with nothing to guard it but what the program does: a `static mut` whose accesses are seen.
///
/// For what is not `Sync` by itself and is shared all the same: statics of code that came from C, a value that one thread
/// writes before it starts the others, a field that some lock elsewhere guards. Such code rests on an order that nobody checks;
/// recorded, an access that nothing orders after another one, of which one writes, is told as a data race. It remains undefined
/// behaviour: what is meant to race is an [atomic](crate::sync::atomic).
///
/// It is `Sync` if `T` is `Send`. One thread may write a value that another one reads or drops, so values go from
/// thread to thread. `T: Sync` is not asked for, since no method that threads share gives a reference out: what is done
/// with the pointers of [`with`](Self::with) is the promise of who does it. Pointers are not `Send`: a
/// `RaceCell<*mut T>` takes a type of your own around the pointer with its own `unsafe impl Send`, or `AtomicPtr`.
///
/// ```
/// use instrumented_sync::{cell::RaceCell, thread};
///
/// static LIMIT: RaceCell<u32> = RaceCell::new(10);
///
/// // SAFETY: no other thread is there yet.
/// unsafe { LIMIT.write(20) };
/// // SAFETY: the write comes before the thread is started, and nobody writes after that.
/// let seen = thread::spawn(|| unsafe { LIMIT.read() }).join().unwrap();
/// assert_eq!(seen, 20);
/// ```
pub struct RaceCell<T: ?Sized> {
    // The only field, so that `RaceCell<T>` unsizes.
    cell: UnsafeCell<T>,
}

// SAFETY: shared, it gives out and takes values of `T` - from thread to thread, which takes `T: Send` - and raw pointers,
// all of it in functions whose callers promise that no other thread is at the value. It gives out no `&T`. Loom's cell and
// the identity are made for being shared.
unsafe impl<T: ?Sized + Send> Sync for RaceCell<T> {}

impl<T> RaceCell<T> {
    native::const_unless_modelled! {
        /// A cell with this value.
        ///
        /// ```
        /// static N: instrumented_sync::cell::RaceCell<i32> = instrumented_sync::cell::RaceCell::new(1);
        /// // SAFETY: nobody else is here.
        /// assert_eq!(unsafe { N.read() }, 1);
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(value: T) -> Self {
            Self { cell: UnsafeCell::new(value) }
        }
    }

    /// A copy of the value.
    ///
    /// records: a read.
    ///
    /// # Safety
    ///
    /// No other thread may write the value meanwhile: something has to order all writes before or after this.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::RaceCell::new(1);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(unsafe { cell.read() }, 1);
    /// ```
    #[track_caller]
    #[inline]
    pub unsafe fn read(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: the pointer is to a live value, and that nobody writes it the caller promises.
        self.cell.with(|value| unsafe { *value })
    }

    /// Puts another value in place; the old one is dropped after that.
    ///
    /// records: a write.
    ///
    /// # Safety
    ///
    /// No other thread may use the value meanwhile: something has to order all other accesses before or after this.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::RaceCell::new(String::from("old"));
    /// // SAFETY: nobody else knows of the cell.
    /// unsafe { cell.write(String::from("new")) };
    /// assert_eq!(cell.into_inner(), "new");
    /// ```
    #[track_caller]
    #[inline]
    pub unsafe fn write(&self, value: T) {
        // SAFETY: the pointer is to a live value, and that nobody else uses it the caller promises.
        drop(self.cell.with_mut(|place| unsafe { ptr::replace(place, value) }));
    }

    /// The value. Nobody else has it: nothing is recorded.
    ///
    /// ```
    /// assert_eq!(instrumented_sync::cell::RaceCell::new(1).into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}

impl<T: ?Sized> RaceCell<T> {
    /// Lends the value for reading: `f` may read through the pointer while something orders all writes before or after it.
    ///
    /// records: a read, before `f` begins.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::RaceCell::new([1, 2]);
    /// // SAFETY: nobody else knows of the cell.
    /// assert_eq!(cell.with(|value| unsafe { (*value)[1] }), 2);
    /// ```
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        self.cell.with(f)
    }

    /// Lends the value for writing: `f` may use the pointer while something orders all other accesses before or after it.
    ///
    /// records: a write, before `f` begins.
    ///
    /// ```
    /// let cell = instrumented_sync::cell::RaceCell::new([1, 2]);
    /// // SAFETY: nobody else knows of the cell.
    /// cell.with_mut(|value| unsafe { (*value)[1] = 3 });
    /// assert_eq!(cell.into_inner(), [1, 3]);
    /// ```
    #[track_caller]
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        self.cell.with_mut(f)
    }

    /// The value, which nobody else can use: nothing is recorded.
    ///
    /// ```
    /// let mut cell = instrumented_sync::cell::RaceCell::new(1);
    /// *cell.get_mut() += 1;
    /// assert_eq!(cell.into_inner(), 2);
    /// ```
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        #[cfg(not(modelled))]
        return self.cell.get_mut();
        // A model checker's cell lends only. SAFETY: `&mut self` says that nobody else uses the value.
        #[cfg(modelled)]
        return self.cell.with_mut(|value| unsafe { &mut *value });
    }
}

impl<T: Default> Default for RaceCell<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RaceCell<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for RaceCell<T> {
    /// Shows no value: that would read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaceCell").finish_non_exhaustive()
    }
}

impl<T: ?Sized> sealed::Sealed for RaceCell<T> {}

impl<T: ?Sized> Labelled for RaceCell<T> {
    #[cfg(not(modelled))]
    fn label(&self, text: &str) {
        self.cell.label(text);
    }

    #[cfg(modelled)]
    fn label(&self, _: &str) {}
}
