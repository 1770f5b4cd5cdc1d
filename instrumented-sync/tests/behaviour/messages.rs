//! What channels carry, how it is received, and how much.

use super::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError},
    },
    thread,
};
use crate::{A_WHILE, until};
use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

/// Counts how often it is dropped.
#[derive(Debug)]
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn messages_of_no_size_are_counted() {
    let (sender, receiver) = mpsc::channel();
    let (bounded, bounded_receiver) = mpsc::sync_channel(3);
    thread::scope(|scope| {
        scope.spawn(move || (0..2000).for_each(|_| sender.send(()).unwrap()));
        scope.spawn(move || (0..500).for_each(|_| bounded.send([0_u64; 0]).unwrap()));
        assert_eq!((receiver.iter().count(), bounded_receiver.iter().count()), (2000, 500));
    });
}

#[test]
fn messages_of_any_size_arrive_whole() {
    #[repr(align(128))]
    struct Aligned(u8);
    let (sender, receiver) = mpsc::sync_channel(0);
    let (aligned, aligned_receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..20_u64 {
                sender.send([n; 600]).unwrap();
                aligned.send(Aligned(n as u8)).unwrap();
            }
        });
        for n in 0..20_u64 {
            assert_eq!(receiver.recv().unwrap(), [n; 600]);
            let message = aligned_receiver.recv().unwrap();
            assert_eq!((message.0, std::ptr::from_ref(&message).addr() % 128), (n as u8, 0));
        }
    });
}

#[test]
fn messages_need_not_be_shareable() {
    let (cells, cells_receiver) = mpsc::channel::<Cell<i32>>();
    let (calls, calls_receiver) = mpsc::sync_channel::<Box<dyn FnOnce(i32) -> i32 + Send>>(1);
    let text = "borrowed".to_owned();
    let (borrows, borrows_receiver) = mpsc::channel::<&str>();
    thread::scope(|scope| {
        let texts = scope.spawn(move || borrows_receiver.iter().map(str::len).sum::<usize>());
        scope.spawn(move || {
            let cell = cells_receiver.recv().unwrap();
            cell.set(cell.get() + 1);
            calls.send(Box::new(move |n| n + cell.get())).unwrap();
        });
        cells.send(Cell::new(1)).unwrap();
        assert_eq!(calls_receiver.recv().unwrap()(10), 12);
        borrows.send(&text).unwrap();
        borrows.send(&text[1..]).unwrap();
        drop(borrows);
        assert_eq!(texts.join().unwrap(), 15);
    });
}

#[test]
fn a_message_is_dropped_once_wherever_it_goes() {
    let n_dropped = AtomicUsize::new(0);
    let dropped_since = |n: usize| assert_eq!(n_dropped.swap(0, SeqCst), n);
    let message = || Counted(&n_dropped);
    let (sender, receiver) = mpsc::sync_channel(2);
    sender.send(message()).unwrap();
    sender.send(message()).unwrap();
    let full = sender.try_send(message()).unwrap_err();
    dropped_since(0);
    drop(full);
    dropped_since(1);
    let received = receiver.recv().unwrap();
    dropped_since(0);
    drop(received);
    dropped_since(1);
    drop(receiver);
    dropped_since(1);
    let back = sender.send(message()).unwrap_err();
    dropped_since(0);
    drop(back);
    dropped_since(1);

    let (sender, receiver) = mpsc::channel();
    (0..100).for_each(|_| sender.send(message()).unwrap());
    receiver.try_iter().take(40).for_each(drop);
    dropped_since(40);
    drop((sender, receiver));
    dropped_since(60);
}

/// Each message sends itself on when it is dropped, until it has been around often enough.
#[test]
fn messages_send_themselves_from_their_destructors() {
    struct Travels(u32, mpsc::Sender<Travels>);
    impl Drop for Travels {
        fn drop(&mut self) {
            if self.0 > 0 {
                let on = Travels(self.0 - 1, self.1.clone());
                self.1.send(on).unwrap_or_else(|mpsc::SendError(mut back)| back.0 = 0);
            }
        }
    }
    let (sender, receiver) = mpsc::channel();
    sender.send(Travels(5, sender.clone())).unwrap_or_else(|_| panic!("the receiver lives"));
    drop(sender);
    let places: Vec<u32> = receiver.iter().map(|message| message.0).collect();
    assert_eq!(places, [5, 4, 3, 2, 1, 0]);
}

#[test]
fn each_sender_keeps_its_order() {
    const N_EACH: usize = 200;
    for bound in [0, 1, 32] {
        let (sender, receiver) = mpsc::sync_channel(bound);
        thread::scope(|scope| {
            for who in 0..6 {
                let sender = sender.clone();
                scope.spawn(move || (0..N_EACH).for_each(|n| sender.send((who, n)).unwrap()));
            }
            drop(sender);
            let mut expected = [0; 6];
            for (who, n) in &receiver {
                assert_eq!(n, expected[who], "of sender {who}");
                expected[who] += 1;
            }
            assert_eq!(expected, [N_EACH; 6]);
        });
    }
}

