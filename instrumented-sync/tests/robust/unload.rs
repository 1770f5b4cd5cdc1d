//! A shared library with the recorder in it, unloaded while the program goes on: hooks of the recorder are called for
//! the rest of the program, so its code has to stay.

use crate::support::{
    Trace, process_files,
    program::{command, run},
};
use std::{
    env,
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
};
use trace_format::Kind;

/// The library's path.
const LIBRARY: &str = "UNLOAD_LIBRARY";

const MANIFEST: &str = r#"
[package]
name = "plugin"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
instrumented-sync = { path = "@PATH@" }

[workspace]
"#;

const SOURCE: &str = r#"
use instrumented_sync::Mutex;

#[unsafe(no_mangle)]
pub extern "C" fn lock_in_plugin() -> u32 {
    static SHARED: Mutex<u32> = Mutex::new(0);
    let mut shared = SHARED.lock().unwrap();
    *shared += 1;
    *shared
}
"#;

/// Builds the library; in a folder that stays, so that the next run finds it built.
fn library() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("robust-plugin");
    fs::create_dir_all(base.join("src")).unwrap();
    fs::write(base.join("Cargo.toml"), MANIFEST.replace("@PATH@", here.to_str().unwrap())).unwrap();
    fs::write(base.join("src/lib.rs"), SOURCE).unwrap();
    fs::copy(here.join("../Cargo.lock"), base.join("Cargo.lock")).unwrap();
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--offline", "--target-dir", "target"]).current_dir(&base);
    // What cargo tells its tests must not reach the cargo that the test starts.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    let output = command.env_remove("RUSTFLAGS").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    base.join("target/debug/libplugin.so")
}

/// Loads the library, locks in it on two threads, unloads it, and does what the hooks are for.
pub(crate) fn unloads() {
    let path = CString::new(env::var_os(LIBRARY).unwrap().as_bytes()).unwrap();
    // SAFETY: a terminated string; the library's constructors are those of Rust's standard library.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null());
    // SAFETY: the library is loaded, and the name is a terminated string.
    let symbol = unsafe { libc::dlsym(library, c"lock_in_plugin".as_ptr()) };
    assert!(!symbol.is_null());
    // SAFETY: this is the type that the library's source gives the function.
    let lock: extern "C" fn() -> u32 = unsafe { std::mem::transmute(symbol) };
    assert_eq!(lock(), 1);
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        locked.send(lock()).unwrap();
        let _gone = may_end.recv();
    });
    assert_eq!(is_locked.recv(), Ok(2));
    // SAFETY: nobody calls into the library any more, as far as the program knows.
    assert_eq!(unsafe { libc::dlclose(library) }, 0);
    // The destructor of the thread's key, the hooks of fork, and then that of exit.
    drop(end);
    thread.join().unwrap();
    // SAFETY: the child ends at once.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: no precondition.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
}

#[test]
fn a_library_that_recorded_stays_loaded() {
    let library = library();
    let dir = tempfile::tempdir().unwrap();
    run(command("unload::unloads", dir.path()).env(LIBRARY, &library));
    let files = process_files(dir.path());
    let traces: Vec<_> = files.iter().map(|path| Trace::read(path).unwrap()).collect();
    assert_eq!(traces.iter().map(|trace| trace.count(Kind::ACQUIRE)).sum::<usize>(), 2);
    assert!(traces.iter().all(|trace| trace.header.exited));
    // Without recording it is unloaded as ever.
    run(command("unload::unloads", Path::new("")).env(LIBRARY, &library).env(trace_format::TRACE_VARIABLE, ""));
}
