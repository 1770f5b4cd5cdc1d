//! A wake-up that is lost: the notify comes before anybody waits.
//!
//! The worker waits without looking whether the job is there already. It hangs whenever `main` is faster, which is
//! seldom, until a loaded machine runs it; here `main` is always faster. `deadlock-check run` ends the program within a
//! second and shows both lines:
//!
//! ```sh
//! cargo deadlock-check run -- cargo run --quiet --example lost_wakeup
//! ```

use instrumented_sync::{Condvar, Mutex, label, thread};
use std::sync::PoisonError;

static JOB: Mutex<Option<&str>> = Mutex::new(None);
static JOB_IS_THERE: Condvar = Condvar::new();

fn main() {
    label(&JOB, "job");
    label(&JOB_IS_THERE, "job is there");
    give("count to three");
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(work);
    if let Ok(worker) = worker {
        let _ = worker.join();
    }
}

fn give(job: &'static str) {
    *JOB.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
    JOB_IS_THERE.notify_one();
}

fn work() {
    let job = JOB.lock().unwrap_or_else(PoisonError::into_inner);
    // The bug: whoever waits has to look at the condition first, as `wait_while` does.
    let mut job = JOB_IS_THERE.wait(job).unwrap_or_else(PoisonError::into_inner);
    job.take();
}
