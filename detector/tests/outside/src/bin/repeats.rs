use instrumented_sync::{thread, Mutex};
use std::time::Duration;

fn forwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    for _ in 0..100 {
        let _a = a.lock().unwrap();
        let _b = b.lock().unwrap();
    }
}

fn backwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    for _ in 0..100 {
        let _b = b.lock().unwrap();
        let _a = a.lock().unwrap();
    }
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
