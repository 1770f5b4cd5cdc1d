//! Variables of threads, with locks and channels inside, whose destructors use them.

use super::{
    sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc},
    thread,
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    time::Duration,
};

/// Calls its closure when the thread's variables are destroyed.
struct AtEnd(Box<dyn Fn()>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

thread_local! {
    static EARLY: OnceCell<AtEnd> = const { OnceCell::new() };
    static LATE: OnceCell<AtEnd> = const { OnceCell::new() };
}

/// Runs `f` in the destructors of a thread: of a variable older than all that the thread does, and of one younger.
fn in_destructors(f: impl Fn() + Clone + Send + 'static) {
    let handle = thread::spawn(move || {
        assert!(EARLY.with(|variable| variable.set(AtEnd(Box::new(f.clone()))).is_ok()));
        let _current = thread::current();
        f();
        assert!(LATE.with(|variable| variable.set(AtEnd(Box::new(f))).is_ok()));
    });
    handle.join().unwrap();
}

#[test]
fn locks_work_in_destructors() {
    static LOCK: RwLock<u32> = RwLock::new(0);
    let mutex = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&mutex);
    in_destructors(move || {
        *theirs.lock().unwrap() += 1;
        let n = *LOCK.read().unwrap();
        *LOCK.write().unwrap() = n + 1;
        assert!(theirs.try_lock().is_ok());
    });
    assert_eq!((*mutex.lock().unwrap(), *LOCK.read().unwrap()), (3, 3));
}

#[test]
fn waiting_works_in_destructors() {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let theirs = Arc::clone(&pair);
    let other = thread::spawn(move || {
        for n in [1, 3, 5] {
            let mut guard = theirs.1.wait_while(theirs.0.lock().unwrap(), |now| *now != n).unwrap();
            *guard += 1;
            theirs.1.notify_all();
        }
    });
    in_destructors(move || {
        let (mutex, changed) = &*pair;
        let mut guard = mutex.lock().unwrap();
        *guard += 1;
        changed.notify_all();
        let guard = changed.wait_while(guard, |now| *now % 2 == 1).unwrap();
        let (_guard, result) = changed.wait_timeout_while(guard, Duration::from_millis(1), |_| true).unwrap();
        assert!(result.timed_out() && Barrier::new(1).wait().is_leader());
    });
    other.join().unwrap();
}

#[test]
fn channels_work_in_destructors_and_end_with_them() {
    let (sender, receiver) = mpsc::channel();
    let (answer, answers) = mpsc::sync_channel(0);
    let echo = thread::spawn(move || (0..3).for_each(|n| answer.send(n).unwrap()));
    let answers = Arc::new(Mutex::new(answers));
    in_destructors(move || {
        let n = answers.lock().unwrap().recv().unwrap();
        sender.clone().send(n).unwrap();
    });
    assert!(receiver.iter().eq(0..3), "the sender is gone with the thread");
    echo.join().unwrap();
}

#[test]
fn cells_work_in_destructors() {
    static LAZY: LazyLock<String> = LazyLock::new(|| "lazy".repeat(2));
    let (cell, once) = (Arc::new(OnceLock::new()), Arc::new(Once::new()));
    let (their_cell, their_once) = (Arc::clone(&cell), Arc::clone(&once));
    in_destructors(move || {
        their_once.call_once(|| assert!(their_cell.set(LAZY.len()).is_ok()));
        assert_eq!((their_cell.get_or_init(|| 0), their_cell.wait()), (&8, &8));
        their_once.wait();
    });
    assert!(once.is_completed());
}

#[test]
fn a_thread_is_itself_in_its_destructors() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&seen);
    in_destructors(move || {
        let current = thread::current();
        theirs.lock().unwrap().push((current.id(), current.name().map(str::to_owned)));
        current.unpark();
        thread::park();
        thread::park_timeout(Duration::ZERO);
    });
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert!(seen[0].0 != thread::current().id());
}

#[test]
fn threads_are_started_and_joined_in_destructors() {
    let sum = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&sum);
    in_destructors(move || {
        let sum = Arc::clone(&theirs);
        thread::spawn(move || *sum.lock().unwrap() += 1).join().unwrap();
        thread::scope(|scope| drop(scope.spawn(|| *theirs.lock().unwrap() += 10)));
    });
    assert_eq!(*sum.lock().unwrap(), 33);
}

#[test]
fn variables_hold_locks_of_their_own() {
    thread_local! {
        static LOG: Mutex<Vec<u32>> = const { Mutex::new(Vec::new()) };
        static CELL: OnceLock<u32> = const { OnceLock::new() };
        static SENDER: RefCell<Option<mpsc::Sender<u32>>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    let threads = [1, 2, 3].map(|n| {
        let sender = sender.clone();
        thread::spawn(move || {
            LOG.with(|log| {
                assert!(log.lock().unwrap().is_empty(), "each thread has its own");
                log.lock().unwrap().push(n);
            });
            assert_eq!(CELL.with(|cell| *cell.get_or_init(|| n)), n);
            SENDER.set(Some(sender));
            SENDER.with_borrow(|sender| sender.as_ref().unwrap().send(n)).unwrap();
        })
    });
    drop(sender);
    let mut all: Vec<_> = receiver.iter().collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(LOG.with(|log| log.lock().unwrap().is_empty()) && CELL.with(|cell| cell.get().is_none()));
}

#[test]
fn a_guard_in_a_variable_is_held_until_the_thread_ends() {
    thread_local! {
        static GUARD: RefCell<Option<super::sync::MutexGuard<'static, u32>>> = const { RefCell::new(None) };
    }
    static MUTEX: Mutex<u32> = Mutex::new(1);
    let (sender, receiver) = mpsc::channel::<()>();
    let (held, is_held) = mpsc::channel();
    let thread = thread::spawn(move || {
        GUARD.set(Some(MUTEX.lock().unwrap()));
        held.send(()).unwrap();
        assert!(receiver.recv().is_err());
    });
    is_held.recv().unwrap();
    assert!(MUTEX.try_lock().is_err());
    drop(sender);
    assert_eq!(*MUTEX.lock().unwrap(), 1);
    thread.join().unwrap();
}

#[test]
fn a_variable_that_is_gone_says_so() {
    thread_local!(static OWN: Cell<Option<Box<u32>>> = const { Cell::new(None) });
    let (sender, receiver) = mpsc::channel();
    in_destructors(move || {
        let seen: Result<_, thread::AccessError> = OWN.try_with(|own| own.replace(Some(Box::new(1))).is_some());
        sender.send(seen.is_ok()).unwrap();
    });
    let seen: Vec<bool> = receiver.iter().collect();
    assert!(seen.len() == 3 && seen[0], "there while the thread runs: {seen:?}");
}
