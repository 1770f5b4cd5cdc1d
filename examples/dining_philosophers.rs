//! Five philosophers, five forks; each takes the left fork, then the right one.
//!
//! **What is wrong:** the forks form a ring. If all five take their left fork before anyone takes the right one,
//! nobody ever eats. No two of the philosophers alone can deadlock: the cycle has length five.
//!
//! **What happens here:** they come to the table one after the other, so every run completes.
//!
//! **What is reported:** one `lock-order` finding with five threads, five locks and five edges.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example dining_philosophers
//! ```

use instrumented_sync::{Arc, Mutex, PoisonError, label, thread};
use std::time::Duration;

const NAMES: [&str; 5] = ["Aristotle", "Buddha", "Confucius", "Descartes", "Epicurus"];

/// A fork remembers how often it was used.
type Fork = Mutex<u32>;

fn eat(left: &Fork, right: &Fork) {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    let mut right = right.lock().unwrap_or_else(PoisonError::into_inner);
    *left += 1;
    *right += 1;
}

fn main() -> std::io::Result<()> {
    let forks: Arc<Vec<Fork>> = Arc::new((0..NAMES.len()).map(|_| Mutex::new(0)).collect());
    for (n, fork) in forks.iter().enumerate() {
        label(fork, &format!("fork {n}"));
    }
    let mut philosophers = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        let forks = Arc::clone(&forks);
        let philosopher = thread::Builder::new().name((*name).into());
        philosophers.push(philosopher.spawn(move || eat(&forks[n], &forks[(n + 1) % forks.len()]))?);
        thread::sleep(Duration::from_millis(50));
    }
    for philosopher in philosophers {
        philosopher.join().map_err(|_| std::io::Error::other("a philosopher panicked"))?;
    }
    Ok(())
}
