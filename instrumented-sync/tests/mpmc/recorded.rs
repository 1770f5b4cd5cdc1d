//! What is recorded, read back.

use crate::support::{
    Thread, Trace,
    program::{command, own_trace, run, start, tell, wait_for_go},
    rules::{self, Ending},
};
use instrumented_sync::{label, mpmc, thread};
use std::{env, process::Command, time::Duration};
use trace_format::{Flags, Kind, MESSAGE_MAX, TRACE_VARIABLE};

/// The parts that the test `child` can play.
pub(crate) const ROLES: &[(&str, fn())] =
    &[("sequence", sequence), ("either", either), ("waits", waits), ("forks", forks)];

#[test]
fn all_cases_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    let output =
        command.args(["--skip", "recorded::", "--skip", "child"]).env(TRACE_VARIABLE, dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    rules::check(&Trace::only(dir.path()), Ending::Exit);
}

/// One thread uses a channel in every way that does not wait.
fn sequence() {
    let (sender, receiver) = mpmc::sync_channel(2);
    label(&sender, "channel");
    let second = sender.clone();
    let other = receiver.clone();
    sender.send(1).unwrap();
    second.try_send(2).unwrap();
    sender.try_send(3).unwrap_err();
    sender.send_timeout(4, Duration::ZERO).unwrap_err();
    drop(second);
    assert_eq!((receiver.recv(), other.try_recv()), (Ok(1), Ok(2)));
    sender.send_timeout(5, crate::EVER).unwrap();
    sender.send(6).unwrap();
    assert_eq!((other.recv_timeout(crate::EVER), other.try_iter().next()), (Ok(5), Some(6)));
    other.try_recv().unwrap_err();
    other.recv_timeout(Duration::ZERO).unwrap_err();
    drop(other);
    drop(receiver);
    sender.send(7).unwrap_err();
    drop(sender);
    let (sender, receiver) = mpmc::channel::<u8>();
    label(&receiver, "unbounded");
    drop(sender);
    receiver.recv().unwrap_err();
    receiver.try_recv().unwrap_err();
    receiver.recv_timeout(crate::EVER).unwrap_err();
}

fn seen(thread: &Thread, object: u64) -> Vec<(Kind, Flags, u64)> {
    let events = thread.events.iter().filter(|event| event.object().0 == object && event.kind() != Kind::CREATE);
    events.map(|event| (event.kind(), event.flags(), event.seq())).collect()
}

#[test]
fn every_operation_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("sequence", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let (sender, receiver, none, timed) = (Flags::SENDER, Flags::RECEIVER, Flags::NONE, Flags::TIMED);
    let expected = [
        (Kind::CAPACITY, none, 2),
        (Kind::HANDLE_CLONE, sender, 2),
        (Kind::HANDLE_CLONE, receiver, 2),
        (Kind::SEND, none, 1),
        (Kind::SEND, Flags::TRY, 2),
        (Kind::SEND, Flags::TRY, 3),
        (Kind::SEND_FAILED, Flags::TRY, 3),
        (Kind::SEND, timed, 4),
        (Kind::SEND_FAILED, Flags::TIMED_OUT, 4),
        (Kind::HANDLE_DROP, sender, 1),
        (Kind::RECEIVE, none, 1),
        (Kind::RECEIVE, Flags::TRY, 2),
        (Kind::SEND, timed, 5),
        (Kind::SEND, none, 6),
        (Kind::RECEIVE, timed, 5),
        (Kind::RECEIVE, Flags::TRY, 6),
        (Kind::LOOK, Flags::NONE, 0),
        (Kind::RECEIVE_FAILED, timed.with(Flags::TIMED_OUT), 0),
        (Kind::HANDLE_DROP, receiver, 1),
        (Kind::HANDLE_DROP, receiver, 0),
        (Kind::SEND, none, 7),
        (Kind::SEND_FAILED, Flags::DISCONNECTED, 7),
        (Kind::HANDLE_DROP, sender, 0),
        (Kind::DESTROY, none, 0),
    ];
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::SEND) > 0).unwrap();
    assert_eq!(seen(thread, trace.labelled("channel")), expected);
    let expected = [
        (Kind::CAPACITY, none, MESSAGE_MAX),
        (Kind::HANDLE_DROP, sender, 0),
        (Kind::RECEIVE_FAILED, Flags::DISCONNECTED, 0),
        (Kind::RECEIVE_FAILED, Flags::DISCONNECTED.with(timed), 0),
        (Kind::RECEIVE_FAILED, Flags::DISCONNECTED.with(timed), 0),
        (Kind::HANDLE_DROP, receiver, 0),
        (Kind::DESTROY, none, 0),
    ];
    assert_eq!(seen(thread, trace.labelled("unbounded")), expected);
}

