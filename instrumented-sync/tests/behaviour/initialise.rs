//! Initialising once, when initialisers panic, race, nest, or are never asked.

use super::{
    sync::{Arc, LazyLock, Mutex, Once, OnceLock},
    thread,
};
use crate::{A_WHILE, panic_text, until};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

const N_THREADS: usize = 8;

/// Runs `f` in several threads that start together.
fn together<T: Send>(f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(N_THREADS);
    let body = |n: usize| {
        start.wait();
        f(n)
    };
    let body = &body;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..N_THREADS).map(|n| scope.spawn(move || body(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn the_payload_of_an_initialiser_reaches_its_caller() {
    let (once, cell, lazy) = (Once::new(), OnceLock::<u8>::new(), LazyLock::new(|| -> u8 { panic_any(3_u64) }));
    let calls: [&dyn Fn(); 4] = [
        &|| once.call_once(|| panic_any(3_u64)),
        &|| once.call_once_force(|_| panic_any(3_u64)),
        &|| drop(cell.get_or_init(|| panic_any(3_u64)).to_string()),
        &|| drop(lazy.to_string()),
    ];
    for call in calls {
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&3_u64));
    }
}

#[test]
fn whoever_comes_after_a_panic_initialises_by_force() {
    for _ in 0..20 {
        let (once, n_runs) = (Once::new(), AtomicUsize::new(0));
        let panicked = together(|n| {
            let call = || {
                once.call_once_force(|state| {
                    let n_before = n_runs.fetch_add(1, SeqCst);
                    assert_eq!(state.is_poisoned(), n_before > 0);
                    assert!(n_before >= 3, "attempt {n_before} of thread {n}");
                });
            };
            catch_unwind(AssertUnwindSafe(call)).is_err()
        });
        assert!(once.is_completed());
        assert_eq!(panicked.into_iter().filter(|panicked| *panicked).count(), 3);
        assert_eq!(n_runs.into_inner(), 4);
    }
}

#[test]
fn a_poisoned_once_refuses_everybody_until_it_is_repaired() {
    let once = Once::new();
    panic_text(|| once.call_once(|| panic!("first")));
    let n_runs = AtomicUsize::new(0);
    let run = || assert_eq!(n_runs.fetch_add(1, SeqCst), 0);
    let panicked = together(|_| catch_unwind(|| once.call_once(run)).is_err());
    assert_eq!((panicked, n_runs.load(SeqCst)), (vec![true; N_THREADS], 0));
    once.call_once_force(|state| assert!(state.is_poisoned()));
    together(|_| once.call_once(run));
    assert_eq!(n_runs.into_inner(), 0);
}

#[test]
fn the_next_in_line_initialises_a_cell_whose_initialiser_panicked() {
    let (cell, running, may_fail) = (OnceLock::new(), AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let failing = scope.spawn(|| {
            panic_text(|| {
                cell.get_or_init(|| {
                    running.store(true, SeqCst);
                    until(|| may_fail.load(SeqCst));
                    panic!("while others wait")
                });
            })
        });
        until(|| running.load(SeqCst));
        let setting = scope.spawn(|| cell.set(1).is_ok());
        let asking = scope.spawn(|| *cell.get_or_init(|| 2));
        let waiting = scope.spawn(|| *cell.wait());
        thread::sleep(A_WHILE);
        assert!(!setting.is_finished() && !asking.is_finished() && !waiting.is_finished());
        may_fail.store(true, SeqCst);
        assert_eq!(failing.join().unwrap(), "while others wait");
        let expected = if setting.join().unwrap() { 1 } else { 2 };
        assert_eq!((asking.join().unwrap(), waiting.join().unwrap()), (expected, expected));
    });
}

