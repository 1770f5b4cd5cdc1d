//! The surface with `std` as its root.
#![allow(dead_code, deprecated, unused_imports, unused_lifetimes, reason = "it is there to be compiled")]
#![allow(clippy::all, clippy::pedantic, reason = "std's declarations, not ours")]

use root::{process, sync, thread};
use std as root;

#[path = "surface/atomic.rs"]
mod atomic;
#[path = "surface/cell.rs"]
mod cell;
#[path = "surface/channel.rs"]
mod channel;
#[path = "surface/lock.rs"]
mod lock;
#[path = "surface/process.rs"]
mod processes;
#[path = "surface/shape.rs"]
mod shape;
#[path = "surface/shared.rs"]
mod shared;
#[path = "surface/thread.rs"]
mod threads;
#[path = "surface/wait.rs"]
mod wait;

/// The entries that were compiled.
pub(crate) fn keys() -> Vec<&'static str> {
    let threads = [threads::KEYS, threads::started::KEYS, threads::joined::KEYS].concat();
    [&atomic::keys(), cell::KEYS, channel::KEYS, lock::KEYS, processes::KEYS, shared::KEYS, &threads, wait::KEYS]
        .concat()
}
