//! Two nests of the same locks in opposite orders that cannot meet, each time for another reason: the argument names it.

use instrumented_sync::{
    Condvar, Latch, Mutex, Once, OnceLock, RwLock, Semaphore, label,
    mpsc::{channel, sync_channel},
    thread::{self, spawn},
};
use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);
static FLAG: Mutex<bool> = Mutex::new(false);
static CELL: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));
static ATOMIC: RwLock<AtomicBool> = RwLock::new(AtomicBool::new(false));
static UNIT: Mutex<u32> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();
static STARTED: Once = Once::new();
static CONFIG: OnceLock<u32> = OnceLock::new();

fn ab() {
    let _a = A.lock().unwrap();
    let _b = B.lock().unwrap();
}

fn ba() {
    let _b = B.lock().unwrap();
    let _a = A.lock().unwrap();
}

fn a_while() {
    thread::sleep(Duration::from_millis(30));
}

fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn both(one: impl FnOnce() + Send + 'static, other: impl FnOnce() + Send + 'static) {
    let threads = [spawn(one), spawn(other)];
    for thread in threads {
        // One of them may have panicked on purpose.
        let _ = thread.join();
    }
}

/// Takes A under B if `go`.
fn ba_if(go: impl FnOnce() -> bool) {
    let _b = B.lock().unwrap();
    if go() {
        let _a = A.lock().unwrap();
    }
}

/// Says so, goes through B, then takes both.
fn b_then_ab(say: impl FnOnce()) {
    thread::sleep(Duration::from_millis(100));
    say();
    drop(B.lock().unwrap());
    ab();
}

/// What orders two threads by values and messages.
fn by_value(name: &str) {
    match name {
        "flag" => both(|| { ab(); *FLAG.lock().unwrap() = true }, || { until(|| *FLAG.lock().unwrap()); ba() }),
        "shown" => both(
            || { ab(); *FLAG.lock().unwrap() = true },
            || { until(|| format!("{}", FLAG.lock().unwrap()) == "true"); ba() },
        ),
        "cell" => both(|| { ab(); CELL.lock().unwrap().set(true) }, || { until(|| CELL.lock().unwrap().get()); ba() }),
        "shared-atomic" => both(
            || { a_while(); let shared = ATOMIC.read().unwrap(); ab(); shared.store(true, SeqCst) },
            || { let shared = ATOMIC.read().unwrap(); until(|| shared.load(SeqCst)); drop(shared); ba() },
        ),
        "created-by-a-third" => {
            let third = spawn(|| { a_while(); label(&FLAG, "flag") });
            both(
                || { thread::sleep(Duration::from_millis(60)); ab(); *FLAG.lock().unwrap() = true },
                || { thread::sleep(Duration::from_millis(90)); until(|| *FLAG.lock().unwrap()); ba() },
            );
            third.join().unwrap();
        }
        "poisoned" => both(
            || { ab(); let _held = UNIT.lock(); panic!("on purpose") },
            || { until(|| UNIT.lock().is_err()); ba() },
        ),
        "room" => {
            let (sender, receiver) = sync_channel(1);
            let send = move || { (0..2).for_each(|n| sender.send(n).unwrap()); ab() };
            both(send, move || { a_while(); ba(); (0..2).for_each(|_| _ = receiver.recv()) });
        }
        "nothing-yet" => {
            let (sender, receiver) = channel();
            let receive = move || { ba_if(|| receiver.try_recv().is_err()); receiver };
            let (one, other) = (spawn(move || b_then_ab(move || sender.send(1).unwrap())), spawn(receive));
            (one.join().unwrap(), drop(other.join()));
        }
        "time-over" => {
            let (sender, receiver) = channel();
            let short = Duration::from_millis(10);
            let receive = move || { ba_if(|| receiver.recv_timeout(short).is_err()); receiver };
            let (one, other) = (spawn(move || b_then_ab(move || sender.send(1).unwrap())), spawn(receive));
            (one.join().unwrap(), drop(other.join()));
        }
        _ => by_look(name),
    }
}

/// What orders two threads by what one of them finds out without waiting, or by more than is kept.
fn by_look(name: &str) {
    match name {
        "is-finished" => {
            let first = spawn(ab);
            until(|| first.is_finished());
            spawn(ba).join().unwrap();
            first.join().unwrap();
        }
        "is-completed" => both(|| { ab(); STARTED.call_once(|| ()) }, || { until(|| STARTED.is_completed()); ba() }),
        "is-set" => both(|| { ab(); CONFIG.set(1).unwrap() }, || { until(|| CONFIG.get().is_some()); ba() }),
        "is-not-set" => both(|| b_then_ab(|| CONFIG.set(1).unwrap()), || ba_if(|| CONFIG.get().is_none())),
        "is-held" => both(
            || { ab(); std::mem::forget(UNIT.lock()) },
            || { until(|| UNIT.try_lock().is_err()); ba() },
        ),
        "is-open" => {
            let latch: &Latch = Box::leak(Box::new(Latch::new(1)));
            both(|| { ab(); latch.count_down() }, || { until(|| latch.is_open()); ba() });
        }
        "permits" => {
            let semaphore: &Semaphore = Box::leak(Box::new(Semaphore::new(1)));
            semaphore.acquire();
            let second = spawn(|| { semaphore.acquire(); ba() });
            spawn(ab).join().unwrap();
            semaphore.release();
            second.join().unwrap();
        }
        "many-unparks" => {
            let parked = spawn(|| { thread::park(); ba() });
            let thread = parked.thread().clone();
            let unpark = move || { a_while(); ab(); (0..300).for_each(|_| thread.unpark()) };
            spawn(unpark).join().unwrap();
            parked.join().unwrap();
        }
        "notified-too-early" => both(
            || b_then_ab(|| CHANGED.notify_one()),
            || ba_if(|| { drop(CHANGED.wait(UNIT.lock().unwrap()).unwrap()); true }),
        ),
        "guard-of-two" => both(
            || { ab(); *FLAG.lock().unwrap() = true },
            || {
                a_while();
                let flag = FLAG.lock().unwrap();
                thread::scope(|scope| {
                    let of_both = &flag;
                    scope.spawn(move || if **of_both { ba() });
                    let _later = UNIT.lock().unwrap();
                    assert!(**of_both);
                });
            },
        ),
        _ => panic!("no such reason: {name}"),
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    by_value(&std::env::args().nth(1).unwrap());
}
