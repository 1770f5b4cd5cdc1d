//! Programs as users write them, of which the first ten cannot hang in any schedule, and the others can in one that this run
//! does not take: the argument names one.

use instrumented_sync::{
    mpsc::{channel, sync_channel},
    thread, Arc, Barrier, Condvar, Latch, Mutex, RwLock, Semaphore,
};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

/// The schedule of this run, as far as it is not left to chance. No verdict depends on it.
fn later(n: u64) {
    std::thread::sleep(Duration::from_millis(20 * n));
}

type Queue = (Mutex<VecDeque<u32>>, Condvar);

/// Notifies only who can be waiting: the only consumer waits only while the queue is empty.
fn push(queue: &Queue, n: u32) {
    let mut items = queue.0.lock().unwrap();
    let was_empty = items.is_empty();
    items.extend(0..n);
    if was_empty {
        queue.1.notify_one();
    }
}

fn pop(queue: &Queue) {
    let items = queue.0.lock().unwrap();
    let mut items = queue.1.wait_while(items, |items| items.is_empty()).unwrap();
    items.pop_front().unwrap();
}

/// The flag is an atomic, and the stopper goes through the lock before it notifies: whoever saw no flag waits by then.
fn stop_through_the_lock() {
    let shared = Arc::new((Mutex::new(vec![1_u32]), Condvar::new(), AtomicBool::new(false)));
    let of_worker = Arc::clone(&shared);
    let worker = thread::spawn(move || {
        let (jobs, changed, stop) = &*of_worker;
        let mut jobs = jobs.lock().unwrap();
        // SeqCst: as a user would write it.
        while !stop.load(SeqCst) {
            if jobs.pop().is_none() {
                jobs = changed.wait(jobs).unwrap();
            }
        }
    });
    later(1);
    // SeqCst: as a user would write it.
    shared.2.store(true, SeqCst);
    drop(shared.0.lock().unwrap());
    shared.1.notify_all();
    worker.join().unwrap();
}

fn notify_if_it_was_empty() {
    let queue = Queue::default();
    thread::scope(|scope| {
        scope.spawn(|| push(&queue, 1));
        scope.spawn(|| {
            later(1);
            push(&queue, 1);
        });
        later(2);
        pop(&queue);
        pop(&queue);
    });
}

fn notify_if_it_was_empty_in_batches() {
    let queue = Queue::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            push(&queue, 2);
            later(2);
            push(&queue, 1);
        });
        later(1);
        pop(&queue);
        later(2);
        pop(&queue);
        pop(&queue);
    });
}

fn notify_if_somebody_waits() {
    let (state, changed) = (Mutex::new((0_u32, false)), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut state = state.lock().unwrap();
            state.1 = true;
            if state.0 > 0 {
                changed.notify_all();
            }
        });
        later(1);
        let mut state = state.lock().unwrap();
        state.0 += 1;
        let mut state = changed.wait_while(state, |(_, is_ready)| !*is_ready).unwrap();
        state.0 -= 1;
    });
}

fn two_conditions_of_one_variable() {
    let (turn, changed) = (Mutex::new(0_u32), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                let mut turn = changed.wait_while(turn.lock().unwrap(), |turn| *turn != 1).unwrap();
                *turn = 2;
                changed.notify_one();
            }
        });
        for _ in 0..3 {
            *turn.lock().unwrap() = 1;
            changed.notify_one();
            let mut turn = changed.wait_while(turn.lock().unwrap(), |turn| *turn != 2).unwrap();
            *turn = 0;
        }
    });
}

fn bounded_queue() {
    let (items, not_empty, not_full) = (Mutex::new(VecDeque::new()), Condvar::new(), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for item in 0..6 {
                    let mut items = not_full.wait_while(items.lock().unwrap(), |items| items.len() >= 2).unwrap();
                    items.push_back(item);
                    drop(items);
                    not_empty.notify_one();
                }
            });
        }
        for _ in 0..12 {
            let mut items = not_empty.wait_while(items.lock().unwrap(), |items| items.is_empty()).unwrap();
            items.pop_front().unwrap();
            drop(items);
            not_full.notify_one();
        }
    });
}

