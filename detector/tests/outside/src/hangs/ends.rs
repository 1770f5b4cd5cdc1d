//! Threads that are waited for, and threads that have ended.

use crate::line_up::start;
use instrumented_sync::{
    label,
    thread::{scope, Builder},
    Arc, Mutex,
};
use std::mem;

pub fn join_under_lock() {
    let shared = Arc::new(Mutex::new(0));
    label(&*shared, "shared");
    let mut sum = shared.lock().unwrap(); // the parent holds it
    let child = {
        let shared = shared.clone();
        start("child", move || *shared.lock().unwrap()) // the child wants it
    };
    *sum += child.join().unwrap(); // the parent joins
}

/// The child's closure is over, a variable of it is not.
pub fn destructor_under_lock() {
    static TOTAL: Mutex<u32> = Mutex::new(0);
    struct Count(u32);
    impl Drop for Count {
        fn drop(&mut self) {
            *TOTAL.lock().unwrap() += self.0; // the destructor wants it
        }
    }
    std::thread_local!(static COUNT: std::cell::RefCell<Count> = const { std::cell::RefCell::new(Count(0)) });
    label(&TOTAL, "total");
    let total = TOTAL.lock().unwrap(); // the summer holds it
    let child = start("child", || COUNT.with(|count| count.borrow_mut().0 += 1));
    child.join().unwrap(); // the summer joins
    drop(total);
}

pub fn scope_under_lock() {
    let shared = Mutex::new(0);
    label(&shared, "shared");
    let _sum = shared.lock().unwrap(); // the owner of the scope holds it
    scope(|scope| {
        let child = Builder::new().name("scoped".into());
        child.spawn_scoped(scope, || *shared.lock().unwrap() += 1).unwrap(); // the scoped thread wants it
    }); // the scope ends
}

pub fn leaked_guard() {
    let cache = Arc::new(Mutex::new(0));
    label(&*cache, "cache");
    let filler = {
        let cache = cache.clone();
        start("filler", move || {
            let mut entry = cache.lock().unwrap(); // the filler holds the cache
            *entry += 1;
            mem::forget(entry);
        })
    };
    filler.join().unwrap();
    let user = start("user", move || {
        assert_eq!(*cache.lock().unwrap(), 1); // the user wants the cache
    });
    user.join().unwrap();
}
