//! Probes: what the wrappers call, and the only code that calls the recorder.
//!
//! A probe never changes what its primitive does. The cold work of a recorded operation - registering the
//! thread, capturing a stack, making room - is done before the primitive is touched, so that no lock is held
//! longer for it.

pub(crate) mod access;
pub(crate) mod atomic;
mod operation;
mod process;
#[cfg(shared)]
mod shared;

use crate::{
    held::{Held, Hold},
    recorder::{
        copies::is_delegate,
        entry::{self, APPEND, PREPARE, SITE},
        latch::is_on,
        platform,
        stripe::Stripe,
        table_abi::{Source, Text},
    },
};
use std::{
    panic::Location,
    sync::{LockResult, PoisonError, TryLockError, TryLockResult, atomic::AtomicU64},
};
use trace_format::{Event, ObjectId};

#[cfg(shared)]
pub(crate) use self::shared::{Place, in_shared_memory, owner_died};
pub(crate) use self::{
    operation::Operation,
    process::{child, process_start, role},
};
pub(crate) use crate::{
    identity::{Class, Identity, Unnumbered, latest_version, next_version},
    recorder::{latch::recording, task::TaskSlot},
};
pub(crate) use trace_format::{Flags, Kind, Mode, ObjectKind};

/// A source location, as `#[track_caller]` hands it on.
pub(crate) type Site = &'static Location<'static>;

/// What an acquire is about.
#[derive(Clone, Copy)]
pub(crate) struct Acquire<'a> {
    pub(crate) identity: &'a Identity,
    /// Where its acquires are numbered: in shared memory, if the object lies there.
    pub(crate) version: &'a AtomicU64,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) site: Site,
}

/// An acquire that can be recorded: there is room for its events, and its ids are known.
///
/// Object id and site in one word: what goes between the parts of an acquire stays in registers. A guard that
/// went through memory on the recorded path would do so on the other path too, and cost it half of std's lock.
#[derive(Clone, Copy)]
struct Ready(u64);

impl Ready {
    const NONE: Self = Self(0);

    const fn new(object: u64, site: u32) -> Self {
        Self(object << 24 | site as u64)
    }

    /// The object is not free.
    fn observed(self) {
        if self.0 != 0 {
            observed_while_recording(self.0 >> 24);
        }
    }

    /// Object and site as a word that differs from that of every other such pair, and from what is asked of an object alone.
    ///
    /// Threads remember one word for each value of the low bits, which would be the site's alone: those of many objects
    /// that are used at one site have to differ too.
    const fn look(self) -> u64 {
        !(self.0 ^ self.0 >> 24)
    }

    const fn event(self, kind: Kind, flags: Flags, seq: u64) -> Event {
        Event::new(kind, flags, self.0 as u32, ObjectId(self.0 >> 24), seq)
    }
}

