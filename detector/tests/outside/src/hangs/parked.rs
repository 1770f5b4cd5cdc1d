//! Locks of parking_lot.

use crate::line_up::{start, Blocking};
use instrumented_sync::{
    label,
    parking_lot::{Condvar, Mutex, Once, RwLock, RwLockUpgradableReadGuard},
};
use std::sync::{Arc, Barrier};

pub fn parked_ab_ba() {
    let (alpha, beta) = (Arc::new(Mutex::new(1)), Arc::new(Mutex::new(2)));
    label(&*alpha, "alpha");
    label(&*beta, "beta");
    let met = Arc::new(Barrier::new(2));
    let left = {
        let (alpha, beta, met) = (alpha.clone(), beta.clone(), met.clone());
        start("left", move || {
            let mut alpha = alpha.lock_arc(); // left holds alpha
            met.wait();
            *alpha += *beta.lock(); // left wants beta
        })
    };
    let right = start("right", move || {
        let beta = beta.lock(); // right holds beta
        met.wait();
        *alpha.lock() += *beta; // right wants alpha
    });
    left.join().unwrap();
    right.join().unwrap();
}

/// The second read queues behind the writer; a recursive one would not.
pub fn parked_read_again() {
    let table = Arc::new(RwLock::new(0));
    label(&*table, "table");
    let (reading, writing) = (Arc::new(Barrier::new(2)), Arc::new(Blocking::default()));
    let reader = {
        let (table, reading, writing) = (table.clone(), reading.clone(), writing.clone());
        start("reader", move || {
            let first = table.read(); // the reader holds the table
            reading.wait();
            writing.wait_until_asleep();
            assert_eq!(*first, *table.read_recursive());
            let second = table.read(); // the reader wants the table
            assert_eq!(*first, *second);
        })
    };
    let writer = start("writer", move || {
        reading.wait();
        writing.begins();
        *table.write() += 1; // the writer wants the table
    });
    reader.join().unwrap();
    writer.join().unwrap();
}

/// The editor waits for the reader to go, and the reader for what the editor holds.
pub fn parked_upgrade() {
    let (page, index) = (Arc::new(RwLock::new(0)), Arc::new(Mutex::new(0)));
    label(&*page, "page");
    label(&*index, "index");
    let met = Arc::new(Barrier::new(2));
    let editor = {
        let (page, index, met) = (page.clone(), index.clone(), met.clone());
        start("editor", move || {
            let _index = index.lock(); // the editor holds the index
            let page = page.upgradable_read();
            met.wait();
            *RwLockUpgradableReadGuard::upgrade(page) += 1; // the editor wants to write
        })
    };
    let reader = start("reader", move || {
        let page = page.read(); // the reader holds the page
        met.wait();
        *index.lock() += *page; // the reader wants the index
    });
    editor.join().unwrap();
    reader.join().unwrap();
}

/// Nobody looks at a condition, and the notify comes first.
pub fn parked_early_notify() {
    let door = Arc::new((Mutex::new(()), Condvar::new()));
    label(&door.1, "door opened");
    let opener = {
        let door = door.clone();
        start("opener", move || {
            let _door = door.0.lock();
            assert!(!door.1.notify_one()); // the early notify
        })
    };
    opener.join().unwrap();
    let guest = start("guest", move || {
        let mut closed = door.0.lock();
        door.1.wait(&mut closed); // the guest waits
    });
    guest.join().unwrap();
}

/// The same in another version, whose condition variable does not pass on who calls it.
pub fn parked_early_notify_013() {
    use instrumented_sync::parking_lot_013::{Condvar, Mutex};

    let door = Arc::new((Mutex::new(()), Condvar::new()));
    label(&door.1, "door opened");
    let opener = {
        let door = door.clone();
        start("opener", move || {
            let _door = door.0.lock();
            assert!(!door.1.notify_one()); // the other notify
        })
    };
    opener.join().unwrap();
    let guest = start("guest", move || {
        let mut closed = door.0.lock();
        door.1.wait(&mut closed); // the other guest waits
    });
    guest.join().unwrap();
}

/// The initialisation asks for what it initialises.
pub fn parked_once_again() {
    static SETUP: Once = Once::new();
    fn set_up() {
        SETUP.call_once(set_up); // the set-up calls itself
    }
    start("initialiser", || SETUP.call_once(set_up)).join().unwrap(); // the first call
}
