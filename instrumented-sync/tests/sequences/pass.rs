//! Waits that were not needed.

use crate::{Trace, record, sequence, spawn, thread_named, until_waiting};
use instrumented_sync::{Condvar, Mutex, label, thread};
use std::{collections::BTreeSet, time::Duration};
use trace_format::{Event, Flags, Kind};

/// The PASS events of a condition variable: the mutex of each.
fn passes(trace: &Trace, changed: &str) -> Vec<u64> {
    let changed = trace.labelled(changed);
    let passes = trace.events().filter(|event| event.kind() == Kind::PASS && event.object().0 == changed);
    passes.map(Event::seq).collect()
}

/// One thread finds at one place again and again that it need not wait, then at another place; and so does another.
pub(crate) fn not_needed() {
    let (n, inner) = (Mutex::new(0), Mutex::new(()));
    let (changed, seldom) = (Condvar::new(), Condvar::new());
    label(&n, "n");
    label(&inner, "inner");
    label(&changed, "changed");
    label(&seldom, "seldom");
    for _ in 0..100 {
        let held = changed.wait_while(n.lock().unwrap(), |n| *n > 0);
        drop(held);
    }
    let guard = changed
        .wait_while(n.lock().unwrap(), |n| {
            drop(inner.lock());
            *n > 0
        })
        .unwrap();
    // These may not wait either, but are not asked.
    let (guard, result) = seldom.wait_timeout_while(guard, Duration::ZERO, |n| *n > 0).unwrap();
    assert!(!result.timed_out());
    drop(guard);
    // Nor this one, which tells others under the mutex that it is there.
    let mut guard = n.lock().unwrap();
    *guard = 0;
    drop(seldom.wait_while(guard, |n| *n > 0));
    thread::scope(|scope| {
        spawn(scope, "other", || drop(changed.wait_while(n.lock().unwrap(), |n| *n > 0)));
    });
}

#[test]
fn a_wait_that_is_not_needed_is_recorded_once_per_thread_and_site() {
    let trace = record("pass::not_needed");
    let (n, changed, inner) = (trace.labelled("n"), trace.labelled("changed"), trace.labelled("inner"));
    let other = trace.named("other");
    let main = trace.threads.iter().find(|thread| thread.object != other.object).unwrap();
    let made = |(kind, ..): &(Kind, Flags, u64)| matches!(*kind, Kind::CREATE | Kind::DESTROY);
    let seen: Vec<_> = sequence(main, changed).into_iter().filter(|event| !made(event)).collect();
    assert_eq!(seen, [(Kind::PASS, Flags::NONE, n); 2]);
    assert_eq!(sequence(other, changed), [(Kind::PASS, Flags::NONE, n)]);
    assert_eq!(passes(&trace, "seldom"), []);
    // While the mutex is held, behind what the condition did, and each at a place of its own.
    let around = |at: usize| main.events[at - 1..=at + 1].iter().map(|event| (event.kind(), event.object().0));
    let at: Vec<usize> = (0..main.events.len()).filter(|at| main.events[*at].kind() == Kind::PASS).collect();
    let released = (Kind::RELEASE, n);
    assert!(around(at[0]).eq([(Kind::ACQUIRE, n), (Kind::PASS, changed), released]));
    assert!(around(at[1]).eq([(Kind::RELEASE, inner), (Kind::PASS, changed), released]));
    let sites: BTreeSet<_> = at.iter().map(|at| main.events[*at].site()).collect();
    assert!(sites.len() == 2 && sites.iter().all(|site| site.0 != 0), "{sites:?}");
}

#[inline(never)]
fn wait(n: &Mutex<i32>, changed: &Condvar) {
    drop(changed.wait_while(n.lock().unwrap(), |n| *n > 0));
}

/// A function that waits is called from two places, and for many condition variables.
pub(crate) fn paths() {
    let (n, changed) = (Mutex::new(0), Condvar::new());
    label(&n, "n");
    label(&changed, "changed");
    for _ in 0..10 {
        wait(&n, &changed);
        wait(&n, &changed);
    }
    let others: Vec<Condvar> = (0..16).map(|_| Condvar::new()).collect();
    for _ in 0..10 {
        for other in &others {
            wait(&n, other);
        }
    }
}

#[test]
fn each_path_and_each_condition_variable_counts() {
    let trace = record("pass::paths");
    assert_eq!(passes(&trace, "changed"), [trace.labelled("n"); 2]);
    assert_eq!(trace.count(Kind::PASS), 2 + 16);
}

/// A wait that comes back once, and then finds that it need not wait again.
pub(crate) fn waited() {
    let (set, changed) = (Mutex::new(false), Condvar::new());
    label(&set, "set");
    label(&changed, "changed");
    thread::scope(|scope| {
        spawn(scope, "waits", || drop(changed.wait_while(set.lock().unwrap(), |set| !*set)));
        until_waiting(thread_named("waits"), Kind::WAIT, "changed");
        *set.lock().unwrap() = true;
        changed.notify_one();
    });
}

#[test]
fn who_has_waited_has_not_passed() {
    let trace = record("pass::waited");
    let waits = sequence(trace.named("waits"), trace.labelled("changed"));
    assert_eq!(waits, [(Kind::WAIT, Flags::NONE, 1), (Kind::WAKE, Flags::NONE, 1)]);
    assert_eq!(trace.count(Kind::PASS), 0);
}