impl<'a> Acquire<'a> {
    /// Acquires, blocking if `try_lock` says that it must. `flags` go into the events.
    ///
    /// The two ways, recorded or not, part and meet again as scalars: a guard that is built on both of them goes
    /// through memory on both.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call would return the guard through memory: 5 ns of std's 16")]
    pub(crate) fn blocking<N, G>(
        self,
        flags: Flags,
        try_lock: impl FnOnce() -> TryLockResult<N>,
        lock: impl FnOnce() -> LockResult<N>,
        wrap: impl FnOnce(N) -> G,
    ) -> LockResult<Held<'a, G>> {
        let mut flags = self.mode.flags().with(flags);
        let ready = if recording() { self.ready() } else { Ready::NONE };
        let acquired = if ready.0 == 0 {
            lock()
        } else {
            match try_lock() {
                Ok(native) => Ok(native),
                Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
                Err(TryLockError::WouldBlock) => {
                    request(ready, flags, self.version);
                    flags = flags.with(Flags::CONTENDED);
                    let acquired = lock();
                    granted();
                    acquired
                }
            }
        };
        if acquired.is_err() {
            flags = flags.with(Flags::POISONED);
        }
        let hold = self.acquired(ready, flags);
        map(acquired, |native| Held::new(hold, wrap(native)))
    }

    /// Acquires if that is possible at once.
    #[inline]
    pub(crate) fn trying<N, G>(
        self,
        try_lock: impl FnOnce() -> TryLockResult<N>,
        wrap: impl FnOnce(N) -> G,
    ) -> TryLockResult<Held<'a, G>> {
        let flags = self.mode.flags().with(Flags::TRY);
        let ready = if recording() { self.ready() } else { Ready::NONE };
        match try_lock() {
            Ok(native) => Ok(Held::new(self.acquired(ready, flags), wrap(native))),
            Err(TryLockError::WouldBlock) => {
                ready.observed();
                Err(TryLockError::WouldBlock)
            }
            Err(TryLockError::Poisoned(poisoned)) => {
                let hold = self.acquired(ready, flags.with(Flags::POISONED));
                Err(TryLockError::Poisoned(PoisonError::new(Held::new(hold, wrap(poisoned.into_inner())))))
            }
        }
    }

    /// Records that a wait which kept the native guard has acquired again.
    pub(crate) fn retaken<N, G>(self, acquired: LockResult<N>, wrap: impl FnOnce(N) -> G) -> LockResult<Held<'a, G>> {
        let flags = self.mode.flags().with(Flags::REACQUIRE);
        let flags = if acquired.is_err() { flags.with(Flags::POISONED) } else { flags };
        let ready = if recording() { self.ready() } else { Ready::NONE };
        let hold = self.acquired(ready, flags);
        map(acquired, |native| Held::new(hold, wrap(native)))
    }

    /// Acquires a primitive that cannot be poisoned, blocking in `lock` if `try_lock` has nothing. `lock` may give up.
    pub(crate) fn obtaining<N>(
        self,
        flags: Flags,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> Option<N>,
    ) -> Option<(Hold<'a>, N)> {
        self.obtaining_with(flags, try_lock, lock, || Flags::NONE)
    }

    /// The same of what has its own kind of poison: once it is acquired, `found` gives further flags.
    pub(crate) fn obtaining_with<N>(
        self,
        flags: Flags,
        try_lock: impl FnOnce() -> Option<N>,
        lock: impl FnOnce() -> Option<N>,
        found: impl FnOnce() -> Flags,
    ) -> Option<(Hold<'a>, N)> {
        let mut flags = self.mode.flags().with(flags);
        let ready = if recording() { self.ready() } else { Ready::NONE };
        let mut obtained = try_lock();
        if obtained.is_none() {
            if ready.0 != 0 {
                request(ready, flags, self.version);
                flags = flags.with(Flags::CONTENDED);
            }
            obtained = lock();
            if ready.0 != 0 {
                granted();
            }
        }
        if obtained.is_none() {
            ready.observed();
        }
        obtained.map(|native| (self.acquired(ready, flags.with(found())), native))
    }

    /// Acquires a primitive that cannot be poisoned, if that is possible at once.
    pub(crate) fn trying_to_obtain<N>(self, try_lock: impl FnOnce() -> Option<N>) -> Option<(Hold<'a>, N)> {
        self.trying_to_obtain_with(try_lock, || Flags::NONE)
    }

    /// As [`Self::obtaining_with`], if that is possible at once.
    pub(crate) fn trying_to_obtain_with<N>(
        self,
        try_lock: impl FnOnce() -> Option<N>,
        found: impl FnOnce() -> Flags,
    ) -> Option<(Hold<'a>, N)> {
        let ready = if recording() { self.ready() } else { Ready::NONE };
        let obtained = try_lock();
        if obtained.is_none() {
            ready.observed();
        }
        obtained.map(|native| (self.acquired(ready, self.mode.flags().with(Flags::TRY).with(found())), native))
    }

    #[inline]
    fn ready(self) -> Ready {
        ready(self.identity, self.class, self.site)
    }

    /// Records the acquire, if it can be; the primitive is held.
    #[inline]
    fn acquired(self, ready: Ready, flags: Flags) -> Hold<'a> {
        if ready.0 == 0 {
            return Hold::unrecorded(self.identity, self.mode);
        }
        let seq = next_seq(self.version, self.mode);
        acquired(ready.event(Kind::ACQUIRE, flags, seq));
        Hold::recorded(self.identity, self.mode, seq)
    }
}

/// Numbers an acquire; the object is held.
#[inline]
fn next_seq(version: &AtomicU64, mode: Mode) -> u64 {
    match mode {
        Mode::Exclusive => next_version(version),
        _ => latest_version(version),
    }
}

// The parts below are functions of their own, not generic and not inlined: a lock's code in the program stays
// small, and the stack pointer that the site cache looks at is that of the program's own frame.

/// What is done before the primitive is touched.
#[inline(never)]
fn ready(identity: &Identity, class: Class, site: Site) -> Ready {
    let object = identity.object(class);
    if object == 0 {
        return Ready::NONE;
    }
    site_here(site).map_or(Ready::NONE, |site| Ready::new(object, site))
}

