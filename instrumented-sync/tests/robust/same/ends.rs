//! Ends that are none: in the middle of recorded operations of this thread and of others.

use super::say;
use instrumented_sync::{Mutex, RwLock, thread};
use std::sync::{Arc, Barrier};

static SHARED: RwLock<u64> = RwLock::new(0);

/// Threads that lock for ever, each past its first round.
fn busy_threads() {
    let all_here = Arc::new(Barrier::new(5));
    for n in 0..4 {
        let all_here = Arc::clone(&all_here);
        thread::spawn(move || {
            let own = Mutex::new(n);
            for round in 0_u64.. {
                let _own = own.lock().unwrap();
                if round % 8 == 0 {
                    *SHARED.write().unwrap() += 1;
                } else {
                    drop(SHARED.read().unwrap());
                }
                drop(Mutex::new(round).lock().unwrap());
                if round == 100 {
                    all_here.wait();
                }
            }
        });
    }
    all_here.wait();
}

pub(crate) fn aborts() {
    busy_threads();
    let _held = SHARED.read();
    say("aborts");
    std::process::abort();
}

pub(crate) fn is_killed() {
    busy_threads();
    say("is killed");
    // SAFETY: no precondition.
    unsafe { libc::raise(libc::SIGKILL) };
}

pub(crate) fn exits_inside() {
    busy_threads();
    let _held = SHARED.read();
    say("exits");
    std::process::exit(5);
}

pub(crate) fn exits_elsewhere() {
    busy_threads();
    let other = thread::spawn(|| {
        drop(SHARED.read());
        say("exits elsewhere");
        std::process::exit(6)
    });
    other.join().unwrap();
}

/// The thread that began it all ends as C programs may end theirs, and the others go on.
pub(crate) fn outlives_main() {
    let held = Mutex::new(0);
    let guard = held.lock().unwrap();
    // SAFETY: no precondition.
    let this = unsafe { libc::gettid() };
    thread::spawn(move || {
        let stat = format!("/proc/self/task/{this}/stat");
        // Of a thread that is not the process's first, the entry goes away.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            thread::yield_now();
        }
        *SHARED.write().unwrap() += 1;
        say("outlives its first thread");
        std::process::exit(7);
    });
    std::mem::forget(guard);
    // SAFETY: this thread's stack stays as it is, so whoever borrows from it goes on doing so.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}
