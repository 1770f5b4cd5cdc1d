//! What is printed is what std prints.

use super::{
    sync::{Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc},
    thread,
};
use crate::panic_text;
use std::{
    sync::{
        Barrier as StdBarrier, Condvar as StdCondvar, LazyLock as StdLazyLock, Mutex as StdMutex, Once as StdOnce,
        OnceLock as StdOnceLock, RwLock as StdRwLock, mpsc as std_mpsc,
    },
    thread as std_thread,
    time::Duration,
};

/// Asserts that two values print the same, in one line and in many.
macro_rules! assert_same {
    ($ours:expr, $theirs:expr) => {{
        let (ours, theirs) = (&$ours, &$theirs);
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"));
    }};
}

#[test]
fn mutexes() {
    let (ours, theirs) = (Mutex::new("text"), StdMutex::new("text"));
    assert_same!(ours, theirs);
    assert_same!(ours.try_lock(), theirs.try_lock());
    let (our_guard, their_guard) = (ours.lock().unwrap(), theirs.lock().unwrap());
    assert_same!(our_guard, their_guard);
    assert_eq!(our_guard.to_string(), their_guard.to_string());
    assert_eq!(format!("{our_guard:>8}"), format!("{their_guard:>8}"));
    assert_same!(ours, theirs);
    assert_same!(ours.try_lock(), theirs.try_lock());
    drop((our_guard, their_guard));
    panic_text(|| {
        let _guards = (ours.lock().unwrap(), theirs.lock().unwrap());
        panic!("poison");
    });
    assert_same!(ours, theirs);
    assert_same!(ours.lock(), theirs.lock());
    assert_same!(ours.try_lock(), theirs.try_lock());
}

#[test]
fn rwlocks() {
    let (ours, theirs) = (RwLock::new(1.5), StdRwLock::new(1.5));
    assert_same!(ours, theirs);
    let (our_guard, their_guard) = (ours.read().unwrap(), theirs.read().unwrap());
    assert_same!(our_guard, their_guard);
    assert_same!(ours, theirs);
    assert_eq!(format!("{our_guard:.3}"), format!("{their_guard:.3}"));
    drop((our_guard, their_guard));
    let (our_guard, their_guard) = (ours.write().unwrap(), theirs.write().unwrap());
    assert_same!(our_guard, their_guard);
    assert_same!(ours, theirs);
    assert_same!(ours.try_read(), theirs.try_read());
    assert_eq!(our_guard.to_string(), their_guard.to_string());
}

#[test]
fn poisoned_rwlocks() {
    let (ours, theirs) = (RwLock::new([1]), StdRwLock::new([1]));
    panic_text(|| {
        let _guards = (ours.write().unwrap(), theirs.write().unwrap());
        panic!("poison");
    });
    assert_same!(ours, theirs);
    assert_same!(ours.read(), theirs.read());
    assert_same!(ours.write(), theirs.write());
    assert_same!(ours.try_read(), theirs.try_read());
    let (our_guard, their_guard) = (ours.write().unwrap_err(), theirs.write().unwrap_err());
    assert_eq!(
        (our_guard.to_string(), format!("{our_guard:?}")),
        (their_guard.to_string(), format!("{their_guard:?}"))
    );
    assert_same!(ours, theirs);
    assert_eq!(ours.try_write().unwrap_err().to_string(), theirs.try_write().unwrap_err().to_string());
    assert_same!(our_guard.into_inner(), their_guard.into_inner());
    assert_same!(ours.into_inner(), theirs.into_inner());
}

#[test]
fn what_failed_to_initialise() {
    let (ours, theirs) = (Once::new(), StdOnce::new());
    panic_text(|| ours.call_once(|| panic!("ours")));
    panic_text(|| theirs.call_once(|| panic!("theirs")));
    assert_same!(ours, theirs);
    let mut states = Vec::new();
    ours.call_once_force(|state| states.push(format!("{state:?}")));
    theirs.call_once_force(|state| states.push(format!("{state:?}")));
    assert_eq!(states[0], states[1]);
    let (ours, theirs) = (LazyLock::new(|| -> u8 { panic!("ours") }), StdLazyLock::new(|| -> u8 { panic!("theirs") }));
    panic_text(|| assert_eq!(*ours, 0));
    panic_text(|| assert_eq!(*theirs, 0));
    assert_same!(ours, theirs);
}

#[test]
fn condvars() {
    let (ours, theirs) = (Condvar::new(), StdCondvar::new());
    assert_same!(ours, theirs);
    let (our_mutex, their_mutex) = (Mutex::new(0), StdMutex::new(0));
    let soon = Duration::ZERO;
    let our_result = ours.wait_timeout_while(our_mutex.lock().unwrap(), soon, |_| true).unwrap().1;
    let their_result = theirs.wait_timeout_while(their_mutex.lock().unwrap(), soon, |_| true).unwrap().1;
    assert_same!(our_result, their_result);
}

#[test]
fn barriers() {
    let (ours, theirs) = (Barrier::new(1), StdBarrier::new(1));
    assert_same!(ours, theirs);
    assert_same!(ours.wait(), theirs.wait());
}

#[test]
fn what_is_initialised_once() {
    let (ours, theirs) = (Once::new(), StdOnce::new());
    assert_same!(ours, theirs);
    ours.call_once(|| theirs.call_once(|| ()));
    assert_same!(ours, theirs);
    assert_same!(OnceLock::<u8>::new(), StdOnceLock::<u8>::new());
    assert_same!(OnceLock::from("text"), StdOnceLock::from("text"));
    let (ours, theirs) = (LazyLock::new(|| "text"), StdLazyLock::new(|| "text"));
    assert_same!(ours, theirs);
    assert_eq!(*ours, *theirs);
    assert_same!(ours, theirs);
}

#[test]
fn channels() {
    let (ours, theirs) = (mpsc::channel::<u8>(), std_mpsc::channel::<u8>());
    assert_same!(ours, theirs);
    assert_same!(ours.1.iter(), theirs.1.iter());
    assert_same!(ours.1.try_iter(), theirs.1.try_iter());
    assert_same!(ours.1.into_iter(), theirs.1.into_iter());
    assert_same!(mpsc::sync_channel::<u8>(3), std_mpsc::sync_channel::<u8>(3));
    assert_same!(ours.0.send(1), theirs.0.send(1));
}

#[test]
fn threads() {
    assert_same!(thread::Builder::new(), std_thread::Builder::new());
    let (ours, theirs) = (thread::Builder::new().name("n".into()), std_thread::Builder::new().name("n".into()));
    assert_same!(ours.stack_size(5), theirs.stack_size(5));
    assert_same!(thread::current(), std_thread::current());
    let (ours, theirs) = (thread::spawn(|| ()), std_thread::spawn(|| ()));
    assert_same!(ours, theirs);
    ours.join().unwrap();
    theirs.join().unwrap();
    let handle = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    let ours = thread::scope(|scope| (format!("{scope:?}"), handle(format!("{:?}", scope.spawn(|| ())))));
    let theirs = std_thread::scope(|scope| (format!("{scope:?}"), handle(format!("{:?}", scope.spawn(|| ())))));
    assert_eq!(ours, theirs);
}
