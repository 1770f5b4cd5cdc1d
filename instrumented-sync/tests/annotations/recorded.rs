//! What is recorded, read back.

use crate::{
    says_everything,
    support::{
        Thread, Trace,
        program::{command, own_trace, run},
        rules::{self, Ending},
    },
};
use instrumented_sync::{
    Mutex, label,
    resource::{Mode, Resource},
    signal, thread, trace,
};
use std::{panic::catch_unwind, sync::mpsc};
use trace_format::{Flags, Kind, TRACE_VARIABLE};

/// The parts that the test `child` can play.
pub(crate) const ROLES: &[(&str, fn())] =
    &[("everything", everything), ("sections", sections), ("waits", waits), ("midway", midway), ("forks", forks)];

fn seen(thread: &Thread, object: u64) -> Vec<(Kind, Flags, u64)> {
    let events = thread.events.iter().filter(|event| event.object().0 == object && event.kind() != Kind::CREATE);
    events.map(|event| (event.kind(), event.flags(), event.seq())).collect()
}

/// The thread that said something of `object`.
fn sayer(trace: &Trace, object: u64) -> &Thread {
    trace.threads.iter().find(|thread| !seen(thread, object).is_empty()).unwrap()
}

fn traced(role: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command(role, dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    trace
}

fn everything() {
    static RESOURCE: Resource = Resource::new("resource");
    std::panic::set_hook(Box::new(|_| ()));
    assert_eq!(says_everything(&RESOURCE), (1, 2));
    let renamed = Resource::new("first name");
    label(&renamed, "second name");
    drop(renamed.acquired(Mode::Shared));
}

#[test]
fn everything_said_of_a_resource_is_recorded() {
    let trace = traced("everything");
    let (none, shared, timed) = (Flags::NONE, Flags::SHARED, Flags::TIMED);
    let expected = [
        (Kind::ACQUIRE, none, 1),
        (Kind::RELEASE, none, 1),
        (Kind::REQUEST, none, 0),
        (Kind::ACQUIRE, Flags::CONTENDED, 2),
        (Kind::RELEASE, none, 2),
        (Kind::ACQUIRE, shared, 2),
        (Kind::REQUEST, shared, 0),
        (Kind::ACQUIRE, shared.with(Flags::CONTENDED), 2),
        (Kind::RELEASE, shared, 2),
        (Kind::RELEASE, shared, 2),
        (Kind::REQUEST, none, 0),
        (Kind::ACQUIRE_FAILED, timed, 0),
        (Kind::REQUEST, shared, 0),
        (Kind::ACQUIRE_FAILED, shared.with(timed), 0),
        (Kind::ACQUIRE, none, 3),
        (Kind::RELEASE, none, 3),
        (Kind::NOTIFY, none, 1),
        (Kind::NOTIFY, Flags::ALL, 2),
        (Kind::WAIT, none, 0),
        (Kind::WAKE, none, 1),
        (Kind::WAIT, timed, 0),
        (Kind::WAKE, timed, 2),
        (Kind::WAIT, none, 0),
        (Kind::WAKE, none, 0),
        (Kind::WAIT, timed, 0),
        (Kind::WAKE, timed.with(Flags::TIMED_OUT), 0),
        (Kind::ACQUIRE, none, 4),
        (Kind::RELEASE, Flags::PANICKING, 4),
    ];
    let resource = trace.labelled("resource");
    let thread = sayer(&trace, resource);
    assert_eq!(seen(thread, resource), expected);
    let pairs = thread.events.windows(2).filter(|pair| pair[0].kind() == Kind::NOTIFY);
    assert!(pairs.map(|pair| pair[1].payload()).eq([(1, 0), (3, 0)]));
    assert!(trace.slots().iter().all(|slot| slot.n_holds == 0 && slot.wait.is_none()));
    trace.labelled("second name");
    assert!(trace.labels.values().all(|label| label != "first name"));
}

fn sections() {
    std::panic::set_hook(Box::new(|_| ()));
    let lock = Mutex::new(1);
    signal::section(15, || assert_eq!(*lock.lock().unwrap(), 1));
    let thrown = catch_unwind(|| signal::section(2, || signal::section(64, || std::panic::panic_any("thrown"))));
    assert!(thrown.is_err());
}

#[test]
fn sections_are_recorded_to_their_end() {
    let trace = traced("sections");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::SIGNAL_BEGIN) > 0).unwrap();
    let kinds = [Kind::SIGNAL_BEGIN, Kind::SIGNAL_END, Kind::ACQUIRE, Kind::RELEASE];
    let events = thread.events.iter().filter(|event| kinds.contains(&event.kind()));
    let seen: Vec<_> = events.map(|event| (event.kind(), event.seq())).collect();
    let (begin, end) = (Kind::SIGNAL_BEGIN, Kind::SIGNAL_END);
    let expected =
        [(begin, 15), (Kind::ACQUIRE, 1), (Kind::RELEASE, 1), (end, 15), (begin, 2), (begin, 64), (end, 64), (end, 2)];
    assert_eq!(seen, expected);
    let events = thread.events.iter().filter(|event| [begin, end].contains(&event.kind()));
    assert!(events.into_iter().all(|event| event.object().is_none() && event.site().0 != 0));
}

