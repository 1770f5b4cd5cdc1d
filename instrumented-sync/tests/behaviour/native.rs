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
#[path = "disconnect.rs"]
mod disconnect;
#[path = "lock.rs"]
mod lock;
#[path = "messages.rs"]
mod messages;
#[path = "once.rs"]
mod once;
#[path = "poison.rs"]
mod poison;
#[path = "start.rs"]
mod start;
#[path = "unwind.rs"]
mod unwind;
#[path = "wait.rs"]
mod wait;
