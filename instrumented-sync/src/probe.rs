//! Probes: what the wrappers call, and the only code that calls the recorder.
//!
//! A probe never changes what its primitive does. The cold work of a recorded operation - registering the
//! thread, capturing a stack, making room - is done before the primitive is touched, so that no lock is held
//! longer for it.

use crate::{
    held::{Held, Hold},
    identity::{Class, Identity},
    recorder::Local,
};
use std::{
    panic::Location,
    sync::{LockResult, PoisonError, TryLockError, TryLockResult},
};
use trace_format::{Event, Flags, Kind, Mode, ObjectId};

pub(crate) use crate::recorder::latch::recording;

/// A source location, as `#[track_caller]` hands it on.
pub(crate) type Site = &'static Location<'static>;

/// What an acquire is about.
#[derive(Clone, Copy)]
pub(crate) struct Acquire<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) site: Site,
}

/// An acquire that can be recorded: there is room for its events, and its ids are known.
#[derive(Clone, Copy)]
struct Ready {
    object: ObjectId,
    site: u32,
}

impl<'a> Acquire<'a> {
    /// Acquires, blocking if `try_lock` says that it must.
    #[inline]
    pub(crate) fn blocking<N, G>(
        self,
        try_lock: impl FnOnce() -> TryLockResult<N>,
        lock: impl FnOnce() -> LockResult<N>,
        wrap: impl FnOnce(N) -> G,
    ) -> LockResult<Held<'a, G>> {
        if recording() {
            self.blocking_recorded(Flags::NONE, try_lock, lock, wrap)
        } else {
            map(lock(), |native| Held::new(Hold::unrecorded(self.identity, self.mode), wrap(native)))
        }
    }

    /// As [`Self::blocking`] when recording is on; `flags` go into the events.
    // Not inlined: one body per lock type instead of one per call, and one stack depth for the site cache.
    #[inline(never)]
    pub(crate) fn blocking_recorded<N, G>(
        self,
        flags: Flags,
        try_lock: impl FnOnce() -> TryLockResult<N>,
        lock: impl FnOnce() -> LockResult<N>,
        wrap: impl FnOnce(N) -> G,
    ) -> LockResult<Held<'a, G>> {
        let Some(ready) = self.ready() else {
            return map(lock(), |native| Held::new(Hold::unrecorded(self.identity, self.mode), wrap(native)));
        };
        let (acquired, flags) = match try_lock() {
            Ok(native) => (Ok(native), flags),
            Err(TryLockError::Poisoned(poisoned)) => (Err(poisoned), flags),
            Err(TryLockError::WouldBlock) => (self.contended(ready, flags, lock), flags.with(Flags::CONTENDED)),
        };
        let flags = if acquired.is_err() { flags.with(Flags::POISONED) } else { flags };
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
        if recording() {
            return self.trying_recorded(try_lock, wrap);
        }
        let unrecorded = |native| Held::new(Hold::unrecorded(self.identity, self.mode), wrap(native));
        map_try(try_lock(), unrecorded)
    }

    #[inline(never)]
    fn trying_recorded<N, G>(
        self,
        try_lock: impl FnOnce() -> TryLockResult<N>,
        wrap: impl FnOnce(N) -> G,
    ) -> TryLockResult<Held<'a, G>> {
        let ready = self.ready();
        let result = try_lock();
        let hold = match (&result, ready) {
            (Err(TryLockError::WouldBlock), _) => return Err(TryLockError::WouldBlock),
            (_, None) => Hold::unrecorded(self.identity, self.mode),
            (Ok(_), Some(ready)) => self.acquired(ready, Flags::TRY),
            (Err(TryLockError::Poisoned(_)), Some(ready)) => self.acquired(ready, Flags::TRY.with(Flags::POISONED)),
        };
        map_try(result, |native| Held::new(hold, wrap(native)))
    }

    #[inline]
    fn ready(self) -> Option<Ready> {
        Local::with(|local| {
            let object = self.identity.object(local, self.class);
            if object == 0 || !local.prepare() {
                return None;
            }
            Some(Ready { object: ObjectId(object), site: local.acquire_site(self.site, object) })
        })
    }

    /// The primitive is not free: publishes the request, then blocks.
    #[cold]
    fn contended<R>(self, ready: Ready, flags: Flags, lock: impl FnOnce() -> R) -> R {
        let flags = self.mode.flags().with(flags);
        let request = Event::new(Kind::REQUEST, flags, ready.site, ready.object, 0);
        Local::with(|local| {
            local.append(request);
            local.begin_wait(request, 0);
        });
        let acquired = lock();
        Local::with(Local::end_wait);
        acquired
    }

    /// Records the acquire; the primitive is held.
    #[inline]
    fn acquired(self, ready: Ready, flags: Flags) -> Hold<'a> {
        let seq = match self.mode {
            Mode::Exclusive => self.identity.next_version(),
            _ => self.identity.version(),
        };
        let flags = self.mode.flags().with(flags);
        Local::with(|local| {
            local.append_acquire(Event::new(Kind::ACQUIRE, flags, ready.site, ready.object, seq));
        });
        Hold::recorded(self.identity, self.mode, seq)
    }
}

