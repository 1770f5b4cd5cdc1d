//! What a thread holds: the list in its slot, and in the overflow records behind it.

use super::{
    super::{process, site},
    Local,
};
use std::sync::atomic::Ordering;
use trace_format::{
    Event, Flags, Kind, Mode, ObjectId, SiteId, chunk,
    segment::RawWords,
    slot::{self, FIRST_HOLD, FIRST_OVERFLOW_HOLD, HOLDS_INLINE, HOLDS_OVERFLOW},
    words::{ReadWords, Words},
};

impl Local {
    /// As [`Self::prepare`], for an operation that may begin a hold. Before its primitive is touched: what is made here
    /// while a lock is held keeps others waiting for it.
    #[inline]
    pub(crate) fn prepare_hold(&self) -> bool {
        self.prepare() && {
            if self.n_holds.get() >= HOLDS_INLINE {
                self.make_room_for_hold();
            }
            true
        }
    }

    #[cold]
    fn make_room_for_hold(&self) {
        if let Some(_busy) = Self::enter() {
            self.extend_holds();
        }
    }

    /// Sees to it that there is a place for one more hold, if space for it can be had. Called while busy.
    pub(super) fn extend_holds(&self) {
        let Some(beyond) = self.n_holds.get().checked_sub(HOLDS_INLINE) else { return };
        // Borrowed if a signal handler comes while the list is read.
        if let Ok(mut overflow) = self.overflow.try_borrow_mut() {
            overflow.extend_to(self.slot.get(), beyond / HOLDS_OVERFLOW);
        }
    }

    /// Publishes a hold. False if there is no place for it: then it is recorded, but not listed.
    pub(super) fn push_hold(&self, hold: Event) -> bool {
        let n = self.n_holds.get();
        let Some((words, at)) = self.hold_place(n) else { return false };
        slot::push(&self.slot.get(), &words, at, n, hold);
        self.n_holds.set(n + 1);
        true
    }

    /// Appends an ACQUIRE and publishes the hold that it begins.
    #[inline]
    pub(crate) fn append_acquire(&self, event: Event) {
        let n = self.n_holds.get();
        if n >= HOLDS_INLINE {
            return self.append_overflow(event);
        }
        self.write(|words, at| {
            let slot = self.slot.get();
            slot::push(&slot, &slot, FIRST_HOLD + n * Event::WORDS, n, event);
            self.n_holds.set(n + 1);
            chunk::write(&words, at, event)
        });
    }

    /// Appends a RELEASE and takes back the hold that it ends. The first one of what was acquired at a site gets a site
    /// too, if it has none.
    #[inline]
    pub(crate) fn append_release(&self, event: Event) {
        // Without a hold the subtraction wraps, and the comparison sends that the cold way too.
        let newest = self.n_holds.get().wrapping_sub(1);
        if newest >= HOLDS_INLINE {
            return self.append_remove(event);
        }
        let hold = self.inline_hold(newest);
        if !is_hold_of(hold, event) || !site::has_release(hold.site()) {
            return self.append_remove(event);
        }
        self.write(|words, at| {
            slot::pop(&self.slot.get(), newest);
            self.n_holds.set(newest);
            chunk::write(&words, at, event)
        });
    }

    #[inline]
    fn inline_hold(&self, n: usize) -> Event {
        let (slot, at) = (self.slot.get(), FIRST_HOLD + n * Event::WORDS);
        // Relaxed: this thread wrote it.
        Event::from_words([at, at + 1].map(|at| slot.load(at, Ordering::Relaxed)))
    }

    #[cold]
    #[inline(never)]
    fn append_overflow(&self, event: Event) {
        self.write(|words, at| {
            if !self.push_hold(event) {
                process::count_lost(1);
            }
            chunk::write(&words, at, event)
        });
    }

    #[cold]
    #[inline(never)]
    fn append_remove(&self, event: Event) {
        // In a forked process, of a guard that is its parent's: what lies in shared memory is not the child's to release, and its
        // guards stay with their threads.
        if event.object().is_in_shared_memory() && self.find_hold(event).is_none() {
            return;
        }
        let event = self.with_release_site(event);
        self.write(|words, at| {
            self.remove_hold(event);
            chunk::write(&words, at, event)
        });
    }

    /// Whether this thread holds something that was recorded.
    #[inline]
    pub(crate) fn holds_something(&self) -> bool {
        self.n_holds.get() > 0
    }

    /// Hold number `n`.
    pub(super) fn hold(&self, n: usize) -> Option<Event> {
        let (words, at) = self.hold_place(n)?;
        // Relaxed: this thread wrote it.
        Some(Event::from_words([at, at + 1].map(|at| words.load(at, Ordering::Relaxed))))
    }

    /// Where hold number `n` lies: in the slot, or in the overflow record that its number leads to.
    fn hold_place(&self, n: usize) -> Option<(RawWords, usize)> {
        if n < HOLDS_INLINE {
            return Some((self.slot.get(), FIRST_HOLD + n * Event::WORDS));
        }
        let (record, place) = ((n - HOLDS_INLINE) / HOLDS_OVERFLOW, (n - HOLDS_INLINE) % HOLDS_OVERFLOW);
        // Borrowed if a signal handler comes while the list grows.
        let record = self.overflow.try_borrow().ok()?.record(record)?;
        Some((record, FIRST_OVERFLOW_HOLD + place * Event::WORDS))
    }

