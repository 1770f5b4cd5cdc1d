//! Locks that are taken while the dynamic loader's own lock is held.

use super::say;
use instrumented_sync::{Mutex, label};
use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    time::{Duration, Instant},
};

static OTHER: AtomicI32 = AtomicI32::new(0);
static GO: AtomicBool = AtomicBool::new(false);
static DONE: AtomicBool = AtomicBool::new(false);

extern "C" fn visit(_: *mut libc::dl_phdr_info, _: libc::size_t, _: *mut libc::c_void) -> libc::c_int {
    GO.store(true, SeqCst);
    let stat = format!("/proc/self/task/{}/stat", OTHER.load(SeqCst));
    let start = Instant::now();
    // The other thread's first operation has either ended or stands where it asks the loader.
    let sleeps = || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") S "));
    while !DONE.load(SeqCst) && !sleeps() && start.elapsed() < Duration::from_secs(5) {
        std::thread::yield_now();
    }
    let own = Mutex::new(0);
    label(&own, "in a callback");
    *own.lock().unwrap() += 1;
    // One module is enough.
    1
}

/// One thread's first lock is in a callback of the loader, while another thread makes the first operation of all.
pub(crate) fn first_lock_in_a_callback() {
    let other = std::thread::spawn(|| {
        // SAFETY: no precondition.
        OTHER.store(unsafe { libc::gettid() }, SeqCst);
        while !GO.load(SeqCst) {
            std::hint::spin_loop();
        }
        drop(Mutex::new(0).lock().unwrap());
        DONE.store(true, SeqCst);
    });
    while OTHER.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    // SAFETY: the callback uses nothing that the loader gives it.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::null_mut()) };
    other.join().unwrap();
    say("both have locked");
}
