//! Condition variables and parking.

use crate::line_up::{start, Blocking};
use instrumented_sync::{label, thread, Arc, Condvar, Mutex};
use std::sync::Barrier;

/// Nobody looks at a condition, and the notify comes first.
pub fn early_notify() {
    let door = Arc::new((Mutex::new(()), Condvar::new()));
    label(&door.1, "door opened");
    let opener = {
        let door = door.clone();
        start("opener", move || {
            let _door = door.0.lock().unwrap();
            door.1.notify_one(); // the early notify
        })
    };
    opener.join().unwrap();
    let guest = start("guest", move || {
        let closed = door.0.lock().unwrap();
        drop(door.1.wait(closed).unwrap()); // the guest waits
    });
    guest.join().unwrap();
}

/// Something else takes the token.
pub fn early_unpark() {
    fn flush() {
        thread::park(); // flush takes the token
    }
    let worker = start("worker", || {
        flush();
        thread::park(); // the worker waits
    });
    worker.thread().unpark();
    worker.join().unwrap();
}

/// Who would notify needs a lock that the waiting thread keeps.
pub fn wait_under_lock() {
    let state = Arc::new(Mutex::new(0));
    let slot = Arc::new((Mutex::new(None), Condvar::new()));
    label(&*state, "state");
    label(&slot.1, "slot filled");
    let held = Arc::new(Barrier::new(2));
    let consumer = {
        let (state, slot, held) = (state.clone(), slot.clone(), held.clone());
        start("consumer", move || {
            let mut state = state.lock().unwrap(); // the consumer holds the state
            held.wait();
            let mut item = slot.0.lock().unwrap();
            while item.is_none() {
                item = slot.1.wait(item).unwrap(); // the consumer waits
            }
            *state += item.take().unwrap_or(0);
        })
    };
    let producer = start("producer", move || {
        held.wait();
        let state = state.lock().unwrap(); // the producer wants the state
        *slot.0.lock().unwrap() = Some(*state);
        slot.1.notify_one();
    });
    consumer.join().unwrap();
    producer.join().unwrap();
}

/// Woken, a thread takes the condition variable's mutex again, below what it holds.
pub fn lock_after_notify() {
    let journal = Arc::new(Mutex::new(0));
    let queue = Arc::new((Mutex::new(false), Condvar::new()));
    label(&*journal, "journal");
    label(&queue.0, "queue");
    let waiting = Arc::new(Blocking::default());
    let reader = {
        let (journal, queue, waiting) = (journal.clone(), queue.clone(), waiting.clone());
        start("reader", move || {
            let _journal = journal.lock().unwrap(); // the reader holds the journal
            let mut is_full = queue.0.lock().unwrap();
            waiting.begins();
            while !*is_full {
                is_full = queue.1.wait(is_full).unwrap(); // the reader wants the queue
            }
        })
    };
    let filler = start("filler", move || {
        waiting.wait_until_asleep();
        let mut is_full = queue.0.lock().unwrap(); // the filler holds the queue
        *is_full = true;
        queue.1.notify_one();
        *journal.lock().unwrap() += 1; // the filler wants the journal
    });
    reader.join().unwrap();
    filler.join().unwrap();
}
