//! A plugin with the wrappers linked into it. Values of its types go to the other plugin, which is made of this text too.

use instrumented_sync::{label, thread, trace, Mutex, MutexGuard};
use std::ffi::{c_char, CStr};

static OWN: Mutex<u32> = Mutex::new(0);

pub type Section = extern "C" fn();

/// Runs `section` while the plugin's own lock is held.
#[no_mangle]
pub extern "C" fn with_own(section: Section) {
    label(&OWN, env!("CARGO_PKG_NAME"));
    let mut own = OWN.lock().unwrap(); // own
    *own += 1;
    section();
}

#[no_mangle]
pub extern "C" fn make() -> &'static Mutex<u32> {
    let made = Box::leak(Box::new(Mutex::new(0)));
    label(made, "shared");
    made
}

/// Switches recording on from inside.
#[no_mangle]
pub unsafe extern "C" fn record(dir: *const c_char) {
    trace::start(unsafe { CStr::from_ptr(dir) }.to_str().unwrap()).unwrap();
}

#[no_mangle]
pub extern "C" fn is_recording() -> bool {
    trace::is_recording()
}

#[no_mangle]
pub extern "C" fn hold(shared: &'static Mutex<u32>) -> Box<MutexGuard<'static, u32>> {
    Box::new(shared.lock().unwrap())
}

/// Drops a guard that may be the other plugin's.
#[no_mangle]
pub extern "C" fn release(guard: Box<MutexGuard<'static, u32>>) {
    drop(guard);
}

/// Runs `section` while a lock is held that may be the other plugin's.
#[no_mangle]
pub extern "C" fn with_shared(shared: &'static Mutex<u32>, section: Section) {
    let mut shared = shared.lock().unwrap(); // shared
    *shared += 1;
    section();
}

#[no_mangle]
pub extern "C" fn start(run: Section) -> Box<thread::JoinHandle<()>> {
    let name = concat!("started by ", env!("CARGO_PKG_NAME")).to_owned();
    Box::new(thread::Builder::new().name(name).spawn(move || run()).unwrap())
}

/// Joins a thread that may have been started by the other plugin.
#[no_mangle]
pub extern "C" fn join(handle: Box<thread::JoinHandle<()>>) {
    handle.join().unwrap();
}
