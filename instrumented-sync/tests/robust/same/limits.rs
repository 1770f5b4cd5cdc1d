//! Limits of the operating system that are reached: the program goes on, and what was lost is counted.

use super::say;
use crate::{
    directory::{give_to_nobody, gives_up_privileges},
    support::{
        Trace,
        rules::{self, Ending},
    },
};
use instrumented_sync::{Mutex, label, thread};
use std::{io::Write, path::Path};
use trace_format::{Kind, TRACE_VARIABLE};

static SHARED: Mutex<u64> = Mutex::new(0);

/// More than any segment that there may be has room for, of all that needs space: events, labels, objects.
fn work() {
    for n in 0..100_000_u32 {
        *SHARED.lock().unwrap() += 1;
        if n % 500 == 0 {
            let fresh = Mutex::new(n);
            label(&fresh, "a label of some length, so that the dictionary is filled at some time");
            drop(fresh.lock().unwrap());
        }
    }
}

/// Sets a limit; returns what it was.
fn limit(resource: libc::__rlimit_resource_t, soft: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid places.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &raw mut limit), 0);
        let before = std::mem::replace(&mut limit.rlim_cur, soft.min(limit.rlim_max));
        assert_eq!(libc::setrlimit(resource, &raw const limit), 0);
        before
    }
}

/// No descriptor can be had once recording has begun.
pub(crate) fn no_descriptor() {
    *SHARED.lock().unwrap() += 1;
    limit(libc::RLIMIT_NOFILE, 0);
    work();
    let other = thread::spawn(work);
    other.join().unwrap();
    assert!(std::fs::File::open("/proc/self/stat").is_err());
    say(*SHARED.lock().unwrap());
}

pub(crate) fn no_descriptor_from_the_start() {
    limit(libc::RLIMIT_NOFILE, 0);
    work();
    say(*SHARED.lock().unwrap());
}

/// No memory can be had beyond what there is.
pub(crate) fn no_memory() {
    *SHARED.lock().unwrap() += 1;
    limit(libc::RLIMIT_AS, 0);
    work();
    let started = std::thread::Builder::new().spawn(work);
    limit(libc::RLIMIT_AS, u64::MAX);
    say(started.is_ok());
    say(*SHARED.lock().unwrap());
}

fn files_end_soon() {
    *SHARED.lock().unwrap() += 1;
    limit(libc::RLIMIT_FSIZE, 300 << 10);
    work();
    thread::spawn(work).join().unwrap();
    say(*SHARED.lock().unwrap());
    std::io::stdout().flush().unwrap();
}

/// A file that grows longer than it may kills the program, unless it says otherwise.
pub(crate) fn short_files() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_DFL) };
    files_end_soon();
}

pub(crate) fn short_files_ignored() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    files_end_soon();
}

/// As many mappings as there may be.
pub(crate) fn no_mappings() {
    *SHARED.lock().unwrap() += 1;
    let mut mappings = Vec::with_capacity(1 << 20);
    for n in 0..mappings.capacity() {
        // Neighbours of two kinds, which the kernel does not merge.
        let protection = if n % 2 == 0 { libc::PROT_READ } else { libc::PROT_NONE };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a mapping of its own, anywhere.
        let mapping = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            break;
        }
        mappings.push(mapping);
    }
    work();
    say(*SHARED.lock().unwrap());
    // The kernel's default, plus what machines are set to that run databases.
    say(mappings.len() > 10_000);
    for mapping in mappings {
        // SAFETY: nobody uses it.
        unsafe { libc::munmap(mapping, 4096) };
    }
}

/// By a user whose limits count, which root's do not: no thread can be started, until one can again.
pub(crate) fn no_threads() {
    if let Some(dir) = std::env::var_os(TRACE_VARIABLE) {
        give_to_nobody(Path::new(&dir));
    }
    gives_up_privileges();
    *SHARED.lock().unwrap() += 1;
    let before = limit(libc::RLIMIT_NPROC, 0);
    let start = || thread::Builder::new().spawn(|| *SHARED.lock().unwrap() += 1);
    let error = match start() {
        Ok(started) => {
            started.join().unwrap();
            label(&SHARED, "the limit is ignored");
            say("the limit is ignored");
            return;
        }
        Err(error) => error,
    };
    say(format_args!("{:?} {:?}", error.kind(), error.raw_os_error()));
    for _ in 0..100 {
        let _held = SHARED.lock().unwrap();
        assert_eq!(start().unwrap_err().raw_os_error(), error.raw_os_error());
    }
    thread::scope(|scope| {
        let scoped = thread::Builder::new().spawn_scoped(scope, || ());
        assert_eq!(scoped.unwrap_err().raw_os_error(), error.raw_os_error());
    });
    say(std::panic::catch_unwind(|| thread::spawn(|| ())).is_err());
    limit(libc::RLIMIT_NPROC, before);
    start().unwrap().join().unwrap();
    say(*SHARED.lock().unwrap());
}

/// Each thread that was announced is one that ran or one that could not be started.
pub(super) fn check_no_threads(trace: &Trace) {
    rules::check(trace, Ending::Exit);
    let n_failed = trace.count(Kind::FORK_FAILED);
    if trace.labels.values().any(|label| label == "the limit is ignored") {
        println!("skipped: this user may start any number of threads");
        assert_eq!(n_failed, 0);
    } else {
        assert_eq!((n_failed, trace.count(Kind::FORK)), (103, 104));
    }
}