/// The child is behind its section when it sends.
fn join_under_a_lock_after_a_message() {
    let state = Arc::new(Mutex::new(0));
    let (send, receive) = channel();
    let of_child = Arc::clone(&state);
    let child = thread::spawn(move || {
        *of_child.lock().unwrap() += 1;
        send.send(()).unwrap();
    });
    receive.recv().unwrap();
    let state = state.lock().unwrap();
    child.join().unwrap();
    drop(state);
}

/// Three permits for two threads that take up to two: one of them always gets its second.
fn enough_permits_one_by_one() {
    let permits = Semaphore::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..3 {
                    permits.acquire();
                    permits.acquire();
                    permits.release_many(2);
                }
            });
        }
    });
}

fn lock_over_a_barrier_that_the_other_comes_to_first() {
    let (barrier, state) = (Barrier::new(2), Mutex::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            *state.lock().unwrap() += 1;
        });
        let mut state = state.lock().unwrap();
        *state += 1;
        barrier.wait();
    });
}

fn send_to_a_full_channel_under_a_lock_of_the_senders() {
    let state = Arc::new(Mutex::new(0));
    let (send, receive) = sync_channel(1);
    let receiver = thread::spawn(move || receive.into_iter().sum::<u32>());
    let (of_other, other_end) = (Arc::clone(&state), send.clone());
    let put = |state: &Mutex<u32>, send: &instrumented_sync::mpsc::SyncSender<u32>| {
        for item in 0..4 {
            let mut state = state.lock().unwrap();
            *state += 1;
            send.send(item).unwrap();
        }
    };
    let other = thread::spawn(move || put(&of_other, &other_end));
    put(&state, &send);
    drop(send);
    other.join().unwrap();
    receiver.join().unwrap();
}

fn last_at_the_barrier_holds_the_lock() {
    let (barrier, state) = (Barrier::new(2), Mutex::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            *state.lock().unwrap() += 1; // wants
            barrier.wait();
        });
        later(1);
        let state = state.lock().unwrap();
        barrier.wait(); // waits
        drop(state);
    });
}

fn worker_feeds_its_own_bounded_queue() {
    let (send, receive) = sync_channel(1);
    let feed = send.clone();
    let worker = thread::spawn(move || {
        for _ in 0..4 {
            if receive.recv().unwrap() == 0 {
                feed.send(9).unwrap(); // waits
            }
        }
    });
    for item in 0..3 {
        send.send(item).unwrap();
        later(1);
    }
    worker.join().unwrap();
}

fn one_notify_for_two_that_wait() {
    let (is_ready, changed) = (Mutex::new(false), Condvar::new());
    let wait = |n| {
        later(n);
        let is_ready = is_ready.lock().unwrap();
        drop(changed.wait_while(is_ready, |is_ready| !*is_ready).unwrap()); // waits
    };
    thread::scope(|scope| {
        scope.spawn(|| wait(0));
        scope.spawn(|| wait(3));
        later(1);
        *is_ready.lock().unwrap() = true;
        changed.notify_one();
    });
}

fn guard_that_outlives_its_scope() {
    let state = Mutex::new(0);
    let guard = thread::scope(|scope| {
        scope.spawn(|| *state.lock().unwrap() += 1); // wants
        later(1);
        state.lock().unwrap()
    });
    drop(guard);
}

fn flag_that_is_set_behind_the_notify() {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let of_waiter = Arc::clone(&shared);
    let waiter = thread::spawn(move || {
        let mut is_ready = of_waiter.0.lock().unwrap();
        if !*is_ready {
            is_ready = of_waiter.1.wait(is_ready).unwrap(); // waits
        }
        while !*is_ready {
            drop(is_ready);
            thread::yield_now();
            is_ready = of_waiter.0.lock().unwrap();
        }
    });
    later(1);
    shared.1.notify_one();
    *shared.0.lock().unwrap() = true;
    waiter.join().unwrap();
}

fn reader_waits_for_a_message_of_a_writer() {
    let state = Arc::new(RwLock::new(0));
    let (send, receive) = channel();
    let of_writer = Arc::clone(&state);
    let writer = thread::spawn(move || {
        *of_writer.write().unwrap() += 1; // wants
        send.send(()).unwrap();
    });
    later(1);
    let state = state.read().unwrap();
    receive.recv().unwrap(); // waits
    drop(state);
    writer.join().unwrap();
}

