//! Which frames are the runtime's and not the user's.

use std::path::Path;

/// Crates whose functions nobody who reads a report can change.
const RUNTIME_CRATES: [&str; 11] = [
    "std",
    "core",
    "alloc",
    "instrumented_sync",
    // Whose guards record.
    "lock_api",
    "parking_lot",
    "parking_lot_core",
    "backtrace",
    "panic_unwind",
    "panic_abort",
    "libc",
];

/// Functions of the harness and of C, by the beginning of their name. The crate `test` is not among the crates
/// above, since a user's `tests/test.rs` has that name too; libtest's own frames are found by their file.
const RUNTIME_PREFIXES: [&str; 13] = [
    "test::run_test",
    "test::test_main",
    "test::console::",
    "test::types::",
    "test::__rust_begin_short_backtrace",
    "__rust_",
    "__rustc",
    "_Unwind_",
    "__libc_start",
    "__GI_",
    "rust_begin_unwind",
    "rust_panic",
    "_start",
];

/// Functions of C, by their whole name.
const RUNTIME_FUNCTIONS: [&str; 6] = ["start_thread", "thread_start", "clone", "clone3", "__clone", "__clone3"];

/// Whether a frame belongs to the standard library, the harness, the recorder or the C runtime.
pub(super) fn is_runtime(function: &str, file: Option<&str>) -> bool {
    if file.is_some_and(is_runtime_file) {
        return true;
    }
    // Rust's `fn main` is called by a C function of that name, which no line table knows.
    if function == "main" && file.is_none() {
        return true;
    }
    RUNTIME_FUNCTIONS.contains(&function)
        || RUNTIME_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
        || function.contains("__rust_begin_short_backtrace")
        || function.contains("__rust_end_short_backtrace")
        || is_runtime_path(function)
}

/// Whether a library that is not the program itself came with the system.
pub(super) fn is_system_library(path: &str) -> bool {
    const NAMES: [&str; 7] = ["libc.so", "libc-", "libpthread", "libgcc_s", "libm.so", "ld-linux", "linux-vdso"];
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_beneath = |directory: &str| path.starts_with(directory);
    path.starts_with('[')
        || ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"].into_iter().any(is_beneath)
        || NAMES.iter().any(|prefix| name.starts_with(prefix))
}

pub(super) fn is_runtime_file(file: &str) -> bool {
    (file.starts_with("/rustc/") && file.contains("/library/"))
        || file.starts_with("/rust/deps/")
        || file.contains("/lib/rustlib/src/rust/library/")
        || is_recorder_file(file)
}

/// Sources of the drop-in, of its unwinder, and of locks that it wraps: `…/instrumented-sync/src/…`, `…/backtrace-0.3.77/src/…`.
fn is_recorder_file(file: &str) -> bool {
    let Some((directory, _)) = file.rsplit_once("/src/") else { return false };
    let name = directory.rsplit('/').next().unwrap_or_default();
    let is_versioned = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name == "instrumented-sync"
        || ["instrumented-sync-", "backtrace-", "lock_api-", "parking_lot-"]
            .into_iter()
            .any(|prefix| name.strip_prefix(prefix).is_some_and(is_versioned))
}

/// Whether the function's path begins in a runtime crate. For `<Type as Trait>::f` the type decides, because
/// `<app::Guard as core::ops::Drop>::drop` is the user's; the trait decides for a bare type parameter and for
/// the shims that call closures.
fn is_runtime_path(function: &str) -> bool {
    let Some(inner) = function.strip_prefix('<') else { return begins_in_runtime(function) };
    let Some((of_type, of_trait)) = inner.split_once(" as ") else { return begins_in_runtime(inner) };
    if of_trait.starts_with("core::ops::function::Fn") {
        return true;
    }
    let of_type = of_type.trim_start_matches(['&', '*', '[', '(', ' ']);
    let of_type = ["mut ", "const ", "dyn "].iter().fold(of_type, |rest, word| rest.trim_start_matches(word));
    if of_type.contains("::") { begins_in_runtime(of_type) } else { begins_in_runtime(of_trait) }
}

fn begins_in_runtime(path: &str) -> bool {
    path.split_once("::").is_some_and(|(head, _)| RUNTIME_CRATES.contains(&head.trim_start_matches('<')))
}

#[cfg(test)]
mod tests {
    use super::is_runtime;

    #[test]
    fn runtime_frames_are_recognised_by_path() {
        for function in [
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
            "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
            "<bank::main::{closure#0} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}",
            "<T as core::convert::Into<U>>::into",
            "<instrumented_sync::sync::mutex::Mutex<T>>::lock",
            "instrumented_sync::sync::mutex::Mutex<T>::lock",
            "std::rt::lang_start::{{closure}}",
            "core::ptr::drop_in_place<bank::Account>",
            "main",
            "_start",
            "clone3",
            "__libc_start_call_main",
        ] {
            assert!(is_runtime(function, None), "{function}");
        }
    }

    #[test]
    fn user_frames_stay() {
        for function in [
            "bank::main",
            "bank::main::{{closure}}",
            "<bank::Guard as core::ops::drop::Drop>::drop",
            "<bank::Account as core::fmt::Debug>::fmt",
            "test::my_integration_test",
            "standard::run",
            "core_logic::run",
        ] {
            assert!(!is_runtime(function, None), "{function}");
        }
        assert!(!is_runtime("main", Some("src/main.rs")));
        assert!(!is_runtime("lock<i32>", Some("/home/user/instrumented-sync/tests/mutex.rs")));
    }

    #[test]
    fn runtime_frames_are_recognised_by_file() {
        for file in [
            "/rustc/ded5c06cf21d2b93bffd5d884aa6e96934ee4234/library/std/src/thread/mod.rs",
            "/home/user/.rustup/toolchains/1.95/lib/rustlib/src/rust/library/core/src/ops/function.rs",
            "/home/user/project/instrumented-sync/src/sync/mutex.rs",
            "/home/user/.cargo/registry/src/index/instrumented-sync-0.1.0/src/sync/mutex.rs",
            "instrumented-sync/src/probe.rs",
            "/home/user/.cargo/registry/src/index.crates.io-1/backtrace-0.3.77/src/backtrace/mod.rs",
        ] {
            assert!(is_runtime("lock<i32>", Some(file)), "{file}");
        }
    }
}
