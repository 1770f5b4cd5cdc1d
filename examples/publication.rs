//! A value that is published too weakly: the flag says that it is there, and orders nothing.
//!
//! On this machine the reader sees the value each time. On another one, or with another compiler, it need not; and what the
//! language says of two accesses that nothing orders is that anything may happen.
//!
//! ```sh
//! cargo deadlock-check run -- cargo run --quiet --example publication
//! ```

use instrumented_sync::{
    atomic::{AtomicBool, Ordering},
    cell::RaceCell,
    label, thread,
};

static ANSWER: RaceCell<u32> = RaceCell::new(0);
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

fn main() {
    label(&ANSWER, "answer");
    thread::scope(|scope| {
        let _thinker = thread::Builder::new().name("thinker".to_owned()).spawn_scoped(scope, think);
        let _asker = thread::Builder::new().name("asker".to_owned()).spawn_scoped(scope, ask);
    });
}

fn think() {
    // SAFETY: nobody reads it before it is known. (The bug: that orders nothing.)
    unsafe { ANSWER.write(42) };
    // Relaxed: the bug. Release would publish what was written before.
    IS_KNOWN.store(true, Ordering::Relaxed);
}

fn ask() -> u32 {
    // Acquire: pairs with the store, if that released.
    while !IS_KNOWN.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    // SAFETY: it is known, and not written again.
    unsafe { ANSWER.read() }
}
