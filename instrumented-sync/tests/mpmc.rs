//! Channels with several receivers: what they do, recorded or not, and what is recorded of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "the helpers of tests fail like tests"
)]

use instrumented_sync::{
    mpmc::{
        self, Either, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, recv_either,
    },
    thread,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

#[cfg(recorded)]
#[path = "support/mod.rs"]
mod support;

#[cfg(recorded)]
#[path = "mpmc/recorded.rs"]
mod recorded;

#[path = "mpmc/edges.rs"]
mod edges;

/// Plays a part if the environment names one, and is nothing otherwise.
#[cfg(recorded)]
#[test]
fn child() {
    support::program::play(recorded::ROLES);
}

/// Time in which something that should not happen is given the chance to; a slow machine only makes a test kinder.
const A_WHILE: Duration = Duration::from_millis(30);
/// Longer than any test takes.
const EVER: Duration = Duration::from_secs(60);

#[test]
fn messages_come_in_their_order() {
    let (sender, receiver) = mpmc::channel();
    (0..100).for_each(|n| sender.send(n).unwrap());
    let other = receiver.clone();
    assert!((0..50).all(|n| receiver.recv() == Ok(2 * n) && other.recv() == Ok(2 * n + 1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_channel_without_senders_gives_what_it_has() {
    let (sender, receiver) = mpmc::channel();
    let second = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    second.send(2).unwrap();
    drop(second);
    assert_eq!((receiver.recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(receiver.recv(), Err(RecvError));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receiver.recv_timeout(EVER), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_channel_without_receivers_gives_messages_back() {
    for bound in [None, Some(0), Some(1)] {
        let (sender, receiver) = bound.map_or_else(mpmc::channel, mpmc::sync_channel);
        let second = receiver.clone();
        drop(receiver);
        if bound != Some(0) {
            sender.send(0).unwrap();
        }
        drop(second);
        assert_eq!(sender.send(1), Err(SendError(1)));
        assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
        assert_eq!(sender.send_timeout(3, EVER), Err(SendTimeoutError::Disconnected(3)));
    }
}

#[test]
fn who_waits_learns_that_the_others_are_gone() {
    for bound in [0, 1] {
        let (sender, receiver) = mpmc::sync_channel(bound);
        (0..bound).for_each(|n| sender.send(n).unwrap());
        thread::scope(|scope| {
            let sends = [sender.clone(), sender].map(|own| scope.spawn(move || own.send(9)));
            thread::sleep(A_WHILE);
            drop(receiver);
            assert!(sends.into_iter().all(|send| send.join().unwrap() == Err(SendError(9))));
        });
    }
    let (sender, receiver) = mpmc::channel::<u8>();
    thread::scope(|scope| {
        let receives = [receiver.clone(), receiver].map(|own| scope.spawn(move || own.recv()));
        thread::sleep(A_WHILE);
        drop(sender);
        assert!(receives.into_iter().all(|receive| receive.join().unwrap() == Err(RecvError)));
    });
}

#[test]
fn a_rendezvous_returns_when_its_message_was_received() {
    let (sender, receiver) = mpmc::sync_channel(0);
    let n_received = AtomicUsize::new(0);
    assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=100 {
                sender.send(n).unwrap();
                assert!(n_received.load(SeqCst) + 1 >= n, "{n} was not received");
            }
        });
        for n in 1..=100 {
            assert_eq!(receiver.recv(), Ok(n));
            n_received.store(n, SeqCst);
        }
    });
    // Nobody receives, and the message comes back in one piece.
    assert_eq!(sender.send_timeout(8, Duration::ZERO), Err(SendTimeoutError::Timeout(8)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    // A receiver that waits is met without waiting.
    thread::scope(|scope| {
        let receive = scope.spawn(|| receiver.recv());
        while sender.try_send(9).is_err() {
            thread::yield_now();
        }
        assert_eq!(receive.join().unwrap(), Ok(9));
    });
}

#[test]
fn a_full_channel_makes_its_senders_wait() {
    let (sender, receiver) = mpmc::sync_channel(2);
    let n_sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..100 {
                sender.send(n).unwrap();
                n_sent.store(n + 1, SeqCst);
            }
        });
        for n in 0..100 {
            assert!(n_sent.load(SeqCst) <= n + 2);
            assert_eq!(receiver.recv(), Ok(n));
        }
    });
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(sender.send_timeout(4, A_WHILE), Err(SendTimeoutError::Timeout(4)));
    assert!(receiver.try_iter().eq([1, 2]));
}

#[test]
fn each_message_is_received_once() {
    const N_EACH: usize = 2_000;
    for bound in [None, Some(0), Some(1), Some(16)] {
        let (sender, receiver) = bound.map_or_else(mpmc::channel, mpmc::sync_channel);
        let mut all: Vec<usize> = thread::scope(|scope| {
            for producer in 0..4 {
                let sender = sender.clone();
                scope.spawn(move || (0..N_EACH).for_each(|n| sender.send(producer * N_EACH + n).unwrap()));
            }
            drop(sender);
            let receives: [_; 4] = std::array::from_fn(|_| receiver.clone());
            let receives = receives.map(|own| scope.spawn(move || own.into_iter().collect::<Vec<_>>()));
            receives.map(|receive| receive.join().unwrap()).concat()
        });
        all.sort_unstable();
        assert!(all.into_iter().eq(0..4 * N_EACH), "{bound:?}");
    }
}

#[test]
fn receivers_give_up_in_time() {
    for bound in [None, Some(0)] {
        let (sender, receiver) = bound.map_or_else(mpmc::channel, mpmc::sync_channel);
        assert_eq!(receiver.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        thread::scope(|scope| {
            scope.spawn(|| sender.send(1).unwrap());
            assert_eq!(receiver.recv_timeout(EVER), Ok(1));
            scope.spawn(|| sender.send(2).unwrap());
            assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(2));
        });
    }
}

#[test]
fn either_channel_will_do() {
    let (a, from_a) = mpmc::channel();
    let (b, from_b) = mpmc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..50 {
                a.send(n).unwrap();
                b.send(n).unwrap();
            }
        });
        let mut next = (0, 0);
        for _ in 0..100 {
            match recv_either(&from_a, &from_b).unwrap() {
                Either::First(n) => {
                    assert_eq!(n, next.0);
                    next.0 += 1;
                }
                Either::Second(n) => {
                    assert_eq!(n, next.1);
                    next.1 += 1;
                }
            }
        }
        assert_eq!(next, (50, 50));
    });
}

