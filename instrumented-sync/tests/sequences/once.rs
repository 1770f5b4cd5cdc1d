//! `Once`, `OnceLock` and `LazyLock`.

use crate::{record, sequence, so_far, spawn, thread_named, until_waiting};
use instrumented_sync::{LazyLock, Mutex, Once, OnceLock, label, thread};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};
use trace_format::{Event, Flags, Kind, Mode};

type Sequence = Vec<(Kind, Flags, u64)>;

/// What whoever initialises records: attempt `n`.
fn attempt(n: u64, acquire: Flags, release: Flags) -> Sequence {
    vec![(Kind::ACQUIRE, acquire, n), (Kind::RELEASE, release, n)]
}

/// What whoever uses the value records that attempt `n` made.
fn used(n: u64, flags: Flags) -> Sequence {
    let shared = Mode::Shared.flags();
    vec![(Kind::ACQUIRE, shared.with(flags), n), (Kind::RELEASE, shared, n)]
}

/// Lets a thread initialise, with `initialise`, until another thread, in `wait`, waits for it.
fn contend(initialise: impl FnOnce(&dyn Fn()) + Send, wait: impl FnOnce() + Send) {
    let (running, begun) = mpsc::channel();
    thread::scope(|scope| {
        spawn(scope, "initialiser", move || {
            initialise(&|| {
                running.send(()).unwrap();
                let slot = until_waiting(thread_named("waiter"), Kind::REQUEST, "it");
                assert_eq!(slot.wait.unwrap().flags(), Mode::Exclusive.flags());
            });
        });
        spawn(scope, "waiter", move || {
            begun.recv().unwrap();
            wait();
        });
    });
}

pub(crate) fn contended() {
    let once = Once::new();
    label(&once, "it");
    contend(|others_wait| once.call_once(others_wait), || once.call_once(|| panic!("a second time")));
}

pub(crate) fn contended_cell() {
    let cell = OnceLock::new();
    label(&cell, "it");
    contend(
        |others_wait| {
            cell.get_or_init(|| {
                others_wait();
                1
            });
        },
        || assert_eq!(cell.set(2), Err(2)),
    );
}

#[test]
fn who_waits_for_the_initialiser_uses_what_it_made() {
    for role in ["once::contended", "once::contended_cell"] {
        let trace = record(role);
        let it = trace.labelled("it");
        assert_eq!(sequence(trace.named("initialiser"), it), attempt(1, Flags::NONE, Flags::NONE));
        assert_eq!(sequence(trace.named("waiter"), it), used(1, Flags::CONTENDED));
        assert_eq!(trace.count(Kind::REQUEST), 0, "the wait is in the slot only");
    }
}

pub(crate) fn awaited() {
    let cell = OnceLock::new();
    label(&cell, "it");
    thread::scope(|scope| {
        spawn(scope, "waiter", || assert_eq!(cell.wait(), &1));
        until_waiting(thread_named("waiter"), Kind::REQUEST, "it");
        assert_eq!(cell.set(1), Ok(()));
    });
}

#[test]
fn who_waits_without_initialising_uses_what_another_made() {
    let trace = record("once::awaited");
    let it = trace.labelled("it");
    assert_eq!(sequence(trace.named("waiter"), it), used(1, Flags::CONTENDED));
}

fn panics(f: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(f)).unwrap_err();
}

pub(crate) fn poisoned() {
    static ONCE: Once = Once::new();
    label(&ONCE, "it");
    panics(|| ONCE.call_once(|| panic!("first")));
    panics(|| ONCE.call_once(|| ()));
    let slots = so_far().slots();
    assert!(slots.iter().all(|slot| slot.wait.is_none() && slot.n_holds == 0), "{slots:?}");
    ONCE.call_once_force(|state| assert!(state.is_poisoned()));
}

#[test]
fn attempts_that_fail_are_numbered() {
    let trace = record("once::poisoned");
    let events = sequence(&trace.threads[0], trace.labelled("it"));
    let expected = [attempt(1, Flags::NONE, Flags::PANICKING), attempt(2, Flags::POISONED, Flags::NONE)];
    assert_eq!(events[1..], expected.concat());
}

pub(crate) fn poisoned_while_waiting() {
    let once = Once::new();
    label(&once, "it");
    contend(
        |others_wait| {
            panics(|| {
                once.call_once(|| {
                    others_wait();
                    panic!("while another waits");
                });
            });
        },
        || {
            panics(|| once.call_once(|| ()));
            assert_eq!(so_far().slot(thread_named("waiter")).wait, None);
        },
    );
}

#[test]
fn who_waits_for_one_that_fails_has_used_nothing() {
    let trace = record("once::poisoned_while_waiting");
    let it = trace.labelled("it");
    assert_eq!(sequence(trace.named("initialiser"), it), attempt(1, Flags::NONE, Flags::PANICKING));
    assert_eq!(sequence(trace.named("waiter"), it), []);
}

