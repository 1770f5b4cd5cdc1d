//! Barriers.

use crate::{
    record, sequence, so_far, spawn,
    support::{Trace, program},
    thread_named, until_waiting,
};
use instrumented_sync::{Barrier, label, thread, trace};
use std::{
    env,
    sync::{
        Barrier as StdBarrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use trace_format::{Event, Flags, Kind, TRACE_VARIABLE};

/// Names the directory of a program that begins to record by itself.
pub(crate) const DIRECTORY: &str = "SEQUENCES_DIRECTORY";

/// Two parties, of which the one comes last the first time, the other the second time.
pub(crate) fn two_meet_twice() {
    let barrier = Barrier::new(2);
    label(&barrier, "barrier");
    let main = so_far().threads[0].object;
    thread::scope(|scope| {
        spawn(scope, "other", || {
            assert!(!barrier.wait().is_leader());
            until_waiting(main, Kind::WAIT, "barrier");
            assert!(barrier.wait().is_leader());
        });
        until_waiting(thread_named("other"), Kind::WAIT, "barrier");
        assert!(barrier.wait().is_leader());
        assert!(!barrier.wait().is_leader());
    });
}

#[test]
fn parties_arrive_and_the_last_one_notifies() {
    let trace = record("barrier::two_meet_twice");
    let barrier = trace.labelled("barrier");
    let waits = |g| [Kind::ARRIVE, Kind::WAIT, Kind::WAKE].map(|kind| (kind, Flags::NONE, g)).to_vec();
    let leads = |g| vec![(Kind::ARRIVE, Flags::NONE, g), (Kind::NOTIFY, Flags::ALL, g)];
    let other = trace.named("other");
    assert_eq!(sequence(other, barrier), [waits(1), leads(2)].concat());
    let main = trace.threads.iter().find(|thread| thread.object != other.object).unwrap();
    let made = main.position(Kind::CREATE).unwrap();
    assert_eq!(main.events[made + 1].kind(), Kind::EXTEND);
    assert_eq!((main.events[made + 2].kind(), main.events[made + 2].seq()), (Kind::CAPACITY, 2));
    // Behind CREATE and CAPACITY, before DESTROY.
    assert_eq!(sequence(main, barrier)[2..7], [leads(1), waits(2)].concat());
    for thread in [main, other] {
        let notify = thread.position(Kind::NOTIFY).unwrap();
        assert_eq!(thread.events[notify + 1], Event::extend(1, 0));
    }
}

/// Recording is switched on while two of four parties have arrived.
pub(crate) fn begins_while_some_wait() {
    let barrier = Barrier::new(4);
    let n_passed = AtomicUsize::new(0);
    let arriving = StdBarrier::new(3);
    let arrives = || {
        barrier.wait();
        n_passed.fetch_add(1, SeqCst);
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            spawn(scope, "early", || {
                arriving.wait();
                arrives();
            });
        }
        arriving.wait();
        // Whether both wait by now or not, all four have to pass.
        thread::sleep(std::time::Duration::from_millis(20));
        trace::start(env::var_os(DIRECTORY).unwrap()).unwrap();
        label(&barrier, "barrier");
        spawn(scope, "late", arrives);
        arrives();
    });
    assert_eq!(n_passed.into_inner(), 4);
}

#[test]
fn who_waits_since_before_the_recording_is_let_through() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program::command("barrier::begins_while_some_wait", dir.path());
    program::run(command.env_remove(TRACE_VARIABLE).env(DIRECTORY, dir.path()));
    let trace = Trace::only(dir.path());
    assert_eq!(trace.n_lost(), 0);
    let barrier = trace.labelled("barrier");
    let count = |kind| trace.events().filter(|event| event.kind() == kind && event.object().0 == barrier).count();
    assert_eq!((count(Kind::ARRIVE) - count(Kind::WAIT), count(Kind::NOTIFY)), (1, 1));
    assert_eq!(count(Kind::WAIT), count(Kind::WAKE));
}
