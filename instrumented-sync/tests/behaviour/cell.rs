//! `OnceLock` and `LazyLock`.

use super::sync::{LazyLock, OnceLock};
use crate::{A_WHILE, panic_text, until};
use std::sync::{
    Arc, Barrier,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

#[test]
fn a_cell_is_set_once() {
    static CELL: OnceLock<String> = OnceLock::new();
    assert_eq!(CELL.get(), None);
    assert_eq!(CELL.set("first".to_owned()), Ok(()));
    assert_eq!(CELL.set("second".to_owned()), Err("second".to_owned()));
    assert_eq!(CELL.get_or_init(|| panic!("it has a value")), "first");
    assert_eq!(CELL.get().map(String::as_str), Some("first"));
}

#[test]
fn what_owns_the_cell_may_change_it() {
    let mut cell = OnceLock::new();
    assert_eq!(cell.get_mut(), None);
    assert_eq!(cell.take(), None);
    assert_eq!(*cell.get_or_init(|| 1), 1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.take(), Some(2));
    assert_eq!((cell.get(), cell.set(3)), (None, Ok(())));
    assert_eq!(cell.into_inner(), Some(3));
    assert_eq!(OnceLock::<i32>::new().into_inner(), None);
}

#[test]
fn of_many_initialisers_one_wins() {
    const N_THREADS: usize = 8;
    for _ in 0..50 {
        let (cell, start, n_won) = (OnceLock::new(), Barrier::new(N_THREADS), AtomicUsize::new(0));
        let values: Vec<usize> = std::thread::scope(|scope| {
            let initialise = |n: usize| {
                start.wait();
                if n % 2 == 0 {
                    n_won.fetch_add(usize::from(cell.set(n).is_ok()), Relaxed);
                    *cell.get().unwrap()
                } else {
                    *cell.get_or_init(|| {
                        n_won.fetch_add(1, Relaxed);
                        n
                    })
                }
            };
            let threads: Vec<_> = (0..N_THREADS).map(|n| scope.spawn(move || initialise(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(n_won.into_inner(), 1);
        assert!(values.iter().all(|value| Some(value) == cell.get()), "{values:?}");
    }
}

#[test]
fn a_cell_that_is_being_initialised_is_empty_and_makes_others_wait() {
    let (cell, running) = (OnceLock::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cell.get_or_init(|| {
                running.store(true, Release);
                assert_eq!(cell.get(), None);
                std::thread::sleep(A_WHILE);
                "slow"
            });
        });
        until(|| running.load(Acquire));
        assert_eq!(cell.set("fast"), Err("fast"));
        assert_eq!(cell.get(), Some(&"slow"));
    });
}

#[test]
fn a_panic_leaves_the_cell_empty() {
    let cell = OnceLock::new();
    for _ in 0..2 {
        assert_eq!(panic_text(|| assert_eq!(*cell.get_or_init(|| panic!("no value")), 0)), "no value");
        assert_eq!(cell.get(), None);
    }
    assert_eq!(*cell.get_or_init(|| 5), 5);
}

#[test]
fn a_wait_ends_when_the_cell_has_a_value() {
    let cell = OnceLock::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(*cell.wait(), "value"));
        }
        std::thread::sleep(A_WHILE);
        assert_eq!(panic_text(|| assert_eq!(*cell.get_or_init(|| panic!("no value")), "")), "no value");
        std::thread::sleep(A_WHILE);
        assert_eq!(cell.set("value"), Ok(()));
    });
    assert_eq!(*cell.wait(), "value");
}

#[test]
fn values_are_dropped_once() {
    let value = Arc::new(());
    let count = || Arc::strong_count(&value);
    let cell = OnceLock::new();
    assert!(cell.set(Arc::clone(&value)).is_ok());
    assert!(cell.set(Arc::clone(&value)).is_err());
    assert_eq!(count(), 2);
    let clone = cell.clone();
    assert_eq!(count(), 3);
    drop(cell);
    assert_eq!(count(), 2);
    drop(clone.into_inner());
    assert_eq!(count(), 1);

    let captured = Arc::clone(&value);
    let lazy = LazyLock::new(move || Arc::clone(&captured));
    assert_eq!(count(), 2);
    assert_eq!(Arc::strong_count(&lazy), 2, "the initialiser is gone, its value is there");
    drop(lazy);
    assert_eq!(count(), 1);
    let captured = Arc::clone(&value);
    drop(LazyLock::new(move || drop(captured)));
    assert_eq!(count(), 1);
}

#[test]
fn cells_are_compared_cloned_and_made_from_values() {
    let (full, empty) = (OnceLock::from(3), OnceLock::default());
    assert!(full != empty && full == full.clone() && empty == OnceLock::new());
    assert_eq!((full.get(), full.clone().get(), empty.clone().get()), (Some(&3), Some(&3), None));
    empty.set(3).unwrap();
    assert_eq!(full, empty);
}

#[test]
fn a_lazy_value_is_made_at_its_first_use() {
    static N_RUNS: AtomicUsize = AtomicUsize::new(0);
    static LAZY: LazyLock<Vec<u32>> = LazyLock::new(|| {
        N_RUNS.fetch_add(1, Relaxed);
        vec![1, 2]
    });
    assert_eq!(N_RUNS.load(Relaxed), 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(*LazyLock::force(&LAZY), [1, 2]));
        }
    });
    assert_eq!((LAZY.len(), N_RUNS.load(Relaxed)), (2, 1));
    assert_eq!(*LazyLock::<u32>::default(), 0);
}

#[test]
fn a_lazy_value_whose_initialiser_panicked_is_poisoned() {
    let n_runs = AtomicUsize::new(0);
    let lazy = LazyLock::new(|| -> u32 {
        n_runs.fetch_add(1, Relaxed);
        panic!("no value")
    });
    assert_eq!(panic_text(|| assert_eq!(*LazyLock::force(&lazy), 0)), "no value");
    for _ in 0..2 {
        let text = panic_text(|| assert_eq!(*lazy, 0));
        assert_eq!(text, "LazyLock instance has previously been poisoned");
    }
    assert_eq!(n_runs.load(Relaxed), 1);
}

#[test]
fn who_waits_for_a_lazy_value_that_fails_fails() {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    static MAY_FAIL: AtomicBool = AtomicBool::new(false);
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        RUNNING.store(true, Release);
        until(|| MAY_FAIL.load(Acquire));
        panic!("while others wait")
    });
    std::thread::scope(|scope| {
        let failing = scope.spawn(|| panic_text(|| assert_eq!(*LazyLock::force(&LAZY), 0)));
        until(|| RUNNING.load(Acquire));
        let waiting = scope.spawn(|| panic_text(|| assert_eq!(*LazyLock::force(&LAZY), 0)));
        std::thread::sleep(A_WHILE);
        MAY_FAIL.store(true, Release);
        assert_eq!(failing.join().unwrap(), "while others wait");
        assert_eq!(waiting.join().unwrap(), "LazyLock instance has previously been poisoned");
    });
}
