use instrumented_sync::{label, mpsc, thread, Mutex};
use std::io::Read;

static LEDGER: Mutex<u32> = Mutex::new(0);

/// Waits for work until its input ends.
fn main() {
    label(&LEDGER, "ledger");
    let (send, receive) = mpsc::channel::<()>();
    let waiter = thread::Builder::new().name("waiter".into()).spawn(move || {
        let _ledger = LEDGER.lock().unwrap();
        println!("ready");
        receive.recv().unwrap();
    });
    std::io::stdin().read_to_string(&mut String::new()).unwrap();
    send.send(()).unwrap();
    waiter.unwrap().join().unwrap();
    println!("done");
}