#[test]
fn of_many_values_one_is_kept_and_all_others_come_back() {
    for _ in 0..20 {
        let (cell, value) = (OnceLock::new(), Arc::new(()));
        let refused = together(|n| cell.set((n, Arc::clone(&value))).err());
        assert_eq!(refused.iter().filter(|refused| refused.is_none()).count(), 1);
        let kept = cell.get().unwrap().0;
        let came_back: Vec<_> = refused.iter().flatten().map(|(n, _)| *n).collect();
        assert!(came_back.iter().copied().eq((0..N_THREADS).filter(|n| *n != kept)));
        drop(refused);
        assert_eq!(Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[test]
fn of_many_forces_one_runs_the_initialiser() {
    for _ in 0..20 {
        let n_runs = AtomicUsize::new(0);
        let lazy = LazyLock::new(|| n_runs.fetch_add(1, SeqCst) + 41);
        let address = |value: &usize| std::ptr::from_ref(value).addr();
        let addresses = together(|n| if n % 2 == 0 { address(&lazy) } else { address(LazyLock::force(&lazy)) });
        assert!(addresses.iter().all(|one| *one == addresses[0]));
        assert_eq!((*lazy, n_runs.load(SeqCst)), (41, 1));
    }
}

#[test]
fn whoever_waits_sees_what_the_initialiser_did() {
    let (once, cell, log) = (Once::new(), OnceLock::new(), Mutex::new(Vec::new()));
    together(|n| match n {
        0 => once.call_once(|| log.lock().unwrap().push("once")),
        1 => {
            once.wait();
            cell.get_or_init(|| {
                log.lock().unwrap().push("cell");
                7
            });
        }
        2 => once.wait_force(),
        _ => assert_eq!((*cell.wait(), log.lock().unwrap().len()), (7, 2)),
    });
    assert_eq!(log.into_inner().unwrap(), ["once", "cell"]);
}

#[test]
fn initialisers_nest() {
    static OUTER: LazyLock<Vec<usize>> = LazyLock::new(|| vec![MIDDLE.get_or_init(|| *INNER + 1) + 1, *INNER]);
    static MIDDLE: OnceLock<usize> = OnceLock::new();
    static INNER: LazyLock<usize> = LazyLock::new(|| {
        let mut n = 0;
        Once::new().call_once(|| n = 5);
        n
    });
    assert!(together(|_| OUTER.clone()).iter().all(|value| *value == [7, 5]));
}

#[test]
fn a_panic_of_an_inner_initialiser_goes_through_the_outer() {
    let inner = LazyLock::new(|| -> u8 { panic!("inner") });
    let (cell, once) = (OnceLock::new(), Once::new());
    assert_eq!(panic_text(|| once.call_once(|| drop(cell.get_or_init(|| *inner).to_string()))), "inner");
    assert_eq!((cell.get(), once.is_completed()), (None, false));
    assert_eq!(*cell.get_or_init(|| 4), 4);
    once.call_once_force(|state| assert!(state.is_poisoned()));
}

#[test]
fn an_initialiser_may_start_threads_that_ask_for_something_else() {
    let (first, second) = (OnceLock::new(), OnceLock::new());
    let value = first.get_or_init(|| {
        thread::scope(|scope| {
            let threads = [(); 3].map(|()| scope.spawn(|| (first.get().is_none(), *second.get_or_init(|| 5))));
            threads.map(|thread| thread.join().unwrap())
        })
    });
    assert_eq!(value, &[(true, 5); 3]);
}

#[test]
fn a_cell_that_was_emptied_is_initialised_again() {
    let mut cell = OnceLock::new();
    for round in 0..5 {
        let values = together(|n| *cell.get_or_init(|| round * 100 + n));
        assert!(values.iter().all(|value| *value == values[0] && value / 100 == round));
        *cell.get_mut().unwrap() += 1;
        assert_eq!(cell.get(), Some(&(values[0] + 1)));
        assert_eq!((cell.take(), cell.take(), cell.get()), (Some(values[0] + 1), None, None));
    }
    panic_text(|| assert_eq!(cell.get_or_init(|| panic!("no value")), &0));
    assert_eq!(cell.get_mut(), None);
    assert_eq!((cell.take(), cell.into_inner()), (None, None));
}

#[test]
fn values_of_no_size_and_of_any_thread() {
    let (unit, text) = (OnceLock::new(), OnceLock::new());
    assert!(unit.get().is_none());
    assert_eq!((unit.set(()), unit.set(()), unit.get()), (Ok(()), Err(()), Some(&())));
    thread::scope(|scope| {
        scope.spawn(|| text.set("from elsewhere".to_owned()).unwrap());
        assert_eq!(text.wait(), "from elsewhere");
    });
    let mut holder = OnceLock::from(Cell::new(1));
    holder.get_mut().unwrap().set(2);
    assert_eq!(holder.into_inner(), Some(Cell::new(2)));
}

#[test]
fn a_clone_is_a_cell_of_its_own() {
    let (full, empty) = (OnceLock::from(vec![1]), OnceLock::<Vec<u8>>::new());
    let (mut full_clone, empty_clone) = (full.clone(), empty.clone());
    full_clone.get_mut().unwrap().push(2);
    empty_clone.set(vec![3]).unwrap();
    assert_eq!((full.get(), empty.get()), (Some(&vec![1]), None));
    assert!(full != full_clone && empty != empty_clone && full != empty && empty == OnceLock::new());
    assert_eq!(format!("{full:?} {empty_clone:?}"), "OnceLock([1]) OnceLock([3])");
}

#[test]
fn what_an_initialiser_captured_goes_when_it_is_not_needed_any_more() {
    let captured = Arc::new(());
    let count = || Arc::strong_count(&captured);
    let capture = || Arc::clone(&captured);
    let (full, once) = (OnceLock::from(1), Once::new());
    once.call_once(|| ());
    let (unused, too_late) = (capture(), capture());
    assert_eq!(*full.get_or_init(move || Arc::strong_count(&unused)), 1);
    once.call_once(move || drop(too_late));
    assert_eq!(count(), 1, "closures that were not run");

    let mine = capture();
    let lazy = LazyLock::new(move || -> usize { panic!("with {} of them", Arc::strong_count(&mine)) });
    assert_eq!(panic_text(|| assert_eq!(*lazy, 0)), "with 2 of them");
    assert_eq!(count(), 1, "the initialiser is gone with its panic");
    panic_text(|| assert_eq!(*lazy, 0));
    drop(lazy);
    assert_eq!(count(), 1);
}
