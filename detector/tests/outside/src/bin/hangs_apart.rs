use instrumented_sync::{label, thread, Mutex};
use std::time::Duration;

static JOURNAL: Mutex<u32> = Mutex::new(0);

fn append() {
    *JOURNAL.lock().unwrap() += 1;
}

/// One thread waits for itself for ever; the others do not care, and the program ends after a while.
fn main() {
    label(&JOURNAL, "journal");
    let writer = thread::Builder::new().name("writer".into()).spawn(|| {
        let journal = JOURNAL.lock().unwrap();
        append();
        drop(journal);
    });
    drop(writer.unwrap());
    thread::sleep(Duration::from_secs(3));
    println!("done");
}
