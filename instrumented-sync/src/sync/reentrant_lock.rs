//! `ReentrantLock`: a lock that its owner may take again.

use super::deadline::{Deadline, lock};
use crate::{
    held::Hold,
    native,
    probe::{self, Acquire, Flags, Identity, Mode, ObjectKind, Site},
    trace::{Labelled, sealed},
};
use std::{
    cell::Cell,
    fmt,
    marker::PhantomData,
    ops::Deref,
    panic::Location,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// A mutex that the thread that holds it may lock again; free when as many guards are dropped as were made.
///
/// As std's unstable type of this name: a guard gives `&T` only, since several may be there at once. The lock is
/// not poisoned by a panic.
///
/// records: the outermost acquire and release of a thread, and what it waits for; not those within.
///
/// ```
/// use instrumented_sync::ReentrantLock;
/// use std::cell::Cell;
///
/// static DEPTH: ReentrantLock<Cell<u32>> = ReentrantLock::new(Cell::new(0));
/// let outer = DEPTH.lock();
/// let inner = DEPTH.lock();
/// inner.set(2);
/// assert_eq!(outer.get(), 2);
/// ```
pub struct ReentrantLock<T: ?Sized> {
    identity: Identity,
    is_held: native::Mutex<bool>,
    freed: native::Condvar,
    /// Number of the thread that holds the lock, 0 if none does.
    owner: AtomicU64,
    /// Guards of the owner. This and what follows belongs to the owner.
    depth: AtomicUsize,
    /// What the owner's hold set aside.
    seq: AtomicU64,
    is_read: AtomicBool,
    // Last, so that `ReentrantLock<T>` unsizes.
    data: T,
}

// SAFETY: a shared lock gives out `&T` only through a guard, which is made for the thread that holds the lock and
// stays there, or is shared by it if `T: Sync`. So `T` is used by one thread at a time, which takes `T: Send`.
// `into_inner` and `get_mut` have the lock to themselves.
#[allow(unsafe_code, reason = "the data is shared with nobody but the owner, which the compiler cannot know")]
unsafe impl<T: ?Sized + Send> Sync for ReentrantLock<T> {}

/// What [`ReentrantLock::lock`] returns: the lock is held as long as a guard of the thread lives.
#[must_use = "if unused the lock is released immediately"]
pub struct ReentrantLockGuard<'a, T: ?Sized> {
    lock: &'a ReentrantLock<T>,
    /// Not `Send`, and `Sync` only if `T` is: a `&T` is what a guard gives.
    stays: PhantomData<native::MutexGuard<'a, &'a T>>,
}

impl<T> ReentrantLock<T> {
    native::const_unless_modelled! {
        /// A lock that nobody holds.
        ///
        /// ```
        /// static NAME: instrumented_sync::ReentrantLock<&str> = instrumented_sync::ReentrantLock::new("a");
        /// assert_eq!(*NAME.lock(), "a");
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(value: T) -> Self {
            Self {
                identity: Identity::new(),
                is_held: native::Mutex::new(false),
                freed: native::Condvar::new(),
                owner: AtomicU64::new(0),
                depth: AtomicUsize::new(0),
                seq: AtomicU64::new(0),
                is_read: AtomicBool::new(false),
                data: value,
            }
        }
    }

    /// The value, of a lock that nobody can hold any more.
    ///
    /// ```
    /// assert_eq!(instrumented_sync::ReentrantLock::new(3).into_inner(), 3);
    /// ```
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized> ReentrantLock<T> {
    /// Takes the lock, or takes it once more; waits while another thread holds it.
    ///
    /// # Panics
    ///
    /// `usize::MAX` guards of the thread were leaked.
    ///
    /// ```
    /// let lock = instrumented_sync::ReentrantLock::new(1);
    /// let (first, second) = (lock.lock(), lock.lock());
    /// assert_eq!(*first + *second, 2);
    /// ```
    #[track_caller]
    pub fn lock(&self) -> ReentrantLockGuard<'_, T> {
        let acquire = self.acquire(Location::caller());
        while !self.enter_again() {
            let obtained = acquire.obtaining(Flags::NONE, || self.try_take(), || self.take());
            if let Some((hold, ())) = obtained {
                self.enter(hold);
                break;
            }
        }
        ReentrantLockGuard { lock: self, stays: PhantomData }
    }

