//! Accesses of cells and of marked memory: what is recorded of each, and of those that repeat.

use crate::{Thread, Trace, record, spawn};
use instrumented_sync::{
    Latch, Mutex,
    cell::{RaceCell, UnsafeCell},
    free_of, label, read_of, thread, write_of,
};
use std::collections::BTreeSet;
use trace_format::{Event, Flags, Kind};

/// What a thread did but for threads and time, in its order: kind, and the label of the object.
fn accesses(trace: &Trace, thread: &Thread) -> Vec<String> {
    let mut told = Vec::new();
    for event in &thread.events {
        let text = match event.kind() {
            Kind::ACQUIRE | Kind::RELEASE => format!("{:?} {}", event.kind(), trace.labels[&event.object().0]),
            Kind::CELL_READ | Kind::CELL_WRITE => {
                assert_eq!((event.flags(), event.seq()), (Flags::NONE, 0));
                format!("{:?} {}", event.kind(), trace.labels[&event.object().0])
            }
            _ => continue,
        };
        told.push(text);
    }
    told
}

fn of_main(trace: &Trace) -> Vec<String> {
    let main = trace.threads.iter().find(|thread| thread.count(Kind::CELL_WRITE) > 0).unwrap();
    accesses(trace, main)
}

fn read(cell: &UnsafeCell<u32>) -> u32 {
    // SAFETY: of the cells of these tests each is used by one thread.
    cell.with(|value| unsafe { *value })
}

fn write(cell: &UnsafeCell<u32>) {
    // SAFETY: as above.
    cell.with_mut(|value| unsafe { *value += 1 });
}

static LOCK: Mutex<()> = Mutex::new(());

/// Two labelled cells, and the lock.
fn labelled() -> (UnsafeCell<u32>, UnsafeCell<u32>) {
    let cells = (UnsafeCell::new(0), UnsafeCell::new(0));
    label(&cells.0, "a");
    label(&cells.1, "b");
    label(&LOCK, "lock");
    cells
}

pub(crate) fn repeats() {
    let (a, b) = labelled();
    for _ in 0..10 {
        read(&a);
    }
    for _ in 0..10 {
        write(&b);
        read(&b);
        read(&a);
    }
    // A write is more than a read, and stands for it.
    write(&a);
    read(&a);
    write(&a);
    drop(LOCK.lock());
    read(&a);
    let held = LOCK.lock();
    write(&a);
    write(&a);
    drop(held);
    write(&b);
    // That there is an access since the lock does not say that this one is.
    write(&a);
    write(&b);
}

#[test]
fn an_access_that_repeats_is_recorded_once() {
    let expected = [
        "CELL_READ a",
        "CELL_WRITE b",
        "CELL_WRITE a",
        "ACQUIRE lock",
        "RELEASE lock",
        "CELL_READ a",
        "ACQUIRE lock",
        "CELL_WRITE a",
        "RELEASE lock",
        "CELL_WRITE b",
        "CELL_WRITE a",
    ];
    let trace = record("access::repeats");
    assert_eq!(of_main(&trace), expected);
    let accesses = trace.events().filter(|event| matches!(event.kind(), Kind::CELL_READ | Kind::CELL_WRITE));
    let sites: Vec<_> = accesses.map(Event::site).collect();
    let apart: BTreeSet<_> = sites.iter().collect();
    assert!(apart.len() == sites.len() && sites.iter().all(|site| !site.is_none()), "{sites:?}");
    let stack = |site: &trace_format::SiteId| trace.stacks[&trace.sites[&site.0].1].len();
    assert!(sites.iter().all(|site| stack(site) > 2));
}

/// Exclusive access and pointers are not recorded; a cell that never was is neither made nor destroyed in the trace.
pub(crate) fn quiet() {
    let mut quiet = UnsafeCell::new(1);
    *quiet.get_mut() += 1;
    // SAFETY: nobody else knows of the cell.
    unsafe { *quiet.get() += 1 };
    assert_eq!((format!("{quiet:?}").len() > 3, quiet.into_inner()), (true, 3));
    drop(RaceCell::new(1));
    let (a, mut b) = labelled();
    read(&a);
    write(&b);
    let moved = Box::new(a);
    *b.get_mut() += 1;
    read(&moved);
    drop(LOCK.lock());
    read(&moved);
}

#[test]
fn exclusive_access_is_not_recorded() {
    let trace = record("access::quiet");
    let expected = ["CELL_READ a", "CELL_WRITE b", "ACQUIRE lock", "RELEASE lock", "CELL_READ a"];
    assert_eq!(of_main(&trace), expected);
    let cells = [trace.labelled("a"), trace.labelled("b")];
    for kind in [Kind::CREATE, Kind::DESTROY] {
        let of_kind = trace.events().filter(|event| event.kind() == kind).map(|event| event.object().0);
        let mut of_cells: Vec<_> = of_kind.filter(|object| *object != trace.labelled("lock")).collect();
        of_cells.sort_unstable();
        assert_eq!(of_cells, cells, "{kind:?}");
    }
}

static SHARED: RaceCell<u64> = RaceCell::new(0);

pub(crate) fn shared() {
    label(&SHARED, "shared");
    let add = || {
        // SAFETY: the threads are joined one after the other.
        unsafe { SHARED.write(SHARED.read() + 1) };
        // SAFETY: as above.
        SHARED.with(|value| unsafe { assert_ne!(*value, 0) });
        SHARED.with_mut(|_| ());
    };
    for name in ["first", "second"] {
        thread::scope(|scope| {
            spawn(scope, name, add);
        });
    }
}

