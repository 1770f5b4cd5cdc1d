//! A program that records itself and watches itself, without the tool.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands, in its own functions too")]

use detector::{
    finding::{Finding, Report},
    source::{self, LiveSlots, SlotState},
    watch::{self, Settings, WatchHandle},
};
use instrumented_sync::{Arc, Mutex, label, thread, trace};
use std::{
    path::Path,
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};
use trace_format::Kind;

/// No test takes a tenth of it unless it fails.
const LIMIT: Duration = Duration::from_secs(30);

/// The trace that this process records into.
fn own_trace() -> &'static Path {
    static TRACE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = TRACE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        trace::start(dir.path()).unwrap();
        dir
    });
    dir.path()
}

fn watch_own(every: Duration) -> (WatchHandle, mpsc::Receiver<Vec<Finding>>) {
    let (tell, told) = mpsc::channel();
    let on_report = Box::new(move |report: &Report| {
        let _ = tell.send(report.findings.clone());
    });
    (watch::spawn(own_trace(), Settings { every, on_report }).unwrap(), told)
}

/// A thread that locks again what it holds, and stays there.
fn hang(thread_name: &str) {
    let lock = Arc::new(Mutex::new(0));
    label(&*lock, thread_name);
    let body = move || {
        let first = lock.lock();
        let second = lock.lock();
        drop((first, second));
    };
    drop(thread::Builder::new().name(thread_name.to_owned()).spawn(body).unwrap());
}

fn is_about(finding: &Finding, thread_name: &str) -> bool {
    finding.threads.iter().any(|thread| thread.name.ends_with(thread_name))
}

#[test]
fn a_program_hears_of_its_own_hang_once() {
    own_trace();
    let (watch, told) = watch_own(Duration::from_millis(20));
    hang("relocker");
    let begin = Instant::now();
    let finding = loop {
        let findings = told.recv_timeout(LIMIT.saturating_sub(begin.elapsed())).unwrap();
        if let Some(finding) = findings.into_iter().find(|finding| is_about(finding, "relocker")) {
            break finding;
        }
    };
    assert_eq!((finding.code.name(), finding.certainty.name()), ("self-deadlock", "observed"));
    // Many looks later.
    let again = told.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
    assert!(!again.iter().any(|finding| is_about(finding, "relocker")), "{again:?}");
    drop(watch);
    assert!(told.recv().is_err(), "who has dropped the watch hears of nothing more");
}

/// The slot of the thread that waits for the only lock with a waiter, once there is one.
fn blocked(live: &mut LiveSlots, tid: u32) -> SlotState {
    let begin = Instant::now();
    loop {
        let processes = live.look();
        let mut slots = processes.into_iter().flat_map(|process| process.slots);
        if let Some(slot) = slots.find(|slot| slot.tid == tid && slot.wait.is_some()) {
            return slot;
        }
        assert!(begin.elapsed() < LIMIT, "no wait is seen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn slots_are_read_while_their_threads_run() {
    let mut live = source::open_slots(own_trace()).unwrap();
    let lock = Arc::new(Mutex::new(0));
    let (tell, told) = mpsc::channel();
    for wait in 0..2 {
        let guard = lock.lock().unwrap();
        let (lock, tell) = (Arc::clone(&lock), tell.clone());
        let waiter = thread::spawn(move || {
            let of_this_thread = std::fs::read_link("/proc/thread-self").unwrap();
            tell.send(of_this_thread.file_name().unwrap().to_str().unwrap().parse().unwrap()).unwrap();
            *lock.lock().unwrap() += 1;
        });
        let tid = told.recv().unwrap();
        let (first, second) = (blocked(&mut live, tid), blocked(&mut live, tid));
        assert_eq!(first, second, "wait {wait}: nothing changes in a wait");
        assert_eq!((first.wait.unwrap().kind(), first.epoch % 2), (Kind::REQUEST, 1));
        let activity = live.activity();
        drop(guard);
        waiter.join().unwrap();
        assert_ne!(live.activity(), activity, "its acquire and its end were recorded");
        let after = live.look().into_iter().flat_map(|process| process.slots).find(|slot| slot.tid == tid);
        assert!(after.is_none_or(|slot| slot.wait.is_none() && slot.epoch > first.epoch));
    }
}

#[test]
fn the_threads_of_the_operating_system_are_listed_but_for_the_one_that_reads() {
    own_trace();
    label(&Mutex::new(0), "so that this thread is recorded");
    let (watch, told) = watch_own(Duration::from_millis(20));
    let trace = source::open(own_trace()).unwrap();
    let processes: Vec<_> = trace.members().collect();
    let [process] = processes.as_slice() else { unreachable!("one process records") };
    let names: Vec<&str> = process.os_threads.iter().map(|thread| thread.name.as_str()).collect();
    assert!(names.contains(&"deadlock-check"), "somebody else's watch is a thread like any other: {names:?}");
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let own: u32 = own.file_name().unwrap().to_str().unwrap().parse().unwrap();
    assert!(process.os_threads.iter().all(|thread| thread.tid != own));
    drop(watch);
    drop(told);
}
