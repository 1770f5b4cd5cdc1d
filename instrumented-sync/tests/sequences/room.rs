//! What orders threads for the sake of data races alone: room in bounded channels, and the ends of marked memory.

use crate::{Thread, Trace, record, spawn};
use instrumented_sync::{
    free_of,
    mpsc::{channel, sync_channel},
    thread, write_of,
};
use trace_format::{Flags, Kind};

/// What a thread published and observed, with flags and versions, and what of messages and of memory lies between.
fn of_thread(thread: &Thread) -> Vec<(Kind, Flags, u64)> {
    let kinds = [
        Kind::PUBLISH,
        Kind::OBSERVE,
        Kind::SEND,
        Kind::RECEIVE,
        Kind::CELL_WRITE,
        Kind::CELL_FREE,
        Kind::RECEIVE_FAILED,
    ];
    let events = thread.events.iter().filter(|event| kinds.contains(&event.kind()));
    let number = |kind| u64::from(matches!(kind, Kind::PUBLISH | Kind::OBSERVE));
    events.map(|event| (event.kind(), event.flags(), event.beside() * number(event.kind()))).collect()
}

fn named(trace: &Trace, name: &str) -> Vec<(Kind, Flags, u64)> {
    of_thread(trace.named(name))
}

pub(crate) fn bounded() {
    let (sender, receiver) = sync_channel(1);
    let (unbounded, other) = channel();
    thread::scope(|scope| {
        let sends = spawn(scope, "sends", || {
            unbounded.send(()).unwrap();
            sender.send(()).unwrap();
        });
        sends.join().unwrap();
        let receiver = (receiver, other);
        spawn(scope, "receives", move || {
            let (receiver, other) = receiver;
            other.recv().unwrap();
            receiver.recv().unwrap();
            // Nothing is recorded in between: nothing new could be told.
            assert!((0..100).all(|_| receiver.try_recv().is_err()));
        });
    });
}

/// Who makes room says so before, who finds it says so behind; where there is no bound there is nothing to tell.
#[test]
fn room_is_told_on_both_sides_of_a_bounded_channel() {
    let trace = record("room::bounded");
    let room = Flags::ROOM;
    assert_eq!(
        named(&trace, "sends"),
        [(Kind::SEND, Flags::NONE, 0), (Kind::SEND, Flags::NONE, 0), (Kind::OBSERVE, room, 0)]
    );
    let received = named(&trace, "receives");
    assert_eq!(
        received[..3],
        [(Kind::RECEIVE, Flags::NONE, 0), (Kind::PUBLISH, room, 1), (Kind::RECEIVE, Flags::NONE, 0)]
    );
    assert!(received[3..].iter().filter(|event| event.0 == Kind::PUBLISH).count() <= 3, "{received:?}");
}

pub(crate) fn freed() {
    let mut memory = [0_u64; 2];
    let first = &raw mut memory[0] as usize;
    let mark = move |free: bool| {
        let place = first as *mut u64;
        write_of!(*place);
        if free {
            free_of!(*place);
        }
    };
    thread::scope(|scope| {
        spawn(scope, "frees", move || mark(true)).join().unwrap();
        spawn(scope, "uses it again", move || {
            mark(false);
            mark(true);
            mark(false);
        });
    });
}

/// Whoever is given memory that another thread freed accesses it behind its end; one's own ends one knows.
#[test]
fn what_is_accessed_again_is_behind_the_end_of_what_was_there() {
    let trace = record("room::freed");
    let none = Flags::NONE;
    let (write, free) = ((Kind::CELL_WRITE, Flags::ADDRESS, 0), (Kind::CELL_FREE, none, 0));
    assert_eq!(named(&trace, "frees"), [write, free, (Kind::PUBLISH, none, 1)]);
    let again = [(Kind::OBSERVE, none, 1), write, free, (Kind::PUBLISH, none, 2), write];
    assert_eq!(named(&trace, "uses it again"), again);
}
