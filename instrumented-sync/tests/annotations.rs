//! Annotations of the program's own primitives and of signal handlers: harmless when off, exact when recorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "the helpers of tests fail like tests"
)]

use instrumented_sync::{
    resource::{Mode, Resource},
    signal,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(recorded)]
#[path = "support/mod.rs"]
mod support;

#[cfg(recorded)]
#[path = "annotations/recorded.rs"]
mod recorded;

/// Plays a part if the environment names one, and is nothing otherwise.
#[cfg(recorded)]
#[test]
fn child() {
    support::program::play(recorded::ROLES);
}

/// Says everything that can be said of a resource. Returns the numbers of its two notifies.
fn says_everything(resource: &Resource) -> (u64, u64) {
    drop(resource.acquired(Mode::Exclusive));
    let holding = resource.request(Mode::Exclusive).acquired();
    drop(holding);
    let shared = [resource.acquired(Mode::Shared), resource.request(Mode::Shared).acquired()];
    drop(shared);
    drop(resource.request(Mode::Exclusive));
    drop(resource.request(Mode::Shared));
    drop(resource.acquired(Mode::Exclusive));
    let numbers = (resource.notify(1), resource.notify(3));
    resource.wait().woken_by(numbers.0);
    resource.wait_timed().woken_by(numbers.1);
    drop(resource.wait());
    drop(resource.wait_timed());
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        let _holding = resource.acquired(Mode::Exclusive);
        std::panic::panic_any("thrown");
    }));
    assert!(thrown.is_err());
    numbers
}

#[test]
fn annotations_change_nothing() {
    assert_eq!(says_everything(&Resource::new("unrecorded")), (0, 0), "this process is not recorded");
    assert_eq!(signal::section(2, || signal::section(3, || "inner")), "inner");
    let thrown = catch_unwind(|| signal::section(2, || std::panic::panic_any("thrown")));
    assert_eq!(thrown.unwrap_err().downcast_ref::<&str>(), Some(&"thrown"));
}
