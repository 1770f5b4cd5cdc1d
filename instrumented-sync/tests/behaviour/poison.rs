//! Poisoning.

use super::sync::{Condvar, Mutex, RwLock, TryLockError};
use crate::panic_text;

fn poison_mutex<T: ?Sized>(mutex: &Mutex<T>) {
    let text = panic_text(|| {
        let _guard = mutex.lock().unwrap();
        panic!("in a section");
    });
    assert_eq!(text, "in a section");
}

fn poison_rwlock<T>(lock: &RwLock<T>) {
    panic_text(|| {
        let _guard = lock.write().unwrap();
        panic!("while writing");
    });
}

#[test]
fn a_panic_in_a_section_poisons_the_mutex() {
    let mutex = Mutex::new(1);
    assert!(!mutex.is_poisoned());
    poison_mutex(&mutex);
    assert!(mutex.is_poisoned());
    let guard = mutex.lock().unwrap_err().into_inner();
    assert_eq!(*guard, 1);
}

#[test]
fn the_guard_of_a_poisoned_mutex_locks_it() {
    let mutex = Mutex::new(1);
    poison_mutex(&mutex);
    let mut guard = mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *guard = 2;
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(guard);
    assert_eq!(**mutex.try_lock().unwrap_err_poisoned().get_ref(), 2);
}

trait UnwrapErrPoisoned {
    type Guard;
    fn unwrap_err_poisoned(self) -> std::sync::PoisonError<Self::Guard>;
}

impl<G> UnwrapErrPoisoned for std::sync::TryLockResult<G> {
    type Guard = G;

    fn unwrap_err_poisoned(self) -> std::sync::PoisonError<G> {
        match self {
            Err(TryLockError::Poisoned(poisoned)) => poisoned,
            Err(TryLockError::WouldBlock) => panic!("would block"),
            Ok(_) => panic!("not poisoned"),
        }
    }
}

#[test]
fn dropping_a_guard_while_unwinding_from_before_does_not_poison() {
    struct LocksWhenDropped<'a>(&'a Mutex<i32>);
    impl Drop for LocksWhenDropped<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let mutex = Mutex::new(0);
    panic_text(|| {
        let _locks = LocksWhenDropped(&mutex);
        panic!("elsewhere");
    });
    assert_eq!(*mutex.lock().unwrap(), 1);
}

#[test]
fn clear_poison_makes_a_mutex_good() {
    let mutex = Mutex::new(1);
    poison_mutex(&mutex);
    mutex.clear_poison();
    assert!(!mutex.is_poisoned());
    assert_eq!(*mutex.lock().unwrap(), 1);
}

#[test]
fn into_inner_and_get_mut_tell_of_poison() {
    let mut mutex = Mutex::new(1);
    *mutex.get_mut().unwrap() = 2;
    poison_mutex(&mutex);
    assert_eq!(**mutex.get_mut().unwrap_err().get_ref(), 2);
    assert_eq!(mutex.into_inner().unwrap_err().into_inner(), 2);
    assert_eq!(Mutex::new(3).into_inner().unwrap(), 3);

    let mut lock = RwLock::new(1);
    *lock.get_mut().unwrap() = 2;
    poison_rwlock(&lock);
    assert_eq!(**lock.get_mut().unwrap_err().get_ref(), 2);
    assert_eq!(lock.into_inner().unwrap_err().into_inner(), 2);
    assert_eq!(RwLock::new(3).into_inner().unwrap(), 3);
}

#[test]
fn a_panic_while_writing_poisons_the_rwlock() {
    let lock = RwLock::new(1);
    poison_rwlock(&lock);
    assert!(lock.is_poisoned());
    assert_eq!(*lock.read().unwrap_err().into_inner(), 1);
    assert_eq!(*lock.write().unwrap_err().into_inner(), 1);
    assert_eq!(**lock.try_read().unwrap_err_poisoned().get_ref(), 1);
    assert_eq!(**lock.try_write().unwrap_err_poisoned().get_ref(), 1);
    lock.clear_poison();
    assert_eq!(*lock.read().unwrap(), 1);
}

#[test]
fn a_panic_while_reading_does_not_poison() {
    let lock = RwLock::new(1);
    panic_text(|| {
        let _guard = lock.read().unwrap();
        panic!("while reading");
    });
    assert!(!lock.is_poisoned());
    assert_eq!(*lock.write().unwrap(), 1);
}

#[test]
fn a_wait_returns_the_guard_of_a_poisoned_mutex() {
    let (mutex, changed) = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            panic_text(|| {
                let mut guard = mutex.lock().unwrap();
                *guard = true;
                changed.notify_all();
                panic!("while another waits");
            });
        });
        let mut guard = match mutex.lock() {
            // Even without having to wait the poison is seen.
            Err(poisoned) => return assert!(*poisoned.into_inner()),
            Ok(guard) => guard,
        };
        let poisoned = loop {
            match changed.wait(guard) {
                Ok(spurious) => guard = spurious,
                Err(poisoned) => break poisoned,
            }
        };
        assert!(*poisoned.into_inner());
    });
    poison_is_told_by_each_wait(&mutex, &changed);
}

fn poison_is_told_by_each_wait(mutex: &Mutex<bool>, changed: &Condvar) {
    let guard = || mutex.lock().unwrap_err().into_inner();
    let soon = std::time::Duration::from_millis(1);
    let (guard_back, result) = changed.wait_timeout(guard(), soon).unwrap_err().into_inner();
    assert!(*guard_back && result.timed_out());
    drop(guard_back);
    assert!(*changed.wait_while(guard(), |set| !*set).unwrap(), "a wait that need not wait does not look");
    assert!(changed.wait_timeout_while(guard(), soon, |set| *set).is_err());
}