    /// Whether this thread holds the object, and has acquired something after it that it holds, or waited for something
    /// that is no lock.
    #[inline]
    pub(crate) fn holds_newer(&self, object: ObjectId) -> bool {
        let n = self.n_holds.get();
        let is_newer = n > 1 && self.hold(n - 1).is_some_and(|newest| newest.object() != object);
        is_newer && self.n_holds_of(object) > 0 || self.waited_with.get().0 > 0 && self.has_waited_with(object)
    }

    /// Remembers what the thread holds, now that a wait for what is no lock is over.
    pub(crate) fn note_wait(&self) {
        let n = self.n_holds.get();
        let newest = n.checked_sub(1).and_then(|newest| self.hold(newest));
        self.waited_with.set(newest.map_or((0, [0; 2]), |newest| (n, newest.words())));
    }

    /// Whether the thread has held the object through its latest wait.
    ///
    /// If the hold that was the newest then is still where it was, those below it are the same too. Numbers tell exclusive
    /// holds apart; of one that others share there may be an equal one, so nothing is said of it.
    #[cold]
    fn has_waited_with(&self, object: ObjectId) -> bool {
        let (n, newest) = self.waited_with.get();
        let is_same = |hold: &Event| hold.words() == newest && hold.flags().mode() == Mode::Exclusive && hold.seq() > 0;
        n <= self.n_holds.get()
            && self.hold(n - 1).as_ref().is_some_and(is_same)
            && (0..n).filter_map(|n| self.hold(n)).any(|hold| hold.object() == object)
    }

    /// How often this thread holds an object.
    pub(crate) fn n_holds_of(&self, object: ObjectId) -> usize {
        (0..self.n_holds.get()).filter_map(|n| self.hold(n)).filter(|hold| hold.object() == object).count()
    }

    /// In which way this thread holds an object that it reads: in the newest, if there are several.
    pub(crate) fn reads_as(&self, object: ObjectId) -> Option<Mode> {
        let held = (0..self.n_holds.get()).rev().filter_map(|n| self.hold(n)).filter(|hold| hold.object() == object);
        held.map(|hold| hold.flags().mode()).find(|mode| matches!(mode, Mode::Shared | Mode::SharedRecursive))
    }

    /// Appends an UPGRADE or a DOWNGRADE, and publishes what the hold of mode `from` is now.
    pub(crate) fn change_hold(&self, from: Mode, event: Event) {
        let is_meant = |hold: Event| hold.object() == event.object() && hold.flags().mode() == from;
        self.write(|words, at| {
            let found = (0..self.n_holds.get()).rev().find(|n| self.hold(*n).is_some_and(is_meant));
            if let Some((holds, place)) = found.and_then(|n| self.hold_place(n)) {
                let hold = Event::new(Kind::ACQUIRE, event.flags(), event.site().0, event.object(), event.seq());
                slot::change(&holds, place, hold);
            }
            chunk::write(&words, at, event)
        });
    }

    /// The release with the place where the guard is dropped, if nobody has told yet where guards are dropped that were
    /// acquired where this one was. A panic drops them anywhere, which says nothing of others.
    fn with_release_site(&self, release: Event) -> Event {
        let is_told = release.site() != SiteId::NONE || release.flags().has(Flags::PANICKING);
        let hold = if is_told { None } else { self.find_hold(release).and_then(|found| self.hold(found)) };
        match hold.filter(|hold| site::is_first_release(hold.site())) {
            Some(_) => {
                let site = self.release_site();
                Event::new(release.kind(), release.flags(), site, release.object(), release.seq())
            }
            None => release,
        }
    }

    /// Number of the hold that a RELEASE ends; one that was not listed is not found.
    fn find_hold(&self, release: Event) -> Option<usize> {
        (0..self.n_holds.get()).rev().find(|n| self.hold(*n).is_some_and(|hold| is_hold_of(hold, release)))
    }

    /// Takes a hold out, perhaps of the middle: a guard that was not the newest is dropped.
    fn remove_hold(&self, release: Event) {
        let n = self.n_holds.get();
        let Some(found) = self.find_hold(release) else { return };
        for i in found + 1..n {
            let (Some((words, at)), Some(hold)) = (self.hold_place(i - 1), self.hold(i)) else { continue };
            let [first, second] = hold.words();
            // Relaxed: a thread that is removing does not wait, so no snapshot of it claims to be exact.
            words.store(at, first, Ordering::Relaxed);
            words.store(at + 1, second, Ordering::Relaxed);
        }
        slot::pop(&self.slot.get(), n - 1);
        self.n_holds.set(n - 1);
    }
}

/// Whether this is the hold that a RELEASE ends. The mode counts too: a thread may hold a lock upgradable and shared.
#[inline]
fn is_hold_of(hold: Event, release: Event) -> bool {
    hold.object() == release.object() && hold.flags().mode() == release.flags().mode()
}
