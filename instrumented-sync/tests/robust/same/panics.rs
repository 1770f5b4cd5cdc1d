//! Panics in whatever of the program runs inside a recorded operation.

use super::say;
use instrumented_sync::{
    Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc,
    resource::{Mode, Resource},
    signal, task, thread,
};
use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, set_hook},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

static HOOK: Mutex<u32> = Mutex::new(0);

/// A hook that locks, as one does that writes a log.
fn hook_locks() {
    set_hook(Box::new(|panicked| {
        if let Ok(mut n) = HOOK.try_lock() {
            *n += 1;
        }
        say(panicked.payload().downcast_ref::<&str>().unwrap_or(&"?"));
    }));
}

fn caught<R>(name: &str, f: impl FnOnce() -> R) {
    let ending = if catch_unwind(AssertUnwindSafe(f)).is_err() { "panicked" } else { "went well" };
    say(format_args!("{name} {ending}"));
}

pub(crate) fn in_initialisers() {
    static LAZY: LazyLock<u32> = LazyLock::new(|| panic_any("lazy value"));
    hook_locks();
    let (once, cell) = (Once::new(), OnceLock::new());
    caught("once", || once.call_once(|| panic_any("once")));
    caught("once again", || once.call_once(|| say("never")));
    caught("once forced", || once.call_once_force(|state| say(state.is_poisoned())));
    caught("cell", || *cell.get_or_init(|| panic_any("cell")));
    caught("cell again", || assert_eq!(cell.get_or_init(|| 5), &5));
    caught("lazy value", || *LAZY);
    caught("lazy value again", || *LAZY);
    let held = Mutex::new(0);
    caught("once inside a lock", || {
        let _held = held.lock().unwrap();
        Once::new().call_once(|| panic_any("once inside a lock"));
    });
    say(held.is_poisoned());
}

pub(crate) fn in_conditions() {
    hook_locks();
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    caught("wait_while", || drop(changed.wait_while(mutex.lock().unwrap(), |_| panic_any("condition"))));
    say(mutex.is_poisoned());
    mutex.clear_poison();
    caught("wait_timeout_while", || {
        let mut n_calls = 0;
        let condition = |_: &mut i32| {
            n_calls += 1;
            if n_calls > 1 { panic_any("second look") } else { true }
        };
        drop(changed.wait_timeout_while(mutex.lock().unwrap(), Duration::from_millis(1), condition));
    });
    say(mutex.is_poisoned());
}

pub(crate) fn in_threads() {
    hook_locks();
    let lock = Mutex::new(0);
    say(thread::spawn(|| panic_any("thread")).join().is_err());
    caught("scope", || {
        thread::scope(|scope| {
            scope.spawn(|| {
                let _held = lock.lock().unwrap();
                panic_any("scoped thread");
            });
        });
    });
    say(lock.is_poisoned());
    caught("scope's own closure", || {
        thread::scope(|scope| {
            scope.spawn(|| drop(lock.lock()));
            panic_any("closure of a scope");
        });
    });
    let (sender, receiver) = mpsc::channel();
    say(thread::spawn(move || -> () {
        sender.send(1).unwrap();
        panic_any("sender")
    })
    .join()
    .is_err());
    say(receiver.iter().count());
}

/// Panics when it is dropped, and when it is shown.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any("drop");
        }
    }
}

impl fmt::Debug for Explosive {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any("debug")
    }
}

pub(crate) fn in_guarded_values() {
    hook_locks();
    let mutex = Mutex::new(Some(Explosive));
    caught("debug", || format!("{mutex:?}"));
    say(mutex.is_poisoned());
    caught("assignment", || *mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None);
    say(mutex.is_poisoned());
    caught("drop of the lock", || drop(RwLock::new(Explosive)));
    let (sender, receiver) = mpsc::channel();
    sender.send(Explosive).unwrap();
    caught("drop of a message", || drop(receiver));
    say(sender.send(Explosive).map_err(std::mem::forget).is_err());
    let lock = RwLock::new(0);
    caught("reader", || {
        let _read = lock.read().unwrap();
        panic_any("reader");
    });
    say(lock.is_poisoned());
    caught("writer", || {
        let _written = lock.write().unwrap();
        panic_any("writer");
    });
    say(lock.is_poisoned());
}

