//! The mutex of tasks: whose turn it is, what dropping a future does, and many tasks on four threads. With and without
//! the feature `record`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

use instrumented_sync::task::{self, Lock, Mutex, MutexGuard, Task, Workers};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Condvar, Mutex as StdMutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

/// Counts how often it wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_counted<F: Future>(future: Pin<&mut F>, count: &Arc<Count>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
}

#[test]
fn the_first_that_waits_is_the_first_that_gets_it() {
    let lock = Mutex::new(0);
    let held = lock.try_lock().unwrap();
    let (mut first, mut second) = (pin!(lock.lock()), pin!(lock.lock()));
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    assert!(poll_counted(first.as_mut(), &counts[0]).is_pending());
    assert!(poll_counted(second.as_mut(), &counts[1]).is_pending());
    drop(held);
    assert_eq!([counts[0].0.load(SeqCst), counts[1].0.load(SeqCst)], [1, 0]);
    assert!(poll(second.as_mut()).is_pending(), "it is not the second one's turn");
    assert!(lock.try_lock().is_none(), "it was handed over");
    let Poll::Ready(mut guard) = poll(first.as_mut()) else { panic!("handed over") };
    *guard += 1;
    drop(guard);
    let Poll::Ready(guard) = poll(second.as_mut()) else { panic!("handed over") };
    assert_eq!(*guard, 1);
}

#[test]
fn a_future_dropped_before_its_first_poll_or_in_the_queue_leaves_no_trace() {
    let lock = Mutex::new(());
    drop(lock.lock());
    let held = lock.try_lock().unwrap();
    let mut dropped = Box::pin(lock.lock());
    let mut next = pin!(lock.lock());
    assert!(poll(dropped.as_mut()).is_pending() && poll(next.as_mut()).is_pending());
    drop(dropped);
    drop(held);
    assert!(poll(next.as_mut()).is_ready());
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_future_dropped_with_the_lock_handed_to_it_passes_it_on() {
    let lock = Mutex::new(());
    let held = lock.try_lock().unwrap();
    let mut dropped = Box::pin(lock.lock());
    let mut next = pin!(lock.lock());
    let count = Arc::new(Count::default());
    assert!(poll(dropped.as_mut()).is_pending() && poll_counted(next.as_mut(), &count).is_pending());
    drop(held);
    assert_eq!(count.0.load(SeqCst), 0);
    drop(dropped);
    assert_eq!(count.0.load(SeqCst), 1);
    assert!(poll(next.as_mut()).is_ready());
    let held = lock.try_lock().unwrap();
    let mut last = Box::pin(lock.lock());
    assert!(poll(last.as_mut()).is_pending());
    drop(held);
    drop(last);
    assert!(lock.try_lock().is_some(), "nobody is left to pass it on to");
}

#[test]
fn a_future_that_is_not_polled_keeps_the_lock() {
    let lock = Mutex::new(());
    let held = lock.try_lock().unwrap();
    let (mut kept, mut again) = (Box::pin(lock.lock()), Box::pin(lock.lock()));
    assert!(poll(kept.as_mut()).is_pending());
    drop(held);
    assert!(poll(again.as_mut()).is_pending() && lock.try_lock().is_none());
    drop(kept);
    assert!(poll(again.as_mut()).is_ready());
}

#[test]
fn the_latest_waker_is_woken() {
    let lock = Mutex::new(());
    let held = lock.try_lock().unwrap();
    let mut waiting = pin!(lock.lock());
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    assert!(poll_counted(waiting.as_mut(), &counts[0]).is_pending());
    assert!(poll_counted(waiting.as_mut(), &counts[1]).is_pending());
    drop(held);
    assert_eq!([counts[0].0.load(SeqCst), counts[1].0.load(SeqCst)], [0, 1]);
    assert_eq!(Arc::strong_count(&counts[0]), 1, "the first waker is given back");
}

#[test]
fn a_panic_poisons_nothing() {
    let lock = Arc::new(Mutex::new(1));
    let inner = Arc::clone(&lock);
    let panicked = thread::spawn(move || {
        let _guard = inner.try_lock().unwrap();
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.join().is_err());
    assert_eq!(*task::block_on(lock.lock()), 1);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 1);
}

/// A future and threads that poll such futures until all are done.
#[derive(Default)]
struct Pool {
    queue: StdMutex<Vec<Arc<Spawned>>>,
    filled: Condvar,
    n_left: AtomicUsize,
    workers: Workers,
}

struct Spawned {
    /// `None` once it is done: it may be woken later.
    future: StdMutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    pool: Arc<Pool>,
}

impl Wake for Spawned {
    fn wake(self: Arc<Self>) {
        let pool = Arc::clone(&self.pool);
        pool.queue.lock().unwrap().push(self);
        pool.filled.notify_one();
    }
}

impl Pool {
    fn spawn(self: &Arc<Self>, name: &str, future: impl Future<Output = ()> + Send + 'static) {
        self.n_left.fetch_add(1, SeqCst);
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.workers.record(name, future));
        Arc::new(Spawned { future: StdMutex::new(Some(future)), pool: Arc::clone(self) }).wake();
    }

    fn work(&self) {
        self.workers.enter();
        while let Some(task) = self.next() {
            let waker = Waker::from(Arc::clone(&task));
            let mut future = task.future.lock().unwrap();
            let Some(polled) = &mut *future else { continue };
            if polled.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *future = None;
                self.n_left.fetch_sub(1, SeqCst);
                let _queue = self.queue.lock().unwrap();
                self.filled.notify_all();
            }
        }
    }

    fn next(&self) -> Option<Arc<Spawned>> {
        let mut queue = self.queue.lock().unwrap();
        loop {
            if let Some(task) = queue.pop() {
                return Some(task);
            }
            if self.n_left.load(SeqCst) == 0 {
                return None;
            }
            queue = self.filled.wait(queue).unwrap();
        }
    }
}