/// Threads that say that they block, and look at their slots while they do.
fn waits() {
    static HELD: Resource = Resource::new("held");
    static WAITED_FOR: Resource = Resource::new("waited for");
    let of = |name: &'static str| {
        let trace = Trace::only(&own_trace());
        (trace.slot(trace.named(name).object), trace.labelled("held"), trace.labelled("waited for"))
    };
    let says = |name: &'static str, f: fn(mpsc::Sender<()>, mpsc::Receiver<()>)| {
        let ((say, said), (go, gone)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::Builder::new().name(name.into()).spawn(move || f(say, gone)).unwrap();
        said.recv().unwrap();
        (thread, go)
    };
    let holder = says("holder", |say, gone| {
        let _held = HELD.acquired(Mode::Exclusive);
        let wait = WAITED_FOR.wait_timed();
        say.send(()).unwrap();
        gone.recv().unwrap();
        drop(wait);
    });
    let requester = says("requester", |say, gone| {
        let request = HELD.request(Mode::Shared);
        say.send(()).unwrap();
        gone.recv().unwrap();
        drop(request.acquired());
    });
    let (slot, held, waited_for) = of("holder");
    let wait = slot.wait.unwrap();
    assert_eq!((wait.kind(), wait.object().0, wait.flags()), (Kind::WAIT, waited_for, Flags::TIMED));
    assert_eq!((slot.n_holds, slot.holds[0].object().0, slot.exact), (1, held, true));
    let (slot, ..) = of("requester");
    let wait = slot.wait.unwrap();
    assert_eq!((wait.kind(), wait.object().0, wait.flags()), (Kind::REQUEST, held, Flags::SHARED));
    for (thread, go) in [holder, requester] {
        go.send(()).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn who_says_that_it_blocks_is_seen_blocking() {
    let trace = traced("waits");
    let held = trace.labelled("held");
    let (shared, contended) = (Flags::SHARED, Flags::SHARED.with(Flags::CONTENDED));
    let expected = [(Kind::REQUEST, shared, 0), (Kind::ACQUIRE, contended, 1), (Kind::RELEASE, shared, 1)];
    assert_eq!(seen(trace.named("requester"), held), expected);
}

/// Recording is switched on while a resource is held, requested and waited for.
fn midway() {
    let dir = own_trace();
    // SAFETY: no other thread of this program looks at the environment.
    unsafe { std::env::remove_var(TRACE_VARIABLE) };
    let resource = Resource::new("resource");
    let (held, request, wait) =
        (resource.acquired(Mode::Exclusive), resource.request(Mode::Exclusive), resource.wait());
    signal::section(1, || trace::start(dir).unwrap());
    drop(held);
    wait.woken_by(7);
    drop(request.acquired());
    drop(resource.acquired(Mode::Exclusive));
}

#[test]
fn what_began_unrecorded_ends_unrecorded() {
    let trace = traced("midway");
    let resource = trace.labelled("resource");
    let none = Flags::NONE;
    let expected = [
        (Kind::ACQUIRE, none, 1),
        (Kind::RELEASE, none, 1),
        (Kind::ACQUIRE, none, 2),
        (Kind::RELEASE, none, 2),
        (Kind::DESTROY, none, 0),
    ];
    assert_eq!(seen(sayer(&trace, resource), resource), expected);
    assert_eq!(trace.count(Kind::SIGNAL_END), 0);
}

/// Forks while a resource is held; both processes give it back.
fn forks() {
    static RESOURCE: Resource = Resource::new("resource");
    let held = RESOURCE.acquired(Mode::Exclusive);
    // SAFETY: the child uses memory and exits.
    let pid = unsafe { libc::fork() };
    drop(held);
    drop(RESOURCE.request(Mode::Exclusive).acquired());
    if pid != 0 {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0);
    }
}

#[test]
fn a_forked_child_inherits_what_its_thread_holds() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("forks", dir.path()));
    let traces: Vec<_> =
        crate::support::process_files(dir.path()).iter().filter_map(|path| Trace::read(path)).collect();
    assert_eq!(traces.len(), 2);
    let resource = traces.iter().find(|trace| !trace.labels.is_empty()).unwrap().labelled("resource");
    for trace in &traces {
        assert!(trace.header.exited && trace.n_lost() == 0);
        let thread = sayer(trace, resource);
        rules::check_holds(thread);
        let events = thread.on(resource, &[Kind::ACQUIRE, Kind::RELEASE]);
        let numbers: Vec<_> = events.iter().map(|event| (event.kind(), event.seq())).collect();
        let (acquire, release) = (Kind::ACQUIRE, Kind::RELEASE);
        assert_eq!(numbers, [(acquire, 1), (release, 1), (acquire, 2), (release, 2)]);
    }
}
