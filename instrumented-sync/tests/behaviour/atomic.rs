//! Atomic variables: what each function does, with every ordering that it takes and with those that it refuses.

use super::{sync::atomic::*, thread};
use crate::panic_text;
use std::{hint::black_box, ptr::null_mut};

const LOADS: [Ordering; 3] = [Ordering::Relaxed, Ordering::Acquire, Ordering::SeqCst];
const STORES: [Ordering; 3] = [Ordering::Relaxed, Ordering::Release, Ordering::SeqCst];
const ALL: [Ordering; 5] =
    [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst];

/// What all types have: two values of one, the first of them its default.
macro_rules! common {
    ($name:ident, $a:expr, $b:expr, $variable:expr) => {{
        let (a, b) = ($a, $b);
        let mut variable = $variable;
        assert_eq!(size_of_val(&variable), size_of_val(&a));
        for order in STORES {
            variable.store(b, order);
            assert_eq!(LOADS.map(|order| variable.load(order)), [b; 3]);
            variable.store(a, order);
            assert_eq!(LOADS.map(|order| variable.load(order)), [a; 3]);
        }
        for order in ALL {
            assert_eq!((variable.swap(b, order), variable.swap(a, order)), (a, b));
            for failure in LOADS {
                assert_eq!(variable.compare_exchange(a, b, order, failure), Ok(a));
                assert_eq!(variable.compare_exchange(a, b, order, failure), Err(b));
                // It may fail, but not for ever, and tells what is there.
                while let Err(was) = variable.compare_exchange_weak(b, a, order, failure) {
                    assert_eq!(was, b);
                }
                assert_eq!(variable.fetch_update(order, failure, |was| (was == a).then_some(b)), Ok(a));
                assert_eq!(variable.fetch_update(order, failure, |was| (was == a).then_some(b)), Err(b));
                variable.store(a, Ordering::Relaxed);
                #[cfg(since_1_95)]
                {
                    assert_eq!(variable.try_update(order, failure, |was| (was == a).then_some(b)), Ok(a));
                    assert_eq!(variable.try_update(order, failure, |_| None), Err(b));
                    assert_eq!(variable.update(order, failure, |was| if was == b { a } else { b }), b);
                }
            }
            #[allow(deprecated, reason = "std has it")]
            {
                assert_eq!(variable.compare_and_swap(a, b, order), a);
                assert_eq!(variable.compare_and_swap(a, a, order), b);
                assert_eq!(variable.compare_and_swap(b, a, order), b);
            }
        }
        *variable.get_mut() = b;
        assert_eq!(variable.load(Ordering::Relaxed), b);
        assert_eq!(format!("{variable:?}"), format!("{b:?}"));
        assert_eq!(format!("{variable:#?}"), format!("{b:#?}"));
        assert_eq!(variable.into_inner(), b);
        assert_eq!($name::default().into_inner(), a);
        assert_eq!($name::from(b).into_inner(), b);
        let mut value = a;
        // SAFETY: the value lives as long as the reference, is aligned for this type, and is used in no other way meanwhile.
        let variable = unsafe { $name::from_ptr(&raw mut value) };
        variable.store(b, Ordering::Relaxed);
        assert_eq!(variable.as_ptr().cast_const(), &raw const value);
        assert_eq!(value, b);
    }};
}

macro_rules! integers {
    ($($test:ident: $name:ident $value:ident;)*) => {
        $(
            #[test]
            fn $test() {
                common!($name, 0, 5, $name::new(0));
                for order in ALL {
                    let variable = $name::new(6);
                    assert_eq!(variable.fetch_add(5, order), 6);
                    assert_eq!(variable.fetch_sub(1, order), 11);
                    assert_eq!(variable.fetch_and(6, order), 10);
                    assert_eq!(variable.fetch_or(9, order), 2);
                    assert_eq!(variable.fetch_xor(3, order), 11);
                    assert_eq!(variable.fetch_nand(12, order), 8);
                    assert_eq!(variable.swap(7, order), !(8 & 12));
                    assert_eq!(variable.fetch_max(9, order), 7);
                    assert_eq!(variable.fetch_max(8, order), 9);
                    assert_eq!(variable.fetch_min(2, order), 9);
                    assert_eq!(variable.fetch_min(3, order), 2);
                    assert_eq!(variable.swap($value::MAX, order), 2);
                    assert_eq!(variable.fetch_add(1, order), $value::MAX, "it wraps around");
                    assert_eq!(variable.fetch_sub(1, order), $value::MIN, "and back");
                    assert_eq!(variable.into_inner(), $value::MAX);
                }
            }
        )*
    };
}

