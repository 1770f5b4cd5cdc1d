use instrumented_sync::{thread, Mutex};
use std::time::Duration;

#[inline(never)]
fn enter(mutex: &Mutex<u32>) -> instrumented_sync::MutexGuard<'_, u32> {
    outside::lock(mutex)
}

fn innocent(a: &Mutex<u32>) {
    let a = enter(a);
    assert_eq!(*a, 1);
}

fn guilty(a: &Mutex<u32>, b: &Mutex<u32>) {
    let a = enter(a);
    let b = b.lock().unwrap();
    assert_eq!(*a + *b, 3);
}

fn backwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    let b = b.lock().unwrap();
    let a = a.lock().unwrap();
    assert_eq!(*a + *b, 3);
}

/// The same lock is taken at the same stack depth by two callers; only the second is to blame.
fn main() {
    let (a, b) = outside::two();
    let (a2, b2) = (a.clone(), b.clone());
    let first = thread::spawn(move || {
        innocent(&a2);
        guilty(&a2, &b2);
    });
    thread::sleep(Duration::from_millis(200));
    let second = thread::spawn(move || backwards(&a, &b));
    first.join().unwrap();
    second.join().unwrap();
}
