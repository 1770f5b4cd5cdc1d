//! Atomic variables, fences, and what is published at an address.

use crate::{Trace, record, rules, spawn};
use instrumented_sync::{
    Mutex,
    atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    label, thread,
    trace::{acquired, released},
    tracked,
};
use std::{hint::black_box, ptr::null_mut};
use trace_format::{Event, Flags, Kind, Order};

/// The kinds of events on memory.
fn is_on_memory(event: &Event) -> bool {
    event.is_at_address() || event.kind() == Kind::FENCE
}

/// What a thread did to memory, by its name; the main thread's is "".
fn on_memory(trace: &Trace, name: &str) -> Vec<Event> {
    let thread = if name.is_empty() { &trace.threads[0] } else { trace.named(name) };
    thread.events.iter().copied().filter(is_on_memory).collect()
}

/// Kind, ordering and length of each.
fn shapes(events: &[Event]) -> Vec<(Kind, Order, u64)> {
    events.iter().map(|event| (event.kind(), event.flags().order(), event.flags().n_bytes())).collect()
}

/// Versions fit together, and nearly all are certain: those are not where the system stops a thread at the wrong moment for long.
fn check_versions(trace: &Trace) {
    let n_uncertain = rules::check_versions(trace);
    assert!(n_uncertain * 100 <= trace.events().count(), "{n_uncertain} versions are not certain");
}

pub(crate) fn orderings() {
    let (number, byte, flag) = (AtomicU32::new(1), AtomicU8::new(1), AtomicBool::new(true));
    number.store(2, Relaxed);
    number.store(3, Release);
    number.store(4, SeqCst);
    assert_eq!([number.load(Relaxed), number.load(Acquire), number.load(SeqCst)], [4; 3]);
    assert_eq!(number.swap(5, AcqRel), 4);
    assert_eq!(number.fetch_add(1, Release), 5);
    assert_eq!(number.fetch_max(9, Acquire), 6);
    assert_eq!(byte.fetch_nand(1, Relaxed), 1);
    assert!(flag.fetch_not(SeqCst));
    let pointer = AtomicPtr::new(null_mut::<i32>());
    assert!(pointer.load(Acquire).is_null());
    // None of these is recorded.
    assert_eq!((number.into_inner(), byte.into_inner(), flag.into_inner()), (9, 254, false));
    assert!(pointer.as_ptr().is_aligned() && format!("{pointer:?}").starts_with("0x"));
}

#[test]
fn each_operation_is_recorded_with_its_ordering() {
    let trace = record("atomic::orderings");
    let events = on_memory(&trace, "");
    let (load, store, rmw) = (Kind::ATOMIC_LOAD, Kind::ATOMIC_STORE, Kind::ATOMIC_RMW);
    let expected = [
        (store, Order::Relaxed, 4),
        (store, Order::Release, 4),
        (store, Order::SeqCst, 4),
        (load, Order::Relaxed, 4),
        (load, Order::Acquire, 4),
        (load, Order::SeqCst, 4),
        (rmw, Order::AcqRel, 4),
        (rmw, Order::Release, 4),
        (rmw, Order::Acquire, 4),
        (rmw, Order::Relaxed, 1),
        (rmw, Order::SeqCst, 1),
        (load, Order::Acquire, 8),
    ];
    assert_eq!(shapes(&events), expected);
    let versions: Vec<_> = events[..9].iter().map(|event| event.beside()).collect();
    assert_eq!(versions, [1, 2, 3, 3, 3, 3, 4, 5, 6]);
    assert!(events[..9].iter().all(|event| event.address() == events[0].address()));
    // Each where it stands in the program, without a stack.
    let sites: Vec<_> = events.iter().map(|event| trace.sites[&event.site().0]).collect();
    assert!(sites.iter().all(|(location, stack)| *location != 0 && *stack == 0));
    assert!(sites.windows(2).all(|pair| pair[0] != pair[1]));
    check_versions(&trace);
}

