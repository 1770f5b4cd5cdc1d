//! The structures are right in every schedule, and what is wrong with the others is found.

mod support;

use instrumented_sync::{Arc, hint, model, thread};
use modelled::{Accounts, Queue, Ring};

#[test]
fn a_queue_loses_nothing() {
    model(|| {
        let queue = Arc::new(Queue::new(1));
        let sending = Arc::clone(&queue);
        let sender = thread::spawn(move || (1..=3).for_each(|message| sending.push(message)));
        let sum: i32 = (0..3).map(|_| queue.pop()).sum();
        sender.join().unwrap();
        assert_eq!(sum, 6);
    });
}

#[test]
fn a_ring_keeps_the_order() {
    model(|| {
        let ring = Arc::new(Ring::new());
        let pushing = Arc::clone(&ring);
        let producer = thread::spawn(move || (1..=2).all(|message| pushing.push(message)));
        assert_eq!([pop(&ring), pop(&ring)], [1, 2]);
        assert!(producer.join().unwrap(), "there is room for two");
        assert_eq!(ring.pop(), None);
    });
}

#[test]
fn transfers_in_a_fixed_order_end() {
    model(|| {
        let accounts = Accounts::new();
        thread::scope(|scope| {
            scope.spawn(|| accounts.transfer(0, 1, 10));
            scope.spawn(|| accounts.transfer(1, 0, 30));
        });
        assert_eq!(accounts.0.map(|balance| balance.into_inner().unwrap()), [120, 80]);
    });
}

/// With `CI_FULL` in the environment, a model that takes a bound on preemptions, or few schedules.
#[test]
fn a_queue_with_two_senders_loses_nothing() {
    let n = if std::env::var_os("CI_FULL").is_some() { 2 } else { 1 };
    model(move || {
        let queue = Arc::new(Queue::new(1));
        let senders = [1, 10].map(|message| {
            let sending = Arc::clone(&queue);
            thread::spawn(move || (0..n).for_each(|_| sending.push(message)))
        });
        let sum: i32 = (0..2 * n).map(|_| queue.pop()).sum();
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(sum, 11 * n);
    });
}

/// Waits for a message. Spinning lets others run, in a model too.
fn pop(ring: &Ring) -> u32 {
    loop {
        match ring.pop() {
            Some(message) => return message,
            None => hint::spin_loop(),
        }
    }
}

/// Without a checker the wrong ones run one step after the other, where nothing goes wrong.
#[cfg(not(any(instrumented_sync_loom, instrumented_sync_shuttle)))]
#[test]
fn what_is_wrong_is_not_seen_by_one_thread() {
    use instrumented_sync::atomic::Ordering::Relaxed;

    let accounts = Accounts::new();
    accounts.transfer_in_any_order(0, 1, 10);
    accounts.transfer_in_any_order(1, 0, 30);
    assert_eq!(accounts.0.map(|balance| balance.into_inner().unwrap()), [120, 80]);
    let ring = Ring::publishing(Relaxed);
    assert!(ring.push(1));
    assert_eq!(ring.pop(), Some(1));
    let queue = Queue::new(1);
    queue.push(1);
    assert_eq!(queue.pop_late(), 1);
}

#[cfg(any(instrumented_sync_loom, instrumented_sync_shuttle))]
mod wrong {
    use super::{support::finds, *};

    #[test]
    fn opposite_orders_deadlock() {
        finds("deadlock", || {
            let accounts = Arc::new(Accounts::new());
            let of_thread = Arc::clone(&accounts);
            let thread = thread::spawn(move || of_thread.transfer_in_any_order(0, 1, 10));
            accounts.transfer_in_any_order(1, 0, 30);
            thread.join().unwrap();
        });
    }

    #[test]
    fn scoped_threads_deadlock() {
        finds("deadlock", || {
            let accounts = Accounts::new();
            thread::scope(|scope| {
                scope.spawn(|| accounts.transfer_in_any_order(0, 1, 10));
                scope.spawn(|| accounts.transfer_in_any_order(1, 0, 30));
            });
        });
    }

    #[test]
    fn a_look_before_the_lock_misses_a_notify() {
        finds("deadlock", || {
            let queue = Arc::new(Queue::new(1));
            let sending = Arc::clone(&queue);
            let sender = thread::spawn(move || sending.push(1));
            assert_eq!(queue.pop_late(), 1);
            sender.join().unwrap();
        });
    }

    /// shuttle runs a weaker program than the memory model allows: all threads see all stores at once.
    #[cfg(instrumented_sync_loom)]
    #[test]
    fn publishing_without_release_is_a_race() {
        finds("Causality violation", || {
            let ring = Arc::new(Ring::publishing(instrumented_sync::atomic::Ordering::Relaxed));
            let pushing = Arc::clone(&ring);
            let producer = thread::spawn(move || pushing.push(1));
            pop(&ring);
            producer.join().unwrap();
        });
    }

    #[cfg(instrumented_sync_loom)]
    #[test]
    fn a_static_that_nothing_guards_is_a_race() {
        use instrumented_sync::cell::RaceCell;

        finds("Causality violation", || {
            let limit = Arc::new(RaceCell::new(1));
            let writing = Arc::clone(&limit);
            // SAFETY: none; nothing orders the two, which is what is found, before anything is read or written.
            let thread = thread::spawn(move || unsafe { writing.write(2) });
            // SAFETY: as above.
            assert!(unsafe { limit.read() } > 0);
            thread.join().unwrap();
        });
    }

    /// A scope whose threads may still run must not be left: the process ends instead.
    #[cfg(instrumented_sync_loom)]
    #[test]
    fn a_scope_that_breaks_off_ends_the_process() {
        use std::{env, os::unix::process::ExitStatusExt, process::Command};

        const PART: &str = "PLAYS_THE_SCOPE";
        if env::var_os(PART).is_some() {
            return model(|| {
                let n = instrumented_sync::Mutex::new(0_u32);
                thread::scope(|scope| {
                    scope.spawn(|| *n.lock().unwrap() += 1);
                    (0..10_000).for_each(|_| *n.lock().unwrap() += 1);
                });
            });
        }
        let name = "wrong::a_scope_that_breaks_off_ends_the_process";
        let mut child = Command::new(env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(PART, "1").output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
