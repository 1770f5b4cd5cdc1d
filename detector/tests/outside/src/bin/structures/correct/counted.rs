//! A reference count of one's own.

use instrumented_sync::{
    atomic::{fence, AtomicUsize, Ordering},
    cell::UnsafeCell,
    free_of,
};
use std::ptr::NonNull;

struct Inner<T> {
    count: AtomicUsize,
    value: UnsafeCell<T>,
}

pub struct Counted<T>(NonNull<Inner<T>>);

unsafe impl<T: Send + Sync> Send for Counted<T> {}
unsafe impl<T: Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    pub fn new(value: T) -> Self {
        let inner = Box::new(Inner { count: AtomicUsize::new(1), value: UnsafeCell::new(value) });
        Self(NonNull::from(Box::leak(inner)))
    }

    fn inner(&self) -> &Inner<T> {
        unsafe { self.0.as_ref() }
    }

    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.inner().value.with(|value| f(unsafe { &*value })) // races
    }
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        self.inner().count.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        if self.inner().count.fetch_sub(1, Ordering::Release) != 1 { // store
            return;
        }
        fence(Ordering::Acquire);
        self.inner().value.with_mut(|_| ()); // races too
        unsafe {
            free_of!(*self.0.as_ptr());
            drop(Box::from_raw(self.0.as_ptr()));
        }
    }
}

pub fn run(n: usize) -> bool {
    let shared: Vec<_> = (0..n as u64).map(Counted::new).collect();
    let handles = [shared.clone(), shared].map(|handles| std::sync::Mutex::new(handles));
    crate::two(n, &handles, |handles, turn| {
        let mut own = std::mem::take(&mut *handles[turn.me].lock().unwrap());
        for _ in turn.operations() {
            let counted = own.pop().unwrap();
            assert!(counted.with(|value| *value) < n as u64);
        }
    })
}
