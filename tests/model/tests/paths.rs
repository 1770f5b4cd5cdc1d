//! What the table in the documentation of `instrumented_sync::model` says is there: each name is used, in a model where
//! there is one, and does what std's does.

use instrumented_sync::{
    Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, atomic, cell, hint, model, mpsc, sync, thread,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

const SHORT: Duration = Duration::from_millis(1);

#[test]
fn locks() {
    model(|| {
        let mutex: sync::Mutex<i32> = Mutex::from(1);
        *mutex.lock().unwrap() += 1;
        let guard: sync::MutexGuard<'_, i32> = mutex.try_lock().unwrap();
        assert!(mutex.try_lock().is_err());
        drop(guard);
        assert_eq!(format!("{:?}", mutex.lock().unwrap()), "2");
        assert_eq!(mutex.into_inner().unwrap(), 2);

        let lock: sync::RwLock<i32> = RwLock::new(1);
        *lock.write().unwrap() += 1;
        let readers: [sync::RwLockReadGuard<'_, i32>; 2] = [lock.read().unwrap(), lock.try_read().unwrap()];
        assert!(lock.try_write().is_err());
        drop(readers);
        let writer: sync::RwLockWriteGuard<'_, i32> = lock.try_write().unwrap();
        drop(writer);
        assert_eq!(lock.into_inner().unwrap(), 2);

        let unsized_lock: &Mutex<dyn Fn() -> i32> = &Mutex::new(|| 3);
        assert_eq!(unsized_lock.lock().unwrap()(), 3);
    });
}

#[test]
fn a_wait_ends_by_a_notify() {
    model(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let notifying = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *notifying.0.lock().unwrap() = true;
            notifying.1.notify_one();
        });
        drop(pair.1.wait_while(pair.0.lock().unwrap(), |is_done| !*is_done).unwrap());
        thread.join().unwrap();
        pair.1.notify_all();
    });
}

#[test]
fn a_wait_with_a_timeout_ends() {
    model(|| {
        let (mutex, condvar) = (Mutex::new(false), Condvar::new());
        let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
        let _: sync::WaitTimeoutResult = result;
        drop(guard);
        let (guard, result) = condvar.wait_timeout_while(mutex.lock().unwrap(), SHORT, |is_done| !*is_done).unwrap();
        assert!(!*guard && result.timed_out());
    });
}

/// In a model that has timeouts there is a schedule in which it comes first, and one in which the notify does.
#[cfg(any(instrumented_sync_loom, instrumented_sync_shuttle))]
#[test]
fn a_timeout_may_come_first_or_last() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    static N_TIMED_OUT: AtomicUsize = AtomicUsize::new(0);
    static N_NOTIFIED: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let notifying = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *notifying.0.lock().unwrap() = true;
            notifying.1.notify_one();
        });
        let guard = pair.0.lock().unwrap();
        let (guard, result) = pair.1.wait_timeout_while(guard, SHORT, |is_done| !*is_done).unwrap();
        assert_eq!(result.timed_out(), !*guard);
        if result.timed_out() { &N_TIMED_OUT } else { &N_NOTIFIED }.fetch_add(1, SeqCst);
        drop(guard);
        thread.join().unwrap();
    });
    assert!(N_TIMED_OUT.load(SeqCst) > 0 && N_NOTIFIED.load(SeqCst) > 0);
}

#[test]
fn a_barrier_lets_all_through() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || other.wait().is_leader());
        let result: sync::BarrierWaitResult = barrier.wait();
        assert!(result.is_leader() ^ thread.join().unwrap());
    });
}

#[test]
fn initialisation() {
    model(|| {
        let once = Once::new();
        once.call_once(|| ());
        once.call_once_force(|_: &sync::OnceState| unreachable!());
        assert!(once.is_completed());

        let cell = Arc::new(OnceLock::new());
        let other = Arc::clone(&cell);
        let thread = thread::spawn(move || *other.get_or_init(|| 2));
        let value = *cell.get_or_init(|| 1);
        assert_eq!(thread.join().unwrap(), value);
        assert_eq!(cell.set(3), Err(3));
        assert_eq!(cell.get(), Some(&value));

        let lazy: LazyLock<i32> = LazyLock::new(|| 5);
        assert_eq!((*lazy, *LazyLock::force(&lazy)), (5, 5));
    });
}

/// A panic that is caught in a model leaves what it initialises as std does.
#[test]
fn poisoned_initialisation() {
    model(|| {
        let once = Once::new();
        assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("expected")))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| ()))).is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
        let cell: OnceLock<i32> = OnceLock::new();
        assert!(catch_unwind(AssertUnwindSafe(|| cell.get_or_init(|| panic!("expected")))).is_err());
        assert_eq!(*cell.get_or_init(|| 1), 1);
    });
}