/// The site of an operation, or `None` if it cannot be recorded. Inlined into a probe, whose frame is the innermost
/// that the site's stack counts.
#[inline(always)]
#[expect(clippy::inline_always, reason = "see above")]
fn site_here(site: Site) -> Option<u32> {
    let found = entry::site_at(Source::of(site), platform::stack_pointer());
    (found & SITE != 0).then_some(found as u32)
}

/// Records an acquire and publishes its hold. Room must have been made before.
#[inline(never)]
pub(crate) fn acquired(acquire: Event) {
    entry::append_acquire(acquire.into());
}

/// Records the acquire of something that the program says it holds already; `acquire` but for its number.
pub(crate) fn acquired_already(identity: &Identity, mode: Mode, acquire: Event) -> Hold<'_> {
    if !entry::prepare() {
        return Hold::unrecorded(identity, mode);
    }
    let seq = next_seq(identity.version_word(), mode);
    acquired(Event::new(Kind::ACQUIRE, acquire.flags(), acquire.site().0, acquire.object(), seq));
    Hold::recorded(identity, mode, seq)
}

/// The primitive is not free: publishes the request; the caller blocks next. It says which acquire was the latest, as far as that is
/// seen from here: in a forked process that of the thread which held the lock, and did not come along.
#[cold]
#[inline(never)]
fn request(ready: Ready, flags: Flags, version: &AtomicU64) {
    let request = ready.event(Kind::REQUEST, flags, latest_version(version));
    entry::begin_wait(request.into(), 0, APPEND);
}

/// The caller has blocked and goes on.
#[cold]
#[inline(never)]
fn granted() {
    entry::end_wait();
}

/// Whether this thread holds the object, and something that it acquired after it.
#[inline(never)]
pub(crate) fn holds_newer(object: u64) -> bool {
    entry::holds_newer(object)
}

/// Records a release and takes its hold back; the primitive is still held. Where that is, the recorder finds out by
/// itself, once for each site of an acquire: this is called by `Drop`.
#[inline(never)]
pub(crate) fn release(object: u64, flags: Flags, seq: u64) {
    let flags = if std::thread::panicking() { flags.with(Flags::PANICKING) } else { flags };
    entry::append_release(Event::new(Kind::RELEASE, flags, 0, ObjectId(object), seq).into());
}

/// The same for a release whose site is known, if it is not 0.
pub(crate) fn release_at(site: u32, object: u64, flags: Flags, seq: u64) {
    let flags = if std::thread::panicking() { flags.with(Flags::PANICKING) } else { flags };
    entry::append_release(Event::new(Kind::RELEASE, flags, site, ObjectId(object), seq).into());
}

/// A wait for something that nobody owns: what to record, and where it is published meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    recorded: bool,
}

impl Waiting {
    /// Publishes a wait that is about to begin. `second` is another object that matters to it, 0 if none.
    pub(crate) fn begin(event: Event, second: u64) -> Self {
        Self { recorded: entry::begin_wait(event.into(), second, PREPARE | APPEND) }
    }

    /// Publishes a wait in the slot only: the events around it say the rest. `second` as in [`Self::begin`].
    pub(crate) fn begin_silent(event: Event, second: u64) -> Self {
        Self { recorded: entry::begin_wait(event.into(), second, PREPARE) }
    }

    /// Whether the wait is published; if not, its operation cannot be recorded.
    pub(crate) const fn is_recorded(self) -> bool {
        self.recorded
    }

    /// The wait is over.
    pub(crate) fn end(self) {
        if self.recorded {
            entry::end_wait();
        }
    }
}

/// Object and site of an operation that is not an acquire, or `None` if it cannot be recorded.
pub(crate) fn operation(identity: &Identity, class: Class, site: Site) -> Option<(ObjectId, u32)> {
    let object = identity.object(class);
    if object == 0 {
        return None;
    }
    site_here(site).map(|site| (ObjectId(object), site))
}

/// The same, `None` if nothing is recorded.
#[cfg(any(feature = "parking_lot", feature = "parking_lot_013"))]
pub(crate) fn operation_if_recording(identity: &Identity, class: Class, site: Site) -> Option<(ObjectId, u32)> {
    if recording() { operation(identity, class, site) } else { None }
}

/// The identity of a primitive with a capacity - parties, counts, permits, room -, which is recorded with its first
/// operation. What such a primitive hands to any other probe comes from here.
#[inline]
pub(crate) fn with_capacity(identity: &Identity, class: Class, capacity: u64) -> &Identity {
    if recording() {
        identity.object_with_capacity(class, capacity);
    }
    identity
}

