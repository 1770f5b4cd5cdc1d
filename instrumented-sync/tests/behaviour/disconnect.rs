//! The ends of channels, in every order.

use super::{
    sync::{
        Arc,
        mpsc::{
            self, Receiver, RecvError, RecvTimeoutError, SendError, Sender, SyncSender, TryRecvError, TrySendError,
        },
    },
    thread,
};
use crate::{A_WHILE, panic_text, until};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

/// A sender of either kind.
#[derive(Debug)]
enum Sending<T> {
    Unbounded(Sender<T>),
    Bounded(SyncSender<T>),
}

impl<T> Sending<T> {
    fn send(&self, message: T) -> Result<(), SendError<T>> {
        match self {
            Self::Unbounded(sender) => sender.send(message),
            Self::Bounded(sender) => sender.send(message),
        }
    }
}

impl<T> Clone for Sending<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Unbounded(sender) => Self::Unbounded(sender.clone()),
            Self::Bounded(sender) => Self::Bounded(sender.clone()),
        }
    }
}

/// Without a bound, without room, and with room for one and for many.
const BOUNDS: [Option<usize>; 4] = [None, Some(0), Some(1), Some(16)];

fn channel<T>(bound: Option<usize>) -> (Sending<T>, Receiver<T>) {
    match bound {
        None => {
            let (sender, receiver) = mpsc::channel();
            (Sending::Unbounded(sender), receiver)
        }
        Some(bound) => {
            let (sender, receiver) = mpsc::sync_channel(bound);
            (Sending::Bounded(sender), receiver)
        }
    }
}

#[test]
fn the_last_sender_ends_every_kind_of_receiving() {
    for bound in BOUNDS {
        let (sender, receiver) = channel::<()>(bound);
        drop(sender.clone());
        drop(sender);
        assert_eq!(receiver.recv(), Err(RecvError));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        for time in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
            assert_eq!(receiver.recv_timeout(time), Err(RecvTimeoutError::Disconnected), "{bound:?}, {time:?}");
        }
        assert_eq!((receiver.iter().count(), receiver.try_iter().count(), receiver.into_iter().count()), (0, 0, 0));
    }
}

#[test]
fn a_receiver_waits_for_the_last_of_many_senders() {
    let receives: [fn(&Receiver<u8>) -> bool; 3] = [
        |receiver| receiver.recv() == Err(RecvError),
        |receiver| receiver.recv_timeout(Duration::MAX) == Err(RecvTimeoutError::Disconnected),
        |receiver| receiver.iter().next().is_none(),
    ];
    for bound in BOUNDS {
        thread::scope(|scope| {
            let waits = receives.map(|receive| {
                let (sender, receiver) = channel(bound);
                let waiter = scope.spawn(move || receive(&receiver));
                let clones = [sender.clone(), sender.clone(), sender];
                (waiter, clones)
            });
            let waits = waits.map(|(waiter, [first, second, last])| {
                drop((first, second));
                (waiter, last)
            });
            thread::sleep(A_WHILE);
            for (waiter, last) in waits {
                assert!(!waiter.is_finished());
                drop(last);
                assert!(waiter.join().unwrap());
            }
        });
    }
}

#[test]
fn messages_outlive_their_senders() {
    for bound in [None, Some(3), Some(16)] {
        let (sender, receiver) = channel(bound);
        (0..3).for_each(|n| sender.send(n).unwrap());
        drop(sender);
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(0));
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.recv(), Ok(2));
        assert_eq!(receiver.recv(), Err(RecvError));
    }
}

#[test]
fn senders_that_wait_get_their_messages_back() {
    for bound in [0, 1, 2] {
        let (sender, receiver) = mpsc::sync_channel(bound);
        (0..bound).for_each(|_| sender.send("queued".to_owned()).unwrap());
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3)
                .map(|n| {
                    let sender = sender.clone();
                    scope.spawn(move || sender.send(format!("from {n}")))
                })
                .collect();
            thread::sleep(A_WHILE);
            assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
            drop(receiver);
            for (n, waiter) in waiters.into_iter().enumerate() {
                assert_eq!(waiter.join().unwrap(), Err(SendError(format!("from {n}"))));
            }
        });
        assert_eq!(sender.try_send("late".to_owned()), Err(TrySendError::Disconnected("late".to_owned())));
    }
}