#[test]
fn channels() {
    model(|| {
        let (sender, receiver): (mpsc::Sender<i32>, mpsc::Receiver<i32>) = mpsc::channel();
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(SHORT), Err(mpsc::RecvTimeoutError::Timeout));
        let thread = thread::spawn(move || [1, 2].iter().for_each(|message| sender.send(*message).unwrap()));
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [2]);
        assert_eq!(receiver.try_iter().next(), None);
        thread.join().unwrap();
        assert_eq!(receiver.recv(), Err(mpsc::RecvError));
    });
}

#[test]
fn a_rendezvous() {
    model(|| {
        let (sender, receiver): (mpsc::SyncSender<i32>, _) = mpsc::sync_channel(0);
        assert_eq!(sender.try_send(0), Err(mpsc::TrySendError::Full(0)));
        let thread = thread::spawn(move || sender.send(1));
        assert_eq!(receiver.into_iter().next(), Some(1));
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn shared_ownership() {
    model(|| {
        let mut arc = Arc::new(1);
        *Arc::get_mut(&mut arc).unwrap() = 2;
        let other = Arc::clone(&arc);
        assert!(Arc::ptr_eq(&arc, &other) && Arc::strong_count(&arc) == 2 && arc == other);
        drop(other);
        assert_eq!(Arc::try_unwrap(arc), Ok(2));
    });
}

#[test]
fn threads() {
    model(|| {
        let thread = thread::Builder::new().name("a".to_owned()).spawn(|| {
            thread::park();
            thread::current().name().map(str::to_owned)
        });
        let thread = thread.unwrap();
        thread.thread().unpark();
        assert_ne!(thread.thread().id(), thread::current().id());
        assert_eq!(thread.join().unwrap().as_deref(), Some("a"));
        thread::yield_now();
        thread::sleep(SHORT);
        thread::park_timeout(SHORT);
        assert!(!thread::panicking() && thread::available_parallelism().is_ok());
    });
}

#[test]
fn scoped_threads_borrow_and_return() {
    model(|| {
        let (words, hits) = (vec!["a", "b"], Mutex::new(0));
        let first = thread::scope(|scope: &thread::Scope<'_, '_>| {
            let handle: thread::ScopedJoinHandle<'_, &str> = scope.spawn(|| {
                *hits.lock().unwrap() += 1;
                words[0]
            });
            scope.spawn(|| *hits.lock().unwrap() += 1);
            handle.join().unwrap()
        });
        assert_eq!((first, *hits.lock().unwrap()), ("a", 2));
    });
}

#[cfg(not(instrumented_sync_shuttle))]
#[test]
fn what_shuttle_s_threads_lack() {
    model(|| {
        let thread = thread::spawn(|| ());
        while !thread.is_finished() {
            thread::yield_now();
        }
        thread.join().unwrap();
        thread::scope(|scope| {
            let handle = thread::Builder::new().spawn_scoped(scope, || 1).unwrap();
            assert_eq!(handle.join().unwrap(), 1);
        });
    });
}

instrumented_sync::thread_local! {
    static N: std::cell::Cell<u32> = const { std::cell::Cell::new(1) };
    static NAMES: std::cell::RefCell<Vec<u32>> = std::cell::RefCell::new(vec![1]);
}

#[test]
fn the_rest() {
    model(|| {
        let thread = thread::spawn(|| N.with(|n| n.replace(2)));
        NAMES.with(|names| names.borrow_mut().push(2));
        assert_eq!((N.with(std::cell::Cell::get), thread.join().unwrap()), (1, 1));

        let flag = atomic::AtomicBool::new(false);
        flag.store(true, atomic::Ordering::Release);
        atomic::fence(atomic::Ordering::Acquire);
        assert!(flag.load(atomic::Ordering::Relaxed));
        assert_eq!(sync::atomic::AtomicU64::new(1).fetch_add(1, atomic::Ordering::SeqCst), 1);
        hint::spin_loop();

        let value = cell::UnsafeCell::new(1);
        // SAFETY: nobody else knows of the cell.
        value.with_mut(|value| unsafe { *value = 2 });
        // SAFETY: as above.
        assert_eq!(value.with(|value| unsafe { *value }), 2);
        let mut value = cell::RaceCell::new(1);
        // SAFETY: as above.
        unsafe { value.write(value.read() + 1) };
        // SAFETY: as above.
        value.with_mut(|value| unsafe { *value += 1 });
        // SAFETY: as above.
        assert_eq!(value.with(|value| unsafe { *value }), 3);
        *value.get_mut() += 1;
        instrumented_sync::label(&value, "value");
        assert_eq!((format!("{value:?}"), value.into_inner()), ("RaceCell { .. }".to_owned(), 4));
        let place = &mut 1;
        instrumented_sync::read_of!(*place);
        instrumented_sync::write_of!(*place);
        instrumented_sync::free_of!(*place);
        assert_eq!(cell::Cell::new(1).replace(2), 1);
        assert_eq!(*cell::RefCell::new(1).borrow(), 1);
    });
}
