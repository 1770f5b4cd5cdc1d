//! Threads that are started unchecked, parked by milliseconds, known by the platform's handle.
#![cfg(unix)]

use super::{
    sync::{self, mpsc},
    thread,
};
use crate::{panic_text, payload_text};
use std::{
    ffi::{c_int, c_void},
    os::unix::thread::{JoinHandleExt, RawPthread},
    ptr,
    time::{Duration, Instant},
};

fn builder(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned())
}

#[test]
fn an_unchecked_thread_borrows() {
    let text = "borrowed".to_owned();
    let mut n = 0;
    // SAFETY: the thread is joined before what it borrows goes.
    let handle = unsafe {
        builder("unchecked").spawn_unchecked(|| {
            n += 1;
            (thread::current().name().map(str::to_owned), text.as_str())
        })
    };
    let handle = handle.unwrap();
    assert_eq!(handle.thread().name(), Some("unchecked"));
    assert_eq!(handle.join().unwrap(), (Some("unchecked".to_owned()), "borrowed"));
    assert_eq!(n, 1);
}

#[test]
fn an_unchecked_thread_panics_as_others_do() {
    // SAFETY: it borrows nothing.
    let handle = unsafe { builder("panics").spawn_unchecked::<_, ()>(|| panic!("inside")) };
    let payload = handle.unwrap().join().unwrap_err();
    assert_eq!(payload_text(payload.as_ref()), "inside");
    panic_text(|| {
        // SAFETY: it is not even started.
        drop(unsafe { builder("a\0b").spawn_unchecked(|| ()) });
    });
}

#[test]
#[allow(deprecated, reason = "std has it")]
fn park_timeout_ms_ends() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(5) {
        thread::park_timeout_ms(2);
    }
    thread::current().unpark();
    thread::park_timeout_ms(600_000);
}

#[test]
#[allow(deprecated, reason = "std has it")]
fn sleep_ms_sleeps() {
    let start = Instant::now();
    thread::sleep_ms(2);
    assert!(start.elapsed() >= Duration::from_millis(2));
}

#[test]
#[allow(deprecated, reason = "std has it")]
fn once_init_makes_a_new_once() {
    static ONCE: sync::Once = sync::ONCE_INIT;
    let mut n_runs = 0;
    ONCE.call_once(|| n_runs += 1);
    assert!(ONCE.is_completed() && n_runs == 1);
}

// SAFETY: as the platform declares them.
unsafe extern "C" {
    safe fn pthread_self() -> RawPthread;
    fn pthread_join(thread: RawPthread, result: *mut *mut c_void) -> c_int;
}

/// The platform's handle is that of the thread itself, for whoever asks by std's trait.
#[test]
fn a_handle_knows_its_pthread() {
    fn pthread(handle: &impl JoinHandleExt) -> RawPthread {
        handle.as_pthread_t()
    }
    let (sender, receiver) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let handle = thread::spawn(move || {
        sender.send(pthread_self()).unwrap();
        gone.recv().unwrap_err()
    });
    let theirs = receiver.recv().unwrap();
    assert_eq!(pthread(&handle), theirs);
    assert_ne!(pthread_self(), theirs);
    drop(go);
    let taken = handle.into_pthread_t();
    assert_eq!(taken, theirs);
    // SAFETY: nobody else joins the thread: its handle is gone.
    assert_eq!(unsafe { pthread_join(taken, ptr::null_mut()) }, 0);
}
