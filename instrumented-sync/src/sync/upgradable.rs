//! `UpgradableRwLock`: readers, writers, and one reader that may become a writer.

mod gate;
mod guard;

pub use self::guard::{UpgradableGuard, UpgradableReadGuard, UpgradableWriteGuard};

use self::{
    gate::{Gate, Wish},
    guard::{Pass, Read, Upgradable, Write},
};
use super::deadline::Deadline;
use crate::{
    held::Held,
    native,
    probe::{self, Acquire, Identity, ObjectKind, Site},
    trace::{Labelled, sealed},
};
use std::{fmt, panic::Location, sync::PoisonError, time::Duration};

/// A readers-writer lock with a third way of holding it: one *upgradable* reader, which shares the lock with other
/// readers and keeps writers and its like out, may become the writer without anybody writing in between.
///
/// Writers come first: [`read`](Self::read) queues behind a writer that waits, so that writers do not starve, and
/// a thread that reads already must not call it again. [`read_recursive`](Self::read_recursive) does not queue, so
/// that one may. A lock made by [`reader_preferring`](Self::reader_preferring) never makes readers queue. Not
/// poisoned by a panic.
///
/// records: acquires and releases with their mode, upgrades and downgrades, and waits for either.
///
/// ```
/// use instrumented_sync::{UpgradableGuard, UpgradableRwLock};
///
/// let names = UpgradableRwLock::new(vec!["a"]);
/// let seen = names.upgradable_read();
/// assert!(!seen.contains(&"b"));
/// let mut changed = UpgradableGuard::upgrade(seen);
/// changed.push("b");
/// drop(changed);
/// assert_eq!(*names.read(), ["a", "b"]);
/// ```
pub struct UpgradableRwLock<T: ?Sized> {
    identity: Identity,
    gate: Gate,
    // Last, so that `UpgradableRwLock<T>` unsizes. Nobody ever waits here: who passes the gate finds it free.
    native: native::RwLock<T>,
}

impl<T> UpgradableRwLock<T> {
    native::const_unless_modelled! {
        /// A lock that nobody holds, and that prefers writers.
        ///
        /// ```
        /// use instrumented_sync::UpgradableRwLock;
        ///
        /// static LIMIT: UpgradableRwLock<u32> = UpgradableRwLock::new(3);
        /// assert_eq!(*LIMIT.read(), 3);
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(value: T) -> Self {
            Self { identity: Identity::new(), gate: Gate::new(false), native: native::RwLock::new(value) }
        }
    }

    native::const_unless_modelled! {
        /// A lock whose readers never queue behind writers that wait. Writers starve while there are always readers.
        ///
        /// ```
        /// let lock = instrumented_sync::UpgradableRwLock::reader_preferring(3);
        /// assert_eq!(*lock.read() + *lock.read(), 6);
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn reader_preferring(value: T) -> Self {
            Self { identity: Identity::new(), gate: Gate::new(true), native: native::RwLock::new(value) }
        }
    }

    /// The value, of a lock that nobody can hold any more.
    ///
    /// ```
    /// assert_eq!(instrumented_sync::UpgradableRwLock::new(3).into_inner(), 3);
    /// ```
    pub fn into_inner(self) -> T {
        self.native.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> UpgradableRwLock<T> {
    /// Takes the lock for reading, behind writers that wait. A thread that holds it already may wait for ever.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// assert_eq!(*lock.read(), 1);
    /// ```
    #[track_caller]
    pub fn read(&self) -> UpgradableReadGuard<'_, T> {
        self.obtaining(self.gate.to_read(), Location::caller(), |pass| self.reader(pass))
    }

    /// Takes the lock for reading, also while writers wait: safe for a thread that reads already.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let (first, second) = (lock.read(), lock.read_recursive());
    /// assert_eq!(*first, *second);
    /// ```
    #[track_caller]
    pub fn read_recursive(&self) -> UpgradableReadGuard<'_, T> {
        self.obtaining(Wish::ReadRecursive, Location::caller(), |pass| self.reader(pass))
    }