pub(crate) fn exchanges() {
    let number = AtomicI64::new(1);
    assert_eq!(number.compare_exchange(1, 2, AcqRel, Relaxed), Ok(1));
    assert_eq!(number.compare_exchange(1, 3, SeqCst, Acquire), Err(2));
    // Nothing has changed, so this says nothing new.
    assert_eq!(number.compare_exchange(1, 3, SeqCst, Acquire), Err(2));
    assert_eq!(number.fetch_update(Release, Relaxed, |n| (n < 5).then_some(n + 1)), Ok(2));
    assert_eq!(number.fetch_update(Release, Relaxed, |n| (n > 5).then_some(n + 1)), Err(3));
}

#[test]
fn a_compare_exchange_that_fails_is_a_load() {
    let trace = record("atomic::exchanges");
    let events = on_memory(&trace, "");
    let seen: Vec<_> = events.iter().map(|event| (event.kind(), event.flags().order(), event.beside())).collect();
    let expected = [
        (Kind::ATOMIC_RMW, Order::AcqRel, 1),
        (Kind::ATOMIC_LOAD, Order::Acquire, 1),
        (Kind::ATOMIC_LOAD, Order::Relaxed, 1),
        (Kind::ATOMIC_RMW, Order::Release, 2),
        (Kind::ATOMIC_LOAD, Order::Relaxed, 2),
    ];
    assert_eq!(seen, expected);
    check_versions(&trace);
}

pub(crate) fn spins() {
    let (first, second) = (AtomicBool::new(false), AtomicU16::new(0));
    for _ in 0..1_000_000 {
        black_box(first.load(Acquire));
    }
    for _ in 0..1_000_000 {
        black_box(first.load(Acquire) || second.load(Relaxed) == 1);
    }
    for _ in 0..1_000_000 {
        black_box(second.compare_exchange(1, 2, AcqRel, Relaxed).is_ok());
        fence(Acquire);
    }
    // A release in between: another load has something of its own to say.
    drop(Mutex::new(1).lock());
    black_box(first.load(Acquire));
}

#[test]
fn a_loop_that_waits_adds_a_handful_of_events() {
    let trace = record("atomic::spins");
    let events = on_memory(&trace, "");
    let expected = [
        (Kind::ATOMIC_LOAD, Order::Acquire, 1),
        (Kind::ATOMIC_LOAD, Order::Relaxed, 2),
        (Kind::FENCE, Order::Acquire, 1),
        (Kind::ATOMIC_LOAD, Order::Acquire, 1),
    ];
    assert_eq!(shapes(&events), expected);
}

pub(crate) fn fences() {
    let flag = AtomicBool::new(false);
    fence(Release);
    flag.store(true, Relaxed);
    fence(SeqCst);
    assert!(flag.load(Relaxed));
    fence(Acquire);
    fence(Acquire);
    assert!(flag.load(Relaxed));
    fence(AcqRel);
}

#[test]
fn fences_stand_between_what_they_order() {
    let trace = record("atomic::fences");
    let expected = [
        (Kind::FENCE, Order::Release, 1),
        (Kind::ATOMIC_STORE, Order::Relaxed, 1),
        (Kind::FENCE, Order::SeqCst, 1),
        (Kind::ATOMIC_LOAD, Order::Relaxed, 1),
        (Kind::FENCE, Order::Acquire, 1),
        (Kind::FENCE, Order::Acquire, 1),
        (Kind::FENCE, Order::AcqRel, 1),
    ];
    // The two acquire fences are at two places; the second load repeats the first.
    assert_eq!(shapes(&on_memory(&trace, "")), expected);
}

const ROUNDS: u32 = 20_000;

