//! Condition variables.

use super::{
    sync::{Arc, Condvar, Mutex},
    thread,
};
use crate::{A_WHILE, until};
use std::time::{Duration, Instant};

#[test]
fn notify_one_lets_one_waiter_through() {
    const N_WAITERS: u32 = 3;
    // Waiters, tokens, waiters that are through.
    let (state, changed) = (Mutex::new((0, 0, 0)), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..N_WAITERS {
            scope.spawn(|| {
                let mut guard = state.lock().unwrap();
                guard.0 += 1;
                while guard.1 == 0 {
                    guard = changed.wait(guard).unwrap();
                }
                guard.1 -= 1;
                guard.2 += 1;
            });
        }
        until(|| state.lock().unwrap().0 == N_WAITERS);
        for n_through in 1..=N_WAITERS {
            state.lock().unwrap().1 += 1;
            changed.notify_one();
            until(|| state.lock().unwrap().2 == n_through);
            thread::sleep(A_WHILE);
            assert_eq!(*state.lock().unwrap(), (N_WAITERS, 0, n_through));
        }
    });
}

#[test]
fn notify_all_lets_all_waiters_through() {
    let (state, changed) = (Mutex::new((0, false)), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                state.lock().unwrap().0 += 1;
                let guard = changed.wait_while(state.lock().unwrap(), |state| !state.1).unwrap();
                assert!(guard.1);
            });
        }
        until(|| state.lock().unwrap().0 == 8);
        state.lock().unwrap().1 = true;
        changed.notify_all();
    });
}

#[test]
fn notifying_nobody_is_forgotten() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    changed.notify_one();
    changed.notify_all();
    let start = Instant::now();
    let mut guard = mutex.lock().unwrap();
    loop {
        let (back, result) = changed.wait_timeout(guard, Duration::from_millis(20)).unwrap();
        guard = back;
        if result.timed_out() {
            break;
        }
    }
    assert!(start.elapsed() >= Duration::from_millis(20));
    drop(guard);
}

#[test]
fn a_wait_that_timed_out_takes_no_notify_from_others() {
    let (state, changed) = (Mutex::new(false), Condvar::new());
    let guard = state.lock().unwrap();
    let (guard, result) = changed.wait_timeout_while(guard, Duration::from_millis(2), |set| !*set).unwrap();
    assert!(result.timed_out());
    drop(guard);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(changed.wait_while(state.lock().unwrap(), |set| !*set).unwrap()));
        thread::sleep(A_WHILE);
        *state.lock().unwrap() = true;
        changed.notify_one();
        waiter.join().unwrap();
    });
}

/// One thread waits for good, another with timeouts that keep running out, and takes a token only if it was
/// notified. A notify that went to a wait whose time was over would leave its token to nobody.
#[test]
fn no_notify_is_lost_between_a_timeout_and_a_waiter() {
    const N_TOKENS: u32 = 400;
    // Tokens there are, tokens taken.
    let (state, changed) = (Mutex::new((0, 0)), Condvar::new());
    let over = |state: &(u32, u32)| state.1 == N_TOKENS;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = state.lock().unwrap();
            while !over(&guard) {
                guard = changed.wait_while(guard, |state| state.0 == 0 && !over(state)).unwrap();
                guard.1 += std::mem::take(&mut guard.0);
            }
        });
        scope.spawn(|| {
            let mut guard = state.lock().unwrap();
            while !over(&guard) {
                let (back, result) = changed.wait_timeout(guard, Duration::from_micros(80)).unwrap();
                guard = back;
                if !result.timed_out() {
                    guard.1 += std::mem::take(&mut guard.0);
                }
            }
        });
        for n_taken in 1..=N_TOKENS {
            state.lock().unwrap().0 += 1;
            changed.notify_one();
            until(|| state.lock().unwrap().1 == n_taken);
        }
        changed.notify_all();
    });
}

#[test]
fn wait_timeout_says_when_it_was_notified() {
    let (state, changed) = (Arc::new(Mutex::new(false)), Arc::new(Condvar::new()));
    let (their_state, their_changed) = (Arc::clone(&state), Arc::clone(&changed));
    let mut guard = state.lock().unwrap();
    let notifier = thread::spawn(move || {
        *their_state.lock().unwrap() = true;
        their_changed.notify_one();
    });
    while !*guard {
        let (back, result) = changed.wait_timeout(guard, Duration::from_secs(600)).unwrap();
        assert!(!result.timed_out());
        guard = back;
    }
    drop(guard);
    notifier.join().unwrap();
}

#[test]
fn wait_while_looks_before_it_waits() {
    let (mutex, changed) = (Mutex::new(3), Condvar::new());
    let guard = changed.wait_while(mutex.lock().unwrap(), |n| *n != 3).unwrap();
    assert_eq!(*guard, 3);
    let (guard, result) = changed.wait_timeout_while(guard, Duration::ZERO, |n| *n != 3).unwrap();
    assert!(!result.timed_out());
    let (guard, result) = changed.wait_timeout_while(guard, Duration::ZERO, |n| *n == 3).unwrap();
    assert!(result.timed_out());
    drop(guard);
}

#[test]
fn wait_timeout_while_is_ended_by_its_condition() {
    let (state, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5 {
                *state.lock().unwrap() += 1;
                changed.notify_all();
            }
        });
        let guard = state.lock().unwrap();
        let (guard, result) = changed.wait_timeout_while(guard, Duration::from_secs(600), |n| *n < 5).unwrap();
        assert!(!result.timed_out());
        assert_eq!(*guard, 5);
    });
}

#[test]
fn an_endless_timeout_is_one() {
    let (state, changed) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            *state.lock().unwrap() = true;
            changed.notify_one();
        });
        let guard = state.lock().unwrap();
        let (guard, result) = changed.wait_timeout_while(guard, Duration::MAX, |set| !*set).unwrap();
        assert!(*guard && !result.timed_out());
    });
}

#[test]
#[expect(deprecated, reason = "std has it")]
fn wait_timeout_ms_says_whether_it_was_notified() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let mut guard = mutex.lock().unwrap();
    loop {
        let (back, notified) = changed.wait_timeout_ms(guard, 1).unwrap();
        guard = back;
        if !notified {
            break;
        }
    }
    drop(guard);
}

#[test]
fn the_mutex_is_free_while_its_owner_waits() {
    let (state, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = changed.wait_while(state.lock().unwrap(), |n| *n == 0).unwrap();
            *guard = 2;
            changed.notify_one();
        });
        let mut guard = state.lock().unwrap();
        *guard = 1;
        changed.notify_one();
        let guard = changed.wait_while(guard, |n| *n != 2).unwrap();
        assert_eq!(*guard, 2);
    });
}

#[test]
fn one_condition_variable_serves_two_mutexes_in_turn() {
    let changed = Condvar::new();
    for mutex in [Mutex::new(()), Mutex::new(())] {
        let (guard, _) = changed.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(1)).unwrap();
        drop(guard);
    }
}
