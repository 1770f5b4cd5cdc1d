//! The cases with `std` as their root.

use std::{process, sync, thread};

#[path = "atomic.rs"]
mod atomic;
#[path = "barrier.rs"]
mod barrier;
#[path = "cell.rs"]
mod cell;
#[path = "channel.rs"]
mod channel;
#[path = "process.rs"]
mod child_processes;
#[path = "condvar.rs"]
mod condvar;
#[path = "contention.rs"]
mod contention;
#[path = "contents.rs"]
mod contents;
#[path = "debug.rs"]
mod debug;
#[path = "disconnect.rs"]
mod disconnect;
#[path = "downgrade.rs"]
mod downgrade;
#[path = "initialise.rs"]
mod initialise;
#[path = "lazy.rs"]
mod lazy;
#[path = "local.rs"]
mod local;
#[path = "lock.rs"]
mod lock;
#[path = "messages.rs"]
mod messages;
#[path = "once.rs"]
mod once;
#[path = "park.rs"]
mod park;
#[path = "poison.rs"]
mod poison;
#[path = "scope.rs"]
mod scope;
#[path = "spawn.rs"]
mod spawn;
#[path = "start.rs"]
mod start;
#[path = "unchecked.rs"]
mod unchecked;
#[path = "unwind.rs"]
mod unwind;
#[path = "wait.rs"]
mod wait;