/// Records that an operation which waits for nothing has told this thread something about the object: that a lock is held,
/// that a thread has ended. Nothing orders it, so no schedule is proven in which it matters. Once for each thread and
/// object, or little more often.
#[inline]
pub(crate) fn observed(identity: &Identity, class: Class) {
    if recording() {
        observed_while_recording(identity.object(class));
    }
}

/// The same of an object that is known by its id; 0 is none.
#[cold]
#[inline(never)]
pub(crate) fn observed_while_recording(object: u64) {
    if object != 0 && entry::is_first_look(object << 2) {
        append(Event::new(Kind::LOOK, Flags::NONE, 0, ObjectId(object), 0));
    }
}

/// Whether the newest of this thread's holds with which it reads the object is shared-recursive.
#[cfg(feature = "lock_api")]
pub(crate) fn is_read_recursively(identity: &Identity) -> bool {
    entry::is_read_recursively(identity.known_object())
}

/// Records that a wait for the object was not needed: its condition was false when it was first asked. Had this thread come
/// earlier it would have waited, and given `mutex` up meanwhile. Once for each thread, object and site, or little more often.
#[inline]
pub(crate) fn passed(identity: &Identity, class: Class, mutex: u64, site: Site) {
    if recording() {
        passed_while_recording(identity, class, mutex, site);
    }
}

#[inline(never)]
fn passed_while_recording(identity: &Identity, class: Class, mutex: u64, site: Site) {
    let ready = ready(identity, class, site);
    if ready.0 != 0 && entry::is_first_look(ready.look()) {
        append(ready.event(Kind::PASS, Flags::NONE, mutex));
    }
}

/// Records the use of what another thread has initialised: the first one of this thread, which comes after that; and
/// further ones while it holds something, since then it might have had to wait. `flags` say [`Flags::TRY`] of a use that
/// waits for nothing; its first is not the first of those that may.
#[inline]
pub(crate) fn used(identity: &Identity, class: Class, site: Site, flags: Flags) {
    if recording() {
        used_while_recording(identity, class, site, flags);
    }
}

#[inline(never)]
fn used_while_recording(identity: &Identity, class: Class, site: Site, flags: Flags) {
    let use_of = |object: u64| object << 2 | if flags.has(Flags::TRY) { 2 } else { 1 };
    let is_wanted = entry::holds_something() || entry::is_first_look(use_of(identity.object(class)));
    let ready = if is_wanted { ready(identity, class, site) } else { Ready::NONE };
    if ready.0 != 0 {
        let shared = Mode::Shared.flags();
        let acquire = ready.event(Kind::ACQUIRE, shared.with(flags), identity.version());
        entry::append_pair(acquire.into(), ready.event(Kind::RELEASE, shared, acquire.seq()).into());
    }
}

/// Object id of a primitive that is to be recorded.
pub(crate) fn object(identity: &Identity, class: Class) -> ObjectId {
    ObjectId(identity.object(class))
}

/// The site of an operation, or `None` if it cannot be recorded.
pub(crate) fn site(site: Site) -> Option<u32> {
    site_here(site)
}

/// Appends an event, if there is room.
pub(crate) fn append(event: Event) {
    entry::append(event.into());
}

/// Appends an event with its extension, or with another that belongs to it, if there is room.
pub(crate) fn append_extended(event: Event, extension: Event) {
    entry::append_pair(event.into(), extension.into());
}

/// Names an object.
pub(crate) fn label(identity: &Identity, class: Class, text: &str) {
    let object = identity.object(class);
    if object != 0 {
        entry::label(object, Text::of(text));
    }
}

/// A new object id, 0 if none can be had.
pub(crate) fn take_object() -> u64 {
    entry::take_object()
}

/// This thread's object id, 0 if it cannot be recorded.
pub(crate) fn this_thread() -> u64 {
    entry::this_thread()
}

/// Begins this thread as the one that a FORK announced.
pub(crate) fn begin_thread(object: u64) {
    // Another copy's std does not know the names of the threads that this one starts.
    let thread = is_delegate().then(std::thread::current);
    let name = thread.as_ref().and_then(std::thread::Thread::name).unwrap_or("");
    entry::begin_thread(object, Text::of(name));
}

/// Differs between a process and what is forked from it, as far as something was recorded before: threads of another
/// generation do not exist here.
pub(crate) fn generation() -> u64 {
    if is_on() { entry::generation() } else { 0 }
}

/// Applies `f` to what was acquired, poisoned or not.
pub(crate) fn map<N, G>(result: LockResult<N>, f: impl FnOnce(N) -> G) -> LockResult<G> {
    match result {
        Ok(native) => Ok(f(native)),
        Err(poisoned) => Err(PoisonError::new(f(poisoned.into_inner()))),
    }
}
