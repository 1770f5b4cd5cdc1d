//! Many locks: alive at once, and one after the other.

use super::{full, say};
use crate::support::Trace;
use instrumented_sync::Mutex;
use std::fs;
use trace_format::Kind;

const N_ALIVE: usize = 100_000;

pub(crate) fn locks_alive() {
    let locks: Vec<_> = (0..N_ALIVE).map(Mutex::new).collect();
    let before = resident_bytes();
    for round in 0..2 {
        for lock in &locks {
            *lock.lock().unwrap() += round;
        }
    }
    say(locks.iter().enumerate().all(|(n, lock)| *lock.lock().unwrap() == n + 1));
    is_bounded(before);
}

fn n_short_lives() -> u64 {
    if full() { 10_000_000 } else { 300_000 }
}

/// Locks that are made, used once and dropped.
pub(crate) fn short_lives() {
    drop(Mutex::new(0).lock().unwrap());
    let before = resident_bytes();
    let mut sum = 0;
    for n in 0..n_short_lives() {
        let fresh = Mutex::new(n);
        sum += *fresh.lock().unwrap();
    }
    say(sum);
    is_bounded(before);
}

/// Memory of this process that is in use.
fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Sixteen full segments of a megabyte stay mapped, and the threads' own; the caches and the dictionary are small.
fn is_bounded(before: usize) {
    let grown = resident_bytes().saturating_sub(before);
    say(if grown < 40 << 20 { "bounded".to_owned() } else { format!("{grown} bytes more") });
}

pub(super) fn check(name: &str, trace: &Trace) {
    let (n_created, n_bytes) = (trace.count(Kind::CREATE), trace.n_bytes());
    let n = if name == "locks_alive" { N_ALIVE } else { n_short_lives() as usize };
    // CREATE and its extension, ACQUIRE, RELEASE, DESTROY, and TIME now and then.
    let per_lock = if name == "locks_alive" { 9 } else { 5 } * 16;
    if trace.n_lost() == 0 {
        assert!((n..n + 100).contains(&n_created), "{name}: {n_created} locks");
    }
    println!("{name}: {n_created} locks, {n_bytes} bytes, {} lost", trace.n_lost());
    assert!(n_bytes < n * per_lock * 11 / 10 + (4 << 20), "{name}: {n_bytes} bytes");
}
