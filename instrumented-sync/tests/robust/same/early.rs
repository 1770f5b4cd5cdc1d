//! Locks before `main`, in exit handlers, and in the destructors of the program itself.

use super::say;
use instrumented_sync::{Mutex, label};

static CONSTRUCTED: Mutex<u32> = Mutex::new(0);
static DESTRUCTED: Mutex<u32> = Mutex::new(0);
static EARLY: Mutex<u32> = Mutex::new(0);
static LATE: Mutex<u32> = Mutex::new(0);

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = destructor;

/// All programs of this test have it; it is for one of them.
fn is_meant() -> bool {
    std::env::var_os("INSTRUMENTED_SYNC_TEST_ROLE").is_some_and(|role| role == "same::early::before_main")
}

extern "C" fn constructor() {
    if is_meant() {
        label(&CONSTRUCTED, "constructor");
        *CONSTRUCTED.lock().unwrap() += 1;
    }
}

extern "C" fn destructor() {
    if is_meant() {
        label(&DESTRUCTED, "destructor");
        *DESTRUCTED.lock().unwrap() += *CONSTRUCTED.lock().unwrap();
        // std's own output may be closed by now.
        let text = if *DESTRUCTED.lock().unwrap() == 2 { "\n@says two\n" } else { "\n@says wrong\n" };
        // SAFETY: the text is as long as it is said to be.
        unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
    }
}

pub(crate) fn before_main() {
    let mut constructed = CONSTRUCTED.lock().unwrap();
    say(format_args!("constructed {}", *constructed));
    *constructed += 1;
}

extern "C" fn early() {
    label(&EARLY, "early");
    *EARLY.lock().unwrap() += 1;
    instrumented_sync::thread::spawn(|| *EARLY.lock().unwrap() += 1).join().unwrap();
    let text = if *EARLY.lock().unwrap() == 2 { "\n@says early\n" } else { "\n@says wrong\n" };
    // SAFETY: the text is as long as it is said to be.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

extern "C" fn late() {
    label(&LATE, "late");
    *LATE.lock().unwrap() += 1;
}

/// Handlers that are registered before and after the recorder's own, and so run after and before it.
pub(crate) fn at_exit() {
    // SAFETY: the handlers are functions of this program.
    unsafe { libc::atexit(early) };
    drop(EARLY.lock().unwrap());
    // SAFETY: as above.
    unsafe { libc::atexit(late) };
    say("main ends");
    *LATE.lock().unwrap() += 1;
}
