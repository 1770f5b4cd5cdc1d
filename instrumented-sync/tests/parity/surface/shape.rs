//! What is not in a declaration: unsizing, variance, what drops may see, guards as types of their own.

use super::{sync, thread};
use std::{
    fmt::{Debug, Display},
    io::Write,
    ops::Deref,
    rc::Rc,
};
use sync::{
    Arc, Barrier, Condvar, LazyLock, LockResult, Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock,
    RwLockReadGuard, RwLockWriteGuard, mpsc,
};

/// A lock behind every pointer unsizes, to a slice and to an object.
macro_rules! unsizes {
    ($($lock:ident),*) => {
        $({
            let array: Box<$lock<[i32]>> = Box::new($lock::new([1, 2, 3]));
            assert_eq!(array.n_elements(), 3);
            let shared: Arc<$lock<dyn Display + Send + Sync>> = Arc::new($lock::new(5));
            let alone: Rc<$lock<dyn Display>> = Rc::new($lock::new(6));
            let borrowed: &$lock<dyn Display> = &$lock::new("seven");
            assert_eq!(format!("{}{}{}", shared.shown(), alone.shown(), borrowed.shown()), "56seven");
            let mut exclusive = $lock::new([8, 9]);
            let exclusive: &mut $lock<[i32]> = &mut exclusive;
            assert_eq!(exclusive.get_mut().unwrap().len(), 2);
        })*
    };
}

/// The same words for both locks.
trait Lock<T: ?Sized> {
    fn shown(&self) -> String
    where
        T: Display;
    fn n_elements(&self) -> usize
    where
        T: AsRef<[i32]>;
}

impl<T: ?Sized> Lock<T> for Mutex<T> {
    fn shown(&self) -> String
    where
        T: Display,
    {
        self.lock().unwrap().to_string()
    }

    fn n_elements(&self) -> usize
    where
        T: AsRef<[i32]>,
    {
        self.lock().unwrap().as_ref().len()
    }
}

impl<T: ?Sized> Lock<T> for RwLock<T> {
    fn shown(&self) -> String
    where
        T: Display,
    {
        format!("{}", self.read().unwrap())
    }

    fn n_elements(&self) -> usize
    where
        T: AsRef<[i32]>,
    {
        self.write().unwrap().as_ref().len()
    }
}

#[test]
fn locks_unsize() {
    unsizes!(Mutex, RwLock);
}

/// Guards of what has no size, in signatures and in types.
#[test]
fn guards_of_objects() {
    struct Holding<'a, T: ?Sized> {
        guard: MutexGuard<'a, T>,
    }
    fn written(mut guard: MutexGuard<'_, dyn Write + Send + 'static>) {
        guard.write_all(b"text").unwrap();
    }
    fn read<'a>(lock: &'a RwLock<dyn Debug>) -> LockResult<RwLockReadGuard<'a, dyn Debug>> {
        lock.read()
    }
    // A bare `dyn Debug` lives as long as the guard.
    fn borrowing<'a>(mutex: &'a Mutex<dyn Debug + 'a>) -> LockResult<MutexGuard<'a, dyn Debug>> {
        mutex.lock()
    }
    fn writing<'a>(lock: &'a RwLock<dyn Debug + 'a>) -> RwLockWriteGuard<'a, dyn Debug> {
        lock.write().unwrap()
    }
    fn reading<'a>(lock: &'a RwLock<dyn Debug + 'a>) -> RwLockReadGuard<'a, dyn Debug> {
        lock.read().unwrap()
    }
    fn through(guard: &impl Deref<Target = str>) -> usize {
        guard.len()
    }
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let writer: Arc<Mutex<dyn Write + Send>> = bytes.clone();
    written(writer.lock().unwrap());
    assert_eq!(Holding { guard: bytes.lock().unwrap() }.guard.len(), 4);
    assert_eq!(format!("{:?}", read(&RwLock::new("text")).unwrap()), "\"text\"");
    let local = "local".to_owned();
    assert_eq!(format!("{:?}", borrowing(&Mutex::new(&local)).unwrap()), "\"local\"");
    let lock = RwLock::new(&local);
    assert_eq!(format!("{:?}", writing(&lock)), format!("{:?}", reading(&lock)));
    let text: Box<Mutex<dyn AsRef<str>>> = Box::new(Mutex::new("four"));
    assert_eq!(text.lock().unwrap().as_ref().len(), 4);
    let call: &dyn for<'a> Fn(MutexGuard<'a, i32>) -> &'static str = &|_| "called";
    assert_eq!(call(Mutex::new(1).lock().unwrap()), "called");
    assert_eq!(through(&Box::<str>::from("five!")), 5);
}