    /// Takes the lock, or takes it once more; `None` if another thread holds it.
    ///
    /// # Panics
    ///
    /// `usize::MAX` guards of the thread were leaked.
    ///
    /// ```
    /// use instrumented_sync::{ReentrantLock, thread};
    ///
    /// let lock = ReentrantLock::new(1);
    /// let guard = lock.try_lock();
    /// assert!(guard.is_some() && lock.try_lock().is_some());
    /// assert!(thread::scope(|scope| scope.spawn(|| lock.try_lock().is_none()).join().unwrap()));
    /// ```
    #[track_caller]
    pub fn try_lock(&self) -> Option<ReentrantLockGuard<'_, T>> {
        if !self.enter_again() {
            let (hold, ()) = self.acquire(Location::caller()).trying_to_obtain(|| self.try_take())?;
            self.enter(hold);
        }
        Some(ReentrantLockGuard { lock: self, stays: PhantomData })
    }

    /// The value: nobody else can use the lock meanwhile.
    ///
    /// ```
    /// let mut lock = instrumented_sync::ReentrantLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(*lock.lock(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    fn try_take(&self) -> Option<()> {
        let mut is_held = lock(&self.is_held);
        (!std::mem::replace(&mut *is_held, true)).then_some(())
    }

    /// Waits for it. For the type of what waits no longer than a time, always `Some`.
    #[allow(clippy::unnecessary_wraps, reason = "what blocks may give up; this does not")]
    fn take(&self) -> Option<()> {
        let mut is_held = lock(&self.is_held);
        while *is_held {
            let (Ok(awake) | Err(awake)) = Deadline::NEVER.sleep(&self.freed, is_held);
            is_held = awake;
        }
        *is_held = true;
        Some(())
    }

    /// One guard more, if the lock is this thread's.
    fn enter_again(&self) -> bool {
        // Relaxed: only this thread stores its number, and it sees its own stores.
        if self.owner.load(Relaxed) != this_thread() {
            return false;
        }
        // Relaxed, here and below: the owner's own.
        let depth = self.depth.load(Relaxed);
        assert!(depth < usize::MAX, "too many guards of a ReentrantLock were leaked");
        self.depth.store(depth + 1, Relaxed);
        true
    }

    /// The first guard of this thread, which has just taken the lock.
    fn enter(&self, hold: Hold<'_>) {
        // Relaxed: the owner's own; `is_held` orders one owner after the other.
        self.seq.store(hold.set_aside(), Relaxed);
        self.is_read.store(false, Relaxed);
        self.depth.store(1, Relaxed);
        self.owner.store(this_thread(), Relaxed);
    }

    fn leave(&self) {
        // Relaxed: as in `enter`.
        let depth = self.depth.load(Relaxed) - 1;
        self.depth.store(depth, Relaxed);
        if depth > 0 {
            return;
        }
        let touched = Flags::READ.when(self.is_read.load(Relaxed));
        // The release is recorded before the lock is free.
        drop(Hold::taken_up(&self.identity, Mode::Exclusive, self.seq.load(Relaxed), touched));
        self.owner.store(0, Relaxed);
        *lock(&self.is_held) = false;
        self.freed.notify_one();
    }

    fn acquire(&self, site: Site) -> Acquire<'_> {
        Acquire {
            identity: &self.identity,
            version: self.identity.version_word(),
            class: Self::class,
            mode: Mode::Exclusive,
            site,
        }
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::ReentrantMutex, std::any::type_name::<T>())
    }
}

/// Number of this thread, never that of another; not 0.
///
/// Not [`std::thread::ThreadId`], since that is not to be had at every moment of a thread's end.
fn this_thread() -> u64 {
    /// 2^40 threads last for ever. Above them stands which copy of this crate counts: a lock may cross from one shared
    /// library to another, which counts its own threads.
    const COUNT_BITS: u32 = 40;
    /// Copies lie in different pages; two of the same 2^24 are 64 GiB apart, or further.
    const PAGE_BITS: u32 = 12;
    static LAST: AtomicU64 = AtomicU64::new(0);
    native::thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            let copy = (std::ptr::from_ref(&LAST).addr() >> PAGE_BITS) as u64;
            // Relaxed: all that matters is that numbers are unique.
            number.set(copy << COUNT_BITS | (LAST.fetch_add(1, Relaxed) + 1));
        }
        number.get()
    })
}

impl<T: ?Sized> Deref for ReentrantLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // Relaxed: read by the owner at its end, which comes after every use of the guard. The test keeps the line
        // clean for those who share it.
        if !self.lock.is_read.load(Relaxed) {
            self.lock.is_read.store(true, Relaxed);
        }
        &self.lock.data
    }
}

impl<T: ?Sized> Drop for ReentrantLockGuard<'_, T> {
    fn drop(&mut self) {
        if !native::is_over() {
            self.lock.leave();
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ReentrantLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Default> Default for ReentrantLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for ReentrantLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for ReentrantLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantLock").finish_non_exhaustive()
    }
}

impl<T: ?Sized> sealed::Sealed for ReentrantLock<T> {}

impl<T: ?Sized> Labelled for ReentrantLock<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}
