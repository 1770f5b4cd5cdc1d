//! What events of operations that did not have to wait say of how long they would have.

use crate::{record, sequence, spawn, thread_named, until_waiting};
use instrumented_sync::{Condvar, Mutex, label, mpsc, thread};
use std::time::Duration;
use trace_format::{Flags, Kind};

/// Longer than any test takes.
const EVER: Duration = Duration::from_secs(600);

const NONE: Flags = Flags::NONE;
const TIMED: Flags = Flags::TIMED;
const TRY: Flags = Flags::TRY;

/// Receives in every way, when there is a message and when there will be none.
pub(crate) fn receives() {
    let (sender, receiver) = mpsc::channel();
    label(&sender, "channel");
    (1..=6).for_each(|n| sender.send(n).unwrap());
    assert_eq!((receiver.recv(), receiver.try_recv(), receiver.recv_timeout(EVER)), (Ok(1), Ok(2), Ok(3)));
    assert_eq!((receiver.iter().next(), receiver.try_iter().next()), (Some(4), Some(5)));
    drop(sender);
    assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [6]);
    let (sender, receiver) = mpsc::channel::<u8>();
    label(&sender, "over");
    receiver.recv_timeout(Duration::ZERO).unwrap_err();
    drop(sender);
    receiver.try_recv().unwrap_err();
    receiver.recv_timeout(EVER).unwrap_err();
    receiver.recv().unwrap_err();
}

#[test]
fn a_receive_says_how_long_it_would_have_waited() {
    let trace = record("patience::receives");
    let of = |label| {
        let mut events = sequence(&trace.threads[0], trace.labelled(label));
        events.retain(|(kind, _, _)| matches!(*kind, Kind::RECEIVE | Kind::RECEIVE_FAILED));
        events
    };
    let (receive, failed, gone) = (Kind::RECEIVE, Kind::RECEIVE_FAILED, Flags::DISCONNECTED);
    let received = [NONE, TRY, TIMED, NONE, TRY, NONE].into_iter().zip(1..).map(|(flags, n)| (receive, flags, n));
    assert_eq!(of("channel"), received.chain([(failed, gone, 0)]).collect::<Vec<_>>());
    let expected = [Flags::TIMED_OUT.with(TIMED), gone.with(TIMED), gone.with(TIMED), gone];
    assert_eq!(of("over"), expected.map(|flags| (failed, flags, 0)));
}

/// Sends in every way that has room, and in one that has not.
pub(crate) fn sends() {
    let (sender, _receiver) = mpsc::sync_channel(2);
    label(&sender, "channel");
    sender.send(1).unwrap();
    sender.try_send(2).unwrap();
    sender.try_send(3).unwrap_err();
}

#[test]
fn a_send_says_how_long_it_would_have_waited() {
    let trace = record("patience::sends");
    let mut events = sequence(&trace.threads[0], trace.labelled("channel"));
    events.retain(|(kind, _, _)| matches!(*kind, Kind::SEND | Kind::SEND_FAILED));
    let (send, failed) = (Kind::SEND, Kind::SEND_FAILED);
    assert_eq!(events, [(send, NONE, 1), (send, TRY, 2), (send, TRY, 3), (failed, TRY, 3)]);
}

/// One thread waits in turns for ever, for a time, and for a time that is over; another notifies it while it waits.
pub(crate) fn waits() {
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    label(&changed, "changed");
    thread::scope(|scope| {
        spawn(scope, "waits", || {
            let mut guard = changed.wait_while(turn.lock().unwrap(), |turn| *turn == 0).unwrap();
            *guard = 2;
            let (guard, late) = changed.wait_timeout_while(guard, EVER, |turn| *turn == 2).unwrap();
            assert!(!late.timed_out() && changed.wait_timeout(guard, Duration::ZERO).unwrap().1.timed_out());
        });
        let waits = thread_named("waits");
        for next in [1, 3] {
            loop {
                until_waiting(waits, Kind::WAIT, "changed");
                let mut turn = turn.lock().unwrap();
                if *turn == next - 1 {
                    *turn = next;
                    break;
                }
            }
            changed.notify_one();
        }
    });
}

#[test]
fn a_wake_up_says_that_it_would_have_come_anyway() {
    let trace = record("patience::waits");
    let events = sequence(trace.named("waits"), trace.labelled("changed"));
    let expected = [
        (Kind::WAIT, NONE, 1),
        (Kind::WAKE, NONE, 1),
        (Kind::WAIT, TIMED, 2),
        (Kind::WAKE, TIMED, 2),
        (Kind::WAIT, TIMED, 3),
        (Kind::WAKE, TIMED.with(Flags::TIMED_OUT), 0),
    ];
    assert_eq!(events[events.len() - expected.len()..], expected);
}

/// Parks with an unpark before, in both ways, and without one.
pub(crate) fn parks() {
    let own = thread::current();
    own.unpark();
    thread::park();
    own.unpark();
    thread::park_timeout(EVER);
    thread::park_timeout(Duration::ZERO);
}

#[test]
fn a_park_for_a_time_ends_in_any_case() {
    let trace = record("patience::parks");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::WAIT) > 0).unwrap();
    let mut events = sequence(thread, thread.object);
    events.retain(|(kind, _, _)| matches!(*kind, Kind::WAIT | Kind::WAKE));
    let (wait, wake) = (Kind::WAIT, Kind::WAKE);
    let expected =
        [(wait, NONE, 0), (wake, NONE, 1), (wait, TIMED, 0), (wake, TIMED, 2), (wait, TIMED, 0), (wake, TIMED, 0)];
    assert_eq!(events, expected);
}
