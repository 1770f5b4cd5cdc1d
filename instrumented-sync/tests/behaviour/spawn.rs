//! Threads: their names, ids, results, and what outlives them.

use super::{
    sync::{Arc, Mutex, mpsc},
    thread,
};
use crate::{A_WHILE, payload_text, until};
use std::{
    any::Any,
    collections::HashSet,
    panic::{panic_any, resume_unwind},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

#[test]
fn ids_are_unique_and_stay() {
    let handles: Vec<_> = (0..20).map(|_| thread::spawn(|| (thread::current().id(), thread::current().id()))).collect();
    let outside: Vec<_> = handles.iter().map(|handle| handle.thread().id()).collect();
    let inside: Vec<_> = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
    assert!(inside.iter().copied().eq(outside.iter().map(|id| (*id, *id))));
    let mut all: HashSet<_> = outside.into_iter().collect();
    assert!(all.insert(thread::current().id()) && all.insert(thread::spawn(|| thread::current().id()).join().unwrap()));
    assert_eq!(all.len(), 22, "also of threads that are gone");
}

#[test]
fn a_handle_outlives_its_thread() {
    let handle = thread::Builder::new().name("short".to_owned()).spawn(thread::current).unwrap();
    let thread = handle.thread().clone();
    let own = handle.join().unwrap();
    assert_eq!((own.name(), own.id()), (Some("short"), thread.id()));
    assert_eq!(format!("{own:?}"), format!("{thread:?}"));
}

#[test]
fn names_of_every_kind() {
    for name in ["", "with spaces", "ünïcödé", "longer than what an operating system keeps of a name"] {
        let builder = thread::Builder::new().name("replaced".to_owned()).name(name.to_owned());
        let handle = builder.spawn(|| thread::current().name().map(str::to_owned)).unwrap();
        assert_eq!(handle.thread().name(), Some(name));
        assert_eq!(handle.join().unwrap().as_deref(), Some(name));
    }
    assert_eq!(thread::Builder::new().spawn(|| ()).unwrap().thread().name(), None);
    let started_by_named = thread::Builder::new()
        .name("parent".to_owned())
        .spawn(|| thread::spawn(|| thread::current().name().map(str::to_owned)).join().unwrap());
    assert_eq!(started_by_named.unwrap().join().unwrap(), None, "a name is not inherited");
}

#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    let (sender, receiver) = mpsc::channel::<()>();
    // More than any machine has.
    let result = thread::Builder::new().stack_size(1 << 50).spawn(move || sender.send(()));
    assert!(result.is_err());
    assert!(receiver.recv().is_err(), "the closure is dropped without being run");
    assert!(thread::spawn(|| true).join().unwrap());
}

#[test]
fn results_of_any_type_come_back() {
    assert!(thread::spawn(|| ()).join().is_ok());
    assert_eq!(thread::spawn(|| [3_u64; 500]).join().unwrap().iter().sum::<u64>(), 1500);
    let shared = Arc::new(());
    let theirs = Arc::clone(&shared);
    let back = thread::spawn(move || Some(theirs)).join().unwrap();
    assert!(Arc::ptr_eq(&shared, &back.unwrap()));
    let error: Result<(), String> = thread::spawn(|| Err("an error is a result".to_owned())).join().unwrap();
    assert_eq!(error.unwrap_err(), "an error is a result");
    let handle = thread::spawn(|| thread::spawn(|| thread::spawn(|| 5)));
    assert_eq!(handle.join().unwrap().join().unwrap().join().unwrap(), 5);
}

#[test]
fn payloads_of_any_type_come_back() {
    #[derive(Debug, PartialEq)]
    struct Custom(Vec<u8>);
    let payload = |f: fn()| -> Box<dyn Any + Send> { thread::spawn(f).join().unwrap_err() };
    assert_eq!(payload(|| panic!("text")).downcast_ref(), Some(&"text"));
    assert_eq!(payload(|| panic!("{}", 1)).downcast_ref(), Some(&"1".to_owned()));
    assert_eq!(*payload(|| panic_any(Custom(vec![1]))).downcast::<Custom>().unwrap(), Custom(vec![1]));
    assert!(payload(|| resume_unwind(Box::new('c'))).is::<char>());
    let passed_on = payload(|| resume_unwind(thread::spawn(|| panic_any(7_i32)).join().unwrap_err()));
    assert_eq!(passed_on.downcast_ref(), Some(&7));
    let unwrapped = payload(|| thread::spawn(|| panic!("inner")).join().unwrap());
    assert!(payload_text(unwrapped.as_ref()).starts_with("called `Result::unwrap()`"));
}

