//! Children of all kinds, made while other threads lock.

use super::{full, say};
use crate::support::Trace;
use instrumented_sync::{Mutex, RwLock, label, thread};
use std::{
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use trace_format::{Event, Kind};

static SHARED: Mutex<u64> = Mutex::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

/// Forks; the child runs `f` and ends with what it returns.
fn fork(f: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child does what such programs do: it locks, and ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let status = f();
        // SAFETY: no precondition.
        unsafe { libc::_exit(status) };
    }
    pid
}

/// How a child ended, which it does soon.
fn ending(pid: libc::pid_t) -> i32 {
    let (start, mut status) = (Instant::now(), 0);
    // SAFETY: `status` is a valid place for the answer.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > Duration::from_secs(20) {
            // SAFETY: the child has not been waited for, so the id is its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("a child hangs");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -status }
}

/// Runs `f` while other threads lock and make locks.
fn under_fire(f: impl FnOnce()) {
    // Past what std does to begin a thread: a lock of its own may be held there, for ever in a child.
    let begun = Arc::new(Barrier::new(3));
    let work = |begun: Arc<Barrier>| {
        begun.wait();
        while !STOP.load(SeqCst) {
            *SHARED.lock().unwrap() += 1;
            drop(Mutex::new(0).lock().unwrap());
        }
    };
    let workers = [0, 1].map(|_| {
        let begun = Arc::clone(&begun);
        thread::spawn(move || work(begun))
    });
    begun.wait();
    f();
    STOP.store(true, SeqCst);
    for worker in workers {
        worker.join().unwrap();
    }
}

pub(crate) fn execs() {
    under_fire(|| {
        for n in 0..if full() { 1000 } else { 30 } {
            let own = Mutex::new(n);
            let held = own.lock().unwrap();
            let pid = fork(|| {
                drop(held);
                drop(own.lock());
                let arguments = [c"sh".as_ptr(), c"-c".as_ptr(), c"exit 3".as_ptr(), std::ptr::null()];
                // SAFETY: terminated strings in a terminated list.
                unsafe { libc::execv(c"/bin/sh".as_ptr(), arguments.as_ptr()) };
                1
            });
            assert_eq!(ending(pid), 3);
        }
    });
    say("all are executed");
}

/// std makes these by `posix_spawn`, and with a closure by fork.
pub(crate) fn spawns() {
    use std::os::unix::process::CommandExt;
    under_fire(|| {
        for n in 0..if full() { 500 } else { 15 } {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "echo spoken; exit 4"]);
            if n % 2 == 0 {
                // SAFETY: the closure does nothing.
                unsafe { command.pre_exec(|| Ok(())) };
            }
            let output = command.output().unwrap();
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(4), &b"spoken\n"[..]));
        }
    });
    say("all have spoken");
}

/// Forks twice; the grandchild outlives its parent and works in a session of its own.
pub(crate) fn becomes_a_daemon() {
    under_fire(|| {
        for n in 0..if full() { 200 } else { 10 } {
            let (mut read, mut pipe) = (0_u8, [0; 2]);
            // SAFETY: a valid place for two descriptors.
            assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
            let middle = fork(|| {
                // SAFETY: no precondition.
                unsafe { libc::setsid() };
                fork(|| {
                    let own = Mutex::new(n);
                    label(&own, "of a daemon");
                    let done = thread::spawn(move || *own.lock().unwrap() == n).join().unwrap();
                    // SAFETY: one byte that lives.
                    unsafe { libc::write(pipe[1], (&raw const done).cast(), 1) };
                    0
                });
                9
            });
            assert_eq!(ending(middle), 9);
            // SAFETY: the descriptors are those of the pipe, and there is room for the byte.
            unsafe {
                libc::close(pipe[1]);
                assert_eq!(libc::read(pipe[0], (&raw mut read).cast(), 1), 1);
                libc::close(pipe[0]);
            }
            assert_eq!(read, 1);
        }
    });
    say("all daemons have worked");
}

static CHILD: AtomicI32 = AtomicI32::new(0);

extern "C" fn forks(_: libc::c_int) {
    CHILD.store(fork(|| i32::from(Mutex::new(0).try_lock().is_ok()) + 10), SeqCst);
}

/// The signal comes while the thread holds locks.
pub(crate) fn in_a_handler() {
    static LOCK: RwLock<u32> = RwLock::new(0);
    let handler: extern "C" fn(libc::c_int) = forks;
    // SAFETY: the handler forks and locks what is its own; the child ends in it.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    under_fire(|| {
        for _ in 0..if full() { 200 } else { 10 } {
            let _held = (LOCK.read().unwrap(), SHARED.lock().unwrap());
            // SAFETY: no precondition.
            unsafe { libc::raise(libc::SIGUSR1) };
            assert_eq!(ending(CHILD.load(SeqCst)), 11);
        }
    });
    say("handlers have forked");
}

/// Forks while another thread makes the first recorded operation of the process, at whatever moment of it.
pub(crate) fn at_the_first_operation() {
    for n in 0..if full() { 3000 } else { 200 } {
        // A process that has recorded nothing yet.
        let fresh = fork(|| {
            static ONE: Mutex<u32> = Mutex::new(0);
            let go = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !go.load(SeqCst) {
                        std::hint::spin_loop();
                    }
                    *ONE.lock().unwrap() += 1;
                });
                go.store(true, SeqCst);
                (0..n * 97 % 20_000).for_each(|_| std::hint::spin_loop());
                let child = fork(|| {
                    // By another lock: the first may be held for ever in this child.
                    let own = Mutex::new(11);
                    *own.lock().unwrap()
                });
                i32::from(ending(child) == 11)
            })
        });
        assert_eq!(ending(fresh), 1, "after {n}");
    }
    let own = Mutex::new(0);
    drop(own.lock().unwrap());
    say("all children have locked");
}

const N_HOLDS: usize = 300;

/// Forks with more holds than a slot has room for.
pub(crate) fn with_many_holds() {
    let locks: Vec<_> = (0..N_HOLDS).map(Mutex::new).collect();
    let guards: Vec<_> = locks.iter().map(|lock| lock.lock().unwrap()).collect();
    let pid = fork(|| {
        drop(Mutex::new(0).lock().unwrap());
        drop(guards);
        i32::from(locks.iter().all(|lock| lock.try_lock().is_ok())) + 20
    });
    assert_eq!(ending(pid), 21);
    say("all are given back");
}

/// The child's stream begins with all that it holds, and its list is empty at the end.
pub(super) fn check_many_holds(traces: &[Trace]) {
    let child = traces.iter().find(|trace| trace.header.forked_from.is_some()).unwrap();
    let parent = traces.iter().find(|trace| trace.header.forked_from.is_none()).unwrap();
    let events = |trace: &Trace| trace.threads.iter().max_by_key(|thread| thread.events.len()).unwrap().events.clone();
    let acquired = |trace: &Trace| -> Vec<_> {
        let acquires = events(trace).into_iter().filter(|event| event.kind() == Kind::ACQUIRE);
        acquires.map(Event::object).take(N_HOLDS).collect()
    };
    assert_eq!(acquired(child), acquired(parent));
    assert_eq!((child.n_lost(), child.count(Kind::RELEASE)), (0, 2 * N_HOLDS + 1));
    assert_eq!(child.slots()[0].n_holds, 0);
}
