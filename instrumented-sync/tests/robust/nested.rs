//! Signal handlers that wait while the thread that they interrupt waits: its slot shows the inner wait, and when that is
//! over the outer one again.

use crate::support::{
    Trace,
    program::{command, own_trace, run},
    rules::{self, Ending},
};
use instrumented_sync::{Mutex, label, thread};
use std::{
    os::unix::thread::JoinHandleExt,
    time::{Duration, Instant},
};
use trace_format::{Event, Kind, slot::Snapshot};

/// Locks that one thread waits for all at once: for the first by itself, for each next one in a handler that
/// interrupts the wait for the one before.
const N_LOCKS: usize = 7;
/// The outermost waits, which are shown again.
const N_SHOWN_AGAIN: usize = 4;

/// Nothing here takes a hundredth of it.
const LIMIT: Duration = Duration::from_secs(30);

static LOCKS: [Mutex<usize>; N_LOCKS] = [const { Mutex::new(0) }; N_LOCKS];

fn signal(n: usize) -> libc::c_int {
    libc::SIGRTMIN() + libc::c_int::try_from(n).unwrap()
}

extern "C" fn handle(signal: libc::c_int) {
    let n = usize::try_from(signal - libc::SIGRTMIN()).unwrap();
    *LOCKS[n].lock().unwrap() += 1;
}

/// The slot of the thread that waits, once `is_so`.
fn slot_when(what: &str, is_so: impl Fn(&Trace, &Snapshot) -> bool) -> Snapshot {
    let start = Instant::now();
    loop {
        let trace = Trace::only(&own_trace());
        let thread = trace.names.iter().find(|(_, _, name)| name == "waits");
        let slots = trace.slots();
        let slot = thread.and_then(|(thread, ..)| slots.iter().find(|slot| slot.thread == *thread));
        match slot {
            Some(slot) if is_so(&trace, slot) => return *slot,
            _ => assert!(start.elapsed() < LIMIT, "it never {what}: {slot:?}"),
        }
        std::thread::yield_now();
    }
}

fn shown(n: usize) -> Snapshot {
    let is_so = move |trace: &Trace, slot: &Snapshot| {
        let wanted = slot.wait.filter(|wait| wait.kind() == Kind::REQUEST).map(Event::object);
        slot.exact && wanted.is_some_and(|object| object.0 == trace.labelled(&format!("lock {n}")))
    };
    slot_when(&format!("shows the wait for lock {n}"), is_so)
}

pub(crate) fn waits() {
    let handler: extern "C" fn(libc::c_int) = handle;
    for (n, lock) in LOCKS.iter().enumerate() {
        label(lock, &format!("lock {n}"));
        // SAFETY: the handler waits for a lock of its own, which nobody else wants.
        unsafe { libc::signal(signal(n), handler as libc::sighandler_t) };
    }
    let mut guards: Vec<_> = LOCKS.iter().map(|lock| lock.lock().unwrap()).collect();
    let waits = thread::Builder::new().name("waits".into()).spawn(|| *LOCKS[0].lock().unwrap() += 1).unwrap();
    let mut seen = vec![shown(0)];
    for n in 1..N_LOCKS {
        // SAFETY: the thread waits, so it lives.
        assert_eq!(unsafe { libc::pthread_kill(waits.as_pthread_t(), signal(n)) }, 0);
        seen.push(shown(n));
    }
    assert!(seen[0].since_ns > 0 && seen.is_sorted_by_key(|slot| slot.since_ns));
    for n in (1..N_LOCKS).rev() {
        guards.pop();
        if n <= N_SHOWN_AGAIN {
            seen.push(shown(n - 1));
            let since = [seen[n - 1], seen[seen.len() - 1]].map(|slot| slot.since_ns);
            assert_eq!(since[0], since[1], "the wait for lock {} is the same as before", n - 1);
        } else {
            slot_when("shows no wait", |_, slot| slot.wait.is_none());
        }
    }
    guards.pop();
    waits.join().unwrap();
    // Who looks twice takes what has one epoch for one wait.
    assert!(seen.is_sorted_by(|first, second| first.epoch < second.epoch), "an epoch for two waits");
    assert!(LOCKS.iter().all(|lock| *lock.lock().unwrap() == 1));
}

#[test]
fn an_interrupted_wait_is_shown_again() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("nested::waits", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let locks: Vec<_> = (0..N_LOCKS).map(|n| trace.labelled(&format!("lock {n}"))).collect();
    let events = &trace.named("waits").events;
    let objects = |kind| events.iter().filter(move |event| event.kind() == kind).map(|event| event.object().0);
    assert!(objects(Kind::REQUEST).eq(locks.iter().copied()));
    assert!(objects(Kind::ACQUIRE).eq(locks.iter().rev().copied()));
    assert!(trace.slots().iter().all(|slot| slot.wait.is_none() && slot.n_holds == 0));
}
