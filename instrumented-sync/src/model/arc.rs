//! loom's `Arc`, which lets go when a model has failed.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    mem,
    ops::Deref,
    pin::Pin,
};

/// As [`std::sync::Arc`], over loom's: a model that ends with one left has leaked it, and dropping the last one has
/// seen what all the others did.
///
/// loom's own ends the process when a thread drops one in a model that deadlocked. This one stays as it is then.
pub struct Arc<T: ?Sized>(
    /// Always there until it is dropped.
    Option<loom::sync::Arc<T>>,
);

impl<T> Arc<T> {
    /// As std's.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self(Some(loom::sync::Arc::new(value)))
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// Others have it too.
    #[track_caller]
    pub fn try_unwrap(mut this: Self) -> Result<T, Self> {
        loom::sync::Arc::try_unwrap(this.take()).map_err(|arc| Self(Some(arc)))
    }

    /// As std's.
    #[track_caller]
    pub fn into_inner(this: Self) -> Option<T> {
        Self::try_unwrap(this).ok()
    }

    /// As std's.
    #[track_caller]
    pub fn pin(value: T) -> Pin<Self>
    where
        T: Unpin,
    {
        Pin::new(Self::new(value))
    }

    fn take(&mut self) -> loom::sync::Arc<T> {
        self.0.take().unwrap_or_else(|| unreachable!("only `drop` takes it"))
    }
}

impl<T: ?Sized> Arc<T> {
    /// Of std's, which nobody else has: the way to an `Arc<dyn Trait>`, since only std's can be made of a sized one.
    #[track_caller]
    pub fn from_std(arc: std::sync::Arc<T>) -> Self {
        Self(Some(loom::sync::Arc::from_std(arc)))
    }

    /// As std's.
    #[must_use]
    #[track_caller]
    pub fn strong_count(this: &Self) -> usize {
        loom::sync::Arc::strong_count(this.arc())
    }

    /// As std's.
    #[track_caller]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.0.as_mut().and_then(loom::sync::Arc::get_mut)
    }

    /// As std's.
    #[must_use]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        loom::sync::Arc::ptr_eq(this.arc(), other.arc())
    }

    /// As std's.
    #[must_use]
    pub fn as_ptr(this: &Self) -> *const T {
        loom::sync::Arc::as_ptr(this.arc())
    }

    fn arc(&self) -> &loom::sync::Arc<T> {
        self.0.as_ref().unwrap_or_else(|| unreachable!("only `drop` takes it"))
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    #[track_caller]
    fn drop(&mut self) {
        if crate::native::is_over() {
            mem::forget(self.0.take());
        }
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        Self(Some(self.arc().clone()))
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.arc()
    }
}

impl<T: ?Sized> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> Borrow<T> for Arc<T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: Default> Default for Arc<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Arc<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + PartialEq> PartialEq for Arc<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: ?Sized + Eq> Eq for Arc<T> {}

impl<T: ?Sized + PartialOrd> PartialOrd for Arc<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: ?Sized + Ord> Ord for Arc<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: ?Sized + Hash> Hash for Arc<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
