//! Scoped threads: what they borrow, what they start, how they fail.

use super::{sync::mpsc, thread};
use crate::{A_WHILE, panic_text, payload_text, until};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

const SCOPE_PANIC: &str = "a scoped thread panicked";

#[test]
fn threads_borrow_from_outside_and_from_the_scope_s_closure() {
    let (mut numbers, text) = (vec![1, 2, 3, 4], "text".to_owned());
    let lengths = thread::scope(|scope| {
        let (left, right) = numbers.split_at_mut(2);
        scope.spawn(|| left[0] += 10);
        scope.spawn(|| right[1] += text.len());
        let handles = [1, 2, 3].map(|n| {
            scope.spawn({
                let text = &text;
                move || text.len() * n
            })
        });
        handles.map(|handle| handle.join().unwrap())
    });
    numbers.push(5);
    assert_eq!((numbers, lengths), (vec![11, 2, 3, 8, 5], [4, 8, 12]));
}

#[test]
fn results_may_borrow_too() {
    let words = ["a".to_owned(), "longer".to_owned()];
    let longest: &str = thread::scope(|scope| {
        let handle = scope.spawn(|| words.iter().max_by_key(|word| word.len()).unwrap());
        handle.join().unwrap()
    });
    assert_eq!(longest, "longer");
}

#[test]
fn a_scope_without_threads_is_a_call() {
    assert_eq!(thread::scope(|_| 5), 5);
    assert_eq!(panic_text(|| thread::scope(|_| panic!("plain"))), "plain");
}

#[test]
fn scopes_nest() {
    let n_done = AtomicUsize::new(0);
    thread::scope(|outer| {
        outer.spawn(|| {
            thread::scope(|inner| {
                inner.spawn(|| {
                    thread::sleep(A_WHILE);
                    n_done.fetch_add(1, SeqCst);
                });
                // A thread of the outer scope, started by one within the inner.
                inner.spawn(|| outer.spawn(|| n_done.fetch_add(10, SeqCst)).join().unwrap());
            });
            assert_eq!(n_done.load(SeqCst), 11, "the inner scope is over");
            n_done.fetch_add(100, SeqCst);
        });
    });
    assert_eq!(n_done.into_inner(), 111);
}

#[test]
fn a_scope_waits_for_threads_that_its_threads_start_late() {
    fn dig<'scope>(scope: &'scope thread::Scope<'scope, '_>, depth: &'scope AtomicUsize) {
        if depth.fetch_add(1, SeqCst) < 9 {
            scope.spawn(move || {
                thread::sleep(std::time::Duration::from_millis(1));
                dig(scope, depth);
            });
        }
    }
    let depth = AtomicUsize::new(0);
    thread::scope(|scope| dig(scope, &depth));
    assert_eq!(depth.into_inner(), 10);
}

#[test]
fn handles_are_joined_in_another_thread_of_the_scope() {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let handle = scope.spawn(move || receiver.recv().unwrap());
        let joiner = scope.spawn(move || handle.join().unwrap() + 1);
        assert!(!joiner.is_finished());
        sender.send(1).unwrap();
        assert_eq!(joiner.join().unwrap(), 2);
    });
}

#[test]
fn a_dropped_handle_does_not_let_the_scope_go() {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        drop(scope.spawn(|| {
            thread::sleep(A_WHILE);
            done.store(true, SeqCst);
        }));
    });
    assert!(done.into_inner());
}

#[test]
fn one_panic_of_many_is_enough() {
    let n_done = AtomicUsize::new(0);
    let text = panic_text(|| {
        thread::scope(|scope| {
            for n in 0..6 {
                let n_done = &n_done;
                scope.spawn(move || {
                    assert!(n % 3 != 0, "number {n}");
                    n_done.fetch_add(1, SeqCst);
                });
            }
        });
    });
    assert_eq!((text.as_str(), n_done.into_inner()), (SCOPE_PANIC, 4));
}

