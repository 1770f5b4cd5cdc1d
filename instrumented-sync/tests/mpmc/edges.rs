//! The edges of channels with several receivers: ends in every order, and messages that use their own channel.

use super::A_WHILE;
use instrumented_sync::{
    mpmc::{
        self, Either, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
        recv_either,
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

const BOUNDS: [Option<usize>; 3] = [None, Some(0), Some(2)];

fn channel<T>(bound: Option<usize>) -> (Sender<T>, mpmc::Receiver<T>) {
    bound.map_or_else(mpmc::channel, mpmc::sync_channel)
}

#[test]
fn the_last_sender_ends_all_receivers() {
    for bound in BOUNDS {
        let (sender, receiver) = channel::<u8>(bound);
        thread::scope(|scope| {
            let waits: [_; 3] = std::array::from_fn(|n| {
                let receiver = receiver.clone();
                scope.spawn(move || match n {
                    0 => receiver.recv() == Err(RecvError),
                    1 => receiver.recv_timeout(Duration::MAX) == Err(RecvTimeoutError::Disconnected),
                    _ => receiver.iter().next().is_none(),
                })
            });
            let last = sender.clone();
            drop(sender);
            thread::sleep(A_WHILE);
            assert!(waits.iter().all(|wait| !wait.is_finished()));
            drop(last);
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()));
        });
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Disconnected));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn the_last_receiver_ends_all_senders() {
    for bound in [0, 2] {
        let (sender, receiver) = mpmc::sync_channel(bound);
        (0..bound).for_each(|_| sender.send("queued").unwrap());
        thread::scope(|scope| {
            let waits: [_; 4] = std::array::from_fn(|n| {
                let sender = sender.clone();
                scope.spawn(move || match n % 2 {
                    0 => sender.send("back") == Err(SendError("back")),
                    _ => sender.send_timeout("back", Duration::MAX) == Err(SendTimeoutError::Disconnected("back")),
                })
            });
            let last = receiver.clone();
            drop(receiver);
            thread::sleep(A_WHILE);
            assert!(waits.iter().all(|wait| !wait.is_finished()));
            drop(last);
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()));
        });
        assert_eq!(sender.try_send("late"), Err(TrySendError::Disconnected("late")));
        assert_eq!(sender.send_timeout("late", Duration::ZERO), Err(SendTimeoutError::Disconnected("late")));
    }
}

/// A queue that holds a sender, or a receiver, of its own channel.
#[test]
fn messages_hold_and_use_their_own_channel() {
    struct Message(Option<Sender<Message>>, Arc<AtomicUsize>);
    impl Drop for Message {
        fn drop(&mut self) {
            let came_back = self.0.take().map(|own| own.send(Self(None, Arc::clone(&self.1))).is_err());
            assert!(came_back != Some(false), "the receivers are gone");
            self.1.fetch_add(1, SeqCst);
        }
    }
    let n_dropped = Arc::new(AtomicUsize::new(0));
    for bound in [None, Some(2)] {
        let (sender, receiver) = channel(bound);
        assert!(sender.send(Message(Some(sender.clone()), Arc::clone(&n_dropped))).is_ok());
        drop(receiver);
        assert_eq!(n_dropped.swap(0, SeqCst), 2, "the message, and the one that came back");
        assert!(sender.send(Message(None, Arc::clone(&n_dropped))).is_err());
        assert_eq!(n_dropped.swap(0, SeqCst), 1);
    }
}

#[test]
fn messages_send_themselves_on() {
    struct Travels(u32, Sender<Travels>);
    impl Drop for Travels {
        fn drop(&mut self) {
            if self.0 > 0 {
                let result = self.1.try_send(Travels(self.0 - 1, self.1.clone()));
                assert!(result.is_ok(), "somebody receives");
            }
        }
    }
    let (sender, receiver) = mpmc::sync_channel(1);
    assert!(sender.send(Travels(4, sender.clone())).is_ok());
    drop(sender);
    let places: Vec<u32> = receiver.iter().map(|message| message.0).collect();
    assert_eq!(places, [4, 3, 2, 1, 0]);
}

#[test]
fn whoever_panics_is_gone() {
    for bound in BOUNDS {
        let (sender, receiver) = channel(bound);
        thread::scope(|scope| {
            let sends = scope.spawn(move || {
                let own = sender;
                own.send(1).unwrap();
                std::panic::resume_unwind(Box::new("after a message"));
            });
            let other = receiver.clone();
            assert_eq!([receiver.recv(), receiver.recv(), other.recv()], [Ok(1), Err(RecvError), Err(RecvError)]);
            assert!(sends.join().is_err());
        });
        let (sender, receiver) = channel(bound);
        thread::scope(|scope| {
            let receives = scope.spawn(move || {
                let own = receiver;
                assert_eq!(own.recv(), Ok(1));
                std::panic::resume_unwind(Box::new("with a message"));
            });
            let other = sender.clone();
            sender.send(1).unwrap();
            assert!(receives.join().is_err());
            assert_eq!([sender.send(2), other.send(3)], [Err(SendError(2)), Err(SendError(3))]);
        });
    }
}

#[test]
fn a_panic_over_a_message_loses_only_that() {
    let (sender, receiver) = mpmc::channel();
    (0..5).for_each(|n| sender.send(n).unwrap());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        receiver.iter().for_each(|n| {
            if n == 2 {
                std::panic::resume_unwind(Box::new(n))
            }
        });
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&2));
    assert!(receiver.try_iter().eq([3, 4]));
}

#[test]
fn messages_of_no_size_and_of_any() {
    let (units, from_units) = mpmc::sync_channel(3);
    let (large, from_large) = mpmc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || (0..500).for_each(|_| units.send(()).unwrap()));
        scope.spawn(move || (0..20).for_each(|n| large.send([n; 600]).unwrap()));
        assert_eq!(from_units.iter().count(), 500);
        assert!(from_large.iter().map(|message| message[599]).eq(0..20));
    });
}

#[test]
fn a_wait_for_two_channels_ends_with_either_or_both() {
    let (a, from_a) = mpmc::channel::<u8>();
    let (b, from_b) = mpmc::sync_channel::<u8>(0);
    thread::scope(|scope| {
        let wait = scope.spawn(|| [(); 3].map(|()| recv_either(&from_a, &from_b)));
        thread::sleep(A_WHILE);
        drop(a);
        b.send(1).unwrap();
        b.send(2).unwrap();
        drop(b);
        let expected = [Ok(Either::Second(1)), Ok(Either::Second(2)), Err(RecvError)];
        assert_eq!(wait.join().unwrap(), expected);
    });
}