#[test]
fn many_tasks_on_four_threads_exclude_each_other() {
    const N_TASKS: usize = 50;
    const N_TURNS: usize = 40;
    let pool = Arc::new(Pool::default());
    let lock = Arc::new(Mutex::new((0, 0)));
    for i in 0..N_TASKS {
        let lock = Arc::clone(&lock);
        pool.spawn(&format!("count-{i}"), async move {
            for turn in 0..N_TURNS {
                if turn % 7 == 3 {
                    // A future that is given up after one poll.
                    let mut given_up = Box::pin(lock.lock());
                    poll_fn(|context| {
                        drop(given_up.as_mut().poll(context));
                        Poll::Ready(())
                    })
                    .await;
                }
                let mut guard = lock.lock().await;
                guard.0 += 1;
                let before = guard.0;
                let mut has_turned = false;
                poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut has_turned, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                assert_eq!(guard.0, before, "somebody else was here");
                guard.1 += 1;
            }
        });
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| pool.work());
        }
    });
    let counted = *lock.try_lock().unwrap();
    assert_eq!(counted, (N_TASKS * N_TURNS, N_TASKS * N_TURNS));
}

#[test]
fn polls_of_tasks_may_be_nested_and_unwound() {
    let (outer, inner) = (Task::new("outer"), Task::new("inner"));
    let mut context = Context::from_waker(Waker::noop());
    let nested = outer.poll(&mut context, |context| inner.poll(context, |_| 1) + task::block_on(async { 2 }));
    assert_eq!(nested, 3);
    let unwound = std::panic::catch_unwind(|| {
        let mut context = Context::from_waker(Waker::noop());
        Task::new("unwound").poll(&mut context, |_| std::panic::resume_unwind(Box::new(())));
    });
    assert!(unwound.is_err());
}

fn sent<T: Send>(_: Option<T>) {}

fn shared<T: Sync>(_: Option<T>) {}

#[test]
fn what_may_be_sent_and_shared() {
    // That it compiles is the test.
    sent(None::<MutexGuard<'static, Cell<u8>>>);
    shared(None::<MutexGuard<'static, u8>>);
    sent(None::<Lock<'static, Cell<u8>>>);
    shared(None::<Mutex<Cell<u8>>>);
    sent(None::<Task>);
    shared(None::<Workers>);
}
