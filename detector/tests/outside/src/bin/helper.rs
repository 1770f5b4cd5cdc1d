use instrumented_sync::{thread, Arc, Mutex};
use outside::lock;
use std::time::Duration;

type Lock = Arc<Mutex<u32>>;

fn deposit(a: &Lock, b: &Lock) {
    let _a = lock(a);
    let _b = lock(b);
}

fn withdraw(a: &Lock, b: &Lock) {
    let _b = lock(b);
    let _a = lock(a);
}

fn publish(a: &Lock, b: &Lock) {
    let _a = lock(a);
    let _b = lock(b);
}

fn revoke(a: &Lock, b: &Lock) {
    let _b = lock(b);
    let _a = lock(a);
}

fn invert(forwards: fn(&Lock, &Lock), backwards: fn(&Lock, &Lock)) {
    let (a, b) = outside::two();
    let (a2, b2) = (a.clone(), b.clone());
    let first = thread::spawn(move || forwards(&a2, &b2));
    thread::sleep(Duration::from_millis(100));
    let second = thread::spawn(move || backwards(&a, &b));
    first.join().unwrap();
    second.join().unwrap();
}

fn main() {
    invert(deposit, withdraw);
    invert(publish, revoke);
}
