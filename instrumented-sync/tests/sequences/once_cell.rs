//! Cells of `once_cell`.

use crate::{of_first, record, sequence, spawn, thread_named, until_waiting};
use instrumented_sync::{
    label,
    once_cell::{
        race::{OnceBool, OnceBox, OnceNonZeroUsize, OnceRef},
        sync::{Lazy, OnceCell},
        unsync,
    },
    thread,
};
use std::{num::NonZeroUsize, panic};
use trace_format::{Flags, Kind, Mode};

const EXCLUSIVE: Flags = Mode::Exclusive.flags();
const SHARED: Flags = Mode::Shared.flags();

pub(crate) fn values() {
    let (cell, lazy, broken) = (OnceCell::new(), Lazy::new(|| 1), Lazy::<u32>::new(|| panic!("no value")));
    label(&cell, "cell");
    label(&lazy, "lazy");
    assert_eq!(cell.get(), None);
    assert_eq!(cell.get_or_try_init(|| Err::<u32, _>("none")), Err("none"));
    assert_eq!(cell.try_insert(1), Ok(&1));
    assert_eq!((cell.set(2), *cell.wait()), (Err(2), 1));
    assert_eq!((*lazy, Lazy::get(&lazy), cell.clone() == cell), (1, Some(&1), true));
    panic::set_hook(Box::new(|_| ()));
    for _ in 0..2 {
        assert!(panic::catch_unwind(panic::AssertUnwindSafe(|| *broken)).is_err());
    }
    assert!(panic::catch_unwind(panic::AssertUnwindSafe(|| Lazy::into_value(broken))).is_err());
    assert_eq!(unsync::OnceCell::from(1).get(), Some(&1));
}

#[test]
fn whoever_initialises_holds_the_cell() {
    let trace = record("once_cell::values");
    let held = |n| [(Kind::ACQUIRE, EXCLUSIVE, n), (Kind::RELEASE, EXCLUSIVE, n)];
    let [failed, made] = [held(1), held(2)];
    let cell = of_first(&trace, "cell");
    assert_eq!(cell[..5], [&[(Kind::LOOK, Flags::NONE, 0)][..], &failed, &made].concat());
    assert_eq!(of_first(&trace, "lazy")[..2], held(1));
}

pub(crate) fn waits() {
    let cell = OnceCell::new();
    label(&cell, "cell");
    thread::scope(|scope| {
        spawn(scope, "waits", || assert_eq!(*cell.wait(), 1));
        until_waiting(thread_named("waits"), Kind::REQUEST, "cell");
        cell.set(1).unwrap();
    });
}

#[test]
fn a_wait_comes_after_what_it_waited_for() {
    let trace = record("once_cell::waits");
    let waits = trace.named("waits");
    assert_eq!(
        sequence(waits, trace.labelled("cell")),
        [(Kind::ACQUIRE, SHARED.with(Flags::CONTENDED), 1), (Kind::RELEASE, SHARED, 1)]
    );
}

/// Each is made in a thread, and seen in another one.
pub(crate) fn races() {
    let (boxed, number, flag) = (OnceBox::new(), OnceNonZeroUsize::new(), OnceBool::new());
    let (value, reference) = (7, OnceRef::new());
    thread::scope(|scope| {
        scope
            .spawn(|| {
                assert_eq!(*boxed.get_or_init(|| Box::new(1)), 1);
                assert_eq!(reference.get_or_try_init(|| Ok::<_, ()>(&value)), Ok(&7));
                assert_eq!((number.set(NonZeroUsize::MIN), flag.set(true)), (Ok(()), Ok(())));
            })
            .join()
            .unwrap();
    });
    assert_eq!((boxed.get(), boxed.set(Box::new(2))), (Some(&1), Err(Box::new(2))));
    assert_eq!((reference.get(), number.get(), flag.get()), (Some(&7), Some(NonZeroUsize::MIN), Some(true)));
}

#[test]
fn who_sees_a_value_comes_after_who_made_it() {
    let trace = record("once_cell::races");
    // Four were made; one more was to be, and is not. Seen by who makes with a function, and by who looks.
    assert_eq!((trace.count(Kind::PUBLISH), trace.count(Kind::OBSERVE)), (5, 6));
}
