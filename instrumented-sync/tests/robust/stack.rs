//! Signal handlers with little stack: what there is too little room for goes unrecorded, and nothing overflows.

use crate::support::{
    Trace,
    program::{command, run},
    rules,
};
use instrumented_sync::{Mutex, label};
use std::{
    alloc::{Layout, alloc},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
};
use trace_format::Kind;

/// Bytes of the handler's stack.
const BYTES: &str = "STACK_BYTES";
/// What a byte is that was never written.
const PAINT: u8 = 0xa5;

static KNOWN: Mutex<u32> = Mutex::new(0);
static NEW: Mutex<u32> = Mutex::new(0);
static BEGINS: AtomicBool = AtomicBool::new(false);

extern "C" fn handle(_: libc::c_int) {
    if !BEGINS.load(SeqCst) {
        drop(KNOWN.try_lock());
    }
    if let Ok(mut new) = NEW.try_lock() {
        *new += 1;
    }
}

/// Takes a lock for the first time in a handler on an alternate stack of so many bytes; how many of them were used.
fn on_stack_of(bytes: usize) -> usize {
    const BELOW: usize = 64 << 10;
    let layout = Layout::from_size_align(BELOW + bytes, 4096).unwrap();
    // SAFETY: the layout has a size.
    let start = unsafe { alloc(layout) };
    // SAFETY: the memory was allocated above, and is never freed.
    let memory = unsafe {
        start.write_bytes(PAINT, BELOW + bytes);
        std::slice::from_raw_parts(start, BELOW + bytes)
    };
    let stack = libc::stack_t { ss_sp: start.wrapping_add(BELOW).cast(), ss_flags: 0, ss_size: bytes };
    // SAFETY: all zeros are a valid action: no flags, an empty mask, and the handler is set below.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int) = handle;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the stack is memory of its own; the handler locks nothing that it could wait for.
    unsafe {
        assert_eq!(libc::sigaltstack(&raw const stack, std::ptr::null_mut()), 0);
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        assert_eq!(libc::raise(libc::SIGUSR1), 0);
    }
    let first_used = memory.iter().position(|byte| *byte != PAINT).unwrap();
    assert!(first_used >= BELOW, "{} bytes below a stack of {bytes}", BELOW - first_used);
    memory.len() - first_used
}

fn bytes() -> usize {
    std::env::var(BYTES).unwrap().parse().unwrap()
}

/// The handler's operation is the process's first.
pub(crate) fn begins() {
    BEGINS.store(true, SeqCst);
    println!("the first operation of a process took {} bytes", on_stack_of(bytes()));
    assert_eq!(*NEW.lock().unwrap(), 1);
}

/// The thread has begun; the handler's lock is new.
pub(crate) fn goes_on() {
    label(&KNOWN, "known");
    label(&NEW, "new");
    drop(KNOWN.lock().unwrap());
    println!("a new site took {} bytes", on_stack_of(bytes()));
    assert_eq!(*NEW.lock().unwrap(), 1);
}

#[test]
fn a_small_stack_is_not_overflowed() {
    for role in ["stack::begins", "stack::goes_on"] {
        // Less than 8 KiB is too little for std's own lock in a debug build.
        for bytes in [8 << 10, 16 << 10, 32 << 10, 256 << 10] {
            let dir = tempfile::tempdir().unwrap();
            run(command(role, dir.path()).env(BYTES, bytes.to_string()));
            let trace = Trace::only(dir.path());
            trace.threads.iter().for_each(rules::check_holds);
            println!("{role} {bytes}: {} lost", trace.n_lost());
            let n = trace.count(Kind::ACQUIRE);
            // With room enough all is recorded, and with less what is not recorded is counted.
            assert!(n as u64 + trace.n_lost() >= if role == "stack::begins" { 2 } else { 4 });
            assert!(bytes < 256 << 10 || trace.n_lost() == 0);
        }
    }
}
