use instrumented_sync::{thread, Mutex};
use std::time::Duration;

fn forwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    let _a = a.lock().unwrap();
    let _b = b.lock().unwrap();
}

fn backwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    let _b = b.lock().unwrap();
    let _a = a.lock().unwrap();
}

/// A hundred times the same bug, each time with two locks and two threads of its own.
fn main() {
    for _ in 0..100 {
        let (a, b) = outside::two();
        let (a2, b2) = (a.clone(), b.clone());
        let first = thread::spawn(move || forwards(&a2, &b2));
        thread::sleep(Duration::from_millis(2));
        while !first.is_finished() {
            thread::yield_now();
        }
        let second = thread::spawn(move || backwards(&a, &b));
        first.join().unwrap();
        second.join().unwrap();
    }
}
