//! Waiting while a panic unwinds.

use crate::{record, sequence, spawn, thread_named, until_waiting};
use instrumented_sync::{Condvar, Mutex, MutexGuard, label, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use trace_format::{Flags, Kind};

/// Waits when it is dropped.
struct Waits<'a>(Option<MutexGuard<'a, bool>>, &'a Condvar);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        drop(self.0.take().map(|guard| self.1.wait_while(guard, |set| !*set)));
    }
}

/// One thread waits in a destructor that a panic runs, with a guard from before; another notifies it.
pub(crate) fn waits_while_unwinding() {
    let (set, changed) = (Mutex::new(false), Condvar::new());
    label(&set, "set");
    label(&changed, "changed");
    thread::scope(|scope| {
        spawn(scope, "unwinds", || {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _waits = Waits(Some(set.lock().unwrap()), &changed);
                resume_unwind(Box::new("unwinds"));
            }));
            assert!(unwound.is_err() && set.is_poisoned());
        });
        until_waiting(thread_named("unwinds"), Kind::WAIT, "changed");
        *set.lock().unwrap() = true;
        changed.notify_one();
    });
}

/// The section that goes on after the wait is one of its own, and no ticket or notify is known.
#[test]
fn a_wait_while_unwinding_has_no_ticket() {
    let trace = record("unwind::waits_while_unwinding");
    let thread = trace.named("unwinds");
    let none = Flags::NONE;
    let waits = sequence(thread, trace.labelled("changed"));
    assert_eq!(waits, [(Kind::WAIT, none, 0), (Kind::WAKE, none, 0)]);
    let panicking = Flags::WROTE.with(Flags::PANICKING);
    let [first, released, second, end, look] = sequence(thread, trace.labelled("set"))[..] else {
        panic!("{:?}", thread.events);
    };
    // `is_poisoned` waits for nothing.
    assert_eq!(look, (Kind::LOOK, none, 0));
    assert_eq!((first, second), ((Kind::ACQUIRE, none, 1), (Kind::ACQUIRE, Flags::REACQUIRE, 3)));
    assert!(released.0 == Kind::RELEASE && released.1.has(Flags::FOR_WAIT.with(Flags::PANICKING)) && released.2 == 1);
    assert!(end.0 == Kind::RELEASE && end.1.has(panicking) && !end.1.has(Flags::FOR_WAIT) && end.2 == 3);
}
