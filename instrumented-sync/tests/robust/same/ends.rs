//! Ends that are none: in the middle of recorded operations of this thread and of others.

use super::say;
use crate::support::{
    Trace,
    rules::{self, Ending},
};
use instrumented_sync::{Mutex, RwLock, label, thread};
use std::sync::{Arc, Barrier};
use trace_format::Kind;

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

/// Exits with a lock held that fifty others want.
pub(crate) fn exits_among_many() {
    static WANTED: Mutex<u32> = Mutex::new(0);
    let all_here = Arc::new(Barrier::new(52));
    for n in 0..51 {
        let all_here = Arc::clone(&all_here);
        thread::spawn(move || {
            all_here.wait();
            for round in 0_u32.. {
                let mut wanted = WANTED.lock().unwrap();
                *wanted += 1;
                if n == 25 && round == 20 {
                    say("exits among many");
                    std::process::exit(8);
                }
            }
        });
    }
    all_here.wait();
    loop {
        drop(WANTED.lock());
    }
}

/// What a thread leaves by that has frames of Rust below it: those catch what unwinds them, and std does not let
/// `pthread_exit` be caught.
extern "C-unwind" fn leaves() {
    unsafe extern "C-unwind" {
        fn pthread_exit(value: *mut libc::c_void) -> !;
    }
    // SAFETY: nothing on this stack has a destructor.
    unsafe { pthread_exit(std::ptr::null_mut()) };
}

/// On the first thread, which waits for this test: goes over to a stack of its own, and leaves.
extern "C" fn leaves_by_another_stack(_: libc::c_int) {
    const STACK_BYTES: usize = 256 << 10;
    *SHARED.write().unwrap() += 1;
    let stack = Box::leak(vec![0_u8; STACK_BYTES].into_boxed_slice());
    // SAFETY: all zeros are a valid context; it gets a stack, and a function without arguments.
    unsafe {
        let mut context: libc::ucontext_t = std::mem::zeroed();
        assert_eq!(libc::getcontext(&raw mut context), 0);
        context.uc_stack.ss_sp = stack.as_mut_ptr().cast();
        context.uc_stack.ss_size = STACK_BYTES;
        let leaves = std::mem::transmute::<extern "C-unwind" fn(), extern "C" fn()>(leaves);
        libc::makecontext(&raw mut context, leaves, 0);
        libc::setcontext(&raw const context);
    }
}

/// The thread that began it all calls `pthread_exit`, which runs its destructors, and the others go on.
pub(crate) fn leaves_main() {
    label(&SHARED, "shared");
    let handler: extern "C" fn(libc::c_int) = leaves_by_another_stack;
    let first = libc::pid_t::try_from(std::process::id()).unwrap();
    // SAFETY: the first thread does nothing but wait for the end of this test, so its stack may stay as it is.
    unsafe {
        libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
        assert_eq!(libc::syscall(libc::SYS_tgkill, first, first, libc::SIGUSR1), 0);
    }
    let workers: Vec<_> = (0..4).map(|_| thread::spawn(|| (0..1000).for_each(|_| drop(SHARED.read())))).collect();
    let stat = format!("/proc/self/task/{first}/stat");
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        drop(SHARED.write());
    }
    for worker in workers {
        worker.join().unwrap();
    }
    *SHARED.write().unwrap() += 1;
    say(*SHARED.read().unwrap());
    std::process::exit(9);
}

/// The first thread's end is recorded like any other's.
pub(super) fn check_leaves_main(trace: &Trace) {
    rules::check(trace, Ending::Exit);
    let first = trace.thread(trace.names.iter().find(|(_, tid, _)| *tid == trace.header.pid).unwrap().0);
    assert_eq!(first.on(trace.labelled("shared"), &[Kind::ACQUIRE, Kind::RELEASE]).len(), 2);
    assert_eq!(first.count(Kind::END), 1);
}
