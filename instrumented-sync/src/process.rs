//! Drop-in for `std::process`: starting child processes, waiting for them and ending them is recorded, the rest is std's own.
//!
//! A child that is started here, and swaps its imports as its parent does, records into the same trace: the report then
//! goes through all processes. Where nothing can be recorded, all of it is std's.

#[cfg(recorded)]
mod child;
#[cfg(recorded)]
mod command;
#[cfg(recorded)]
mod environment;
#[cfg(recorded)]
mod record;
#[cfg(shared)]
#[cfg_attr(not(recorded), allow(unsafe_code, reason = "memory of other processes is not the compiler's to know"))]
pub mod shared;

use crate::probe;

#[cfg(not(recorded))]
pub use std::process::*;
#[cfg(recorded)]
pub use {
    self::{child::Child, command::Command},
    std::process::{
        ChildStderr, ChildStdin, ChildStdout, CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio,
        Termination, abort, exit, id,
    },
};

/// Says what this process is to be called in reports: `consumer`, `worker 3`. The last one counts.
///
/// Without it a process is called by its program. A forked process has to say its own; so has what takes the place of this
/// program by `exec`. Does nothing while recording is off.
///
/// ```
/// use instrumented_sync::process;
///
/// process::set_role("consumer");
/// ```
pub fn set_role(role: &str) {
    probe::role(role);
}