/// Each guard can have implementations of its own: they are different types.
#[test]
fn guards_are_distinct() {
    trait Named {
        fn name(&self) -> &'static str;
    }
    impl<T: ?Sized> Named for MutexGuard<'_, T> {
        fn name(&self) -> &'static str {
            "mutex"
        }
    }
    impl<T: ?Sized> Named for RwLockReadGuard<'_, T> {
        fn name(&self) -> &'static str {
            "reader"
        }
    }
    impl<T: ?Sized> Named for RwLockWriteGuard<'_, T> {
        fn name(&self) -> &'static str {
            "writer"
        }
    }
    let (mutex, lock) = (Mutex::new(1), RwLock::new(1));
    assert_eq!((mutex.lock().unwrap().name(), lock.read().unwrap().name()), ("mutex", "reader"));
    assert_eq!(lock.write().unwrap().name(), "writer");
}

/// What a guard has of its own does not hide what its content has.
#[test]
fn methods_are_those_of_the_content() {
    struct Content;
    impl Content {
        fn downgrade(&self) -> &'static str {
            "downgrade"
        }
        fn into_parts(&self) -> &'static str {
            "into_parts"
        }
        fn clone(&self) -> &'static str {
            "clone"
        }
    }
    let (mutex, lock) = (Mutex::new(Content), RwLock::new(Content));
    let guard = mutex.lock().unwrap();
    assert_eq!([guard.downgrade(), guard.into_parts(), guard.clone()], ["downgrade", "into_parts", "clone"]);
    assert_eq!(lock.write().unwrap().downgrade(), "downgrade");
}

/// Lifetimes get shorter where std's do.
fn shorter<'short>(
    mutex: MutexGuard<'static, i32>,
    read: RwLockReadGuard<'static, &'static str>,
    write: RwLockWriteGuard<'static, i32>,
    poisoned: PoisonError<MutexGuard<'static, i32>>,
    scoped: thread::ScopedJoinHandle<'static, i32>,
    iter: mpsc::Iter<'static, i32>,
    try_iter: mpsc::TryIter<'static, i32>,
) -> (
    MutexGuard<'short, i32>,
    RwLockReadGuard<'short, &'short str>,
    RwLockWriteGuard<'short, i32>,
    PoisonError<MutexGuard<'short, i32>>,
    thread::ScopedJoinHandle<'short, i32>,
    mpsc::Iter<'short, i32>,
    mpsc::TryIter<'short, i32>,
) {
    (mutex, read, write, poisoned, scoped, iter, try_iter)
}

/// A lock may live longer than what its content borrows, as long as nobody uses it then: it has no destructor
/// that could look at its content.
#[test]
fn drops_do_not_look_at_the_content() {
    let (mutex, lock, cell);
    let value = 1;
    cell = OnceLock::new();
    assert_eq!(cell.set(&value), Ok(()));
    mutex = Mutex::new(&value);
    lock = RwLock::new(Some(&value));
    assert_eq!(**mutex.lock().unwrap(), 1);
    let guard = lock.read().unwrap();
    assert_eq!(*guard, Some(&1));
    drop(guard);
}

/// Constructors are `const`, and so is what they make.
#[test]
fn statics_are_made_of_them() {
    const EMPTY: Mutex<Vec<i32>> = Mutex::new(Vec::new());
    static MUTEXES: [Mutex<Vec<i32>>; 2] = [EMPTY; 2];
    static LOCK: RwLock<i32> = RwLock::new(1);
    static CHANGED: Condvar = Condvar::new();
    static BARRIER: Barrier = Barrier::new(1);
    static ONCE: Once = Once::new();
    static LAZY: LazyLock<String> = LazyLock::new(String::new);
    static CELLS: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    ONCE.call_once(|| assert!(BARRIER.wait().is_leader()));
    assert_eq!((CELLS[0].get(), CELLS[1].get_or_init(|| LAZY.clone())), (None, &String::new()));
    MUTEXES[0].lock().unwrap().push(*LOCK.read().unwrap());
    assert_eq!(MUTEXES.each_ref().map(|mutex| mutex.lock().unwrap().len()), [1, 0]);
    CHANGED.notify_all();
}
