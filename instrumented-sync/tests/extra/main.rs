//! The primitives that std lacks: what they do, in every build, and what they record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "a test fails where it stands"
)]

#[cfg(recorded)]
#[path = "../support/mod.rs"]
mod support;

mod behaviour;
mod edges;
#[cfg(recorded)]
mod recorded;

#[cfg(recorded)]
const ROLES: &[(&str, fn())] = &[
    ("behaves", behaviour::all),
    ("edges", edges::all),
    ("semaphore", recorded::semaphore),
    ("joint", recorded::joint),
    ("limiter", recorded::limiter),
    ("latch", recorded::latch),
    ("reentrant", recorded::reentrant),
    ("upgradable", recorded::upgradable),
    ("both_modes", recorded::both_modes),
    ("midway", recorded::midway),
    ("forked", recorded::forked),
];

/// Plays a part if the environment names one, and is nothing otherwise.
#[cfg(recorded)]
#[test]
fn child() {
    support::program::play(ROLES);
}
