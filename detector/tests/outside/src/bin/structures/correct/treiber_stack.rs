//! A stack without a lock. Nodes are freed when the stack is: what was popped waits for that on a list.

use instrumented_sync::{
    atomic::{AtomicPtr, Ordering},
    free_of, read_of, write_of, Mutex,
};
use std::{mem::ManuallyDrop, ptr, thread::yield_now};

struct Node<T> {
    value: ManuallyDrop<T>,
    next: *mut Node<T>,
}

pub struct Stack<T> {
    head: AtomicPtr<Node<T>>,
    popped: Mutex<Vec<*mut Node<T>>>,
}

unsafe impl<T: Send> Send for Stack<T> {}
unsafe impl<T: Send> Sync for Stack<T> {}

impl<T> Stack<T> {
    pub fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), popped: Mutex::new(Vec::new()) }
    }

    pub fn push(&self, value: T) {
        let node = Box::into_raw(Box::new(Node { value: ManuallyDrop::new(value), next: ptr::null_mut() }));
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            unsafe {
                write_of!((*node).next); // races
                (*node).next = head;
            }
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) { // store
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    pub fn pop(&self) -> Option<T> {
        let mut head = self.head.load(Ordering::Acquire);
        while !head.is_null() {
            let next = unsafe {
                read_of!((*head).next); // races too
                (*head).next
            };
            match self.head.compare_exchange_weak(head, next, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    let value = unsafe { ptr::read(&(*head).value) };
                    self.popped.lock().unwrap().push(head);
                    return Some(ManuallyDrop::into_inner(value));
                }
                Err(now) => head = now,
            }
        }
        None
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
        for node in self.popped.get_mut().unwrap().drain(..) {
            unsafe {
                free_of!(*node);
                drop(Box::from_raw(node));
            }
        }
    }
}

pub fn run(n: usize) -> bool {
    let stack = Stack::new();
    crate::two(n, &stack, |stack, turn| {
        for at in turn.operations() {
            // First one gives and the other one takes, so that they meet however the system schedules them; then both do both.
            let gives = if at < n / 2 { turn.me == 0 } else { at % 2 == 0 };
            if gives {
                stack.push(at);
            } else {
                while stack.pop().is_none() && at < n / 2 {
                    yield_now();
                }
            }
        }
    })
}
