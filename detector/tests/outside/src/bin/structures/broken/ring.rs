//! A queue of fixed length for one sender and one receiver.

use instrumented_sync::{
    atomic::{AtomicUsize, Ordering},
    cell::UnsafeCell,
};
use std::{mem::MaybeUninit, thread::yield_now};

const N: usize = 16;

pub struct Ring<T> {
    slots: [UnsafeCell<MaybeUninit<T>>; N],
    /// How many were taken.
    head: AtomicUsize,
    /// How many were put in.
    tail: AtomicUsize,
}

unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub fn new() -> Self {
        let slots = std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit()));
        Self { slots, head: AtomicUsize::new(0), tail: AtomicUsize::new(0) }
    }

    /// For the one sender.
    pub fn push(&self, value: T) -> Result<(), T> {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail - self.head.load(Ordering::Acquire) == N {
            return Err(value);
        }
        self.slots[tail % N].with_mut(|slot| unsafe { (*slot).write(value) }); // races
        self.tail.store(tail + 1, Ordering::Relaxed); // store
        Ok(())
    }

    /// For the one receiver.
    pub fn pop(&self) -> Option<T> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Acquire) {
            return None;
        }
        let value = self.slots[head % N].with(|slot| unsafe { (*slot).assume_init_read() }); // races too
        self.head.store(head + 1, Ordering::Release);
        Some(value)
    }
}

pub fn run(n: usize) -> bool {
    let ring = Ring::new();
    crate::two(n, &ring, |ring, turn| {
        for at in turn.operations() {
            if turn.me == 0 {
                while ring.push(at).is_err() {
                    yield_now();
                }
            } else {
                let value = loop {
                    match ring.pop() {
                        Some(value) => break value,
                        None => yield_now(),
                    }
                };
                assert_eq!(value, at);
            }
        }
    })
}