#[test]
fn each_thread_tells_of_its_accesses() {
    let trace = record("access::shared");
    for name in ["first", "second"] {
        assert_eq!(accesses(&trace, trace.named(name)), ["CELL_READ shared", "CELL_WRITE shared"]);
    }
}

#[repr(C)]
struct Node {
    next: *mut Self,
    values: [u16; 5],
    value: u32,
}

pub(crate) fn marked() {
    let mut node = Node { next: std::ptr::null_mut(), values: [1; 5], value: 1 };
    let node: *mut Node = &raw mut node;
    let none = std::ptr::slice_from_raw_parts(node, 0);
    let huge = std::ptr::slice_from_raw_parts(node.cast::<u64>(), usize::MAX);
    // SAFETY: nobody else knows of the node; what is marked is not read.
    unsafe {
        write_of!(*node);
        read_of!(*node);
        read_of!((*node).value);
        for _ in 0..10 {
            read_of!((*node).next);
        }
        write_of!((*node).value);
        read_of!((&(*node).values)[1..3]);
        read_of!(*none);
        read_of!(*huge);
        free_of!((*node).value);
        write_of!((*node).value);
        free_of!((*node).value);
        free_of!((*node).value);
        read_of!((*node).next);
    }
}

#[test]
fn marks_say_which_bytes() {
    let expected = [
        "CELL_WRITE +0 24",
        "CELL_READ +20 4",
        "CELL_READ +0 8",
        "CELL_WRITE +20 4",
        "CELL_READ +10 4",
        "CELL_READ +0 1099511627775",
        "CELL_FREE +20 4",
        "CELL_WRITE +20 4",
        "CELL_FREE +20 4",
        "CELL_FREE +20 4",
        "CELL_READ +0 8",
    ];
    let trace = record("access::marked");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::CELL_FREE) > 0).unwrap();
    let on_memory = thread.events.iter().filter(|event| event.is_at_address());
    let (marks, frees): (Vec<&Event>, Vec<&Event>) = on_memory.partition(|event| event.address() != 0);
    // What tells who accesses memory next that it has ended.
    let frees = frees.iter().map(|event| (event.kind(), event.beside()));
    assert_eq!(frees.collect::<Vec<_>>(), [1, 2, 3].map(|version| (Kind::PUBLISH, version)));
    let start = marks[0].address();
    let told = marks.iter().map(|mark| format!("{:?} +{} {}", mark.kind(), mark.address() - start, mark.beside()));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let locations: BTreeSet<_> = marks.iter().map(|mark| trace.sites[&mark.site().0].0).collect();
    assert_eq!(locations.len(), marks.len(), "a mark's place is where the macro stands");
}

/// How many segments the only thread of this process has, and where in the last one it is.
fn place() -> (usize, usize) {
    let trace = crate::so_far();
    let (n_segments, last) = (trace.segments().count(), trace.segments().last());
    (n_segments, last.unwrap().1.head)
}

pub(crate) fn coincides() {
    let (a, _) = labelled();
    let steps = Latch::new(1 << 20);
    // An event each.
    let go_on = |n: usize| (0..n).for_each(|_| steps.count_down());
    go_on(100);
    read(&a);
    let (n_segments, there) = place();
    while place().0 == n_segments {
        go_on(50);
    }
    loop {
        let here = place().1;
        assert!(here <= there, "{here} is beyond {there}");
        if here == there {
            break;
        }
        go_on(((there - here) / 32).max(1));
    }
    read(&a);
}

/// In its next segment a thread comes to the place at which its latest access ended in the last one.
#[test]
fn a_place_in_another_segment_is_another_place() {
    let trace = record("access::coincides");
    assert_eq!(trace.threads.len(), 1);
    assert_eq!(accesses(&trace, &trace.threads[0]), ["CELL_READ a", "CELL_READ a"]);
}

pub(crate) fn many() {
    let cells: Vec<UnsafeCell<u32>> = (0..10_000).map(UnsafeCell::new).collect();
    let n_read: u32 = (0..3).flat_map(|_| &cells).map(|cell| read(cell).min(1)).sum();
    assert_eq!(n_read, 3 * 9_999);
    label(&LOCK, "lock");
    // Through pages and segments, so that the thread comes to the same place in another one.
    let cell = &cells[0];
    for n in 0..100_000 {
        drop(LOCK.lock());
        (0..n % 4).for_each(|_| write(cell));
    }
}

/// More cells than are remembered: what is forgotten is recorded again. And nothing is taken for what it is not.
#[test]
fn no_access_is_taken_for_another() {
    let trace = record("access::many");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::CELL_WRITE) > 0).unwrap();
    assert!(thread.segments.len() > 2);
    let read: BTreeSet<_> = trace.events().filter(|event| event.kind() == Kind::CELL_READ).map(Event::object).collect();
    assert_eq!(read.len(), 10_000);
    // One write behind each release but every fourth, or little more: a page's time may come between two.
    let n_expected = 75_000;
    let n_written = thread.count(Kind::CELL_WRITE);
    assert!((n_expected..n_expected + n_expected / 50).contains(&n_written), "{n_written}");
    let mut n_without = 0;
    for pair in thread.events.iter().filter(|event| event.kind() != Kind::TIME).collect::<Vec<_>>().windows(2) {
        n_without += usize::from(pair[0].kind() == Kind::RELEASE && pair[1].kind() == Kind::ACQUIRE);
    }
    assert_eq!(n_without, 25_000);
}
