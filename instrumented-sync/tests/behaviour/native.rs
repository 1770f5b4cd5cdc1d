//! The cases with `std` as their root.

use std::{sync, thread};

#[path = "barrier.rs"]
mod barrier;
#[path = "cell.rs"]
mod cell;
#[path = "channel.rs"]
mod channel;
#[path = "condvar.rs"]
mod condvar;
#[path = "contention.rs"]
mod contention;
#[path = "contents.rs"]
mod contents;
#[path = "debug.rs"]
mod debug;
#[path = "lock.rs"]
mod lock;
#[path = "once.rs"]
mod once;
#[path = "poison.rs"]
mod poison;
#[path = "start.rs"]
mod start;
#[path = "unwind.rs"]
mod unwind;
