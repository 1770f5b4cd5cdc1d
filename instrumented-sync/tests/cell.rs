//! Cells and marks, as every build has them: what they do beside being recorded, and who may share them.
#![deny(warnings)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands, in its own functions too")]

use instrumented_sync::{
    cell::{Cell, OnceCell, RaceCell, RefCell, UnsafeCell},
    free_of, label, read_of, write_of,
};
use std::{
    fmt::Debug,
    marker::PhantomData,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Asks whether a type has an auto trait: the method that comes first is there only if it has.
struct Has<T: ?Sized>(PhantomData<fn(&T)>);

macro_rules! asks {
    ($($question:ident, $otherwise:ident: $bound:path;)*) => {
        $(
            trait $otherwise {
                fn $question(&self) -> bool {
                    false
                }
            }
            impl<T: ?Sized> $otherwise for &Has<T> {}
            impl<T: ?Sized + $bound> Has<T> {
                fn $question(&self) -> bool {
                    true
                }
            }
        )*
    };
}

asks! {
    is_send, NotSend: Send;
    is_sync, NotSync: Sync;
    is_unpin, NotUnpin: Unpin;
    is_unwind_safe, NotUnwindSafe: UnwindSafe;
    is_ref_unwind_safe, NotRefUnwindSafe: RefUnwindSafe;
}

macro_rules! auto_traits {
    ($type:ty) => {{
        let has = &Has::<$type>(PhantomData);
        [has.is_send(), has.is_sync(), has.is_unpin(), has.is_unwind_safe(), has.is_ref_unwind_safe()]
    }};
}

#[test]
fn unsafe_cells_may_go_where_std_s_may() {
    type Std<T> = std::cell::UnsafeCell<T>;
    assert_eq!(auto_traits!(u8), [true; 5]);
    assert_eq!(auto_traits!(UnsafeCell<u8>), auto_traits!(Std<u8>));
    assert_eq!(auto_traits!(UnsafeCell<Rc<u8>>), auto_traits!(Std<Rc<u8>>));
    assert_eq!(auto_traits!(UnsafeCell<Cell<u8>>), auto_traits!(Std<Cell<u8>>));
    assert_eq!(auto_traits!(UnsafeCell<&mut u8>), auto_traits!(Std<&mut u8>));
    assert_eq!(auto_traits!(UnsafeCell<[u8]>), auto_traits!(Std<[u8]>));
    assert_eq!(auto_traits!(UnsafeCell<dyn Debug>), auto_traits!(Std<dyn Debug>));
    assert_eq!(auto_traits!(UnsafeCell<u8>)[..2], [true, false]);
}

#[test]
fn race_cells_are_shared_if_their_values_may_be_sent() {
    assert_eq!(auto_traits!(RaceCell<u8>)[..2], [true, true]);
    // `Sync` is not asked for: no reference is given out.
    assert_eq!(auto_traits!(RaceCell<Cell<u8>>)[..2], [true, true]);
    assert_eq!(auto_traits!(RaceCell<Rc<u8>>)[..2], [false, false]);
    assert_eq!(auto_traits!(RaceCell<*mut u8>)[..2], [false, false]);
    assert_eq!(auto_traits!(RaceCell<&Cell<u8>>)[..2], [false, false]);
    assert_eq!(auto_traits!(RaceCell<[u8]>)[..2], [true, true]);
}

#[test]
fn a_cell_is_lent_and_given_back() {
    static MADE: UnsafeCellOfStatic = UnsafeCellOfStatic(UnsafeCell::new(1));
    let mut cell = UnsafeCell::new(vec![1]);
    // SAFETY: nobody else knows of the cells.
    cell.with_mut(|value| unsafe { (*value).push(2) });
    // SAFETY: as above.
    assert_eq!(cell.with(|value| unsafe { (*value).len() }), 2);
    // SAFETY: as above.
    unsafe { (*cell.get()).push(3) };
    cell.get_mut().push(4);
    assert_eq!(cell.with(|value| value), cell.get().cast_const());
    assert_eq!(UnsafeCell::raw_get(&raw const cell), cell.get());
    assert_eq!(cell.into_inner(), [1, 2, 3, 4]);
    // SAFETY: as above.
    assert_eq!(MADE.0.with(|value| unsafe { *value }), 1);
    let unmade = MaybeUninit::<UnsafeCell<u64>>::uninit();
    assert!(UnsafeCell::raw_get(unmade.as_ptr()).is_aligned());
    assert!(!UnsafeCell::raw_get(std::ptr::null::<UnsafeCell<u64>>().wrapping_add(1)).is_null());
}

struct UnsafeCellOfStatic(UnsafeCell<u32>);

// SAFETY: it is only read.
unsafe impl Sync for UnsafeCellOfStatic {}

#[test]
fn cells_unsize() {
    let cell = UnsafeCell::new([1_u8, 2, 3]);
    let slice: &UnsafeCell<[u8]> = &cell;
    // SAFETY: nobody else knows of the cells.
    slice.with_mut(|value| unsafe { (&mut *value)[2] = 4 });
    let shown: &UnsafeCell<dyn Debug> = &cell;
    // SAFETY: as above.
    assert_eq!(shown.with(|value| format!("{:?}", unsafe { &*value })), "[1, 2, 4]");
    let mut boxed: Box<RaceCell<[u8]>> = Box::new(RaceCell::new([1, 2]));
    boxed.get_mut()[0] = 5;
    // SAFETY: as above.
    assert_eq!(boxed.with(|value| unsafe { (&*value).to_vec() }), [5, 2]);
}

#[test]
fn cells_are_made_of_values_and_shown_without_them() {
    let cells: (UnsafeCell<u8>, UnsafeCell<&str>) = (UnsafeCell::default(), "a".into());
    assert_eq!((cells.0.into_inner(), cells.1.into_inner()), (0, "a"));
    let cells: (RaceCell<u8>, RaceCell<&str>) = (RaceCell::default(), "a".into());
    assert_eq!((cells.0.into_inner(), cells.1.into_inner()), (0, "a"));
    assert_eq!(format!("{:?}", UnsafeCell::new(1)), format!("{:?}", std::cell::UnsafeCell::new(1)));
    assert_eq!(format!("{:?}", RaceCell::new(1)), "RaceCell { .. }");
    let std_s: (Cell<u8>, RefCell<u8>, OnceCell<u8>) = (Cell::new(1), RefCell::new(2), OnceCell::new());
    assert_eq!((std_s.0.get(), *std_s.1.borrow(), std_s.2.get()), (1, 2, None));
}

#[test]
fn closures_may_nest_and_panic() {
    let cell = UnsafeCell::new(1);
    // SAFETY: nobody else knows of the cell, and one pointer is used after the other.
    let sum = cell.with_mut(|outer| {
        // SAFETY: as above.
        unsafe { *outer += 1 };
        // SAFETY: as above.
        cell.with(|inner| unsafe { *inner }) + cell.with_mut(|inner| unsafe { *inner })
    });
    assert_eq!(sum, 4);
    let panicked = catch_unwind(AssertUnwindSafe(|| cell.with_mut(|_| std::panic::resume_unwind(Box::new(())))));
    assert!(panicked.is_err());
    // SAFETY: as above.
    assert_eq!(cell.with(|value| unsafe { *value }), 2);
}

/// Counts how often it is dropped, and sees what its cell holds by then.
struct Drops<'a>(u32, &'a AtomicU32);