/// Records a release; the primitive is still held.
#[inline(never)]
pub(crate) fn release(hold: &Hold<'_>, flags: Flags) {
    let panicking = if std::thread::panicking() { Flags::PANICKING } else { Flags::NONE };
    let flags = hold.mode().flags().with(hold.touched()).with(flags).with(panicking);
    Local::with(|local| {
        let object = ObjectId(hold.identity().known_object());
        let release = Event::new(Kind::RELEASE, flags, 0, object, hold.seq());
        if local.prepare() {
            local.append_release(release);
        }
    });
}

/// A wait for something that nobody owns: what to record, and where it is published meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    recorded: bool,
}

impl Waiting {
    /// Publishes a wait that is about to begin. `second` is another object that matters to it, 0 if none.
    pub(crate) fn begin(event: Event, second: u64) -> Self {
        Self::begin_in(event, second, true)
    }

    /// Publishes a wait in the slot only: the events around it say the rest.
    pub(crate) fn begin_silent(event: Event) -> Self {
        Self::begin_in(event, 0, false)
    }

    fn begin_in(event: Event, second: u64, append: bool) -> Self {
        Local::with(|local| {
            let recorded = local.prepare();
            if recorded {
                if append {
                    local.append(event);
                }
                local.begin_wait(event, second);
            }
            Self { recorded }
        })
    }

    /// The wait is over.
    pub(crate) fn end(self) {
        if self.recorded {
            Local::with(Local::end_wait);
        }
    }
}

/// Object and site of an operation that is not an acquire, or `None` if it cannot be recorded.
pub(crate) fn operation(identity: &Identity, class: Class, site: Site) -> Option<(ObjectId, u32)> {
    Local::with(|local| {
        let object = identity.object(local, class);
        (object != 0 && local.prepare()).then(|| (ObjectId(object), local.site(site)))
    })
}

/// The site of an operation, or `None` if it cannot be recorded.
pub(crate) fn site(site: Site) -> Option<u32> {
    Local::with(|local| local.prepare().then(|| local.site(site)))
}

/// Appends an event, if there is room.
pub(crate) fn append(event: Event) {
    Local::with(|local| {
        if local.prepare() {
            local.append(event);
        }
    });
}

/// Appends an event with its extension, if there is room.
pub(crate) fn append_extended(event: Event, extension: Event) {
    Local::with(|local| {
        if local.prepare() {
            local.append_extended(event, extension);
        }
    });
}

/// Names an object.
pub(crate) fn label(identity: &Identity, class: Class, text: &str) {
    let object = Local::with(|local| identity.object(local, class));
    if object != 0 {
        Local::label(object, text);
    }
}

/// A new object id, 0 if none can be had.
pub(crate) fn take_object() -> u64 {
    Local::with(|local| if local.prepare() { local.take_object() } else { 0 })
}

/// This thread's object id, 0 if it cannot be recorded.
pub(crate) fn this_thread() -> u64 {
    Local::with(|local| if local.prepare() { local.thread() } else { 0 })
}

/// Begins this thread as the one that a FORK announced.
pub(crate) fn begin_thread(object: u64) {
    Local::with(|local| {
        local.announce(object);
        local.prepare();
    });
}

/// Applies `f` to what was acquired, poisoned or not.
pub(crate) fn map<N, G>(result: LockResult<N>, f: impl FnOnce(N) -> G) -> LockResult<G> {
    match result {
        Ok(native) => Ok(f(native)),
        Err(poisoned) => Err(PoisonError::new(f(poisoned.into_inner()))),
    }
}

fn map_try<N, G>(result: TryLockResult<N>, f: impl FnOnce(N) -> G) -> TryLockResult<G> {
    match result {
        Ok(native) => Ok(f(native)),
        Err(TryLockError::Poisoned(poisoned)) => {
            Err(TryLockError::Poisoned(PoisonError::new(f(poisoned.into_inner()))))
        }
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
    }
}
