//! Everything that is public and stable in `std::process`, `std::sync` and `std::thread` is here, and is used as std's is.
//!
//! `std_api.txt` says what that is. It is made from the toolchain's documentation; each of its lines is an entry in
//! `surface`, which is compiled to an assertion with `std` and with this crate as its root. Of std's own types that
//! are handed on, and have many functions - `Arc`, `Weak` - the names alone are listed; that they are
//! std's is what `tests/unrecorded.rs` asserts. The list is that of a Unix: elsewhere handles have other traits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail like tests")]
#![allow(clippy::duplicate_mod, reason = "one text serves both roots")]

#[macro_use]
mod checked;
mod documentation;
mod instrumented;
mod list;
mod native;
mod traits;

use self::list::List;
use std::{env, fs, path::Path};

/// Set to rewrite the list.
const BLESS: &str = "BLESS_STD_API";

/// The list is what the documentation of its version says. `BLESS_STD_API=1` rewrites it.
#[test]
fn the_list_is_that_of_the_documentation() {
    let Some((html, version)) = documentation::installed() else {
        return println!("the toolchain's documentation is not installed: the list is not compared");
    };
    let made = List { version, items: documentation::items(&html) };
    if env::var_os(BLESS).is_some() {
        return fs::write(folder().join("std_api.txt"), made.to_string()).unwrap();
    }
    let list = List::committed();
    if made.version != list.version {
        return println!("documentation of {}, list of {}: the list is not compared", made.version, list.version);
    }
    let missing: Vec<_> = made.items.iter().filter(|item| !list.items.contains(item)).collect();
    let unknown: Vec<_> = list.items.iter().filter(|item| !made.items.contains(item)).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:#?}\nunknown: {unknown:#?}");
    assert_eq!(list.to_string(), made.to_string());
}

/// Each line of the list is compiled with either root, none twice, and nothing else is.
#[test]
fn the_list_is_exercised() {
    let list = List::committed();
    let wanted: Vec<_> = list.items.iter().filter(|item| list::is_expected(item)).map(|item| list::key(item)).collect();
    for (root, keys) in [("std", native::keys()), ("instrumented_sync", instrumented::keys())] {
        let mut keys: Vec<_> = keys.into_iter().map(list::key).collect();
        let missing: Vec<_> = wanted.iter().filter(|item| !keys.contains(item)).collect();
        let unknown: Vec<_> = keys.iter().filter(|key| !wanted.contains(key)).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "{root} lacks {missing:#?}\nand has {unknown:#?}");
        keys.sort();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{root}: an entry is there twice");
        assert_eq!(keys.len(), wanted.len(), "{root}");
    }
}

/// The surface takes what it exercises from its root, and from nowhere else.
#[test]
fn the_surface_names_no_root() {
    let files: Vec<_> = fs::read_dir(folder().join("surface")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 5);
    for path in files {
        let text: String = fs::read_to_string(&path).unwrap().split_whitespace().collect();
        for name in [
            "std::process",
            "std::sync",
            "std::thread",
            "instrumented_sync",
            "alloc::",
            "core::",
            "std::{sync",
            "std::{thread",
        ] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}

/// What a program names most is at the root too: the names of `sync`.
#[test]
fn the_names_of_sync_are_at_the_root() {
    let list = List::committed();
    let items = list.items.iter().filter_map(|item| item.split_once(" sync::"));
    let names = items.filter(|(kind, _)| ["name", "struct", "enum", "type"].contains(kind)).map(|(_, name)| name);
    let mut names: Vec<_> = names.map(|name| name.split('<').next().unwrap()).collect();
    names.retain(|name| !name.contains("::"));
    names.sort_unstable();
    assert_eq!(names, AT_ROOT);
}

macro_rules! at_root {
    ($($name:ident),* $(,)?) => {
        $(const _: () = {
            #[expect(unused_imports, reason = "it is there to be found")]
            use instrumented_sync::$name as _;
        };)*

        const AT_ROOT: &[&str] = &[$(stringify!($name)),*];
    };
}

at_root!(
    Arc,
    Barrier,
    BarrierWaitResult,
    Condvar,
    LazyLock,
    LockResult,
    Mutex,
    MutexGuard,
    Once,
    OnceLock,
    OnceState,
    PoisonError,
    RwLock,
    RwLockReadGuard,
    RwLockWriteGuard,
    TryLockError,
    TryLockResult,
    WaitTimeoutResult,
    Weak,
);

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity"))
}
