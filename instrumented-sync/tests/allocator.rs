//! A program whose allocator locks one of our mutexes: it runs, and its other locks are recorded.
#![cfg(recorded)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "programs made for tests fail like tests"
)]

mod support;

use instrumented_sync::{Condvar, Mutex, RwLock, label, mpsc, thread};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    path::Path,
    sync::PoisonError,
};
use support::{
    Trace,
    program::{command, run},
    rules,
};
use trace_format::{Flags, Kind};

/// The system's allocator behind a mutex.
struct Locking;

#[global_allocator]
static ALLOCATOR: Locking = Locking;

static N_ALLOCATED: Mutex<u64> = Mutex::new(0);

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Locking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut n = N_ALLOCATED.lock().unwrap_or_else(PoisonError::into_inner);
        *n += 1;
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _n = N_ALLOCATED.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn child() {
    support::program::play(&[("allocates", allocates)]);
}

static SHARED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LOCK: RwLock<String> = RwLock::new(String::new());

/// Everything that allocates, in several threads, some of which the recorder did not see start.
fn allocates() {
    label(&N_ALLOCATED, "allocator");
    label(&SHARED, "shared");
    let changed = Condvar::new();
    thread::scope(|scope| {
        for n in 0..4 {
            let changed = &changed;
            let work = move || {
                for round in 0..2000 {
                    let mut shared = SHARED.lock().unwrap();
                    shared.push(format!("{n} {round}"));
                    drop(shared);
                    LOCK.write().unwrap().push('x');
                    changed.notify_one();
                    if round % 100 == 0 {
                        let fresh = Mutex::new(vec![round]);
                        label(&fresh, &format!("fresh {n} {round}"));
                        fresh.lock().unwrap().push(1);
                    }
                }
            };
            thread::Builder::new().name(format!("thread {n} with a long name")).spawn_scoped(scope, work).unwrap();
        }
    });
    let (sender, receiver) = mpsc::channel();
    let std_s = std::thread::spawn(move || (0..1000).for_each(|n| sender.send(vec![n]).unwrap()));
    assert_eq!(receiver.iter().count(), 1000);
    std_s.join().unwrap();
    foreign_thread();
    // A segment fills up between a lock of the allocator and its release.
    (0..200_000).for_each(|n| drop(std::hint::black_box(Box::new(n))));
    assert_eq!(SHARED.lock().unwrap().len(), 8000);
}

/// A thread that std learns of when it asks for its name, and that allocates then.
fn foreign_thread() {
    extern "C" fn body(_: *mut libc::c_void) -> *mut libc::c_void {
        assert_eq!(std::thread::current().name(), None);
        drop(Box::new(1));
        std::ptr::null_mut()
    }
    let mut id = 0;
    // SAFETY: valid places, and a function of this program.
    unsafe {
        assert_eq!(libc::pthread_create(&raw mut id, std::ptr::null(), body, std::ptr::null_mut()), 0);
        assert_eq!(libc::pthread_join(id, std::ptr::null_mut()), 0);
    }
}

fn check(dir: &Path) {
    run(&mut command("allocates", dir));
    let trace = Trace::only(dir);
    assert!(trace.header.exited && trace.n_lost() == 0);
    trace.threads.iter().for_each(rules::check_holds);
    rules::check_acquires(&trace);
    let acquires = |label| {
        let object = trace.labelled(label);
        trace.events().filter(|event| event.kind() == Kind::ACQUIRE && event.object().0 == object).count()
    };
    assert_eq!(acquires("shared"), 8001);
    // Threads that allocated before their closure began are still those that were announced.
    for n in 0..4 {
        let name = format!("thread {n} with a long name");
        // What std allocates between naming the thread and calling its closure is recorded as another's of that name.
        let of_name = trace.names.iter().filter(|(_, _, known)| *known == name);
        let mut threads = of_name.map(|(object, _, _)| trace.thread(*object));
        let is_announced = |thread: &&support::Thread| {
            thread.position(Kind::BEGIN).is_some_and(|begin| thread.events[begin].flags().has(Flags::FORKED))
        };
        let thread = threads.find(is_announced).unwrap();
        assert_eq!(thread.on(trace.labelled("shared"), &[Kind::ACQUIRE]).len(), 2000);
        let begin = thread.events[thread.position(Kind::BEGIN).unwrap()];
        assert!(begin.flags().has(Flags::FORKED) && thread.count(Kind::BODY_END) == 1);
    }
    assert!(acquires("allocator") > 400_000);
    assert!(trace.slots().iter().all(|slot| slot.n_holds == 0));
}

#[test]
fn an_allocator_that_locks_is_recorded() {
    check(tempfile::tempdir().unwrap().path());
}

/// A path that std copies to the heap when it opens the file.
#[test]
fn an_allocator_that_locks_is_recorded_into_a_directory_with_a_long_path() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a-name-of-a-hundred-bytes-or-so-which-is-long-but-not-too-long-for-any-file-system-that-there-is-";
    check(&dir.path().join(name).join(name).join(name).join(name).join(name));
}