impl Drop for Drops<'_> {
    fn drop(&mut self) {
        self.1.fetch_add(self.0, Relaxed);
    }
}

#[test]
fn values_are_dropped_once() {
    let dropped = AtomicU32::new(0);
    let cell = RaceCell::new(Drops(1, &dropped));
    // SAFETY: nobody else knows of the cell.
    unsafe { cell.write(Drops(10, &dropped)) };
    assert_eq!(dropped.load(Relaxed), 1);
    drop(cell);
    assert_eq!(dropped.load(Relaxed), 11);
    drop(UnsafeCell::new(Drops(100, &dropped)));
    let kept = UnsafeCell::new(Drops(1000, &dropped)).into_inner();
    assert_eq!(dropped.load(Relaxed), 111);
    drop(kept);
    assert_eq!(dropped.load(Relaxed), 1111);
}

#[test]
fn a_race_cell_is_a_static() {
    static SUM: RaceCell<u64> = RaceCell::new(0);
    label(&SUM, "sum");
    for n in 1..=3 {
        // SAFETY: one thread is there at a time: each is joined before the next.
        let add = move || unsafe { SUM.write(SUM.read() + n) };
        std::thread::spawn(add).join().unwrap();
    }
    // SAFETY: all threads were joined.
    assert_eq!(unsafe { SUM.read() }, 6);
}

#[repr(C, packed)]
struct Packed {
    first: u8,
    second: u64,
}

struct Node {
    next: *mut Self,
    values: [u32; 4],
}

/// Marks are expressions of no value, need no reference, and read nothing.
#[test]
fn any_place_can_be_marked() {
    let dangling: *mut Node = std::ptr::dangling_mut();
    // SAFETY: no memory is there, and none is read.
    unsafe {
        read_of!((*dangling).next);
        write_of!((*dangling).values[2]);
        free_of!(*dangling);
    }
    let null: *const u64 = std::ptr::null();
    read_of!(*null);
    let node = Box::into_raw(Box::new(Node { next: std::ptr::null_mut(), values: [1; 4] }));
    // SAFETY: nobody else knows of the node.
    let value = unsafe {
        write_of!((*node).values);
        (*node).values[1] = 2;
        read_of!((&(*node).values)[1..],);
        read_of!((*node).next);
        assert!((*node).next.is_null());
        free_of!(*node);
        Box::from_raw(node).values[1]
    };
    assert_eq!(value, 2);
    let packed = Packed { first: 1, second: 2 };
    read_of!(packed.second);
    assert_eq!((packed.first, { packed.second }), (1, 2));
    let (text, nothing): (&str, [u64; 0]) = ("text", []);
    read_of!(*text);
    read_of!(nothing);
    let done: () = write_of!(nothing);
    assert_eq!(done, ());
}
