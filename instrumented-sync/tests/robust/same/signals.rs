//! A timer that interrupts recorded operations a thousand times in a second, wherever they are.

use super::{full, say};
use instrumented_sync::{Mutex, RwLock, label, thread};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

static SHARED: Mutex<u64> = Mutex::new(0);
static READ: RwLock<u64> = RwLock::new(0);
static HANDLER: Mutex<u64> = Mutex::new(0);
static N_TICKS: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn tick(_: libc::c_int) {
    N_TICKS.fetch_add(1, Relaxed);
    if let Ok(mut n) = HANDLER.try_lock() {
        *n += 1;
        drop(SHARED.try_lock());
        drop(READ.try_read());
        let fresh = Mutex::new(0);
        drop(fresh.try_lock());
    }
}

fn every(microseconds: libc::suseconds_t) {
    let time = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: a valid timer, and nobody asks for the old one.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

fn work(n: u64) {
    for round in 0_u64.. {
        *SHARED.lock().unwrap() += 1;
        drop((READ.read().unwrap(), round));
        if round % 64 == n {
            // Cold paths: objects, labels, threads, sites.
            let fresh = Mutex::new(round);
            label(&fresh, "fresh");
            drop(fresh.lock().unwrap());
            *READ.write().unwrap() += 1;
            thread::spawn(|| *SHARED.lock().unwrap() += 1).join().unwrap();
        }
        if STOP.load(Relaxed) {
            break;
        }
    }
}

pub(crate) fn ticking() {
    let handler: extern "C" fn(libc::c_int) = tick;
    // SAFETY: all zeros are a valid action; the handler locks nothing that it could wait for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()), 0);
    }
    every(1000);
    let start = Instant::now();
    let time = Duration::from_secs(if full() { 20 } else { 2 });
    let workers: Vec<_> = (0..3).map(|n| thread::spawn(move || work(n))).collect();
    while start.elapsed() < time || N_TICKS.load(Relaxed) < 100 {
        *SHARED.lock().unwrap() += 1;
        drop(READ.write().unwrap());
    }
    STOP.store(true, Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    every(0);
    say("ticked");
}
