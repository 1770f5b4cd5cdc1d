//! Locks of `parking_lot` instead of std's: one import is another one.
//!
//! **What is wrong:** `finish` locks the queue and then the statistics, `report` the statistics and then the queue.
//!
//! **What is reported:** one `lock-order` finding, `possible`: a raw lock does not know what is done to its data, so nothing
//! rules out that what one of them saw there kept it from meeting the other.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example parked_jobs
//! ```

use instrumented_sync::{
    label,
    parking_lot::{Mutex, RwLock},
    thread,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

#[derive(Default)]
struct Jobs {
    queue: Mutex<VecDeque<u32>>,
    done: RwLock<Vec<u32>>,
}

impl Jobs {
    fn finish(&self) {
        let mut queue = self.queue.lock();
        if let Some(job) = queue.pop_front() {
            self.done.write().push(job);
        }
    }

    fn report(&self) -> usize {
        let done = self.done.read();
        done.len() + self.queue.lock().len()
    }
}

fn main() -> std::io::Result<()> {
    let jobs = Arc::new(Jobs::default());
    label(&jobs.queue, "queue");
    label(&jobs.done, "done");
    jobs.queue.lock().extend(0..10);

    let shared = Arc::clone(&jobs);
    let worker = thread::Builder::new().name("worker".into()).spawn(move || (0..10).for_each(|_| shared.finish()))?;
    thread::sleep(Duration::from_millis(200));
    let reporter = thread::Builder::new().name("reporter".into()).spawn(move || jobs.report())?;

    let _worked = worker.join();
    let _n = reporter.join();
    Ok(())
}
