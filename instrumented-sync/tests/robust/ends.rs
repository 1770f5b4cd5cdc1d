//! How threads end: detached, in destructors, by unwinding.

use crate::support::{
    Trace,
    program::{command, run},
    rules::{self, Ending},
};
use instrumented_sync::{Condvar, Mutex, RwLock, label, thread};
use std::cell::RefCell;
use trace_format::{Event, Flags, Kind};

static FINAL: Mutex<u32> = Mutex::new(0);

/// Threads that are in the middle of something when the program ends.
pub(crate) fn detached() {
    static BLOCKED_ON: Mutex<u32> = Mutex::new(0);
    label(&BLOCKED_ON, "blocked on");
    let guard = BLOCKED_ON.lock().unwrap();
    let started = std::sync::Arc::new(std::sync::Barrier::new(4));
    for n in 0..3 {
        let started = std::sync::Arc::clone(&started);
        thread::spawn(move || {
            let own = Mutex::new(n);
            let _held = own.lock().unwrap();
            started.wait();
            match n {
                0 => *BLOCKED_ON.lock().unwrap() += 1,
                1 => loop {
                    thread::park();
                },
                _ => loop {
                    *FINAL.lock().unwrap() += 1;
                },
            }
        });
    }
    started.wait();
    while Trace::only(&crate::support::program::own_trace()).slots().iter().filter(|slot| slot.exact).count() < 2 {
        thread::yield_now();
    }
    std::mem::forget(guard);
}

#[test]
fn threads_that_the_end_of_the_program_cuts_off() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("ends::detached", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    assert_eq!((trace.threads.len(), trace.count(Kind::END)), (4, 0));
    let blocked_on = trace.labelled("blocked on");
    let waits: Vec<_> = trace.slots().iter().filter_map(|slot| slot.wait).collect();
    assert!(waits.iter().any(|wait| wait.kind() == Kind::REQUEST && wait.object().0 == blocked_on), "{waits:?}");
    assert!(waits.iter().any(|wait| wait.kind() == Kind::WAIT), "{waits:?}");
    assert!(trace.slots().iter().all(|slot| slot.n_holds >= 1), "all hold something");
}

