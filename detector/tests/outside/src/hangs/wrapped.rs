//! What happens once, and barriers.

use crate::line_up::start;
use instrumented_sync::{label, Arc, Barrier, Mutex, Once, OnceLock};
use std::sync::Barrier as Meeting;

/// The initialisation asks for what it initialises.
pub fn once_again() {
    static SETUP: Once = Once::new();
    fn set_up() {
        SETUP.call_once(set_up); // the set-up calls itself
    }
    start("initialiser", || SETUP.call_once(set_up)).join().unwrap(); // the first call
}

/// The same with a value.
pub fn cell_again() {
    static CONFIG: OnceLock<u32> = OnceLock::new();
    fn read() -> u32 {
        *CONFIG.get_or_init(|| 1) // read asks for the config
    }
    let reader = start("reader", || *CONFIG.get_or_init(read)); // the config asks for read
    assert_eq!(reader.join().unwrap(), 1);
}

/// One holds the lock and waits for the initialisation, the other one initialises and waits for the lock.
pub fn once_and_lock() {
    static INDEX: OnceLock<u32> = OnceLock::new();
    let pages = Arc::new(Mutex::new(1));
    label(&*pages, "pages");
    let met = Arc::new(Meeting::new(2));
    let editor = {
        let (pages, met) = (pages.clone(), met.clone());
        start("editor", move || {
            let mut page = pages.lock().unwrap(); // the editor holds the pages
            met.wait();
            *page += INDEX.get_or_init(|| 0); // the editor wants the index
        })
    };
    let indexer = start("indexer", move || {
        INDEX.get_or_init(|| {
            met.wait();
            *pages.lock().unwrap() // the indexer wants the pages
        });
    });
    editor.join().unwrap();
    indexer.join().unwrap();
}

/// Three are expected, two were started.
pub fn missing_party() {
    let round = Arc::new(Barrier::new(3));
    let players = ["white", "black"].map(|name| {
        let round = round.clone();
        start(name, move || {
            round.wait(); // a player waits
        })
    });
    for player in players {
        player.join().unwrap();
    }
}
