use instrumented_sync::{thread, Arc, RwLock};
use std::time::Duration;

fn main() {
    let config = Arc::new(RwLock::new(1));
    let shared = config.clone();
    let reader = thread::spawn(move || {
        let outer = shared.read().unwrap();
        let inner = shared.read().unwrap();
        assert_eq!(*outer, *inner);
    });
    thread::sleep(Duration::from_millis(200));
    let writer = thread::spawn(move || *config.write().unwrap() += 1);
    reader.join().unwrap();
    writer.join().unwrap();
}
