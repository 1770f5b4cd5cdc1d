//! Condition variables in use: many waiters, many rounds, every way to wait, and conditions that panic.

use super::{
    sync::{Arc, Condvar, Mutex, TryLockError},
    thread,
};
use crate::{A_WHILE, panic_text, until};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_millis(5);

#[test]
fn two_threads_play_ping_pong() {
    const N_ROUNDS: u32 = 200;
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    let play = |player: u32| {
        for round in 0..N_ROUNDS {
            let mut guard = changed.wait_while(turn.lock().unwrap(), |turn| *turn % 2 != player).unwrap();
            assert_eq!(*guard, round * 2 + player);
            *guard += 1;
            changed.notify_one();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    assert_eq!(turn.into_inner().unwrap(), N_ROUNDS * 2);
}

#[test]
fn a_bounded_queue_hands_over_everything() {
    const N_EACH: u32 = 150;
    let queue = Mutex::new(VecDeque::new());
    let (not_empty, not_full) = (Condvar::new(), Condvar::new());
    let sum = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 1..=N_EACH {
                    let mut guard = not_full.wait_while(queue.lock().unwrap(), |queue| queue.len() == 2).unwrap();
                    guard.push_back(n);
                    drop(guard);
                    not_empty.notify_one();
                }
            });
        }
        let take = || {
            let mut sum = 0;
            for _ in 0..N_EACH {
                let mut guard = not_empty.wait_while(queue.lock().unwrap(), |queue| queue.is_empty()).unwrap();
                sum += guard.pop_front().unwrap();
                not_full.notify_one();
            }
            sum
        };
        let takers: Vec<_> = (0..3).map(|_| scope.spawn(take)).collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).sum::<u32>()
    });
    assert_eq!(sum, 3 * N_EACH * (N_EACH + 1) / 2);
}

#[test]
fn every_round_wakes_all_of_many_waiters() {
    const N_WAITERS: usize = 24;
    const N_ROUNDS: usize = 20;
    // Round, threads that are through with it.
    let (state, changed) = (Mutex::new((0, 0)), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..N_WAITERS {
            scope.spawn(|| {
                for round in 1..=N_ROUNDS {
                    let mut guard = changed.wait_while(state.lock().unwrap(), |state| state.0 < round).unwrap();
                    guard.1 += 1;
                }
            });
        }
        for round in 1..=N_ROUNDS {
            state.lock().unwrap().0 = round;
            changed.notify_all();
            until(|| state.lock().unwrap().1 == N_WAITERS * round);
        }
    });
}

#[test]
fn a_notify_works_with_and_without_the_mutex() {
    for with_mutex in [true, false] {
        let (set, changed) = (Mutex::new(false), Condvar::new());
        thread::scope(|scope| {
            scope.spawn(|| assert!(*changed.wait_while(set.lock().unwrap(), |set| !*set).unwrap()));
            thread::sleep(A_WHILE);
            let mut guard = set.lock().unwrap();
            *guard = true;
            let guard = with_mutex.then_some(guard);
            changed.notify_one();
            drop(guard);
        });
    }
}

#[test]
fn other_notifies_do_not_end_a_wait_while() {
    let (set, changed) = (Mutex::new(false), Condvar::new());
    let n_asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        let [plain, timed] = [false, true].map(|is_timed| {
            let (set, changed, n_asked) = (&set, &changed, &n_asked);
            let condition = |set: &mut bool| {
                n_asked.fetch_add(1, SeqCst);
                !*set
            };
            scope.spawn(move || {
                let guard = set.lock().unwrap();
                if is_timed {
                    *changed.wait_timeout_while(guard, Duration::from_secs(600), condition).unwrap().0
                } else {
                    *changed.wait_while(guard, condition).unwrap()
                }
            })
        });
        until(|| {
            changed.notify_all();
            n_asked.load(SeqCst) >= 20
        });
        assert!(!plain.is_finished() && !timed.is_finished());
        *set.lock().unwrap() = true;
        changed.notify_all();
        assert!(plain.join().unwrap() && timed.join().unwrap());
    });
}

#[test]
#[expect(deprecated, reason = "std has it")]
fn every_wait_returns_with_the_mutex_held() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let held = || thread::scope(|scope| scope.spawn(|| mutex.try_lock().is_err()).join().unwrap());
    let (guard, result) = changed.wait_timeout(mutex.lock().unwrap(), SOON).unwrap();
    assert!(held(), "{result:?}");
    let (guard, _) = changed.wait_timeout_ms(guard, 1).unwrap();
    assert!(held());
    let (guard, _) = changed.wait_timeout_while(guard, SOON, |()| true).unwrap();
    assert!(held());
    let guard = changed.wait_while(guard, |()| false).unwrap();
    assert!(held());
    drop(guard);
    assert!(!held());
}

#[test]
fn a_wait_frees_its_own_mutex_and_no_other() {
    let (own, other, changed) = (Mutex::new(0), Mutex::new(()), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let _other = other.lock().unwrap();
            let guard = changed.wait_while(own.lock().unwrap(), |n| std::mem::replace(n, 1) < 2).unwrap();
            assert_eq!(*guard, 1);
        });
        until(|| *own.lock().unwrap() == 1);
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        *own.lock().unwrap() = 2;
        changed.notify_one();
    });
    assert!(other.try_lock().is_ok());
}

