use instrumented_sync::{mpsc, thread};

/// Ordered by a channel without a message, and by one without capacity.
fn main() {
    let (a, b) = outside::two();
    let (a2, b2) = (a.clone(), b.clone());
    let (sender, receiver) = mpsc::channel::<()>();
    let (rendezvous, arrived) = mpsc::sync_channel(0);
    let first = thread::spawn(move || {
        {
            let _a = a2.lock().unwrap();
            let _b = b2.lock().unwrap();
        }
        // Never used: that it is gone is the message.
        drop(sender);
        {
            let _a = a2.lock().unwrap();
            drop(_a);
        }
        arrived.recv().unwrap();
    });
    let second = thread::spawn(move || {
        receiver.recv().unwrap_err();
        {
            let _b = b.lock().unwrap();
            let _a = a.lock().unwrap();
        }
        rendezvous.send(()).unwrap();
    });
    first.join().unwrap();
    second.join().unwrap();
}
