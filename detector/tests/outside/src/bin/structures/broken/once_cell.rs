//! A cell that is set once, with a lock that only those take who come early.

use instrumented_sync::{
    atomic::{AtomicBool, Ordering},
    cell::UnsafeCell,
    Mutex,
};

pub struct OnceCell<T> {
    is_set: AtomicBool,
    setting: Mutex<()>,
    value: UnsafeCell<Option<T>>,
}

unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    pub fn new() -> Self {
        Self { is_set: AtomicBool::new(false), setting: Mutex::new(()), value: UnsafeCell::new(None) }
    }

    pub fn get_or_init<R>(&self, init: impl FnOnce() -> T, f: impl FnOnce(&T) -> R) -> R {
        if !self.is_set.load(Ordering::Relaxed) { // load
            let _setting = self.setting.lock().unwrap();
            if !self.is_set.load(Ordering::Relaxed) {
                self.value.with_mut(|value| unsafe { *value = Some(init()) }); // races
                self.is_set.store(true, Ordering::Relaxed); // store
            }
        }
        self.value.with(|value| f(unsafe { (*value).as_ref().unwrap() })) // races too
    }
}

pub fn run(n: usize) -> bool {
    let cells: Vec<OnceCell<usize>> = (0..n).map(|_| OnceCell::new()).collect();
    crate::two(n, &cells, |cells, turn| {
        for at in turn.operations() {
            // The later one of the two mostly finds it set.
            cells[at].get_or_init(|| at, |value| assert_eq!(*value, at));
        }
    })
}
