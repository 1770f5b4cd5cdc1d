use instrumented_sync::{mpsc, thread, Arc, Condvar, Mutex};
use std::{process::exit, time::Duration};

/// Eight workers wait for work that comes late; nothing is wrong.
fn main() {
    let (send, receive) = mpsc::channel::<u32>();
    let receive = Arc::new(Mutex::new(receive));
    let state = Arc::new((Mutex::new(0), Condvar::new()));
    let mut workers = Vec::new();
    for _ in 0..4 {
        let receive = Arc::clone(&receive);
        workers.push(thread::spawn(move || while receive.lock().unwrap().recv().is_ok() {}));
        let state = Arc::clone(&state);
        workers.push(thread::spawn(move || {
            let (done, changed) = &*state;
            let mut done = done.lock().unwrap();
            while *done == 0 {
                done = changed.wait(done).unwrap();
            }
        }));
    }
    std::thread::sleep(Duration::from_secs(3));
    for n in 0..100 {
        send.send(n).unwrap();
    }
    drop(send);
    *state.0.lock().unwrap() = 1;
    state.1.notify_all();
    for worker in workers {
        worker.join().unwrap();
    }
    exit(7);
}
