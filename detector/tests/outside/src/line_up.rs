//! Threads by name, and how the others know that one of them is blocked. Nothing here is recorded but the threads.

use instrumented_sync::thread::{Builder, JoinHandle};
use std::{fs, sync::OnceLock, thread::sleep, time::Duration};

pub fn start<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().name(name.into()).spawn(run).unwrap()
}

/// A thread that is about to block.
#[derive(Debug, Default)]
pub struct Blocking(OnceLock<String>);

impl Blocking {
    /// Nobody is about to block yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The calling thread is about to block.
    pub fn begins(&self) {
        // The link leads to `PID/task/TID`.
        let link = fs::read_link("/proc/thread-self").unwrap();
        self.0.set(format!("/proc/{}/status", link.display())).unwrap();
    }

    /// Returns when that thread sleeps and is not woken for a while.
    pub fn wait_until_asleep(&self) {
        let mut before = None;
        loop {
            let now = self.0.get().and_then(|path| sleeping(path));
            if now.is_some() && now == before {
                return;
            }
            before = now;
            sleep(Duration::from_millis(30));
        }
    }
}

/// How often the thread has gone to sleep, if it does sleep.
fn sleeping(path: &str) -> Option<String> {
    let status = fs::read_to_string(path).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_asleep = field("State:")?.starts_with('S');
    is_asleep.then(|| field("voluntary_ctxt_switches:").map(str::to_owned))?
}