#[test]
fn a_message_that_comes_back_is_whole() {
    for bound in BOUNDS {
        let (sender, receiver) = channel(bound);
        drop(receiver);
        let other = sender.clone();
        let message = Box::new([1, 2, 3]);
        let address = message.as_ptr();
        let SendError(back) = sender.send(message).unwrap_err();
        let SendError(back) = other.send(back).unwrap_err();
        assert_eq!((back.as_ptr(), *back), (address, [1, 2, 3]));
    }
}

#[test]
fn a_sender_that_panics_is_gone() {
    for bound in BOUNDS {
        let (sender, receiver) = channel(bound);
        thread::scope(|scope| {
            let failing = scope.spawn(move || {
                sender.send(1).unwrap();
                panic!("after a message");
            });
            assert_eq!(receiver.recv(), Ok(1));
            assert_eq!(receiver.recv(), Err(RecvError));
            assert!(failing.join().is_err());
        });
    }
}

#[test]
fn a_receiver_that_panics_is_gone() {
    for bound in BOUNDS {
        let (sender, receiver) = channel(bound);
        thread::scope(|scope| {
            let failing = scope.spawn(move || {
                panic_text(|| {
                    let receiver = receiver;
                    assert_eq!(receiver.iter().next(), Some(0), "not what was sent");
                })
            });
            sender.send(7).unwrap();
            until(|| sender.send(8).is_err());
            assert!(failing.join().unwrap().contains("not what was sent"));
        });
    }
}

#[test]
fn a_panic_over_a_message_loses_only_that() {
    let (sender, receiver) = mpsc::channel();
    (0..5).for_each(|n| sender.send(n).unwrap());
    panic_text(|| receiver.iter().for_each(|n| assert!(n < 2, "number {n}")));
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [3, 4]);
    drop(sender);
    assert_eq!(receiver.recv(), Err(RecvError));
}

#[test]
fn a_handle_within_a_message_ends_with_it() {
    let (outer, outer_receiver) = mpsc::channel();
    let (inner, inner_receiver) = mpsc::channel::<u8>();
    outer.send(inner_receiver).unwrap();
    inner.send(1).unwrap();
    drop(outer_receiver);
    assert_eq!(inner.send(2), Err(SendError(2)));

    let (outer, outer_receiver) = mpsc::sync_channel(1);
    let (inner, inner_receiver) = mpsc::channel::<u8>();
    outer.send(inner).unwrap();
    assert_eq!(inner_receiver.try_recv(), Err(TryRecvError::Empty));
    drop(outer);
    assert_eq!(inner_receiver.try_recv(), Err(TryRecvError::Empty), "it is still in the queue");
    drop(outer_receiver);
    assert_eq!(inner_receiver.recv(), Err(RecvError));
}

/// A queue that holds a sender of its own channel goes with the receiver.
#[test]
fn a_sender_within_its_own_channel_does_not_keep_it() {
    static N_DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Message(Option<Sending<Message>>);
    impl Drop for Message {
        fn drop(&mut self) {
            let sent_back = self.0.take().map(|own| own.send(Message(None)));
            assert!(sent_back.is_none_or(|result| result.is_err()), "the receiver is gone");
            N_DROPPED.fetch_add(1, SeqCst);
        }
    }
    for bound in [None, Some(1)] {
        let (sender, receiver) = channel(bound);
        let own = sender.clone();
        assert!(sender.send(Message(Some(own))).is_ok());
        drop(receiver);
        assert_eq!(N_DROPPED.swap(0, SeqCst), 2, "the message, and the one that came back");
        assert!(sender.send(Message(None)).is_err());
        assert_eq!(N_DROPPED.swap(0, SeqCst), 1);
    }
}

#[test]
fn both_ends_go_in_either_order() {
    let message = Arc::new(());
    for bound in [None, Some(4)] {
        for sender_first in [true, false] {
            let (sender, receiver) = channel(bound);
            (0..4).for_each(|_| sender.send(Arc::clone(&message)).unwrap());
            assert_eq!(Arc::strong_count(&message), 5);
            if sender_first {
                drop(sender);
                drop(receiver);
            } else {
                drop(receiver);
                drop(sender);
            }
            assert_eq!(Arc::strong_count(&message), 1, "{bound:?}");
        }
    }
}

#[test]
fn both_ends_go_at_once() {
    for round in 0..50 {
        for bound in BOUNDS {
            let (sender, receiver) = channel(bound);
            thread::scope(|scope| {
                scope.spawn(move || while sender.send(Box::new(round)).is_ok() {});
                scope.spawn(move || receiver.iter().take(3).for_each(|n| assert_eq!(*n, round)));
            });
        }
    }
}
