//! Who made a channel, and how much room it has.

use crate::support::{
    Trace,
    program::{command, own_trace, run},
    rules::{self, Ending},
};
use instrumented_sync::{label, mpsc, thread, trace};
use trace_format::{Flags, Kind, MESSAGE_MAX};

/// Makes channels here and uses them elsewhere.
pub(crate) fn made_here() {
    let (unbounded, from_unbounded) = mpsc::channel();
    let (bounded, from_bounded) = mpsc::sync_channel(3);
    let (rendezvous, from_rendezvous) = mpsc::sync_channel::<u8>(0);
    let user = thread::Builder::new().name("user".into()).spawn(move || {
        label(&unbounded, "unbounded");
        label(&bounded, "bounded");
        label(&rendezvous, "rendezvous");
        unbounded.send(1).unwrap();
        bounded.send(2).unwrap();
    });
    user.unwrap().join().unwrap();
    assert_eq!((from_unbounded.recv(), from_bounded.recv()), (Ok(1), Ok(2)));
    assert!(from_rendezvous.recv().is_err());
}

/// What is recorded of a channel's making and receiving.
const OF_THE_MAKER: &[Kind] = &[Kind::CREATE, Kind::CAPACITY, Kind::RECEIVE, Kind::RECEIVE_FAILED, Kind::HANDLE_DROP];

#[test]
fn a_channel_is_created_by_who_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("channels::made_here", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let user = trace.named("user");
    let maker = trace.threads.iter().find(|thread| thread.object != user.object).unwrap();
    for (name, room, last) in [
        ("unbounded", MESSAGE_MAX, Kind::RECEIVE),
        ("bounded", 3, Kind::RECEIVE),
        ("rendezvous", 0, Kind::RECEIVE_FAILED),
    ] {
        let channel = trace.labelled(name);
        let events = maker.on(channel, OF_THE_MAKER);
        let kinds: Vec<_> = events.iter().map(|event| event.kind()).collect();
        assert_eq!(kinds, [Kind::CREATE, Kind::CAPACITY, last, Kind::HANDLE_DROP], "{name}");
        assert_eq!(events[1].seq(), room, "{name}");
        assert_eq!((events[3].flags().handle(), events[3].seq()), (Flags::RECEIVER, 0), "{name}");
        assert!(user.on(channel, &[Kind::CREATE, Kind::CAPACITY]).is_empty());
    }
}

/// Makes a channel before recording is switched on.
pub(crate) fn made_before() {
    let dir = own_trace();
    // SAFETY: no other thread of this program looks at the environment.
    unsafe { std::env::remove_var(trace_format::TRACE_VARIABLE) };
    let (sender, receiver) = mpsc::sync_channel(5);
    sender.send(1).unwrap();
    trace::start(dir).unwrap();
    sender.send(2).unwrap();
    label(&sender, "late");
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Ok(2)));
}

#[test]
fn a_channel_from_before_recording_is_created_when_it_is_used() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("channels::made_before", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    let kinds = [Kind::CREATE, Kind::CAPACITY, Kind::SEND, Kind::RECEIVE];
    let events = trace.threads[0].on(trace.labelled("late"), &kinds);
    assert_eq!(events.iter().map(|event| event.kind()).collect::<Vec<_>>(), kinds);
    assert_eq!(events[1].seq(), 5);
}