/// One thread receives from two channels while there are messages, and when they are both over.
fn either() {
    let ((a, from_a), (b, from_b)) = (mpmc::channel(), mpmc::channel());
    label(&a, "a");
    label(&b, "b");
    a.send(1).unwrap();
    b.send(2).unwrap();
    assert_eq!(from_a.recv(), Ok(1));
    assert_eq!(mpmc::recv_either(&from_a, &from_b), Ok(mpmc::Either::Second(2)));
    a.send(3).unwrap();
    drop((a, b));
    assert_eq!(mpmc::recv_either(&from_a, &from_b), Ok(mpmc::Either::First(3)));
    mpmc::recv_either(&from_a, &from_b).unwrap_err();
}

#[test]
fn a_message_of_either_channel_was_not_waited_for_alone() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("either", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::SEND) > 0).unwrap();
    let of = |label| {
        let mut events = seen(thread, trace.labelled(label));
        events.retain(|(kind, _, _)| matches!(*kind, Kind::RECEIVE | Kind::RECEIVE_FAILED));
        events
    };
    let over = (Kind::RECEIVE_FAILED, Flags::DISCONNECTED.with(Flags::AMONG), 0);
    assert_eq!(of("a"), [(Kind::RECEIVE, Flags::NONE, 1), (Kind::RECEIVE, Flags::AMONG, 2), over]);
    assert_eq!(of("b"), [(Kind::RECEIVE, Flags::AMONG, 1), over]);
}

fn named(name: &str, f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().name(name.into()).spawn(f).unwrap()
}

/// Threads that wait in every way, until they are told to go on.
fn waits() {
    let (a, from_a) = mpmc::channel();
    let (b, from_b) = mpmc::sync_channel(0);
    let (c, from_c) = mpmc::sync_channel(0);
    label(&a, "a");
    label(&b, "b");
    label(&c, "c");
    let own = (from_a.clone(), from_b.clone());
    let threads = [
        named("receives", move || assert_eq!(from_a.recv(), Ok(1))),
        named("either", move || assert!(matches!(mpmc::recv_either(&own.0, &own.1), Ok(mpmc::Either::Second(2 | 3))))),
        named("receives for a time", move || assert!(matches!(from_b.recv_timeout(crate::EVER), Ok(2 | 3)))),
        named("sends", {
            let c = c.clone();
            move || c.send(4).unwrap()
        }),
        named("sends for a time", move || c.send_timeout(5, crate::EVER).unwrap()),
    ];
    let dir = own_trace();
    while Trace::only(&dir).slots().iter().filter(|slot| slot.exact).count() < threads.len() {
        thread::yield_now();
    }
    tell("waiting");
    wait_for_go();
    // Two receivers wait for `b`, and which of them gets which message is open.
    while b.try_send(3).is_err() {
        thread::yield_now();
    }
    b.send(2).unwrap();
    let mut threads = threads.into_iter();
    let (receives, either) = (threads.next().unwrap(), threads.next().unwrap());
    threads.next().unwrap().join().unwrap();
    either.join().unwrap();
    a.send(1).unwrap();
    receives.join().unwrap();
    let mut received = [from_c.recv().unwrap(), from_c.recv().unwrap()];
    received.sort_unstable();
    assert_eq!(received, [4, 5]);
    threads.for_each(|thread| thread.join().unwrap());
}