integers! {
    of_i8: AtomicI8 i8;
    of_u8: AtomicU8 u8;
    of_i16: AtomicI16 i16;
    of_u16: AtomicU16 u16;
    of_i32: AtomicI32 i32;
    of_u32: AtomicU32 u32;
    of_i64: AtomicI64 i64;
    of_u64: AtomicU64 u64;
    of_isize: AtomicIsize isize;
    of_usize: AtomicUsize usize;
}

#[test]
fn of_bool() {
    common!(AtomicBool, false, true, AtomicBool::new(false));
    for order in ALL {
        for a in [false, true] {
            for b in [false, true] {
                let result = |f: fn(&AtomicBool, bool, Ordering) -> bool| {
                    let variable = AtomicBool::new(a);
                    assert_eq!(f(&variable, b, order), a);
                    variable.into_inner()
                };
                assert_eq!(result(AtomicBool::fetch_and), a & b);
                assert_eq!(result(AtomicBool::fetch_nand), !(a & b));
                assert_eq!(result(AtomicBool::fetch_or), a | b);
                assert_eq!(result(AtomicBool::fetch_xor), a ^ b);
                assert_eq!(result(|variable, _, order| variable.fetch_not(order)), !a);
            }
        }
    }
}

#[test]
fn of_pointers() {
    let mut values = [1_u16, 2, 3];
    let first = values.as_mut_ptr();
    common!(AtomicPtr, null_mut::<u16>(), first, AtomicPtr::new(null_mut()));
    let variable = AtomicPtr::new(first);
    assert_eq!(format!("{variable:p}"), format!("{first:p}"));
    // SAFETY: the pointer is to the values, which nobody else uses.
    assert_eq!(unsafe { *variable.load(Ordering::Relaxed) }, 1);
    #[cfg(since_1_91)]
    for order in ALL {
        let offset = |pointer: *mut u16| pointer.addr() - first.addr();
        assert_eq!(offset(variable.fetch_ptr_add(2, order)), 0);
        assert_eq!(offset(variable.fetch_ptr_sub(1, order)), 4);
        assert_eq!(offset(variable.fetch_byte_add(2, order)), 2);
        assert_eq!(offset(variable.fetch_byte_sub(4, order)), 4);
        assert_eq!(offset(variable.fetch_or(1, order)), 0);
        assert_eq!(offset(variable.fetch_and(!1, order)), 1);
        assert_eq!(offset(variable.fetch_xor(1, order)), 0);
        assert_eq!(offset(variable.fetch_xor(1, order)), 1);
    }
}

#[test]
fn statics_are_made_of_them() {
    static NUMBER: AtomicU64 = AtomicU64::new(5);
    static NUMBERS: [AtomicUsize; 4] = [const { AtomicUsize::new(1) }; 4];
    static POINTER: AtomicPtr<String> = AtomicPtr::new(null_mut());
    assert_eq!(NUMBER.fetch_add(1, Ordering::Relaxed), 5);
    assert_eq!(NUMBERS.iter().map(|number| number.load(Ordering::Relaxed)).sum::<usize>(), 4);
    assert!(POINTER.load(Ordering::Acquire).is_null());
}

