//! A program that starts itself again: both processes write into one trace.
//!
//! **What is wrong:** in the parent, `index` and `journal` are taken in opposite orders; in the child, `queue` and
//! `workers` are. The two processes have nothing to do with each other: that both have locks at the same
//! addresses, or with the same numbers, must not confuse them.
//!
//! **What is reported:** two `lock-order` findings, each naming its own process.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example two_processes
//! ```

use instrumented_sync::{Arc, Mutex, PoisonError, label, thread};
use std::{io, process::Command, time::Duration};

const CHILD: &str = "child";

fn lock_both(first: &Mutex<u32>, second: &Mutex<u32>) {
    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
    *first += *second.lock().unwrap_or_else(PoisonError::into_inner);
}

/// Takes two locks in one order, and later, in another thread, in the other.
fn invert(names: [&str; 2], threads: [&str; 2]) -> io::Result<()> {
    let locks = Arc::new([Mutex::new(1), Mutex::new(2)]);
    for (lock, name) in locks.iter().zip(names) {
        label(lock, name);
    }
    let mut started = Vec::new();
    for (turn, name) in threads.into_iter().enumerate() {
        let locks = Arc::clone(&locks);
        let thread = thread::Builder::new().name(name.into());
        started.push(thread.spawn(move || lock_both(&locks[turn], &locks[1 - turn]))?);
        thread::sleep(Duration::from_millis(200));
    }
    for thread in started {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return invert(["queue", "workers"], ["enqueue", "resize"]);
    }
    let mut child = Command::new(std::env::current_exe()?).arg(CHILD).spawn()?;
    invert(["index", "journal"], ["insert", "compact"])?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the child failed")) }
}