#[test]
fn waits_are_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(&mut command("waits", dir.path()));
    assert!(running.heard("waiting"));
    let trace = Trace::only(dir.path());
    let object = |label: &str| trace.labelled(label);
    let (a, b, c) = (object("a"), object("b"), object("c"));
    for (name, kind, channel, flags, other) in [
        ("receives", Kind::RECEIVE, a, Flags::NONE, 0),
        ("either", Kind::RECEIVE, a, Flags::AMONG, b),
        ("receives for a time", Kind::RECEIVE, b, Flags::TIMED, 0),
        ("sends", Kind::SEND, c, Flags::NONE, 0),
        ("sends for a time", Kind::SEND, c, Flags::TIMED, 0),
    ] {
        let slot = trace.slot(trace.named(name).object);
        let wait = slot.wait.unwrap_or_else(|| panic!("{name} does not wait"));
        assert_eq!((wait.kind(), wait.object().0, wait.flags()), (kind, channel, flags), "{name}");
        assert_eq!(slot.wait_object, other, "{name}");
    }
    running.go();
    assert!(running.end().success());
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let of = |name: &str, object, kind| -> Vec<_> {
        trace.named(name).on(object, &[kind]).into_iter().map(trace_format::Event::flags).collect()
    };
    assert_eq!(of("receives", a, Kind::RECEIVE), [Flags::NONE]);
    assert_eq!((of("either", a, Kind::RECEIVE), of("either", b, Kind::RECEIVE)), (vec![], vec![Flags::AMONG]));
    assert_eq!(of("receives for a time", b, Kind::RECEIVE), [Flags::TIMED]);
    for kind in [Kind::SEND, Kind::SENT] {
        assert_eq!((of("sends", c, kind), of("sends for a time", c, kind)), (vec![Flags::NONE], vec![Flags::TIMED]));
    }
    assert!(trace.slots().iter().all(|slot| slot.wait.is_none()));
}

/// Forks while another thread waits at a rendezvous: in the child that thread does not exist.
fn forks() {
    let (sender, receiver) = mpmc::sync_channel(0);
    label(&sender, "channel");
    let waits = {
        let receiver = receiver.clone();
        named("waits", move || assert_eq!(receiver.recv(), Ok(1)))
    };
    while !Trace::only(&own_trace()).slots().iter().any(|slot| slot.exact) {
        thread::yield_now();
    }
    // SAFETY: the child uses memory, threads and locks, which works with glibc's allocator.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        assert!(sender.try_send(2).is_err(), "the receiver that waits is the parent's");
        let own = thread::spawn(move || receiver.recv());
        sender.send(3).unwrap();
        assert_eq!(own.join().unwrap(), Ok(3));
        std::process::exit(0);
    }
    sender.send(1).unwrap();
    waits.join().unwrap();
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
}

#[test]
fn a_forked_child_counts_on_none_of_its_parent_s_threads() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("forks", dir.path()));
    let traces: Vec<_> =
        crate::support::process_files(dir.path()).iter().filter_map(|path| Trace::read(path)).collect();
    let (children, parents): (Vec<_>, Vec<_>) = traces.iter().partition(|trace| trace.header.forked_from.is_some());
    assert_eq!((children.len(), parents.len()), (1, 1));
    rules::check(parents[0], Ending::Exit);
    let channel = parents[0].labelled("channel");
    let numbers = |kind| -> Vec<_> {
        let events = children[0].events().filter(|event| event.kind() == kind && event.object().0 == channel);
        events.map(trace_format::Event::seq).collect()
    };
    assert_eq!(
        (numbers(Kind::SEND), numbers(Kind::SEND_FAILED), numbers(Kind::RECEIVE)),
        (vec![1, 2], vec![1], vec![2])
    );
}
