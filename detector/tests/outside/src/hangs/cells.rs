//! Cells of once_cell.

use crate::line_up::start;
use instrumented_sync::once_cell::sync::{Lazy, OnceCell};
use std::sync::Barrier;

/// The initialisation asks for what it initialises, and would take an error for an answer.
pub fn once_cell_again() {
    static CONFIG: OnceCell<u32> = OnceCell::new();
    fn read() -> Result<u32, String> {
        Ok(*CONFIG.get_or_init(|| 1)) // read asks for the cell
    }
    let reader = start("reader", || *CONFIG.get_or_try_init(read).unwrap()); // the cell asks for read
    assert_eq!(reader.join().unwrap(), 1);
}

/// Each of the two asks for the other one, in a thread of its own.
pub fn lazy_cycle() {
    static MET: Barrier = Barrier::new(2);
    static WORDS: Lazy<usize> = Lazy::new(|| {
        MET.wait();
        *PAGES // the words want the pages
    });
    static PAGES: Lazy<usize> = Lazy::new(|| {
        MET.wait();
        *WORDS // the pages want the words
    });
    let counter = start("counter", || *WORDS); // the counter begins
    let printer = start("printer", || *PAGES); // the printer begins
    counter.join().unwrap();
    printer.join().unwrap();
}
