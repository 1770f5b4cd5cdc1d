use instrumented_sync::{thread, Mutex};
use std::time::Duration;

/// The guard of `a` is a temporary of the scrutinee: it lives to the end of the match.
fn forwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    match *a.lock().unwrap() {
        0 => {}
        n => {
            let b = b.lock().unwrap();
            assert_eq!(*b + n, 3);
        }
    } // dropped here
    thread::yield_now();
}

fn backwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    let b = b.lock().unwrap();
    let a = a.lock().unwrap();
    assert_eq!(*a + *b, 3);
}

fn main() {
    let (a, b) = outside::two();
    let (a2, b2) = (a.clone(), b.clone());
    let first = thread::spawn(move || forwards(&a2, &b2));
    thread::sleep(Duration::from_millis(200));
    let second = thread::spawn(move || backwards(&a, &b));
    first.join().unwrap();
    second.join().unwrap();
}