struct LocksWhenDropped(&'static str);

impl Drop for LocksWhenDropped {
    fn drop(&mut self) {
        let own = Mutex::new(0);
        label(&own, self.0);
        *own.lock().unwrap() += 1;
        *FINAL.lock().unwrap() += 1;
        thread::current().unpark();
    }
}

thread_local! {
    static LOCKS: RefCell<Vec<LocksWhenDropped>> = const { RefCell::new(Vec::new()) };
}

/// Threads whose thread-local variables lock in their destructors.
pub(crate) fn in_destructors() {
    label(&FINAL, "final");
    // Of this variable's destructor and the recorder's own, each comes first once.
    let before = thread::Builder::new().name("variable first".into()).spawn(|| {
        LOCKS.with_borrow_mut(|locks| locks.push(LocksWhenDropped("variable first")));
        *FINAL.lock().unwrap() += 1;
    });
    before.unwrap().join().unwrap();
    let after = thread::Builder::new().name("lock first".into()).spawn(|| {
        *FINAL.lock().unwrap() += 1;
        LOCKS.with_borrow_mut(|locks| locks.push(LocksWhenDropped("lock first")));
    });
    after.unwrap().join().unwrap();
    let foreign = std::thread::Builder::new().name("foreign".into()).spawn(|| {
        LOCKS.with_borrow_mut(|locks| locks.push(LocksWhenDropped("foreign")));
    });
    foreign.unwrap().join().unwrap();
}

#[test]
fn locks_taken_in_thread_local_destructors_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("ends::in_destructors", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    for name in ["variable first", "lock first", "foreign"] {
        let thread = trace.named(name);
        let n_final = if name == "foreign" { 1 } else { 2 };
        assert_eq!(thread.on(trace.labelled("final"), &[Kind::ACQUIRE]).len(), n_final, "{name}");
        assert_eq!(thread.on(trace.labelled(name), &[Kind::ACQUIRE, Kind::RELEASE]).len(), 2);
        let end = thread.position(Kind::END).expect("END is recorded");
        let last_release = thread.events.iter().rposition(|event| event.kind() == Kind::RELEASE).unwrap();
        assert!(last_release < end);
        if let Some(body_end) = thread.position(Kind::BODY_END) {
            assert!(body_end < last_release, "destructors run after the closure");
        }
    }
}

/// A destructor of C, which may come after the recorder's.
extern "C" fn locks_late(_: *mut libc::c_void) {
    *FINAL.lock().unwrap() += 1;
}

pub(crate) fn in_foreign_destructors() {
    label(&FINAL, "final");
    let (mut early, mut late) = (0, 0);
    // SAFETY: a valid place, and a function of this program.
    unsafe { libc::pthread_key_create(&raw mut early, Some(locks_late)) };
    // The recorder makes its key now.
    *FINAL.lock().unwrap() += 1;
    // SAFETY: as above.
    unsafe { libc::pthread_key_create(&raw mut late, Some(locks_late)) };
    thread::spawn(move || {
        *FINAL.lock().unwrap() += 1;
        for key in [early, late] {
            // SAFETY: the keys were created above; the value only has to differ from null.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
        }
    })
    .join()
    .unwrap();
}

#[test]
fn locks_taken_behind_the_end_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("ends::in_foreign_destructors", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let acquires = trace.events().filter(|event| event.kind() == Kind::ACQUIRE);
    assert_eq!(acquires.filter(|event| event.object().0 == trace.labelled("final")).count(), 4);
    let n_live = trace.slots().len();
    assert_eq!(n_live, 1, "only the main thread's slot is in use");
    assert_eq!(trace.count(Kind::BEGIN), trace.count(Kind::END) + 1);
}

/// Guards that are dropped by unwinding, and locks taken by what unwinding drops.
pub(crate) fn unwinds() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    static LOCK: RwLock<u32> = RwLock::new(0);
    label(&MUTEX, "mutex");
    label(&LOCK, "lock");
    std::panic::set_hook(Box::new(|_| ()));
    let body = thread::Builder::new().name("unwound".into()).spawn(|| {
        let caught = std::panic::catch_unwind(|| {
            let mut mutex = MUTEX.lock().unwrap();
            *mutex += 1;
            let lock = LOCK.read().unwrap();
            let _locks = LocksWhenDropped("while unwinding");
            assert_eq!(*lock, 1);
        });
        assert!(caught.is_err());
        // Waiting with a poisoned mutex gives it up and takes it back.
        let guard = MUTEX.lock().unwrap_err().into_inner();
        let waited = Condvar::new().wait_timeout(guard, std::time::Duration::from_millis(1));
        assert_eq!(*waited.unwrap_err().into_inner().0, 1);
        assert_eq!(*LOCK.read().unwrap(), 0);
        panic!("to the end");
    });
    assert!(body.unwrap().join().is_err());
}

#[test]
fn unwinding_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("ends::unwinds", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let thread = trace.named("unwound");
    let releases = |label| thread.on(trace.labelled(label), &[Kind::RELEASE]);
    let panicking = |events: Vec<Event>| -> Vec<_> {
        events.into_iter().map(|event| event.flags().has(Flags::PANICKING)).collect()
    };
    assert_eq!(panicking(releases("mutex")), [true, false, false]);
    assert_eq!(panicking(releases("lock")), [true, false]);
    assert_eq!(panicking(releases("while unwinding")), [true]);
    assert!(releases("mutex")[0].flags().has(Flags::WROTE) && releases("lock")[0].flags().has(Flags::READ));
    let acquires = thread.on(trace.labelled("mutex"), &[Kind::ACQUIRE]);
    let flags: Vec<_> = acquires.iter().map(|event| event.flags()).collect();
    assert_eq!(flags.iter().map(|flags| flags.has(Flags::POISONED)).collect::<Vec<_>>(), [false, true, true]);
    assert!(releases("mutex")[1].flags().has(Flags::FOR_WAIT) && flags[2].has(Flags::REACQUIRE));
    let body_end = thread.events[thread.position(Kind::BODY_END).unwrap()];
    assert!(body_end.flags().has(Flags::PANICKING));
}
