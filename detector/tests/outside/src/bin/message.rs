use instrumented_sync::{mpsc, thread};

fn main() {
    let (a, b) = outside::two();
    let (a2, b2) = (a.clone(), b.clone());
    let (sender, receiver) = mpsc::channel();
    let first = thread::spawn(move || {
        {
            let _a = a2.lock().unwrap();
            let _b = b2.lock().unwrap();
        }
        sender.send("done").unwrap();
    });
    let second = thread::spawn(move || {
        receiver.recv().unwrap();
        let _b = b.lock().unwrap();
        let _a = a.lock().unwrap();
    });
    first.join().unwrap();
    second.join().unwrap();
}