#[test]
fn both_channels_have_their_turn() {
    let (a, from_a) = mpmc::channel();
    let (b, from_b) = mpmc::channel();
    (0..10).for_each(|n| (a.send(n).unwrap(), b.send(n).unwrap()).0);
    let firsts = (0..10).filter(|_| matches!(recv_either(&from_a, &from_b), Ok(Either::First(_))));
    assert_eq!(firsts.count(), 5);
}

#[test]
fn one_channel_of_two_may_end() {
    let (a, from_a) = mpmc::channel::<u8>();
    let (b, from_b) = mpmc::channel::<u8>();
    thread::scope(|scope| {
        let receive = scope.spawn(|| [(); 4].map(|()| recv_either(&from_a, &from_b)));
        thread::sleep(A_WHILE);
        drop(a);
        thread::sleep(A_WHILE);
        b.send(1).unwrap();
        b.send(2).unwrap();
        drop(b);
        let (gone, second) = (Err(RecvError), |n| Ok(Either::Second(n)));
        assert_eq!(receive.join().unwrap(), [second(1), second(2), gone, gone]);
    });
    let (a, from_a) = mpmc::channel();
    a.send(3).unwrap();
    drop(a);
    assert_eq!(recv_either(&from_b, &from_a), Ok(Either::Second(3)));
    assert_eq!(recv_either(&from_b, &from_a), Err(RecvError));
}

struct Counted(Arc<AtomicUsize>, bool);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        assert!(!self.1, "dropped");
    }
}

#[test]
fn messages_go_with_the_last_receiver() {
    let n_dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpmc::channel();
    (0..3).for_each(|_| assert!(sender.send(Counted(Arc::clone(&n_dropped), false)).is_ok()));
    let second = receiver.clone();
    drop(receiver);
    assert_eq!(n_dropped.load(SeqCst), 0);
    drop(second);
    assert_eq!(n_dropped.load(SeqCst), 3);
    drop(sender);
    // With the senders gone first, as well.
    let (sender, receiver) = mpmc::channel();
    assert!(sender.send(Counted(Arc::clone(&n_dropped), false)).is_ok());
    drop(sender);
    drop(receiver);
    assert_eq!(n_dropped.load(SeqCst), 4);
}

#[test]
fn a_message_that_panics_when_dropped_harms_nobody() {
    let n_dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpmc::channel();
    for panics in [false, true, false] {
        assert!(sender.send(Counted(Arc::clone(&n_dropped), panics)).is_ok());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!(n_dropped.load(SeqCst), 3);
    assert!(sender.send(Counted(Arc::clone(&n_dropped), false)).is_err());
}

#[test]
fn handles_can_be_shared() {
    fn assert_shared<T: Send + Sync + Clone>() {}
    assert_shared::<mpmc::Sender<std::cell::Cell<u8>>>();
    assert_shared::<mpmc::Receiver<std::cell::Cell<u8>>>();
    let (sender, receiver) = mpmc::channel::<u8>();
    assert_eq!(format!("{sender:?} {receiver:?}"), "Sender { .. } Receiver { .. }");
    let error = SendTimeoutError::Timeout(1);
    assert_eq!(format!("{error:?}: {error}"), "Timeout(..): timed out waiting on send operation");
}
