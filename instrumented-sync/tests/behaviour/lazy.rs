//! What `LazyLock` gives to whoever owns it, and to whoever does not want to initialise it.
#![cfg(since_1_94)]

use super::{sync::LazyLock, thread};
use crate::panic_text;
use std::sync::mpsc;

#[test]
fn looking_does_not_initialise() {
    let mut lazy = LazyLock::new(|| vec![1]);
    assert_eq!(LazyLock::get(&lazy), None);
    assert_eq!(LazyLock::get_mut(&mut lazy), None);
    assert_eq!(*lazy, [1]);
    assert_eq!(LazyLock::get(&lazy), Some(&vec![1]));
    LazyLock::get_mut(&mut lazy).unwrap().push(2);
    assert_eq!(*lazy, [1, 2]);
}

#[test]
fn whoever_owns_it_initialises_and_changes_it() {
    let mut n_runs = 0;
    let mut lazy = LazyLock::new(|| {
        n_runs += 1;
        vec![1]
    });
    LazyLock::force_mut(&mut lazy).push(2);
    lazy.push(3);
    assert_eq!(*LazyLock::force_mut(&mut lazy), [1, 2, 3]);
    drop(lazy);
    assert_eq!(n_runs, 1);
    let mut other = LazyLock::new(|| vec![1]);
    other.push(2);
    assert_eq!(LazyLock::get(&other), Some(&vec![1, 2]));
}

#[test]
fn what_failed_has_no_value_and_stays_poisoned() {
    let mut lazy = LazyLock::new(|| -> u32 { panic!("no value") });
    assert_eq!(panic_text(|| *LazyLock::force_mut(&mut lazy) = 1), "no value");
    assert_eq!(LazyLock::get(&lazy), None);
    assert_eq!(LazyLock::get_mut(&mut lazy), None);
    for _ in 0..2 {
        assert_eq!(
            panic_text(|| *LazyLock::force_mut(&mut lazy) = 1),
            "LazyLock instance has previously been poisoned"
        );
        assert_eq!(panic_text(|| *lazy = 1), "LazyLock instance has previously been poisoned");
    }
    assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
}

/// `get` does not wait for who initialises.
#[test]
fn looking_does_not_wait() {
    let (begins, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let lazy = LazyLock::new(move || {
        begins.send(()).unwrap();
        gone.recv().unwrap_err();
        1
    });
    thread::scope(|scope| {
        let lazy = &lazy;
        scope.spawn(move || assert_eq!(**lazy, 1));
        begun.recv().unwrap();
        assert_eq!(LazyLock::get(lazy), None);
        drop(go);
    });
    assert_eq!(LazyLock::get(&lazy), Some(&1));
}