#[test]
#[expect(deprecated, reason = "std has it")]
fn a_time_of_none_is_over_at_once() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let mut guard = mutex.lock().unwrap();
    let start = Instant::now();
    loop {
        let (back, result) = changed.wait_timeout(guard, Duration::ZERO).unwrap();
        guard = back;
        if result.timed_out() {
            break;
        }
    }
    while changed.wait_timeout_ms(guard, 0).unwrap().1 {
        guard = mutex.lock().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_longest_times_do_not_overflow() {
    for time in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(u64::MAX / 2)] {
        let (set, changed) = (Mutex::new(false), Condvar::new());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let mut guard = set.lock().unwrap();
                while !*guard {
                    let (back, result) = changed.wait_timeout(guard, time).unwrap();
                    assert!(!result.timed_out());
                    guard = back;
                }
                drop(changed.wait_timeout_while(guard, time, |set| !*set).unwrap());
            });
            thread::sleep(Duration::from_millis(2));
            *set.lock().unwrap() = true;
            changed.notify_one();
            waiter.join().unwrap();
        });
    }
}

#[test]
fn a_condition_that_comes_true_with_the_end_of_the_time_counts() {
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    let start = Instant::now();
    let condition = |n_asked: &mut i32| {
        *n_asked += 1;
        start.elapsed() < SOON
    };
    let (guard, result) = changed.wait_timeout_while(mutex.lock().unwrap(), SOON, condition).unwrap();
    assert!(!result.timed_out() && *guard >= 2, "asked before and after the wait");
}

#[test]
fn a_time_that_is_over_is_not_over_early() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let start = Instant::now();
    let (guard, result) = changed.wait_timeout_while(mutex.lock().unwrap(), SOON, |()| true).unwrap();
    assert!(result.timed_out() && start.elapsed() >= SOON);
    let start = Instant::now();
    if changed.wait_timeout(guard, SOON).unwrap().1.timed_out() {
        assert!(start.elapsed() >= SOON);
    }
}

#[test]
fn notifies_do_not_shorten_the_time_of_those_who_wait_on() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            until(|| {
                changed.notify_all();
                over.load(SeqCst)
            });
        });
        let start = Instant::now();
        let result = changed.wait_timeout_while(mutex.lock().unwrap(), A_WHILE, |()| true).unwrap().1;
        over.store(true, SeqCst);
        assert!(result.timed_out() && start.elapsed() >= A_WHILE);
    });
}

#[test]
fn a_condition_that_panics_poisons_the_mutex() {
    let changed = Condvar::new();
    for is_timed in [false, true] {
        let mutex = Mutex::new(1);
        let text = panic_text(|| {
            let guard = mutex.lock().unwrap();
            if is_timed {
                let _result = changed.wait_timeout_while(guard, SOON, |_| panic!("in the condition"));
            } else {
                let _result = changed.wait_while(guard, |_| panic!("in the condition"));
            }
        });
        assert_eq!(text, "in the condition");
        assert!(mutex.is_poisoned());
        mutex.clear_poison();
        thread::scope(|scope| {
            scope.spawn(|| drop(changed.wait_while(mutex.lock().unwrap(), |n| *n == 1).unwrap()));
            *mutex.lock().unwrap() = 2;
            changed.notify_one();
        });
    }
}

#[test]
fn a_condition_that_panics_after_a_wait_is_told_to_the_others() {
    let (state, changed) = (Mutex::new((0, false)), Condvar::new());
    let wait = |may_panic: bool| {
        let condition = |state: &mut (i32, bool)| {
            state.0 += 1;
            assert!(!(state.1 && may_panic), "after a wait");
            !state.1
        };
        changed.wait_while(state.lock().unwrap(), condition).is_err()
    };
    thread::scope(|scope| {
        let failing = scope.spawn(|| panic_text(|| assert!(wait(true))));
        until(|| state.lock().unwrap().0 == 1);
        state.lock().unwrap().1 = true;
        changed.notify_one();
        assert_eq!(failing.join().unwrap(), "after a wait");
        state.lock().unwrap_err().into_inner().1 = false;
        state.clear_poison();
        let waiting = scope.spawn(|| wait(false));
        until(|| state.lock().unwrap().0 == 3);
        panic_text(|| {
            let _guard = state.lock().unwrap();
            panic!("while another waits");
        });
        changed.notify_one();
        assert!(waiting.join().unwrap(), "woken to a poisoned mutex");
    });
}

#[test]
fn a_condition_variable_goes_with_its_last_waiter() {
    for _ in 0..50 {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&pair);
        let waiter = thread::spawn(move || {
            let (set, changed) = &*theirs;
            drop(changed.wait_while(set.lock().unwrap(), |set| !*set).unwrap());
        });
        *pair.0.lock().unwrap() = true;
        pair.1.notify_one();
        drop(pair);
        waiter.join().unwrap();
    }
}
