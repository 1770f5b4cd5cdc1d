//! Programs in trouble: killed, forked, unwound, interrupted, full up. Each is this test binary, run again with a
//! part to play; what it recorded is read by [`support`].
#![cfg(recorded)]
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

mod access;
mod atomic;
mod channels;
mod directory;
mod drain;
mod ends;
mod fork;
mod holds;
mod kill;
mod limit;
mod nested;
mod process;
mod same;
mod secure;
mod signal;
mod stack;
mod threads;
mod unload;

/// The parts that [`child`] can play.
const ROLES: &[(&str, fn())] = &[
    ("access::forks", access::forks),
    ("access::interrupted", access::interrupted),
    ("access::many_threads", access::many_threads),
    ("atomic::forks", atomic::forks),
    ("atomic::interrupted", atomic::interrupted),
    ("atomic::numbered", atomic::numbered),
    ("channels::made_before", channels::made_before),
    ("channels::made_here", channels::made_here),
    ("directory::goes_on", directory::goes_on),
    ("directory::goes_on_without_privileges", directory::goes_on_without_privileges),
    ("directory::is_refused", directory::is_refused),
    ("directory::locks_once", directory::locks_once),
    ("directory::without_privileges", directory::without_privileges),
    ("drain::drains_itself", drain::drains_itself),
    ("ends::detached", ends::detached),
    ("ends::in_destructors", ends::in_destructors),
    ("ends::in_foreign_destructors", ends::in_foreign_destructors),
    ("ends::unwinds", ends::unwinds),
    ("fork::beside_names", fork::beside_names),
    ("fork::child_goes_on", fork::child_goes_on),
    ("fork::grandchild_goes_on", fork::grandchild_goes_on),
    ("fork::under_fire", fork::under_fire),
    ("holds::many", holds::many),
    ("kill::numbered", kill::numbered),
    ("limit::works", limit::works),
    ("nested::waits", nested::waits),
    ("process::clears", process::clears),
    ("process::forks_and_executes", process::forks_and_executes),
    ("process::forks_by_number", process::forks_by_number),
    ("process::forks_in_a_row", process::forks_in_a_row),
    ("process::forks_in_handlers", process::forks_in_handlers),
    ("process::forks_of_forks", process::forks_of_forks),
    ("process::from_many_threads", process::from_many_threads),
    ("process::kills", process::kills),
    ("process::never_hears", process::never_hears),
    ("process::reads", process::reads),
    ("process::works", process::works),
    ("secure::locks", secure::locks),
    ("signal::interrupted", signal::interrupted),
    ("stack::begins", stack::begins),
    ("stack::goes_on", stack::goes_on),
    ("threads::at_once", threads::at_once),
    ("threads::one_after_another", threads::one_after_another),
    ("unload::unloads", unload::unloads),
];

/// Plays a part if the environment names one, and is nothing otherwise.
#[test]
fn child() {
    support::program::play(&[ROLES, same::ROLES].concat());
}