    /// Takes the lock for reading, as the one reader that may become the writer; behind writers that wait.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.upgradable_read();
    /// assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
    /// assert_eq!(*guard, 1);
    /// ```
    #[track_caller]
    pub fn upgradable_read(&self) -> UpgradableGuard<'_, T> {
        self.obtaining(Wish::ReadUpgradable, Location::caller(), |pass| self.upgradable(pass))
    }

    /// Takes the lock for writing.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// *lock.write() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[track_caller]
    pub fn write(&self) -> UpgradableWriteGuard<'_, T> {
        self.obtaining(Wish::Write, Location::caller(), |pass| self.writer(pass))
    }

    /// As [`Self::read`], if that is possible at once: no writer has the lock or waits for it.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.write();
    /// assert!(lock.try_read().is_none());
    /// ```
    #[track_caller]
    pub fn try_read(&self) -> Option<UpgradableReadGuard<'_, T>> {
        self.trying(self.gate.to_read(), Location::caller(), |pass| self.reader(pass))
    }

    /// As [`Self::read_recursive`], if that is possible at once: no writer has the lock.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.try_read_recursive().is_some());
    /// ```
    #[track_caller]
    pub fn try_read_recursive(&self) -> Option<UpgradableReadGuard<'_, T>> {
        self.trying(Wish::ReadRecursive, Location::caller(), |pass| self.reader(pass))
    }

    /// As [`Self::upgradable_read`], if that is possible at once.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// assert!(lock.try_upgradable_read().is_some());
    /// ```
    #[track_caller]
    pub fn try_upgradable_read(&self) -> Option<UpgradableGuard<'_, T>> {
        self.trying(Wish::ReadUpgradable, Location::caller(), |pass| self.upgradable(pass))
    }

    /// As [`Self::write`], if that is possible at once: nobody has the lock.
    ///
    /// ```
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.try_write().is_none());
    /// ```
    #[track_caller]
    pub fn try_write(&self) -> Option<UpgradableWriteGuard<'_, T>> {
        self.trying(Wish::Write, Location::caller(), |pass| self.writer(pass))
    }

    /// As [`Self::read`], waiting no longer than `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.write();
    /// assert!(lock.read_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Option<UpgradableReadGuard<'_, T>> {
        self.obtaining_by(self.gate.to_read(), Deadline::after(timeout), Location::caller(), |pass| self.reader(pass))
    }

    /// As [`Self::write`], waiting no longer than `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = instrumented_sync::UpgradableRwLock::new(1);
    /// let guard = lock.read();
    /// assert!(lock.write_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[track_caller]
    pub fn write_timeout(&self, timeout: Duration) -> Option<UpgradableWriteGuard<'_, T>> {
        self.obtaining_by(Wish::Write, Deadline::after(timeout), Location::caller(), |pass| self.writer(pass))
    }

    /// The value: nobody else can use the lock meanwhile.
    ///
    /// ```
    /// let mut lock = instrumented_sync::UpgradableRwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.native.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn obtaining<'a, G>(&'a self, wish: Wish, site: Site, guard: impl Fn(Pass<'a>) -> G) -> Held<'a, G> {
        loop {
            // Without a deadline it does not give up: the loop is for the type only.
            if let Some(held) = self.obtaining_by(wish, Deadline::NEVER, site, &guard) {
                return held;
            }
        }
    }

    fn obtaining_by<'a, G>(
        &'a self,
        wish: Wish,
        deadline: Deadline,
        site: Site,
        guard: impl FnOnce(Pass<'a>) -> G,
    ) -> Option<Held<'a, G>> {
        let flags = deadline.flags();
        let acquire = self.acquire(wish, site);
        let enter = || self.gate.enter(wish, deadline).then(|| self.pass(wish));
        let (hold, pass) = acquire.obtaining(flags, || self.try_pass(wish), enter)?;
        Some(Held::new(hold, guard(pass)))
    }

    fn trying<'a, G>(&'a self, wish: Wish, site: Site, guard: impl FnOnce(Pass<'a>) -> G) -> Option<Held<'a, G>> {
        let (hold, pass) = self.acquire(wish, site).trying_to_obtain(|| self.try_pass(wish))?;
        Some(Held::new(hold, guard(pass)))
    }

    fn try_pass(&self, wish: Wish) -> Option<Pass<'_>> {
        self.gate.try_enter(wish).then(|| self.pass(wish))
    }

    fn pass(&self, wish: Wish) -> Pass<'_> {
        Pass::new(&self.gate, wish.mode())
    }

    fn reader<'a>(&'a self, pass: Pass<'a>) -> Read<'a, T> {
        Read::new(pass, &self.native)
    }

    fn upgradable<'a>(&'a self, pass: Pass<'a>) -> Upgradable<'a, T> {
        Upgradable::new(pass, &self.native)
    }

    fn writer<'a>(&'a self, pass: Pass<'a>) -> Write<'a, T> {
        Write::new(pass, &self.native)
    }

    fn acquire(&self, wish: Wish, site: Site) -> Acquire<'_> {
        Acquire {
            identity: &self.identity,
            version: self.identity.version_word(),
            class: Self::class,
            mode: wish.mode(),
            site,
        }
    }

    fn class() -> (ObjectKind, &'static str) {
        (ObjectKind::RwLock, std::any::type_name::<T>())
    }
}

impl<T: Default> Default for UpgradableRwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for UpgradableRwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized> fmt::Debug for UpgradableRwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradableRwLock").finish_non_exhaustive()
    }
}

impl<T: ?Sized> sealed::Sealed for UpgradableRwLock<T> {}

impl<T: ?Sized> Labelled for UpgradableRwLock<T> {
    fn label(&self, text: &str) {
        probe::label(&self.identity, Self::class, text);
    }
}