pub(crate) fn two_threads() {
    let (turn, sum) = (AtomicU32::new(0), AtomicI64::new(0));
    thread::scope(|scope| {
        for (name, own) in [("even", 0), ("odd", 1)] {
            let (turn, sum) = (&turn, &sum);
            spawn(scope, name, move || {
                for _ in 0..ROUNDS {
                    sum.fetch_add(1, Relaxed);
                }
                for round in 0..ROUNDS / 100 {
                    while turn.load(Acquire) != round * 2 + own {
                        thread::yield_now();
                    }
                    turn.store(round * 2 + own + 1, Release);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), 2 * i64::from(ROUNDS));
}

#[test]
fn versions_of_two_threads_have_no_hole() {
    let trace = record("atomic::two_threads");
    check_versions(&trace);
    assert_eq!(trace.count(Kind::ATOMIC_RMW), 2 * ROUNDS as usize);
    assert_eq!(trace.count(Kind::ATOMIC_STORE), 2 * ROUNDS as usize / 100);
    // Who waited for the other's store says so: the load that found the turn is of the version that the store made.
    let turn = trace.events().find(|event| event.kind() == Kind::ATOMIC_STORE).unwrap().address();
    for name in ["even", "odd"] {
        let events = on_memory(&trace, name);
        let events: Vec<_> = events.iter().filter(|event| event.address() == turn).collect();
        for pair in events.windows(2).filter(|pair| pair[1].kind() == Kind::ATOMIC_STORE) {
            assert_eq!(pair[0].kind(), Kind::ATOMIC_LOAD);
            let is_certain = pair.iter().all(|event| !event.flags().has(Flags::UNCERTAIN));
            assert!(!is_certain || pair[0].beside() + 1 == pair[1].beside(), "{pair:?}");
        }
    }
}

pub(crate) fn published() {
    let value = String::from("value");
    thread::scope(|scope| {
        let value = value.as_str();
        spawn(scope, "releases", || released(value)).join().unwrap();
        spawn(scope, "acquires", || {
            acquired(value);
            acquired(value);
        });
    });
}

#[test]
fn what_is_released_at_a_place_is_acquired_there() {
    let trace = record("atomic::published");
    let released = on_memory(&trace, "releases");
    let acquired = on_memory(&trace, "acquires");
    let seen = |event: &Event| (event.kind(), event.flags(), event.beside());
    assert_eq!(released.iter().map(seen).collect::<Vec<_>>(), [(Kind::PUBLISH, Flags::NONE, 1)]);
    assert_eq!(acquired.iter().map(seen).collect::<Vec<_>>(), [(Kind::OBSERVE, Flags::NONE, 1)]);
    assert_eq!(released[0].address(), acquired[0].address());
}

/// Says when it is dropped.
struct Named(Mutex<()>);

impl Drop for Named {
    fn drop(&mut self) {
        drop(self.0.lock());
    }
}

pub(crate) fn tracked() {
    let mut shared = tracked::Arc::new(Named(Mutex::new(())));
    label(&shared.0, "named");
    let other = tracked::Arc::clone(&shared);
    thread::scope(|scope| {
        spawn(scope, "other", move || drop(other)).join().unwrap();
    });
    assert!(tracked::Arc::get_mut(&mut shared).is_some());
    drop(shared);
    let other = tracked::Arc::new(1);
    assert_eq!(tracked::Arc::try_unwrap(other), Ok(1));
}

#[test]
fn the_last_drop_comes_after_all_others() {
    let trace = record("atomic::tracked");
    let kinds = |events: &[Event]| events.iter().map(|event| event.kind()).collect::<Vec<_>>();
    let other = on_memory(&trace, "other");
    assert_eq!(kinds(&other), [Kind::PUBLISH]);
    let main = on_memory(&trace, "");
    let (publish, observe) = (Kind::PUBLISH, Kind::OBSERVE);
    assert_eq!(kinds(&main), [observe, publish, observe, publish, observe]);
    assert!(main[..3].iter().all(|event| event.address() == other[0].address()));
    assert_ne!(main[3].address(), 0);
    check_versions(&trace);
    // Before the destructor of the value.
    let thread = &trace.threads[0];
    let named = trace.labelled("named");
    let locked = thread.events.iter().rposition(|event| event.kind() == Kind::ACQUIRE && event.object().0 == named);
    let observed = thread.events.iter().position(|event| *event == main[2]);
    assert!(observed < locked, "{observed:?} {locked:?}");
}