#[test]
fn a_panicking_thread_knows_it_and_others_do_not() {
    struct Asks(mpsc::Sender<bool>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.send(thread::panicking()).unwrap();
        }
    }
    let (sender, receiver) = mpsc::channel();
    let calm = Asks(sender.clone());
    thread::spawn(move || drop(calm)).join().unwrap();
    let unwinding = Asks(sender);
    let handle = thread::spawn(move || {
        let _asks = unwinding;
        panic!("asks while unwinding");
    });
    assert!(handle.join().is_err());
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [false, true]);
    assert!(!thread::panicking());
}

#[test]
fn what_a_closure_captured_is_gone_when_its_thread_is_joined() {
    let shared = Arc::new(());
    let [moved, held, unwound] = [(); 3].map(|()| Arc::clone(&shared));
    thread::spawn(move || drop(moved)).join().unwrap();
    thread::spawn(move || drop(Arc::clone(&held))).join().unwrap();
    let result = thread::spawn(move || {
        let unwound = unwound;
        assert!(Arc::strong_count(&unwound) == 0, "with a captured value");
    });
    assert!(result.join().is_err());
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn a_result_that_nobody_joins_is_dropped() {
    let shared = Arc::new(());
    let theirs = Arc::clone(&shared);
    drop(thread::spawn(move || theirs));
    until(|| Arc::strong_count(&shared) == 1);
    let theirs = Arc::clone(&shared);
    let handle = thread::spawn(move || theirs);
    until(|| handle.is_finished());
    assert_eq!(Arc::strong_count(&shared), 2, "it is kept for who joins");
    drop(handle);
    until(|| Arc::strong_count(&shared) == 1);
}

#[test]
fn a_thread_outlives_its_handle_and_its_parent() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel::<()>();
    thread::spawn(move || {
        drop(thread::spawn(move || {
            assert!(receiver.recv().is_err());
            DONE.store(true, SeqCst);
        }));
    })
    .join()
    .unwrap();
    thread::sleep(A_WHILE);
    assert!(!DONE.load(SeqCst));
    drop(sender);
    until(|| DONE.load(SeqCst));
}

#[test]
fn a_panic_that_nobody_joins_harms_nobody() {
    let (sender, receiver) = mpsc::channel::<()>();
    drop(thread::spawn(move || {
        let _sender = sender;
        panic!("nobody joins");
    }));
    assert!(receiver.recv().is_err());
    let handle = thread::spawn(|| panic!("finished as well"));
    until(|| handle.is_finished());
    assert!(handle.join().is_err());
}

#[test]
fn many_threads_at_once() {
    let (sum, n_running) = (Arc::new(Mutex::new(0)), Arc::new(AtomicUsize::new(0)));
    let handles: Vec<_> = (0..60)
        .map(|n| {
            let (sum, n_running) = (Arc::clone(&sum), Arc::clone(&n_running));
            thread::spawn(move || {
                n_running.fetch_add(1, SeqCst);
                until(|| n_running.load(SeqCst) == 60);
                *sum.lock().unwrap() += n;
                n
            })
        })
        .collect();
    assert!(handles.into_iter().map(|handle| handle.join().unwrap()).eq(0..60));
    assert_eq!(*sum.lock().unwrap(), 60 * 59 / 2);
}

#[test]
fn handles_are_joined_anywhere() {
    let handle = thread::spawn(|| "carried");
    let carried = thread::spawn(move || handle.join().unwrap());
    assert_eq!(carried.join().unwrap(), "carried");
    let (sender, receiver) = mpsc::channel();
    sender.send(thread::spawn(|| 1)).unwrap();
    sender.send(thread::spawn(|| 2)).unwrap();
    drop(sender);
    assert_eq!(receiver.iter().map(|handle| handle.join().unwrap()).sum::<i32>(), 3);
}

#[test]
fn time_and_processors() {
    thread::sleep(Duration::ZERO);
    thread::yield_now();
    let start = Instant::now();
    thread::sleep(Duration::from_millis(3));
    assert!(start.elapsed() >= Duration::from_millis(3));
    assert!(thread::available_parallelism().unwrap().get() > 0);
}
