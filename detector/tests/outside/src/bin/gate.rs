use instrumented_sync::{thread, Arc, Mutex};
use std::time::Duration;

fn main() {
    let (a, b) = outside::two();
    let gate = Arc::new(Mutex::new(()));
    let (a2, b2, gate2) = (a.clone(), b.clone(), gate.clone());
    let first = thread::spawn(move || {
        let _gate = gate2.lock().unwrap();
        let _a = a2.lock().unwrap();
        let _b = b2.lock().unwrap();
    });
    thread::sleep(Duration::from_millis(200));
    let second = thread::spawn(move || {
        let _gate = gate.lock().unwrap();
        let _b = b.lock().unwrap();
        let _a = a.lock().unwrap();
    });
    first.join().unwrap();
    second.join().unwrap();
}
