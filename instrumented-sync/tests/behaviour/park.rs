//! Parking: one token for each thread.

use super::{sync::Arc, thread};
use crate::{A_WHILE, until};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

#[test]
fn tokens_do_not_add_up() {
    let (passed, may_park, may_pass) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let (passed, may_park, may_pass) = (&passed, &may_park, &may_pass);
        let handle = scope.spawn(move || {
            // Not through a channel: receiving may take the token.
            until(|| may_park.load(SeqCst));
            thread::park();
            passed.fetch_add(1, SeqCst);
            while !may_pass.load(SeqCst) {
                thread::park();
            }
            passed.fetch_add(1, SeqCst);
        });
        (0..5).for_each(|_| handle.thread().unpark());
        may_park.store(true, SeqCst);
        until(|| passed.load(SeqCst) == 1);
        thread::sleep(A_WHILE);
        assert_eq!(passed.load(SeqCst), 1);
        may_pass.store(true, SeqCst);
        handle.thread().unpark();
        handle.join().unwrap();
    });
    assert_eq!(passed.into_inner(), 2);
}

#[test]
fn a_token_that_was_taken_is_gone() {
    thread::current().unpark();
    thread::park();
    let (time, start) = (Duration::from_millis(10), Instant::now());
    let mut n_parks = 0;
    while start.elapsed() < time {
        thread::park_timeout(time.saturating_sub(start.elapsed()));
        n_parks += 1;
    }
    assert!(n_parks < 100, "a wake-up without a cause is allowed, but not one after the other");
    thread::current().unpark();
    thread::park_timeout(Duration::from_secs(600));
}

#[test]
fn a_park_with_a_timeout_takes_the_token() {
    for _ in 0..2 {
        thread::current().unpark();
        thread::current().unpark();
        thread::park_timeout(Duration::MAX);
    }
    thread::park_timeout(Duration::ZERO);
    let handle = thread::spawn(|| thread::park_timeout(Duration::MAX));
    thread::sleep(Duration::from_millis(2));
    handle.thread().unpark();
    handle.join().unwrap();
}

#[test]
fn what_was_written_before_an_unpark_is_seen_after_the_park() {
    let written = Arc::new(AtomicUsize::new(0));
    let (main, theirs) = (thread::current(), Arc::clone(&written));
    let handle = thread::spawn(move || {
        for n in 1..=100 {
            theirs.store(n, SeqCst);
            main.unpark();
            while theirs.load(SeqCst) != 0 {
                thread::park();
            }
        }
    });
    for n in 1..=100 {
        while written.load(SeqCst) == 0 {
            thread::park();
        }
        assert_eq!(written.swap(0, SeqCst), n);
        handle.thread().unpark();
    }
    handle.join().unwrap();
}

#[test]
fn the_token_is_the_thread_s_own() {
    let (a, b) = (AtomicBool::new(false), AtomicBool::new(false));
    let waits = |flag: &AtomicBool| {
        while !flag.load(SeqCst) {
            thread::park();
        }
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| waits(&a));
        let second = scope.spawn(|| waits(&b));
        b.store(true, SeqCst);
        second.thread().unpark();
        second.join().unwrap();
        first.thread().unpark();
        thread::sleep(A_WHILE);
        assert!(!first.is_finished());
        a.store(true, SeqCst);
        first.thread().unpark();
    });
}

#[test]
fn a_thread_that_is_gone_is_unparked_in_vain() {
    let handle = thread::spawn(thread::current);
    let thread = handle.thread().clone();
    let own = handle.join().unwrap();
    thread.unpark();
    own.unpark();
    assert_eq!(own.id(), thread.id());
}
