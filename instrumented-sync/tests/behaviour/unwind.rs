//! What a panic does to a section, and what can be done while one is under way.

use super::{
    sync::{Barrier, Condvar, Mutex, MutexGuard, Once, OnceLock, RwLock, TryLockError, mpsc},
    thread,
};
use crate::{panic_text, payload_text, until};
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

/// Runs something when dropped.
struct AtDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs `f` while a panic unwinds.
fn while_unwinding(f: impl FnMut()) {
    let text = panic_text(|| {
        let _runs = AtDrop(f);
        panic!("unwinds");
    });
    assert_eq!(text, "unwinds");
}

#[test]
fn all_that_is_held_is_poisoned_and_nothing_else() {
    let [held, released, untouched] = [(); 3].map(|()| Mutex::new(()));
    let [written, read] = [(); 2].map(|()| RwLock::new(()));
    panic_text(|| {
        let _guard = held.lock().unwrap();
        drop(released.lock().unwrap());
        let _guards = (written.write().unwrap(), read.read().unwrap());
        panic!("with some of them held");
    });
    assert!(held.is_poisoned() && written.is_poisoned());
    assert!(!released.is_poisoned() && !untouched.is_poisoned() && !read.is_poisoned());
}

#[test]
fn every_kind_of_panic_poisons() {
    let panics: [fn(); 4] = [
        || panic!("text"),
        || panic_any(5),
        || resume_unwind(Box::new(5)),
        || {
            let _index = [1, 2].iter().map(|n| n * std::hint::black_box(2)).nth(2).unwrap();
        },
    ];
    for panics in panics {
        let (mutex, lock) = (Mutex::new(()), RwLock::new(()));
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (mutex.lock().unwrap(), lock.write().unwrap());
            panics();
        }));
        assert!(result.is_err() && mutex.is_poisoned() && lock.is_poisoned());
    }
}

#[test]
fn a_guard_poisons_wherever_it_was_moved() {
    let [boxed, captured, listed] = [(); 3].map(|()| Mutex::new(1));
    let lock = RwLock::new(1);
    panic_text(|| {
        let boxed = Box::new(Some(boxed.lock().unwrap()));
        let guard = captured.lock().unwrap();
        let closure = move || *guard;
        let listed = [listed.lock().unwrap()];
        let cell = RefCell::new(lock.write().unwrap());
        assert!(boxed.is_none() || closure() != *listed[0] || **cell.borrow() != 1, "with guards in many places");
    });
    assert!([boxed, captured, listed].iter().all(Mutex::is_poisoned) && lock.is_poisoned());
}

#[test]
fn a_panic_that_ends_within_the_section_does_not_poison() {
    let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
    let (mut guard, mut writing) = (mutex.lock().unwrap(), lock.write().unwrap());
    panic_text(|| {
        *guard += 1;
        *writing += 1;
        panic!("inside");
    });
    drop((guard, writing));
    assert_eq!((*mutex.lock().unwrap(), *lock.read().unwrap()), (1, 1));
}

#[test]
fn a_panic_beside_a_leaked_guard_does_not_poison() {
    let (mutex, lock) = (Mutex::new(1), RwLock::new(1));
    panic_text(|| {
        std::mem::forget((mutex.lock().unwrap(), lock.write().unwrap()));
        panic!("elsewhere");
    });
    assert!(!mutex.is_poisoned() && !lock.is_poisoned());
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
}

#[test]
fn a_section_within_a_panic_is_not_poisoned_by_another() {
    let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
    while_unwinding(|| {
        let _caught = catch_unwind(AssertUnwindSafe(|| {
            *mutex.lock().unwrap() += 1;
            let mut guards = (mutex.lock().unwrap(), lock.write().unwrap());
            *guards.0 += 1;
            *guards.1 += 1;
            panic!("a second one");
        }));
    });
    assert_eq!((*mutex.lock().unwrap(), *lock.read().unwrap()), (2, 1));
}

#[test]
fn poison_lasts_until_it_is_cleared() {
    let lock = RwLock::new(1);
    panic_text(|| {
        let _guard = lock.write().unwrap();
        panic!("while writing");
    });
    for _ in 0..3 {
        *lock.write().unwrap_err().into_inner() += 1;
        assert!(lock.is_poisoned());
    }
    let reading = lock.read().unwrap_err().into_inner();
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)), "held comes before poisoned");
    assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
    lock.clear_poison();
    assert_eq!(*lock.try_read().unwrap(), 4);
    drop(reading);
    assert_eq!(*lock.write().unwrap(), 4);
}

