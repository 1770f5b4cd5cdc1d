//! Atomic variables in trouble: a signal, a fork or the end comes while a thread has a stripe.

use crate::{
    fork::{fork, wait_for},
    support::{
        Trace, process_files,
        program::{command, run, start, tell},
        rules,
    },
};
use instrumented_sync::{
    atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    thread,
};
use std::{
    path::Path,
    sync::atomic,
    time::{Duration, Instant},
};
use trace_format::{Event, Flags, Kind};

static SHARED: AtomicU64 = AtomicU64::new(0);
static OTHER: AtomicU64 = AtomicU64::new(0);

/// Of std: not recorded.
static N_HANDLED: atomic::AtomicU64 = atomic::AtomicU64::new(0);
static STOPPED: atomic::AtomicBool = atomic::AtomicBool::new(false);

/// Signals that are sent at least, and at most; between them the time decides.
const N_SIGNALS_MIN: u64 = 1000;
const N_SIGNALS_MAX: u64 = 20_000;
const TIME: Duration = Duration::from_secs(1);

extern "C" fn handle(_: libc::c_int) {
    N_HANDLED.fetch_add(1, Relaxed);
    SHARED.fetch_add(1, AcqRel);
    OTHER.store(SHARED.load(Acquire), Release);
    fence(SeqCst);
}

/// Is sent signals from a second thread while it adds, and tells how much there is in the end.
pub(crate) fn interrupted() {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler is a function of this program, and does what is tested.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    let mut n = SHARED.fetch_add(1, Relaxed) + 1;
    let sender = std::thread::spawn(move || {
        let start = Instant::now();
        while match N_HANDLED.load(Relaxed) {
            n if n < N_SIGNALS_MIN => true,
            n => n < N_SIGNALS_MAX && start.elapsed() < TIME,
        } {
            // SAFETY: the thread waits for this one below, so it lives.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            (0..N_HANDLED.load(Relaxed) % 500).for_each(|_| std::hint::spin_loop());
            std::thread::yield_now();
        }
        STOPPED.store(true, SeqCst);
    });
    while !STOPPED.load(SeqCst) {
        SHARED.fetch_add(1, Relaxed);
        n += 1;
        OTHER.store(n, Relaxed);
        fence(Release);
    }
    while !sender.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    sender.join().unwrap();
    assert_eq!(SHARED.load(Relaxed), n + N_HANDLED.load(Relaxed), "each was added once");
}

#[test]
fn a_handler_does_not_wait_for_the_thread_that_it_interrupts() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("atomic::interrupted", dir.path()));
    let trace = Trace::only(dir.path());
    assert!(trace.header.exited);
    let n_uncertain = rules::check_versions(&trace);
    assert!(n_uncertain > 0, "no handler came while its thread had a stripe");
    assert!(trace.count(Kind::ATOMIC_RMW) as u64 > N_SIGNALS_MIN / 2);
    // A handler that came while the recorder was busy left nothing but a count.
    let n_signals = trace.count(Kind::FENCE);
    assert!(trace.n_lost() < n_signals as u64, "{} lost", trace.n_lost());
}

const N_FORKS: u32 = 50;

/// Forks while another thread stores all the time; the children go on with its variable.
pub(crate) fn forks() {
    SHARED.store(1, Relaxed);
    let stores = thread::spawn(|| {
        let mut n = 0;
        while !STOPPED.load(Relaxed) {
            n += 1;
            SHARED.store(n, Release);
        }
    });
    while SHARED.load(Acquire) < 1000 {
        thread::yield_now();
    }
    for _ in 0..N_FORKS {
        wait_for(fork(|| {
            let was = SHARED.swap(5, AcqRel);
            assert!(was >= 1000);
            assert_eq!(SHARED.load(Acquire), 5);
            assert_eq!(SHARED.compare_exchange(4, 6, SeqCst, Relaxed), Err(5));
            assert_eq!(SHARED.fetch_add(1, Relaxed), 5);
            thread::scope(|scope| {
                scope.spawn(|| SHARED.fetch_add(1, Relaxed));
            });
            assert_eq!(SHARED.load(Relaxed), 7);
        }));
        // The next one finds the thread at another instruction.
        OTHER.fetch_add(1, Relaxed);
    }
    STOPPED.store(true, Relaxed);
    stores.join().unwrap();
}

#[test]
fn a_forked_child_does_not_wait_for_threads_that_it_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("atomic::forks", dir.path()));
    let traces: Vec<_> = process_files(dir.path()).iter().map(|path| Trace::read(path).unwrap()).collect();
    let (parents, children): (Vec<_>, Vec<_>) =
        traces.into_iter().partition(|trace| trace.header.forked_from.is_none());
    rules::check_versions(&parents[0]);
    assert_eq!(children.len(), N_FORKS as usize);
    for child in children {
        assert_eq!(child.n_lost(), 0);
        let written: Vec<Event> = child.events().filter(|event| event.kind() == Kind::ATOMIC_RMW).collect();
        assert!(written.iter().all(|event| !event.flags().has(Flags::UNCERTAIN)), "{written:?}");
        let mut versions: Vec<_> = written.iter().map(|event| event.beside()).collect();
        versions.sort_unstable();
        // They go on from where they were.
        assert!(versions.len() == 3 && versions[0] > 1 && versions[2] == versions[0] + 2, "{versions:?}");
    }
}

const N_RUNS: u64 = 40;

/// Two threads that write and load until the end.
pub(crate) fn numbered() {
    for _ in 0..2 {
        thread::spawn(|| {
            loop {
                SHARED.fetch_add(1, Relaxed);
                OTHER.store(SHARED.load(Acquire), Release);
            }
        });
    }
    while SHARED.load(Relaxed) < 100 {
        thread::yield_now();
    }
    tell("under way");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn killed(dir: &Path, after: Duration) -> Trace {
    let mut program = start(&mut command("atomic::numbered", dir));
    assert!(program.heard("under way"));
    std::thread::sleep(after);
    program.kill();
    Trace::only(dir)
}

#[test]
fn no_version_is_seen_without_its_event_when_the_process_is_killed() {
    let mut n_events = 0;
    for run in 0..N_RUNS {
        let dir = tempfile::tempdir().unwrap();
        let trace = killed(dir.path(), Duration::from_micros(run * 317 % 5000));
        rules::check_versions(&trace);
        n_events += trace.count(Kind::ATOMIC_RMW);
    }
    assert!(n_events as u64 > N_RUNS * 50, "{n_events} additions");
}
