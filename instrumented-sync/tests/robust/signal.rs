//! A signal handler that locks what it can, at any instruction of the thread it interrupts.

use crate::support::{
    Trace,
    program::{command, run},
    rules,
};
use instrumented_sync::{Mutex, RwLock, label, thread};
use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    time::{Duration, Instant},
};
use trace_format::Kind;

/// Signals that are sent at least, and at most; between them the time decides.
const N_SIGNALS_MIN: u64 = 1000;
const N_SIGNALS_MAX: u64 = 20_000;
const TIME: Duration = Duration::from_secs(2);

static MAIN: Mutex<u64> = Mutex::new(0);
static NESTED: RwLock<u64> = RwLock::new(0);
static HANDLER: Mutex<u64> = Mutex::new(0);
static N_HANDLED: AtomicU64 = AtomicU64::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);

extern "C" fn handle(_: libc::c_int) {
    let n = N_HANDLED.fetch_add(1, Relaxed);
    // Now and then more than the room that is kept for handlers.
    for _ in 0..if n % 64 == 0 { 40 } else { 1 } {
        if let Ok(mut guard) = HANDLER.try_lock() {
            *guard += 1;
            drop(MAIN.try_lock());
            drop(NESTED.try_read());
        }
    }
}

/// Sends itself signals from a second thread while it locks.
pub(crate) fn interrupted() {
    label(&MAIN, "main");
    label(&HANDLER, "handler");
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler is a function of this program; that it is not async-signal-safe by the book is what is
    // tested: it locks nothing that it could wait for.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    drop((MAIN.lock(), NESTED.read(), HANDLER.lock()));
    let sender = std::thread::spawn(move || {
        let start = Instant::now();
        while match N_HANDLED.load(Relaxed) {
            n if n < N_SIGNALS_MIN => true,
            n => n < N_SIGNALS_MAX && start.elapsed() < TIME,
        } {
            // SAFETY: the thread waits for this one below, so it lives.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            // Also let the thread get on between signals.
            (0..N_HANDLED.load(Relaxed) % 500).for_each(|_| std::hint::spin_loop());
            std::thread::yield_now();
        }
        STOPPED.store(true, SeqCst);
    });
    let mut n = 0_u64;
    while !STOPPED.load(SeqCst) {
        let guard = MAIN.lock().unwrap();
        drop(NESTED.write().unwrap());
        drop(guard);
        drop(NESTED.read().unwrap());
        n += 1;
        // Cold paths: new objects, new labels, threads.
        if n % 256 == 0 {
            let fresh = Mutex::new(n);
            label(&fresh, "fresh");
            drop(fresh.lock().unwrap());
        }
    }
    while !sender.is_finished() {
        thread::sleep(Duration::from_millis(1));
    }
    sender.join().unwrap();
}

#[test]
fn a_handler_that_locks_neither_hangs_nor_corrupts() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("signal::interrupted", dir.path()));
    let trace = Trace::only(dir.path());
    assert!(trace.header.exited && trace.n_lost() == 0);
    trace.threads.iter().for_each(rules::check_holds);
    rules::check_acquires(&trace);
    let (main, handler) = (trace.labelled("main"), trace.labelled("handler"));
    let thread = trace.threads.iter().max_by_key(|thread| thread.events.len()).unwrap();
    for object in [main, handler] {
        let events = thread.on(object, &[Kind::ACQUIRE, Kind::RELEASE]);
        for pair in events.chunks(2) {
            assert_eq!([pair[0].kind(), pair[1].kind()], [Kind::ACQUIRE, Kind::RELEASE]);
            assert_eq!(pair[0].seq(), pair[1].seq());
        }
        assert!(events.len() as u64 > N_SIGNALS_MIN / 2, "{} events", events.len());
    }
    assert!(trace.slots().iter().all(|slot| slot.n_holds == 0));
}
