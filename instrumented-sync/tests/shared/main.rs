//! Locks in shared memory, between real processes: counted under, killed under, forked, executed over, and lied to.
//!
//! Other processes are this test binary, run again with a part to play.
#![cfg(shared)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "programs made for tests fail like tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod kill;
mod mutex;
mod region;
mod rwlock;

#[cfg(recorded)]
mod fork;
#[cfg(recorded)]
mod recorded;

use instrumented_sync::process::shared::Region;
use std::{
    env,
    os::{fd::AsFd, unix::fs::FileExt},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};
use support::program::{self, Running};
use trace_format::TRACE_VARIABLE;

/// The parts that [`child`] can play.
const ROLES: &[(&str, fn())] = &[
    #[cfg(recorded)]
    ("fork::drops_guards", fork::drops_guards),
    #[cfg(recorded)]
    ("fork::executed", fork::executed),
    #[cfg(recorded)]
    ("fork::executes", fork::executes),
    #[cfg(recorded)]
    ("fork::executes_itself", fork::executes_itself),
    #[cfg(recorded)]
    ("fork::inherits", fork::inherits),
    #[cfg(recorded)]
    ("fork::interrupted", fork::interrupted),
    ("kill::works", kill::works),
    ("mutex::counts", mutex::counts),
    ("mutex::executes", mutex::executes),
    ("mutex::holds", mutex::holds),
    #[cfg(recorded)]
    ("recorded::takes_over", recorded::takes_over),
    #[cfg(recorded)]
    ("recorded::reads_and_writes", recorded::reads_and_writes),
    ("rwlock::keeps_two_equal", rwlock::keeps_two_equal),
    ("rwlock::reads", rwlock::reads),
    ("rwlock::wants_to_write", rwlock::wants_to_write),
    ("rwlock::writes", rwlock::writes),
];

/// Names the region that a part plays in.
const REGION: &str = "INSTRUMENTED_SYNC_TEST_REGION";

/// Long enough for what is noticed "within a second", on a machine that is busy.
const SOON: Duration = Duration::from_secs(10);

/// Plays a part if the environment names one, and is nothing otherwise.
#[test]
fn child() {
    program::play(ROLES);
}

/// A region of this test, gone when it is dropped.
struct Named(String);

impl Named {
    fn new() -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        // Relaxed: a number.
        Self(format!("instrumented-sync-test-{}-{}", std::process::id(), N.fetch_add(1, Relaxed)))
    }

    fn open(&self) -> Region {
        Region::named(&self.0, 1 << 16).unwrap()
    }

    /// Another process that plays a part in it; nothing is recorded.
    fn start(&self, role: &str) -> Running {
        program::start(&mut self.command(role))
    }

    fn command(&self, role: &str) -> Command {
        let mut command = program::command(role, "nowhere".as_ref());
        command.env(REGION, &self.0).env_remove(TRACE_VARIABLE);
        command
    }

    /// Starts a process and waits until it says that it is there.
    fn start_and_hear(&self, role: &str) -> Running {
        let mut running = self.start(role);
        assert!(running.heard("here"), "the other process has ended");
        running
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _gone = Region::remove(&self.0);
    }
}

/// The region that this process plays its part in.
fn own_region() -> Region {
    Region::named(&env::var(REGION).unwrap(), 1 << 16).unwrap()
}

/// Says that this process is where it was to come, and stays there until it is killed or told to go on.
fn stay() {
    program::tell("here");
    program::wait_for_go();
}

/// Where the first object of a region lies.
const FIRST_OBJECT: u64 = 16448;

/// The bytes behind a region, for who does not keep to the protocol.
fn file_of(region: &Region) -> std::fs::File {
    region.as_fd().try_clone_to_owned().unwrap().into()
}

fn write_word(region: &Region, offset: u64, word: u64) {
    file_of(region).write_all_at(&word.to_le_bytes(), offset).unwrap();
}

fn read_word(region: &Region, offset: u64) -> u64 {
    let mut word = [0; 8];
    file_of(region).read_exact_at(&mut word, offset).unwrap();
    u64::from_le_bytes(word)
}

/// Waits for something that another thread or process is about to bring about. In vain, it ends the whole process: a panic would
/// wait for threads of a scope that wait for what did not come.
#[allow(clippy::print_stderr, reason = "nobody is left to say it")]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() >= program::LIMIT {
            eprintln!("in vain: {what}");
            std::process::abort();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
