//! Many locks held at once: the slot and its overflow records name each, in order, at every stage.

use crate::support::{
    Trace,
    program::{command, own_trace, run},
    rules::{self, Ending},
};
use instrumented_sync::{Mutex, label};
use std::env;
use trace_format::slot::HOLDS_INLINE;

const N: &str = "HOLDS_N";
const ORDER: &str = "HOLDS_ORDER";

/// Takes `N` locks, releases them in `ORDER`, and looks at its own slot all the while.
pub(crate) fn many() {
    let n: usize = env::var(N).unwrap().parse().unwrap();
    let locks: Vec<_> = (0..n).map(Mutex::new).collect();
    let trace = || Trace::only(&own_trace());
    let object = |lock: &Mutex<usize>| {
        // Known by a label that is given for this question.
        label(lock, "this");
        drop(lock.lock().unwrap());
        *trace().labels.iter().find(|(_, label)| *label == "this").unwrap().0
    };
    let objects = objects_of(&locks, object);
    let mut held: Vec<usize> = Vec::new();
    let mut guards: Vec<_> = locks.iter().map(|_| None).collect();
    // A look costs milliseconds, so that a long list is not looked at after every step.
    let looks = |step: usize| n <= 60 || step % (n / 40) < 2 || step.abs_diff(HOLDS_INLINE) < 2 || step + 3 > n;
    for (n_held, lock) in locks.iter().enumerate() {
        guards[n_held] = Some(lock.lock().unwrap());
        held.push(n_held);
        if looks(n_held) {
            check(&trace(), &held, &objects);
        }
    }
    for (step, place) in order(n).into_iter().enumerate() {
        let released = held.remove(place);
        guards[released] = None;
        if looks(step) || looks(held.len()) {
            check(&trace(), &held, &objects);
        }
        // Now and then something is locked on top of a list with a hole.
        if step % 7 == 0 {
            guards[released] = Some(locks[released].lock().unwrap());
            held.push(released);
            if looks(step) {
                check(&trace(), &held, &objects);
            }
            assert_eq!(held.pop(), Some(released));
            guards[released] = None;
        }
    }
    assert!(held.is_empty() && trace().slots()[0].n_holds == 0);
}

/// Object ids of the locks: they are taken in order, so two tell all.
fn objects_of(locks: &[Mutex<usize>], object: impl Fn(&Mutex<usize>) -> u64) -> Vec<u64> {
    let first = object(&locks[0]);
    for lock in locks {
        drop(lock.lock().unwrap());
    }
    let created = Trace::only(&own_trace());
    let creates = created.events().filter(|event| event.kind() == trace_format::Kind::CREATE);
    let objects: Vec<_> = creates.map(|event| event.object().0).skip_while(|created| *created != first).collect();
    assert_eq!(objects.len(), locks.len());
    objects
}

/// Which of the locks still held is released next.
fn order(n: usize) -> Vec<usize> {
    let mut random = 12_345_usize;
    let mut next = |n_held: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n_held
    };
    let release = |n_held: usize| match env::var(ORDER).unwrap().as_str() {
        "fifo" => 0,
        "lifo" => n_held - 1,
        _ => next(n_held),
    };
    (1..=n).rev().map(release).collect()
}

fn check(trace: &Trace, held: &[usize], objects: &[u64]) {
    let slots = trace.slots();
    assert_eq!(slots.len(), 1);
    assert_eq!(slots[0].n_holds, held.len());
    let expected: Vec<_> = held.iter().map(|n| objects[*n]).collect();
    assert!(trace.held(&slots[0]) == expected, "{} held", held.len());
}

fn check_all_orders(n: usize) {
    for order in ["fifo", "lifo", "random"] {
        let dir = tempfile::tempdir().unwrap();
        run(command("holds::many", dir.path()).env(N, n.to_string()).env(ORDER, order));
        rules::check(&Trace::only(dir.path()), Ending::Exit);
    }
}

#[test]
fn sixty() {
    check_all_orders(60);
}

#[test]
fn two_hundred() {
    check_all_orders(200);
}

#[test]
fn five_thousand() {
    check_all_orders(5000);
}
