//! The exact events of accesses, of atomic variables, of barriers, of child processes, of what is initialised once, of
//! releases, and of waits that unwind, could give up or are not needed, and what the slots say meanwhile.
//!
//! Each case is a program of its own: this test binary, run again with a part to play.
#![cfg(recorded)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "programs made for tests fail like tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod atomic;
mod barrier;
mod late;
mod once;
#[cfg(feature = "once_cell")]
mod once_cell;
#[cfg(feature = "parking_lot")]
mod parking_lot;
#[cfg(all(feature = "parking_lot", feature = "parking_lot_013"))]
mod parking_lot_013;
mod pass;
mod patience;
mod process;
mod release;
mod room;
mod rwlock;
mod task;
mod unwind;

use self::support::{Thread, Trace, program, rules};
use instrumented_sync::thread::{Builder, Scope, ScopedJoinHandle};
use trace_format::{Event, Flags, Kind, slot::Snapshot};

/// The parts that [`child`] can play.
const ROLES: &[(&str, fn())] = &[
    ("access::repeats", access::repeats),
    ("access::quiet", access::quiet),
    ("access::shared", access::shared),
    ("access::marked", access::marked),
    ("access::coincides", access::coincides),
    ("access::many", access::many),
    ("atomic::orderings", atomic::orderings),
    ("atomic::exchanges", atomic::exchanges),
    ("atomic::spins", atomic::spins),
    ("atomic::fences", atomic::fences),
    ("atomic::two_threads", atomic::two_threads),
    ("atomic::published", atomic::published),
    ("atomic::tracked", atomic::tracked),
    ("barrier::two_meet_twice", barrier::two_meet_twice),
    ("barrier::begins_while_some_wait", barrier::begins_while_some_wait),
    ("once::awaited", once::awaited),
    ("once::contended", once::contended),
    ("once::contended_cell", once::contended_cell),
    ("once::poisoned", once::poisoned),
    ("once::poisoned_while_waiting", once::poisoned_while_waiting),
    ("once::poisoned_lazy", once::poisoned_lazy),
    ("once::reentrant", once::reentrant),
    ("once::used_again", once::used_again),
    ("late::times", late::times),
    ("late::shared", late::shared),
    #[cfg(feature = "once_cell")]
    ("once_cell::races", once_cell::races),
    #[cfg(feature = "once_cell")]
    ("once_cell::values", once_cell::values),
    #[cfg(feature = "once_cell")]
    ("once_cell::waits", once_cell::waits),
    #[cfg(feature = "parking_lot")]
    ("parking_lot::late", parking_lot::late),
    #[cfg(feature = "parking_lot")]
    ("parking_lot::modes", parking_lot::modes),
    #[cfg(feature = "parking_lot")]
    ("parking_lot::mutexes", parking_lot::mutexes),
    #[cfg(feature = "parking_lot")]
    ("parking_lot::once", parking_lot::once),
    #[cfg(feature = "parking_lot")]
    ("parking_lot::waits", parking_lot::waits),
    #[cfg(all(feature = "parking_lot", feature = "parking_lot_013"))]
    ("parking_lot_013::modes", parking_lot_013::modes),
    #[cfg(all(feature = "parking_lot", feature = "parking_lot_013"))]
    ("parking_lot_013::mutexes", parking_lot_013::mutexes),
    #[cfg(all(feature = "parking_lot", feature = "parking_lot_013"))]
    ("parking_lot_013::waits", parking_lot_013::waits),
    ("pass::not_needed", pass::not_needed),
    ("pass::paths", pass::paths),
    ("pass::waited", pass::waited),
    ("process::asks", process::asks),
    ("process::at_once", process::at_once),
    ("process::fails", process::fails),
    ("process::from_before", process::from_before),
    ("process::late", process::late),
    ("process::waits", process::waits),
    ("release::dropped", release::dropped),
    ("release::waited", release::waited),
    ("release::unwound", release::unwound),
    ("release::out_of_order", release::out_of_order),
    ("release::by_many_threads", release::by_many_threads),
    ("once::looked_at", once::looked_at),
    ("patience::receives", patience::receives),
    ("patience::sends", patience::sends),
    ("patience::waits", patience::waits),
    ("patience::parks", patience::parks),
    #[cfg(since_1_92)]
    ("rwlock::downgraded", rwlock::downgraded),
    #[cfg(since_1_92)]
    ("rwlock::downgraded_unrecorded", rwlock::downgraded_unrecorded),
    ("room::bounded", room::bounded),
    ("room::freed", room::freed),
    ("task::handed_over", task::handed_over),
    ("task::given_up", task::given_up),
    ("task::runnable", task::runnable),
    ("unwind::waits_while_unwinding", unwind::waits_while_unwinding),
];

/// Plays a part if the environment names one, and is nothing otherwise.
#[test]
fn child() {
    program::play(ROLES);
}

/// Runs a part to its end and reads what it recorded.
fn record(role: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    program::run(&mut program::command(role, dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, rules::Ending::Exit);
    trace
}

/// What this process has recorded so far.
fn so_far() -> Trace {
    Trace::only(&program::own_trace())
}

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    f: impl FnOnce() + Send + 'scope,
) -> ScopedJoinHandle<'scope, ()> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, f).unwrap()
}

/// Waits until a thread's slot says that it is in a wait of this kind on the object with this label.
fn until_waiting(thread: u64, kind: Kind, label: &str) -> Snapshot {
    loop {
        let trace = so_far();
        let waits = |slot: &Snapshot| {
            let wanted = |wait: Event| wait.kind() == kind && wait.object().0 == trace.labelled(label);
            slot.thread == thread && slot.exact && slot.wait.is_some_and(wanted)
        };
        if let Some(slot) = trace.slots().into_iter().find(waits) {
            return slot;
        }
        std::thread::yield_now();
    }
}

/// The object of the thread with this name, once it has recorded something.
fn thread_named(name: &str) -> u64 {
    loop {
        if let Some((object, _, _)) = so_far().names.iter().find(|(_, _, known)| known == name) {
            return *object;
        }
        std::thread::yield_now();
    }
}

/// A thread's events on an object: kind, flags and number.
fn sequence(thread: &Thread, object: u64) -> Vec<(Kind, Flags, u64)> {
    let events = thread.events.iter().filter(|event| event.kind() != Kind::EXTEND && event.object().0 == object);
    events.map(|event| (event.kind(), event.flags(), event.seq())).collect()
}

/// The events of an object by the process's first thread, but for its beginning and its end.
#[cfg(any(feature = "parking_lot", feature = "once_cell"))]
fn of_first(trace: &Trace, object: &str) -> Vec<(Kind, Flags, u64)> {
    let first = trace.threads.iter().min_by_key(|thread| thread.object).unwrap();
    let events = sequence(first, trace.labelled(object)).into_iter();
    events.filter(|(kind, ..)| ![Kind::CREATE, Kind::DESTROY].contains(kind)).collect()
}
