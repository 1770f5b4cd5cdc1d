use instrumented_sync::{label, thread, Mutex};

static JOURNAL: Mutex<u32> = Mutex::new(0);

fn append() {
    *JOURNAL.lock().unwrap() += 1;
}

fn main() {
    label(&JOURNAL, "journal");
    let writer = thread::Builder::new().name("writer".into()).spawn(|| {
        let journal = JOURNAL.lock().unwrap();
        append();
        drop(journal);
    });
    writer.unwrap().join().unwrap();
}
