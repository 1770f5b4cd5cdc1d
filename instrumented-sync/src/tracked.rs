//! A reference count whose drops are known to order what threads do.
//!
//! std's `Arc` is invisible to the recorder: that the last drop, and whoever gets exclusive access, comes after all that was
//! done through other handles is known to nobody. Where a value is dropped, or changed by [`Arc::get_mut`], without a lock, that
//! looks like a data race. [`Arc`] says what std's does not.
//!
//! Limits: no coercion to `Arc<dyn Trait>` or a slice, and no `self: Arc<Self>`, which only std's own type may have;
//! [`Arc::make_mut`] clones where only weak handles are left.

use crate::trace::{acquired, acquired_at, released};
use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync,
};

/// What a handle leads to. Fields are dropped in this order.
struct Shared<T> {
    place: Place,
    value: T,
}

/// Where handles publish and observe: beside the value, so that nothing of the value's has the same address. Dropped by the last
/// handle, before the value.
struct Place {
    is_used: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_used {
            acquired(self);
        }
    }
}

impl<T> Shared<T> {
    const fn new(value: T) -> Self {
        Self { place: Place { is_used: true }, value }
    }

    /// The value of what has moved, and was acquired where it was.
    fn into_value(mut self) -> T {
        self.place.is_used = false;
        let Self { place: _moved, value } = self;
        value
    }
}

/// A handle to a value that threads share, as [`std::sync::Arc`], of which drops and exclusive access are recorded.
///
/// The drop of each handle publishes what its thread did; the last one, before the value's destructor, and functions that give
/// exclusive access observe it. In a build that cannot record it is std's `Arc` in another form.
///
/// ```
/// use instrumented_sync::{thread, tracked::Arc};
///
/// let shared = Arc::new(vec![1, 2]);
/// let other = Arc::clone(&shared);
/// let sum = thread::spawn(move || other.iter().sum::<i32>());
/// assert_eq!(sum.join().unwrap(), 3);
/// assert_eq!(Arc::into_inner(shared), Some(vec![1, 2]));
/// ```
pub struct Arc<T>(sync::Arc<Shared<T>>);

/// A handle that does not keep the value, as [`std::sync::Weak`].
///
/// ```
/// use instrumented_sync::tracked::Arc;
///
/// let shared = Arc::new(1);
/// let weak = Arc::downgrade(&shared);
/// assert_eq!(weak.upgrade().as_deref(), Some(&1));
/// drop(shared);
/// assert!(weak.upgrade().is_none());
/// ```
pub struct Weak<T>(sync::Weak<Shared<T>>);

impl<T> Arc<T> {
    /// The first handle to a value.
    pub fn new(value: T) -> Self {
        Self(sync::Arc::new(Shared::new(value)))
    }

    /// The first handle to a value that keeps a weak one to itself.
    pub fn new_cyclic(value: impl FnOnce(&Weak<T>) -> T) -> Self {
        Self(sync::Arc::new_cyclic(|weak| Shared::new(value(&Weak(sync::Weak::clone(weak))))))
    }

    /// A handle that does not keep the value.
    pub fn downgrade(this: &Self) -> Weak<T> {
        Weak(sync::Arc::downgrade(&this.0))
    }

    /// How many handles there are.
    pub fn strong_count(this: &Self) -> usize {
        sync::Arc::strong_count(&this.0)
    }

    /// How many weak handles there are.
    pub fn weak_count(this: &Self) -> usize {
        sync::Arc::weak_count(&this.0)
    }

    /// Whether two handles are to one value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        sync::Arc::ptr_eq(&this.0, &other.0)
    }

    /// Where the value lies.
    pub fn as_ptr(this: &Self) -> *const T {
        &raw const this.0.value
    }

    /// Exclusive access, to a clone if there are other handles.
    pub fn make_mut(this: &mut Self) -> &mut T
    where
        T: Clone,
    {
        if sync::Arc::get_mut(&mut this.0).is_none() {
            *this = Self::new(T::clone(this));
        }
        // As std's, which finds no other handle now, and makes nothing.
        let shared = sync::Arc::make_mut(&mut this.0);
        acquired(&shared.place);
        &mut shared.value
    }

    /// The value, or a clone of it if there are other handles.
    pub fn unwrap_or_clone(this: Self) -> T
    where
        T: Clone,
    {
        Self::try_unwrap(this).unwrap_or_else(|this| T::clone(&this))
    }

    /// Exclusive access, if there is no other handle of either kind.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        let shared = sync::Arc::get_mut(&mut this.0)?;
        acquired(&shared.place);
        Some(&mut shared.value)
    }

    /// The value, if this is the last handle.
    ///
    /// # Errors
    ///
    /// It is not: the handle.
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        // Dropped as any handle is, but for the count.
        let kept = sync::Arc::clone(&this.0);
        drop(this);
        let place = &raw const kept.place;
        match sync::Arc::try_unwrap(kept) {
            Ok(shared) => {
                acquired_at(place);
                Ok(shared.into_value())
            }
            Err(kept) => Err(Self(kept)),
        }
    }

    /// The value, if this is the last handle. Of threads that do this at once with all handles there are, one gets it.
    pub fn into_inner(this: Self) -> Option<T> {
        let kept = sync::Arc::clone(&this.0);
        drop(this);
        let place = &raw const kept.place;
        let shared = sync::Arc::into_inner(kept)?;
        acquired_at(place);
        Some(shared.into_value())
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        released(&self.0.place);
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(sync::Arc::clone(&self.0))
    }
}

/// For [`Arc::make_mut`], which has made sure that there is nothing to clone.
impl<T: Clone> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Borrow<T> for Arc<T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T> From<T> for Arc<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Arc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PartialEq> PartialEq for Arc<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Arc<T> {}

impl<T: PartialOrd> PartialOrd for Arc<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord> Ord for Arc<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Hash> Hash for Arc<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> fmt::Pointer for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&Self::as_ptr(self), f)
    }
}

impl<T> Weak<T> {
    /// A handle to nothing.
    pub const fn new() -> Self {
        Self(sync::Weak::new())
    }

    /// A handle that keeps the value, if there still is one.
    pub fn upgrade(&self) -> Option<Arc<T>> {
        self.0.upgrade().map(Arc)
    }

    /// How many handles there are that keep the value.
    pub fn strong_count(&self) -> usize {
        self.0.strong_count()
    }

    /// How many weak handles there are.
    pub fn weak_count(&self) -> usize {
        self.0.weak_count()
    }

    /// Whether two handles are to one value, or to none.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl<T> Clone for Weak<T> {
    fn clone(&self) -> Self {
        Self(sync::Weak::clone(&self.0))
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}
