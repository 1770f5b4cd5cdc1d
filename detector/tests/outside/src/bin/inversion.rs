use instrumented_sync::{thread, Mutex};
use std::time::Duration;

fn forwards(a: &Mutex<u32>, b: &Mutex<u32>) {
    let a = a.lock().unwrap();
    let b = b.lock().unwrap();
    assert_eq!(*a + *b, 3);
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
    println!("out");
    eprintln!("err");
}
