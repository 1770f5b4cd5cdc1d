//! What a raw lock records, whatever crate's traits it has: what is done, and the way it was held in between.

use crate::{
    held::Hold,
    identity::{Class, Identity},
    probe::{self, Acquire, Operation, Site},
};
use std::any::type_name;
use trace_format::{Flags, Mode, ObjectKind, Unseen};

/// A hold that is kept in one word: the number of its acquire, or what is said of one that was not recorded.
pub(super) type Kept = u64;

/// The recorded side of a raw lock.
pub(super) struct Recorded {
    identity: Identity,
}

/// The class of a raw mutex: it guards a `T` at most, and nobody sees what is done to it.
pub(super) fn mutex_of<T: ?Sized>() -> (ObjectKind, &'static str) {
    (ObjectKind::Mutex, type_name::<Unseen<T>>())
}

/// The same of a read-write lock.
pub(super) fn rwlock_of<T: ?Sized>() -> (ObjectKind, &'static str) {
    (ObjectKind::RwLock, type_name::<Unseen<T>>())
}

/// A wait for a notify.
#[cfg(any(feature = "parking_lot", feature = "parking_lot_013"))]
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// Object and site, if it is recorded.
    pub(crate) operation: Option<(trace_format::ObjectId, u32)>,
    pub(crate) deadline: crate::sync::deadline::Deadline,
    pub(crate) site: Site,
}

/// How a lock is to be taken, and where.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) class: Class,
    pub(super) mode: Mode,
    pub(super) flags: Flags,
    pub(super) site: Site,
}

impl Recorded {
    pub(super) const fn new() -> Self {
        Self { identity: Identity::unplaced() }
    }

    /// Takes the lock, in `lock` if `try_lock` has nothing.
    #[inline]
    pub(super) fn obtain<N>(
        &self,
        wish: Wish,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> N,
    ) -> (Kept, N) {
        match self.obtain_in_time(wish, try_lock, || Some(lock())) {
            Some(obtained) => obtained,
            None => unreachable!("who has no time limit does not give up"),
        }
    }

    /// The same, of a `lock` that may give up.
    #[inline]
    pub(super) fn obtain_in_time<N>(
        &self,
        wish: Wish,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> Option<N>,
    ) -> Option<(Kept, N)> {
        let obtained = self.acquire(wish).obtaining(wish.flags, try_lock, lock);
        obtained.map(|(hold, native)| (hold.set_aside(), native))
    }

    /// The same, if it is possible at once.
    #[inline]
    pub(super) fn attempt<N>(&self, wish: Wish, try_lock: impl FnOnce() -> Option<N>) -> Option<(Kept, N)> {
        let obtained = self.acquire(wish).trying_to_obtain(try_lock);
        obtained.map(|(hold, native)| (hold.set_aside(), native))
    }

    /// The hold that was kept: dropped, it records its release, which comes before the lock is freed.
    #[inline]
    pub(super) fn hold(&self, mode: Mode, kept: Kept) -> Hold<'_> {
        Hold::taken_up(&self.identity, mode, kept, touched(mode))
    }

    /// The hold of one that reads, which has no number of its own: as long as somebody reads, the latest one is still the same.
    /// `may_be_recursive` says whether to find out in which way it reads: in the one that it began with last.
    #[cfg(feature = "lock_api")]
    #[inline]
    pub(super) fn shared_hold(&self, may_be_recursive: bool) -> Hold<'_> {
        let is_recursive = may_be_recursive && probe::is_read_recursively(&self.identity);
        let mode = if is_recursive { Mode::SharedRecursive } else { Mode::Shared };
        self.hold(mode, self.identity.version())
    }

    /// Goes on from the upgradable hold, of which the lock keeps `held`, to the exclusive one: in `wait` if `upgrade` cannot.
    ///
    /// # Errors
    ///
    /// `wait` gave up, and the hold is as it was.
    pub(super) fn upgrade<U, E>(
        &self,
        kept: &mut Kept,
        held: U,
        site: Site,
        upgrade: impl FnOnce(U) -> Result<E, U>,
        wait: impl FnOnce(U) -> Result<E, U>,
    ) -> Result<E, U> {
        self.change_up(kept, site, |operation| {
            upgrade(held).or_else(|held| {
                let waiting = operation.map(Operation::waits_for_upgrade);
                let result = wait(held);
                waiting.inspect(|waiting| waiting.end());
                result
            })
        })
    }

    /// The same, if it is possible at once.
    ///
    /// # Errors
    ///
    /// It is not, and the hold is as it was.
    pub(super) fn upgrade_at_once<U, E>(
        &self,
        kept: &mut Kept,
        site: Site,
        upgrade: impl FnOnce() -> Result<E, U>,
    ) -> Result<E, U> {
        self.change_up(kept, site, |_| upgrade())
    }

    fn change_up<U, E>(
        &self,
        kept: &mut Kept,
        site: Site,
        upgrade: impl FnOnce(Option<Operation>) -> Result<E, U>,
    ) -> Result<E, U> {
        let mut hold = self.hold(Mode::Upgradable, *kept);
        let operation = Operation::change(&hold, site);
        let result = upgrade(operation);
        if let Some(operation) = operation.filter(|_| result.is_ok()) {
            operation.upgraded(&mut hold);
        }
        *kept = hold.set_aside();
        result
    }

    /// Goes on from one hold to one that excludes fewer. Nobody else may use that yet.
    pub(super) fn downgrade(&self, from: Mode, to: Mode, kept: Kept, site: Site) -> Kept {
        let mut hold = self.hold(from, kept);
        if let Some(operation) = Operation::change(&hold, site) {
            operation.downgrades(from, to, &mut hold);
        }
        hold.set_aside()
    }

    /// Somebody looks whether the lock is held.
    pub(super) fn observed(&self, class: Class) {
        probe::observed(&self.identity, class);
    }

    pub(super) fn label(&self, class: Class, text: &str) {
        probe::label(&self.identity, class, text);
    }

    #[inline]
    fn acquire(&self, wish: Wish) -> Acquire<'_> {
        let Wish { class, mode, site, .. } = wish;
        Acquire { identity: &self.identity, version: self.identity.version_word(), class, mode, site }
    }
}

/// What a section may have done to the data: nobody knows, so all that it could.
const fn touched(mode: Mode) -> Flags {
    match mode {
        Mode::Exclusive => Flags::READ.with(Flags::WROTE),
        _ => Flags::READ,
    }
}

/// Ends the program where a panic would leave a guard of what is not held.
#[cfg(any(feature = "parking_lot", feature = "parking_lot_013"))]
pub(super) fn without_unwinding<T>(run: impl FnOnce() -> T) -> T {
    struct Abort;

    impl Drop for Abort {
        fn drop(&mut self) {
            std::process::abort();
        }
    }

    let abort = Abort;
    let result = run();
    std::mem::forget(abort);
    result
}
