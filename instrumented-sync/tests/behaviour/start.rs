//! Threads: started, joined, parked, scoped.

use super::{sync::mpsc, thread};
use crate::{A_WHILE, panic_text, payload_text, std_thread_id, until};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

#[test]
fn join_returns_what_the_thread_returned() {
    assert_eq!(thread::spawn(|| "done".to_owned()).join().unwrap(), "done");
}

#[test]
fn join_returns_what_the_thread_panicked_with() {
    let payload = thread::spawn(|| panic!("with {}", "text")).join().unwrap_err();
    assert_eq!(payload_text(payload.as_ref()), "with text");
    let payload = thread::spawn(|| std::panic::panic_any(17_u8)).join().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&17_u8));
}

#[test]
fn a_thread_knows_its_id_and_name() {
    let builder = thread::Builder::new().name("worker".into());
    let handle = builder.spawn(|| (thread::current().id(), thread::current().name().map(str::to_owned))).unwrap();
    assert_eq!(handle.thread().name(), Some("worker"));
    let id = handle.thread().id();
    assert_eq!(handle.join().unwrap(), (id, Some("worker".to_owned())));
    assert_ne!(thread::current().id(), id);
    assert_eq!(thread::current().id(), thread::current().id());
    assert_eq!(thread::current().id(), std_thread_id());
    assert_eq!(thread::spawn(|| thread::current().name().map(str::to_owned)).join().unwrap(), None);
}

#[test]
#[expect(clippy::large_stack_arrays, reason = "the stack is large")]
fn stack_size_is_obeyed() {
    let builder = thread::Builder::new().stack_size(64 << 20);
    let handle =
        builder.spawn(|| std::hint::black_box([1_u8; 16 << 20]).iter().map(|n| usize::from(*n)).sum::<usize>());
    assert_eq!(handle.unwrap().join().unwrap(), 16 << 20);
}

#[test]
fn a_name_with_a_nul_panics() {
    panic_text(|| drop(thread::Builder::new().name("a\0b".into()).spawn(|| ())));
}

#[test]
fn is_finished_tells_the_end() {
    let (sender, receiver) = mpsc::channel::<()>();
    let handle = thread::spawn(move || receiver.recv().is_err());
    assert!(!handle.is_finished());
    drop(sender);
    until(|| handle.is_finished());
    assert!(handle.join().unwrap());
}

#[test]
fn a_dropped_handle_detaches() {
    let done = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&done);
    drop(thread::spawn(move || theirs.store(true, SeqCst)));
    until(|| done.load(SeqCst));
}

#[test]
fn an_unpark_before_the_park_counts() {
    thread::current().unpark();
    thread::park();
    let handle = thread::spawn(|| {
        thread::sleep(A_WHILE);
        thread::park();
    });
    handle.thread().unpark();
    handle.join().unwrap();
}

#[test]
fn park_waits_for_unpark() {
    let go = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&go);
    let handle = thread::spawn(move || {
        while !theirs.load(SeqCst) {
            thread::park();
        }
    });
    thread::sleep(A_WHILE);
    assert!(!handle.is_finished());
    go.store(true, SeqCst);
    handle.thread().clone().unpark();
    handle.join().unwrap();
}

#[test]
fn a_thread_is_unparked_through_its_own_handle() {
    let (sender, receiver) = mpsc::channel();
    let handle = thread::spawn(move || {
        sender.send(thread::current()).unwrap();
        thread::park_timeout(Duration::from_secs(600));
    });
    receiver.recv().unwrap().unpark();
    handle.join().unwrap();
}

#[test]
fn park_timeout_ends() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(5) {
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn a_scope_joins_its_threads() {
    let (mut a, mut b) = (0, 0);
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(A_WHILE);
            a += 1;
        });
        scope.spawn(|| b += 2);
        "result"
    });
    assert_eq!((a, b, result), (1, 2, "result"));
}

#[test]
fn scoped_threads_start_threads() {
    let n = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            scope.spawn(|| n.fetch_add(1, SeqCst));
            n.fetch_add(1, SeqCst);
        });
    });
    assert_eq!(n.load(SeqCst), 2);
}

#[test]
fn a_scoped_handle_joins() {
    thread::scope(|scope| {
        let handle = scope.spawn(|| 5);
        let id = handle.thread().id();
        assert_ne!(id, thread::current().id());
        assert_eq!(handle.join().unwrap(), 5);
        let handle =
            thread::Builder::new().name("scoped".into()).spawn_scoped(scope, || thread::current().id()).unwrap();
        assert_eq!(handle.thread().name(), Some("scoped"));
        let id = handle.thread().id();
        assert_eq!(handle.join().unwrap(), id);
        let handle = scope.spawn(|| ());
        until(|| handle.is_finished());
    });
}

#[test]
fn a_panic_in_a_scoped_thread_reaches_the_scope() {
    let done = AtomicBool::new(false);
    let text = panic_text(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("inside"));
            scope.spawn(|| {
                thread::sleep(A_WHILE);
                done.store(true, SeqCst);
            });
        });
    });
    assert_eq!(text, "a scoped thread panicked");
    assert!(done.load(SeqCst), "the scope waits for all its threads first");
}

#[test]
fn a_panic_that_was_joined_does_not_reach_the_scope() {
    thread::scope(|scope| {
        let payload = scope.spawn(|| panic!("inside")).join().unwrap_err();
        assert_eq!(payload_text(payload.as_ref()), "inside");
    });
}

#[test]
fn a_panic_of_the_scope_itself_goes_on_after_its_threads() {
    let done = AtomicBool::new(false);
    let text = panic_text(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(A_WHILE);
                done.store(true, SeqCst);
            });
            panic!("outside");
        });
    });
    assert_eq!(text, "outside");
    assert!(done.load(SeqCst));
}