pub(crate) fn poisoned_lazy() {
    static LAZY: LazyLock<u32> = LazyLock::new(|| panic!("no value"));
    label(&LAZY, "it");
    panics(|| assert_eq!(*LAZY, 0));
    panics(|| assert_eq!(*LAZY, 0));
}

#[test]
fn each_use_of_a_poisoned_lazy_value_is_an_attempt() {
    let trace = record("once::poisoned_lazy");
    let events = sequence(&trace.threads[0], trace.labelled("it"));
    assert_eq!(events[1..], [1, 2].map(|n| attempt(n, Flags::NONE, Flags::PANICKING)).concat());
}

/// A thread that initialises while it initialises, for ever.
pub(crate) fn reentrant() {
    static ONCE: Once = Once::new();
    label(&ONCE, "it");
    thread::Builder::new().name("stuck".to_owned()).spawn(|| ONCE.call_once(|| ONCE.call_once(|| ()))).unwrap();
    let stuck = thread_named("stuck");
    // First it wants the once and holds nothing, as anybody who comes first.
    let slot = loop {
        let slot = until_waiting(stuck, Kind::REQUEST, "it");
        if slot.n_holds > 0 {
            break slot;
        }
    };
    let (trace, it) = (so_far(), so_far().labelled("it"));
    assert_eq!(trace.held(&slot), [it]);
    assert_eq!(trace.holds(&slot)[0].flags().mode(), Mode::Exclusive);
    let wait = slot.wait.unwrap();
    assert_eq!((wait.object().0, wait.flags().mode()), (it, Mode::Exclusive));
}

#[test]
fn a_reentrant_attempt_shows_in_the_slot() {
    let trace = record("once::reentrant");
    let stuck = sequence(trace.named("stuck"), trace.labelled("it"));
    assert_eq!(stuck, attempt(1, Flags::NONE, Flags::NONE)[..1]);
    let slot = trace.slot(trace.named("stuck").object);
    assert_eq!((slot.n_holds, slot.wait.map(Event::kind)), (1, Some(Kind::REQUEST)));
}

pub(crate) fn used_again() {
    let (held, once, mut cell) = (Mutex::new(()), Once::new(), OnceLock::new());
    let lazy = LazyLock::new(|| 3);
    label(&held, "held");
    label(&once, "once");
    label(&cell, "cell");
    label(&lazy, "lazy");
    assert_eq!(cell.get(), None);
    let use_all = || {
        once.call_once(|| ());
        assert_eq!((cell.get_or_init(|| 1), *lazy), (&1, 3));
    };
    use_all();
    use_all();
    let guard = held.lock().unwrap();
    use_all();
    assert_eq!((cell.get(), LazyLock::get(&lazy), once.is_completed()), (Some(&1), Some(&3), true));
    drop(guard);
    assert_eq!(cell.take(), Some(1));
    assert_eq!(cell.set(2), Ok(()));
}

#[test]
fn a_use_is_recorded_once_and_while_something_is_held() {
    let trace = record("once::used_again");
    let events = |label| {
        let events = sequence(&trace.threads[0], trace.labelled(label));
        assert_eq!((events[0].0, events.last().unwrap().0), (Kind::CREATE, Kind::DESTROY), "{label}");
        events[1..events.len() - 1].to_vec()
    };
    let mut uses = attempt(1, Flags::NONE, Flags::NONE);
    (0..2).for_each(|_| uses.extend(used(1, Flags::NONE)));
    // Those at the end wait for nothing.
    uses.extend(used(1, Flags::TRY));
    assert_eq!(events("once"), uses);
    assert_eq!(events("lazy"), uses);
    let look = vec![(Kind::LOOK, Flags::NONE, 0)];
    assert_eq!(events("cell"), [look, uses, attempt(2, Flags::NONE, Flags::NONE)].concat());
}

/// A thread looks at what is initialised, and uses it in ways that may wait, each twice.
pub(crate) fn looked_at() {
    let (once, cell) = (Once::new(), OnceLock::new());
    let lazy = LazyLock::new(|| 3);
    label(&once, "once");
    label(&cell, "cell");
    label(&lazy, "lazy");
    once.call_once(|| ());
    assert_eq!((cell.set(1), *lazy), (Ok(()), 3));
    thread::scope(|scope| {
        spawn(scope, "looks", || {
            for _ in 0..2 {
                assert_eq!((cell.get(), LazyLock::get(&lazy), once.is_completed()), (Some(&1), Some(&3), true));
                once.call_once_force(|_| ());
                assert_eq!((cell.wait(), cell.set(2), *lazy), (&1, Err(2), 3));
            }
        });
    });
}

#[test]
fn a_look_does_not_hide_the_first_use_that_may_wait() {
    let trace = record("once::looked_at");
    let looks = trace.named("looks");
    for label in ["once", "cell", "lazy"] {
        let expected = [used(1, Flags::TRY), used(1, Flags::NONE)].concat();
        assert_eq!(sequence(looks, trace.labelled(label)), expected, "{label}");
    }
}
