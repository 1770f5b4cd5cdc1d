//! `Once`.

use super::sync::Once;
use crate::{A_WHILE, panic_text, until};
use std::sync::{
    Barrier,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

const POISONED: &str = "Once instance has previously been poisoned";

fn poisoned() -> Once {
    let once = Once::new();
    assert_eq!(panic_text(|| once.call_once(|| panic!("while initialising"))), "while initialising");
    once
}

#[test]
fn the_first_call_runs_and_no_other() {
    static ONCE: Once = Once::new();
    assert!(!ONCE.is_completed());
    let mut n_runs = 0;
    ONCE.call_once(|| {
        assert!(!ONCE.is_completed());
        n_runs += 1;
    });
    assert!(ONCE.is_completed());
    ONCE.call_once(|| panic!("a second time"));
    ONCE.call_once_force(|_| panic!("a third time"));
    assert_eq!(n_runs, 1);
}

#[test]
fn of_many_one_runs_and_all_see_what_it_did() {
    const N_THREADS: usize = 8;
    for _ in 0..50 {
        let (once, start) = (Once::new(), Barrier::new(N_THREADS));
        let (n_runs, value) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for n in 0..N_THREADS {
                let initialise = || {
                    n_runs.fetch_add(1, Relaxed);
                    value.store(7, Relaxed);
                };
                let (once, start, value) = (&once, &start, &value);
                scope.spawn(move || {
                    start.wait();
                    if n % 2 == 0 {
                        once.call_once(initialise);
                    } else {
                        once.call_once_force(|_| initialise());
                    }
                    assert_eq!(value.load(Relaxed), 7);
                });
            }
        });
        assert_eq!(n_runs.into_inner(), 1);
    }
}

#[test]
fn a_call_waits_for_the_one_that_runs() {
    let (once, running, done) = (Once::new(), AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            once.call_once(|| {
                running.store(true, Release);
                std::thread::sleep(A_WHILE);
                done.store(true, Relaxed);
            });
        });
        until(|| running.load(Acquire));
        once.call_once(|| panic!("a second time"));
        assert!(done.load(Relaxed));
    });
}

#[test]
fn a_panic_poisons() {
    let once = poisoned();
    assert!(!once.is_completed());
    let mut ran = false;
    for _ in 0..2 {
        assert_eq!(panic_text(|| once.call_once(|| ran = true)), POISONED);
    }
    assert!(!ran && !once.is_completed());
}

#[test]
fn force_tells_of_poison_and_repairs() {
    let once = poisoned();
    let text = panic_text(|| {
        once.call_once_force(|state| {
            assert!(state.is_poisoned());
            panic!("again");
        });
    });
    assert_eq!(text, "again");
    let mut was_poisoned = None;
    once.call_once_force(|state| was_poisoned = Some(state.is_poisoned()));
    assert_eq!((was_poisoned, once.is_completed()), (Some(true), true));
    once.call_once(|| panic!("it is repaired"));

    Once::new().call_once_force(|state| was_poisoned = Some(state.is_poisoned()));
    assert_eq!(was_poisoned, Some(false));
}

#[test]
fn who_waits_for_one_that_fails_fails_or_tries() {
    let (once, running, may_fail) = (Once::new(), AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            panic_text(|| {
                once.call_once(|| {
                    running.store(true, Release);
                    until(|| may_fail.load(Acquire));
                    panic!("while others wait");
                });
            });
        });
        until(|| running.load(Acquire));
        let waiting = scope.spawn(|| panic_text(|| once.call_once(|| ())));
        std::thread::sleep(A_WHILE);
        may_fail.store(true, Release);
        assert_eq!(waiting.join().unwrap(), POISONED);
        once.call_once_force(|state| assert!(state.is_poisoned()));
    });
    assert!(once.is_completed());
}

#[test]
fn one_may_be_initialised_by_another() {
    let (outer, inner) = (Once::new(), Once::new());
    let mut order = Vec::new();
    outer.call_once(|| {
        inner.call_once(|| order.push("inner"));
        order.push("outer");
    });
    assert_eq!(order, ["inner", "outer"]);
}

#[test]
fn a_wait_ends_when_somebody_has_initialised() {
    let (once, value) = (Once::new(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (once, value) = (&once, &value);
            scope.spawn(move || {
                if n % 2 == 0 {
                    once.wait();
                } else {
                    once.wait_force();
                }
                assert_eq!(value.load(Relaxed), 7);
            });
        }
        std::thread::sleep(A_WHILE);
        once.call_once(|| value.store(7, Relaxed));
        once.wait();
    });
    once.wait_force();
}

#[test]
fn poison_ends_a_wait_unless_it_is_forced() {
    let (once, n_over) = (Once::new(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| panic_text(|| once.wait()));
        scope.spawn(|| {
            once.wait_force();
            n_over.fetch_add(1, Release);
        });
        std::thread::sleep(A_WHILE);
        panic_text(|| once.call_once(|| panic!("while others wait")));
        assert_eq!(waiting.join().unwrap(), POISONED);
        assert_eq!(panic_text(|| once.wait()), POISONED);
        std::thread::sleep(A_WHILE);
        assert_eq!(n_over.load(Acquire), 0);
        once.call_once_force(|_| ());
    });
    assert_eq!(n_over.into_inner(), 1);
}
