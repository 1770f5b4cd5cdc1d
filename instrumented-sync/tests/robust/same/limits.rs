//! Limits of the operating system that are reached: the program goes on, and what was lost is counted.

use super::say;
use instrumented_sync::{Mutex, label, thread};
use std::io::Write;

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

fn limit(resource: libc::__rlimit_resource_t, soft: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid places.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &raw mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(resource, &raw const limit), 0);
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