#[test]
fn poison_is_cleared_by_its_holder() {
    let mutex = Mutex::new(-1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _guard = mutex.lock().unwrap();
        panic_any("poison");
    }));
    assert_eq!(payload_text(result.unwrap_err().as_ref()), "poison");
    let mut guard = mutex.lock().unwrap_or_else(|poisoned| {
        let mut guard = poisoned.into_inner();
        *guard = 0;
        mutex.clear_poison();
        guard
    });
    *guard += 1;
    drop(guard);
    assert_eq!(mutex.into_inner().unwrap(), 1);
}

/// The guard is from before the panic: it is given back as it was, and poisons when it is dropped.
#[test]
fn a_wait_while_unwinding_does_not_poison_but_its_guard_does() {
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    let (waits, all_good) = (AtomicBool::new(false), Cell::new(true));
    thread::scope(|scope| {
        scope.spawn(|| {
            until(|| waits.load(SeqCst));
            for _ in 0..3 {
                match mutex.lock() {
                    Ok(mut guard) => *guard += 1,
                    Err(poisoned) => *poisoned.into_inner() = -100,
                }
                changed.notify_all();
            }
        });
        panic_text(|| {
            let mut kept: Option<MutexGuard<'_, i32>> = Some(mutex.lock().unwrap());
            let _waits = AtDrop(|| {
                let mut guard = kept.take().unwrap();
                waits.store(true, SeqCst);
                while (0..3).contains(&*guard) {
                    guard = changed.wait(guard).unwrap_or_else(|poisoned| {
                        all_good.set(false);
                        poisoned.into_inner()
                    });
                }
                all_good.set(all_good.get() && *guard == 3);
                let (guard, result) = match changed.wait_timeout(guard, Duration::ZERO) {
                    Ok(back) => back,
                    Err(poisoned) => {
                        all_good.set(false);
                        poisoned.into_inner()
                    }
                };
                all_good.set(all_good.get() && result.timed_out() && *guard == 3);
            });
            panic!("with a guard that is waited with");
        });
    });
    assert!(all_good.get(), "poisoned before the guard was dropped");
    assert!(mutex.is_poisoned());
}

#[test]
fn a_wait_with_a_guard_from_within_the_panic_does_not_poison() {
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let timed_out = Cell::new(false);
    while_unwinding(|| {
        let Ok(guard) = mutex.lock() else { return };
        let Ok((_guard, result)) = changed.wait_timeout(guard, Duration::from_millis(1)) else { return };
        timed_out.set(result.timed_out());
    });
    assert!(timed_out.get() && !mutex.is_poisoned());
}

#[test]
fn everything_works_while_unwinding() {
    let (mutex, lock, once, cell) = (Mutex::new(0), RwLock::new(0), Once::new(), OnceLock::new());
    let (sender, receiver) = mpsc::sync_channel(1);
    let done = RefCell::new(Vec::new());
    while_unwinding(|| {
        let say = |what| done.borrow_mut().push(what);
        *mutex.lock().unwrap() += 1;
        let n = *lock.read().unwrap();
        *lock.write().unwrap() = n + 1;
        assert!(mutex.try_lock().is_ok() && lock.try_read().is_ok() && lock.try_write().is_ok());
        once.call_once(|| say("once"));
        say(cell.get_or_init(|| "cell"));
        assert!(Barrier::new(1).wait().is_leader());
        sender.send("message").unwrap();
        say(receiver.recv().unwrap());
        say(thread::spawn(|| if thread::panicking() { "panics" } else { "thread" }).join().unwrap());
        thread::scope(|scope| say(scope.spawn(|| "scope").join().unwrap()));
        thread::current().unpark();
        thread::park();
        thread::park_timeout(Duration::ZERO);
        say("end");
    });
    assert_eq!(*done.borrow(), ["once", "cell", "message", "thread", "scope", "end"]);
    assert!(!mutex.is_poisoned() && !lock.is_poisoned() && once.is_completed());
}