pub(crate) fn in_tasks() {
    hook_locks();
    let lock = Mutex::new(0);
    let mut future = Box::pin(task::record("explosive", async {
        let _held = lock.lock().unwrap();
        panic_any("task")
    }));
    caught("poll", || {
        let mut context = Context::from_waker(Waker::noop());
        let polled: Poll<()> = future.as_mut().poll(&mut context);
        polled.is_ready()
    });
    say(lock.is_poisoned());
    drop(future);
    caught("block_on", || task::block_on(async { panic_any("blocked on") }));
    caught("another", || task::block_on(async { *lock.lock().unwrap_err().into_inner() }));
}

pub(crate) fn in_resources() {
    static RESOURCE: Resource = Resource::new("explosive");
    hook_locks();
    caught("request", || {
        let _request = RESOURCE.request(Mode::Exclusive);
        panic_any("requested");
    });
    caught("request that is granted", || {
        let _holding = RESOURCE.request(Mode::Shared).acquired();
        panic_any("granted");
    });
    caught("holding", || {
        let _holding = RESOURCE.acquired(Mode::Exclusive);
        drop(Explosive);
    });
    caught("holding that is dropped first", || {
        let _explosive = Explosive;
        let _holding = RESOURCE.acquired(Mode::Exclusive);
    });
    caught("wait", || {
        let _wait = RESOURCE.wait();
        panic_any("waiting");
    });
    caught("wait with a time", || {
        let _wait = RESOURCE.wait_timed();
        drop(Explosive);
    });
    drop(RESOURCE.acquired(Mode::Exclusive));
}

pub(crate) fn in_sections() {
    hook_locks();
    let lock = Mutex::new(0);
    caught("section", || signal::section(10, || panic_any("section")));
    caught("section with a destructor", || signal::section(10, || drop(Explosive)));
    caught("outer section", || {
        signal::section(10, || {
            caught("inner section", || {
                signal::section(12, || {
                    let _held = lock.lock().unwrap();
                    panic_any("inner section");
                });
            });
            say(lock.is_poisoned());
            panic_any("outer section");
        });
    });
    say(signal::section(10, || lock.try_lock().is_err()));
}

/// Panics when it is told to wake somebody.
struct ExplosiveWaker;

impl Wake for ExplosiveWaker {
    fn wake(self: Arc<Self>) {
        panic_any("wake");
    }
}

pub(crate) fn in_wakers() {
    hook_locks();
    let lock = task::Mutex::new(0);
    let waker = Waker::from(Arc::new(ExplosiveWaker));
    {
        let held = lock.try_lock().unwrap();
        let mut next = pin!(task::record("woken by a panic", async { *lock.lock().await += 1 }));
        caught("poll", || assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()));
        caught("release", || drop(held));
        caught("poll of what was granted", || {
            assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        });
    }
    say(lock.into_inner());
}

pub(crate) fn in_futures() {
    hook_locks();
    let lock = task::Mutex::new(Some(Explosive));
    caught("task by hand", || {
        let task = task::Task::new("by hand");
        let mut context = Context::from_waker(Waker::noop());
        caught("its poll", || task.poll(&mut context, |_| panic_any("by hand")));
        task.poll(&mut context, |_| say("polled again"));
    });
    caught("drop of a future", || {
        let explosive = Explosive;
        drop(task::record("never polled", async move { std::mem::forget(explosive) }));
    });
    caught("assignment", || task::block_on(async { *lock.lock().await = None }));
    caught("guard", || {
        task::block_on(async {
            let _held = lock.lock().await;
            panic_any("guarded");
        });
    });
    say(lock.into_inner().is_none());
    let workers = task::Workers::new();
    workers.enter();
    caught("task of workers", || task::block_on(workers.record("worked", async { panic_any("worked") })));
}

/// A panic while a panic unwinds: std ends the program.
pub(crate) fn twice() {
    struct Locks<'a>(&'a Mutex<u32>);
    impl Drop for Locks<'_> {
        fn drop(&mut self) {
            let _held = self.0.lock().unwrap();
            panic!("second");
        }
    }
    let lock = Mutex::new(0);
    say("goes on");
    let _locks = Locks(&lock);
    panic!("first");
}

pub(crate) fn to_the_end() {
    let lock = Mutex::new(0);
    let _held = lock.lock().unwrap();
    say("goes on");
    panic!("to the end");
}
