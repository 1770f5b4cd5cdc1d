//! A program to record: threads that take locks in each other, millions of times, and two of them two locks the wrong way
//! round. Two others meet now and then.

use super::generate::Random;
use instrumented_sync::{Barrier, Mutex, RwLock, thread};
use std::sync;

/// Threads that lock.
const N_THREADS: u64 = 4;

/// Locks that all of them take.
const N_SHARED: usize = 16;

/// Locks that one of them takes.
const N_OWN: usize = 4;

/// Events that one round of a thread leaves: three locks taken and given back, and a map read in most rounds, written in
/// others.
const EVENTS_PER_ROUND: u64 = 8;

/// Rounds between two meetings.
const ROUNDS_APART: u64 = 64;

/// Does what leaves about `n_events` events.
pub(crate) fn record(n_events: u64) {
    let shared: Vec<Mutex<u64>> = (0..N_SHARED).map(|_| Mutex::new(0)).collect();
    let map = RwLock::new(0);
    let (left, right) = (Mutex::new(0), Mutex::new(0));
    // Not recorded, so that it orders nothing.
    let done = sync::Barrier::new(2);
    let meeting = Barrier::new(2);
    thread::scope(|scope| {
        for number in 0..N_THREADS {
            let (shared, map, left, right, done) = (&shared, &map, &left, &right, &done);
            let meeting = (number >= 2).then_some(&meeting);
            scope.spawn(move || {
                if number == 0 {
                    *left.lock().unwrap() += *right.lock().unwrap();
                    done.wait();
                }
                work(number, n_events / EVENTS_PER_ROUND / N_THREADS, shared, map, meeting);
                if number == 1 {
                    done.wait();
                    *right.lock().unwrap() += *left.lock().unwrap();
                }
            });
        }
    });
}

fn work(number: u64, n_rounds: u64, shared: &[Mutex<u64>], map: &RwLock<u64>, meeting: Option<&Barrier>) {
    let own: Vec<Mutex<u64>> = (0..N_OWN).map(|_| Mutex::new(0)).collect();
    let mut random = Random(number);
    for round in 0..n_rounds {
        if let Some(meeting) = meeting.filter(|_| round % ROUNDS_APART == 0) {
            meeting.wait();
        }
        let mut pick = |n: usize| random.below(n as u64) as usize;
        let (first, second, third) = (pick(N_OWN), pick(N_SHARED - 1), pick(16));
        let mut outer = own[first].lock().unwrap();
        let mut inner = shared[second].lock().unwrap();
        *inner += 1;
        if third == 0 {
            *map.write().unwrap() += round;
        } else {
            *outer += *map.read().unwrap();
        }
        *shared[N_SHARED - 1].lock().unwrap() += *inner;
    }
}