#[test]
fn panics_that_were_joined_are_forgiven_and_others_are_not() {
    let joined = |also_leave_one: bool| {
        thread::scope(|scope| {
            let payload = scope.spawn(|| panic_any(1_u8)).join().unwrap_err();
            assert!(payload.is::<u8>());
            let texts = ["a", "b"].map(|text| scope.spawn(move || panic!("{text}")));
            let texts = texts.map(|handle| payload_text(handle.join().unwrap_err().as_ref()));
            assert_eq!(texts, ["a", "b"]);
            if also_leave_one {
                scope.spawn(|| panic!("left alone"));
            }
        });
    };
    joined(false);
    assert_eq!(panic_text(|| joined(true)), SCOPE_PANIC);
}

#[test]
fn a_panic_of_the_closure_comes_before_those_of_its_threads() {
    let result = catch_unwind(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("a thread's"));
            panic_any("the closure's".to_owned());
        });
    });
    assert_eq!(payload_text(result.unwrap_err().as_ref()), "the closure's");
}

#[test]
fn a_panic_of_an_inner_scope_is_one_of_its_thread() {
    let text = panic_text(|| {
        thread::scope(|outer| {
            let handle = outer.spawn(|| {
                thread::scope(|inner| drop(inner.spawn(|| panic!("deep inside"))));
            });
            assert_eq!(payload_text(handle.join().unwrap_err().as_ref()), SCOPE_PANIC);
            outer.spawn(|| thread::scope(|_| panic!("not joined")));
        });
    });
    assert_eq!(text, SCOPE_PANIC);
}

#[test]
fn a_scope_that_failed_leaves_what_it_borrowed_usable() {
    let mut numbers = vec![1];
    let result = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                numbers.push(2);
                panic!("after a push");
            });
        });
    }));
    assert!(result.is_err());
    numbers.push(3);
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn what_a_thread_captured_and_returned_is_dropped_by_the_end_of_the_scope() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let n_dropped = AtomicUsize::new(0);
    thread::scope(|scope| {
        let captured = Counted(&n_dropped);
        scope.spawn(move || drop(captured));
        scope.spawn(|| Counted(&n_dropped));
    });
    assert_eq!(n_dropped.swap(0, SeqCst), 2);
    panic_text(|| {
        thread::scope(|scope| {
            let captured = Counted(&n_dropped);
            scope.spawn(move || {
                let _captured = captured;
                panic!("with a captured value");
            });
        });
    });
    assert_eq!(n_dropped.into_inner(), 1);
}

#[test]
fn is_finished_of_scoped_threads() {
    let go = AtomicBool::new(false);
    thread::scope(|scope| {
        let returns = scope.spawn(|| until(|| go.load(SeqCst)));
        let panics = scope.spawn(|| {
            until(|| go.load(SeqCst));
            panic!("finished as well");
        });
        assert!(!returns.is_finished() && !panics.is_finished());
        go.store(true, SeqCst);
        until(|| returns.is_finished() && panics.is_finished());
        assert!(returns.join().is_ok() && panics.join().is_err());
    });
}

#[test]
fn a_builder_starts_scoped_threads() {
    let n = AtomicUsize::new(0);
    let failed = thread::scope(|scope| {
        let builder = thread::Builder::new().name("in a scope".to_owned()).stack_size(1 << 20);
        let handle = builder.spawn_scoped(scope, || {
            n.fetch_add(1, SeqCst);
            thread::current().name().map(str::to_owned)
        });
        assert_eq!(handle.unwrap().join().unwrap().as_deref(), Some("in a scope"));
        // More than any machine has; the scope does not wait for a thread that was never there.
        thread::Builder::new().stack_size(1 << 50).spawn_scoped(scope, || n.fetch_add(1, SeqCst)).is_err()
    });
    assert!(failed && n.into_inner() == 1);
    panic_text(|| {
        thread::scope(|scope| drop(thread::Builder::new().name("a\0b".into()).spawn_scoped(scope, || ())));
    });
}