fn chain_of_full_channels_under_a_lock() {
    let state = Arc::new(Mutex::new(0));
    let ((send, receive), (forward, end)) = (sync_channel(1), sync_channel(1));
    let stage = thread::spawn(move || receive.into_iter().for_each(|item: u32| forward.send(item).unwrap()));
    let of_sink = Arc::clone(&state);
    let sink = thread::spawn(move || {
        for item in end {
            *of_sink.lock().unwrap() += item; // wants
        }
    });
    for item in 0..6 {
        let state = state.lock().unwrap();
        send.send(item).unwrap(); // waits
        drop(state);
        later(1);
    }
    drop(send);
    stage.join().unwrap();
    sink.join().unwrap();
}

fn answer_for_another_client_needs_the_lock() {
    let state = Arc::new(Mutex::new(0));
    let (ask, asked) = channel::<(bool, instrumented_sync::mpsc::Sender<()>)>();
    let of_server = Arc::clone(&state);
    let server = thread::spawn(move || {
        for (is_counted, answer) in asked {
            if is_counted {
                *of_server.lock().unwrap() += 1; // wants
            }
            answer.send(()).unwrap();
        }
    });
    let of_client = ask.clone();
    let client = thread::spawn(move || {
        let (answer, answered) = channel();
        of_client.send((true, answer)).unwrap();
        answered.recv().unwrap();
    });
    later(1);
    let state = state.lock().unwrap();
    let (answer, answered) = channel();
    ask.send((false, answer)).unwrap();
    answered.recv().unwrap(); // waits
    drop((state, ask));
    client.join().unwrap();
    server.join().unwrap();
}

fn latch_under_a_lock() {
    let (latch, state) = (Latch::new(1), Mutex::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            *state.lock().unwrap() += 1; // wants
            latch.count_down();
        });
        later(1);
        let state = state.lock().unwrap();
        latch.wait(); // waits
        drop(state);
    });
}

fn join_under_a_lock_through_two_levels() {
    let state = Arc::new(Mutex::new(0));
    let of_child = Arc::clone(&state);
    let child = thread::spawn(move || {
        let grandchild = thread::spawn(move || *of_child.lock().unwrap() += 1); // wants
        grandchild.join().unwrap();
    });
    later(2);
    let state = state.lock().unwrap();
    child.join().unwrap(); // waits
    drop(state);
}

const PROGRAMS: &[(&str, fn())] = &[
    ("stop_through_the_lock", stop_through_the_lock),
    ("notify_if_it_was_empty", notify_if_it_was_empty),
    ("notify_if_it_was_empty_in_batches", notify_if_it_was_empty_in_batches),
    ("notify_if_somebody_waits", notify_if_somebody_waits),
    ("two_conditions_of_one_variable", two_conditions_of_one_variable),
    ("bounded_queue", bounded_queue),
    ("join_under_a_lock_after_a_message", join_under_a_lock_after_a_message),
    ("enough_permits_one_by_one", enough_permits_one_by_one),
    ("lock_over_a_barrier_that_the_other_comes_to_first", lock_over_a_barrier_that_the_other_comes_to_first),
    ("send_to_a_full_channel_under_a_lock_of_the_senders", send_to_a_full_channel_under_a_lock_of_the_senders),
    ("last_at_the_barrier_holds_the_lock", last_at_the_barrier_holds_the_lock),
    ("worker_feeds_its_own_bounded_queue", worker_feeds_its_own_bounded_queue),
    ("one_notify_for_two_that_wait", one_notify_for_two_that_wait),
    ("guard_that_outlives_its_scope", guard_that_outlives_its_scope),
    ("flag_that_is_set_behind_the_notify", flag_that_is_set_behind_the_notify),
    ("reader_waits_for_a_message_of_a_writer", reader_waits_for_a_message_of_a_writer),
    ("chain_of_full_channels_under_a_lock", chain_of_full_channels_under_a_lock),
    ("answer_for_another_client_needs_the_lock", answer_for_another_client_needs_the_lock),
    ("latch_under_a_lock", latch_under_a_lock),
    ("join_under_a_lock_through_two_levels", join_under_a_lock_through_two_levels),
];

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (_, program) = PROGRAMS.iter().find(|(of, _)| *of == name).expect("the argument names a program");
    program();
}
