//! Channels.

use super::{
    sync::{
        Arc,
        mpsc::{self, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError},
    },
    thread,
};
use crate::{A_WHILE, until};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

#[test]
fn messages_arrive_in_order() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
    for n in 0..1000 {
        assert_eq!(receiver.recv(), Ok(n));
    }
    assert_eq!(receiver.recv(), Err(RecvError));
}

#[test]
fn many_senders_lose_nothing() {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for first in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || (0..500).for_each(|n| sender.send(first * 500 + n).unwrap()));
        }
        drop(sender);
        let mut all: Vec<u32> = receiver.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..2000));
    });
}

#[test]
fn what_was_sent_survives_the_senders() {
    let (sender, receiver) = mpsc::channel();
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    other.send(2).unwrap();
    drop(other);
    assert_eq!(receiver.recv(), Ok(2));
    assert_eq!(receiver.recv(), Err(RecvError));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(600)), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn without_a_receiver_messages_come_back() {
    let (sender, receiver) = mpsc::channel();
    drop(receiver);
    assert_eq!(sender.send("back"), Err(SendError("back")));
    assert_eq!(sender.clone().send("again"), Err(SendError("again")));

    let (sender, receiver) = mpsc::sync_channel(1);
    sender.send("kept").unwrap();
    drop(receiver);
    assert_eq!(sender.send("back"), Err(SendError("back")));
    assert_eq!(sender.try_send("again"), Err(TrySendError::Disconnected("again")));
}

#[test]
fn a_receiver_that_waits_learns_that_the_senders_are_gone() {
    let (sender, receiver) = mpsc::channel::<()>();
    let waiter = thread::spawn(move || receiver.recv());
    thread::sleep(A_WHILE);
    drop(sender);
    assert_eq!(waiter.join().unwrap(), Err(RecvError));
}

#[test]
fn a_sender_that_waits_learns_that_the_receiver_is_gone() {
    let (sender, receiver) = mpsc::sync_channel(0);
    let waiter = thread::spawn(move || sender.send(1));
    thread::sleep(A_WHILE);
    drop(receiver);
    assert_eq!(waiter.join().unwrap(), Err(SendError(1)));
}

#[test]
fn without_capacity_sender_and_receiver_meet() {
    let (sender, receiver) = mpsc::sync_channel(0);
    assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
    let handed_over = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=50 {
                sender.send(n).unwrap();
                handed_over.store(n, SeqCst);
            }
        });
        thread::sleep(A_WHILE);
        assert_eq!(handed_over.load(SeqCst), 0, "nobody received");
        for n in 1..=50 {
            assert!(handed_over.load(SeqCst) < n);
            assert_eq!(receiver.recv(), Ok(n));
        }
    });
}

#[test]
fn a_full_channel_blocks_its_sender() {
    let (sender, receiver) = mpsc::sync_channel(2);
    let n_sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..10 {
                sender.send(n).unwrap();
                n_sent.fetch_add(1, SeqCst);
            }
        });
        until(|| n_sent.load(SeqCst) == 2);
        thread::sleep(A_WHILE);
        assert_eq!(n_sent.load(SeqCst), 2);
        for n in 0..10 {
            assert_eq!(receiver.recv(), Ok(n));
        }
    });
    assert_eq!(sender.try_send(1), Ok(()));
    assert_eq!(sender.try_send(2), Ok(()));
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
}

#[test]
fn a_receiver_is_iterated_in_three_ways() {
    let (sender, receiver) = mpsc::channel();
    (0..9).for_each(|n| sender.send(n).unwrap());
    assert_eq!(receiver.try_iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(receiver.iter().take(2).collect::<Vec<_>>(), [3, 4]);
    let mut by_reference = Vec::new();
    for n in &receiver {
        by_reference.push(n);
        if n == 6 {
            break;
        }
    }
    assert_eq!(by_reference, [5, 6]);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [7, 8]);
    assert_eq!(receiver.try_iter().next(), None);
    sender.send(9).unwrap();
    drop(sender);
    assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [9]);
}

#[test]
fn queued_messages_are_dropped_with_the_channel() {
    let message = Arc::new(());
    let (sender, receiver) = mpsc::channel();
    (0..3).for_each(|_| sender.send(Arc::clone(&message)).unwrap());
    drop(receiver.recv().unwrap());
    assert_eq!(Arc::strong_count(&message), 3);
    drop(receiver);
    until(|| Arc::strong_count(&message) == 1);
    drop(sender);

    let (sender, receiver) = mpsc::sync_channel(3);
    (0..3).for_each(|_| sender.send(Arc::clone(&message)).unwrap());
    drop(sender);
    assert_eq!(Arc::strong_count(&message), 4);
    drop(receiver);
    assert_eq!(Arc::strong_count(&message), 1);
}

#[test]
fn recv_timeout_gives_up_or_receives() {
    let (sender, receiver) = mpsc::channel();
    assert_eq!(receiver.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
    sender.send(1).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(1));
    let waiter = thread::spawn(move || receiver.recv_timeout(Duration::from_secs(600)));
    thread::sleep(A_WHILE);
    sender.send(2).unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(2));
}

#[test]
fn a_sender_is_shared() {
    let (sender, receiver) = mpsc::channel();
    let (bounded, bounded_receiver) = mpsc::sync_channel(8);
    thread::scope(|scope| {
        for n in 0..4 {
            let (sender, bounded) = (&sender, &bounded);
            scope.spawn(move || {
                sender.send(n).unwrap();
                bounded.send(n).unwrap();
            });
        }
    });
    assert_eq!(receiver.try_iter().sum::<i32>(), 6);
    assert_eq!(bounded_receiver.try_iter().sum::<i32>(), 6);
}
