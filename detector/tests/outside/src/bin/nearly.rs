//! Programs that end, and that another schedule of theirs lets hang - or not, in their right twins: the argument names one.

use instrumented_sync::{
    Condvar, Mutex, Semaphore, label,
    mpsc::channel,
    thread::{self, JoinHandle},
};
use outside::line_up::{Blocking, start};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

static STATE: Mutex<u32> = Mutex::new(0);
static READY: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();
static PERMITS: Semaphore = Semaphore::new(2);
static IS_DONE: AtomicBool = AtomicBool::new(false);
static WAITS: Blocking = Blocking::new();

/// The schedule of this run, which nothing that is recorded makes.
fn first_done() {
    // SeqCst: nothing depends on the order.
    while !IS_DONE.load(SeqCst) {
        thread::yield_now();
    }
}

/// Lets [`first_done`] return.
fn done() {
    // SeqCst: nothing depends on the order.
    IS_DONE.store(true, SeqCst);
}

fn worker(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    start("worker", run)
}

fn look() {
    let _state = STATE.lock().unwrap();
}

fn join_under_lock() {
    let worker = worker(|| {
        look();
        done();
    });
    first_done();
    let _state = STATE.lock().unwrap(); // held while joining
    worker.join().unwrap(); // joins under the lock
}

fn join_behind_lock() {
    let worker = worker(|| {
        look();
        done();
    });
    first_done();
    drop(STATE.lock().unwrap());
    worker.join().unwrap();
}

fn receive(is_held: bool) {
    let (sender, receiver) = channel();
    let worker = worker(move || {
        look(); // before it sends
        sender.send(1).unwrap(); // what is owed
        done();
    });
    first_done();
    let state = STATE.lock().unwrap(); // held while receiving
    let state = Some(state).filter(|_| is_held);
    receiver.recv().unwrap(); // receives under the lock
    drop(state);
    worker.join().unwrap();
}

fn notify_without_flag() {
    let worker = worker(|| {
        let mut ready = READY.lock().unwrap();
        if !*ready {
            WAITS.begins();
            ready = CHANGED.wait(ready).unwrap(); // waits once
        }
        drop(ready);
    });
    WAITS.wait_until_asleep();
    CHANGED.notify_one(); // changes nothing
    worker.join().unwrap();
}

fn notify_with_flag() {
    let worker = worker(|| {
        let ready = READY.lock().unwrap();
        WAITS.begins();
        let _ready = CHANGED.wait_while(ready, |ready| !*ready).unwrap();
    });
    WAITS.wait_until_asleep();
    let mut ready = READY.lock().unwrap();
    *ready = true;
    CHANGED.notify_one();
    drop(ready);
    worker.join().unwrap();
}

fn wait_while(is_held: bool) {
    let worker = worker(|| {
        look(); // before it notifies
        *READY.lock().unwrap() = true;
        CHANGED.notify_all();
        done();
    });
    first_done();
    let state = STATE.lock().unwrap(); // held while waiting
    let state = Some(state).filter(|_| is_held);
    let ready = READY.lock().unwrap();
    drop(CHANGED.wait_while(ready, |ready| !*ready).unwrap()); // waits under the lock
    drop(state);
    worker.join().unwrap();
}

fn take_permits(n_each: usize) {
    for _ in (0..2).step_by(n_each) {
        PERMITS.acquire_many(n_each); // takes
    }
    PERMITS.release_many(2);
}

fn permits(n_each: usize) {
    let worker = worker(move || {
        take_permits(n_each);
        done();
    });
    first_done();
    take_permits(n_each);
    worker.join().unwrap();
}

fn main() {
    label(&STATE, "state");
    label(&READY, "ready");
    label(&CHANGED, "changed");
    label(&PERMITS, "permits");
    match std::env::args().nth(1).as_deref() {
        Some("join-under-lock") => join_under_lock(),
        Some("join-behind-lock") => join_behind_lock(),
        Some("receive-under-lock") => receive(true),
        Some("receive-behind-lock") => receive(false),
        Some("notify-without-flag") => notify_without_flag(),
        Some("notify-with-flag") => notify_with_flag(),
        Some("wait-under-lock") => wait_while(true),
        Some("wait-behind-lock") => wait_while(false),
        Some("permits-one-by-one") => permits(1),
        Some("permits-at-once") => permits(2),
        other => panic!("no program {other:?}"),
    }
}