#[test]
fn a_bound_is_exact() {
    for bound in 1..6 {
        let (sender, receiver) = mpsc::sync_channel(bound);
        let other = sender.clone();
        for n in 0..bound {
            assert_eq!(if n % 2 == 0 { &sender } else { &other }.try_send(n), Ok(()));
        }
        assert_eq!(sender.try_send(bound), Err(TrySendError::Full(bound)));
        assert_eq!(receiver.recv(), Ok(0));
        assert_eq!(other.try_send(bound), Ok(()));
        assert_eq!(other.try_send(0), Err(TrySendError::Full(0)));
        assert!(receiver.try_iter().eq(1..=bound));
    }
}

#[test]
fn trying_without_room_needs_a_receiver_that_waits() {
    let (sender, receiver) = mpsc::sync_channel(0);
    for time in [Duration::ZERO, Duration::from_millis(1)] {
        assert_eq!(receiver.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)), "its receiver has given up");
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    thread::scope(|scope| {
        let waiter = scope.spawn(move || (receiver.recv(), receiver.recv_timeout(Duration::MAX)));
        until(|| sender.try_send(2).is_ok());
        until(|| sender.try_send(3).is_ok());
        assert_eq!(waiter.join().unwrap(), (Ok(2), Ok(3)));
    });
}

#[test]
fn a_sender_that_waits_hands_over_to_every_kind_of_receiving() {
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || (0..5).for_each(|n| sender.send(n).unwrap()));
        thread::sleep(A_WHILE);
        until(|| match receiver.try_recv() {
            Ok(n) => n == 0,
            Err(error) => error == TryRecvError::Disconnected,
        });
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.recv_timeout(Duration::from_secs(600)), Ok(2));
        assert!(receiver.iter().eq([3, 4]));
    });
}

#[test]
fn times_of_receiving() {
    let (sender, receiver) = mpsc::channel();
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    let (time, start) = (Duration::from_millis(5), Instant::now());
    assert_eq!(receiver.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    assert!(start.elapsed() >= time);
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(1));
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(2));
    thread::scope(|scope| {
        let waiter = scope.spawn(move || receiver.recv_timeout(Duration::MAX));
        thread::sleep(Duration::from_millis(2));
        sender.send(3).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(3));
    });
}

#[test]
fn an_iterator_over_what_is_there_does_not_wait_and_goes_on_later() {
    let (sender, receiver) = mpsc::channel();
    let mut there = receiver.try_iter();
    assert_eq!(there.next(), None);
    sender.send(1).unwrap();
    assert_eq!((there.next(), there.next()), (Some(1), None));
    sender.send(2).unwrap();
    drop(sender);
    assert_eq!((there.next(), there.next()), (Some(2), None));
    assert_eq!(receiver.iter().next(), None);
}

#[test]
fn a_channel_answers_once() {
    let answers: Vec<_> = (0..8_u64)
        .map(|n| {
            let (sender, receiver) = mpsc::sync_channel(1);
            thread::spawn(move || sender.send(n * n).unwrap());
            receiver
        })
        .collect();
    assert_eq!(answers.into_iter().rev().map(|answer| answer.recv().unwrap()).sum::<u64>(), 140);
    let (sender, receiver) = mpsc::channel::<u8>();
    thread::spawn(move || drop(sender)).join().unwrap();
    assert!(receiver.recv().is_err(), "an answer that will not come");
}

#[test]
fn ends_move_between_threads() {
    let (sender, receiver) = mpsc::sync_channel(1);
    let receiver = thread::spawn(move || {
        assert_eq!(receiver.recv(), Ok(1));
        receiver
    });
    let sender = thread::spawn(move || {
        sender.send(1).unwrap();
        sender
    });
    let (sender, receiver) = (sender.join().unwrap(), receiver.join().unwrap());
    sender.send(2).unwrap();
    assert_eq!(receiver.recv(), Ok(2));
}

#[test]
fn a_pipeline_passes_everything_on() {
    const N_MESSAGES: u64 = 300;
    let total = Arc::new(AtomicUsize::new(0));
    let (first, mut last) = mpsc::sync_channel(1);
    let stages: Vec<_> = [0, 1, 5]
        .into_iter()
        .map(|bound| {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let previous = std::mem::replace(&mut last, receiver);
            let total = Arc::clone(&total);
            thread::spawn(move || {
                for n in previous {
                    total.fetch_add(1, SeqCst);
                    sender.send(n + 1).unwrap();
                }
            })
        })
        .collect();
    thread::spawn(move || (0..N_MESSAGES).for_each(|n| first.send(n).unwrap()));
    assert!(last.iter().eq(3..N_MESSAGES + 3));
    for stage in stages {
        stage.join().unwrap();
    }
    assert_eq!(total.load(SeqCst), 3 * N_MESSAGES as usize);
}