#[test]
fn orderings_that_there_are_not_are_refused() {
    let number = AtomicI32::new(1);
    for order in [Ordering::Release, Ordering::AcqRel] {
        let name = if matches!(order, Ordering::Release) { "a release" } else { "an acquire-release" };
        let load = panic_text(|| _ = black_box(number.load(order)));
        assert!(load.starts_with(&format!("there is no such thing as {name} load")), "{load}");
        let failed = panic_text(|| _ = black_box(number.compare_exchange(1, 2, Ordering::SeqCst, order)));
        assert!(failed.starts_with(&format!("there is no such thing as {name} failure")), "{failed}");
        let weak = panic_text(|| _ = black_box(number.compare_exchange_weak(1, 2, Ordering::SeqCst, order)));
        assert_eq!(failed, weak);
        let updated = panic_text(|| _ = black_box(number.fetch_update(Ordering::SeqCst, order, |n| Some(n + 1))));
        assert_eq!(load, updated);
    }
    for order in [Ordering::Acquire, Ordering::AcqRel] {
        let name = if matches!(order, Ordering::Acquire) { "an acquire" } else { "an acquire-release" };
        let store = panic_text(|| number.store(2, order));
        assert!(store.starts_with(&format!("there is no such thing as {name} store")), "{store}");
    }
    let fenced = panic_text(|| fence(black_box(Ordering::Relaxed)));
    assert!(fenced.starts_with("there is no such thing as a relaxed fence"), "{fenced}");
    // Nothing has happened, and all goes on.
    assert_eq!(number.fetch_add(1, Ordering::Relaxed), 1);
    assert_eq!(number.into_inner(), 2);
}

#[test]
fn an_update_that_panics_leaves_the_value() {
    let number = AtomicU32::new(1);
    let text = panic_text(|| {
        let _never = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |_| std::panic::panic_any("no value"));
    });
    assert_eq!((text.as_str(), number.swap(2, Ordering::Relaxed), number.into_inner()), ("no value", 1, 2));
}

#[test]
fn threads_count_together() {
    const N_THREADS: usize = 4;
    const ROUNDS: usize = 2000;
    let (added, updated, max, locked) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU32::new(0), AtomicBool::new(false));
    // Behind the lock that `locked` is; each round finds what the one before it left.
    let guarded = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let (added, updated, max, locked, guarded) = (&added, &updated, &max, &locked, &guarded);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    added.fetch_add(1, Ordering::Relaxed);
                    updated.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| Some(n + 1)).unwrap();
                    max.fetch_max((thread * ROUNDS + round) as u32, Ordering::Relaxed);
                    while locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
                        thread::yield_now();
                    }
                    let n = guarded.load(Ordering::Relaxed);
                    guarded.store(n + 1, Ordering::Relaxed);
                    locked.store(false, Ordering::Release);
                }
            });
        }
    });
    assert_eq!(added.into_inner(), N_THREADS * ROUNDS);
    assert_eq!(updated.into_inner(), N_THREADS * ROUNDS);
    assert_eq!(max.into_inner(), (N_THREADS * ROUNDS - 1) as u32);
    assert_eq!(guarded.into_inner(), N_THREADS * ROUNDS);
}

#[test]
fn what_is_behind_a_fence_is_seen() {
    for _ in 0..200 {
        let (value, is_ready) = (AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                value.store(5, Ordering::Relaxed);
                fence(Ordering::Release);
                compiler_fence(Ordering::SeqCst);
                is_ready.store(true, Ordering::Relaxed);
            });
            while !is_ready.load(Ordering::Relaxed) {
                #[allow(deprecated, reason = "std has it")]
                spin_loop_hint();
                thread::yield_now();
            }
            fence(Ordering::Acquire);
            assert_eq!(value.load(Ordering::Relaxed), 5);
        });
    }
}

#[test]
#[allow(deprecated, clippy::borrow_interior_mutable_const, reason = "std has them")]
fn there_are_constants_of_old() {
    assert!(!ATOMIC_BOOL_INIT.into_inner());
    assert_eq!((ATOMIC_ISIZE_INIT.into_inner(), ATOMIC_USIZE_INIT.into_inner()), (0, 0));
}
