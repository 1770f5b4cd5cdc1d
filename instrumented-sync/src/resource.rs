//! Annotations for blocking primitives of the program's own: what the recorder cannot see, the program says.
//!
//! A [`Resource`] stands beside a primitive. Where somebody owns the primitive, say [`Resource::request`] before
//! blocking, [`Request::acquired`] once it is held, and drop the [`Holding`] before it is given back. Where nobody
//! does, say [`Resource::wait`] around the blocking and [`Resource::notify`] before waking.
//!
//! **Contract.** [`Request::acquired`] and [`Resource::acquired`] are called while the primitive is held, and the
//! [`Holding`] is dropped while it is still held: exclusive acquires are numbered, and the primitive itself is what keeps
//! two threads from numbering at once. A broken contract makes reports wrong, never the program. Between a request
//! or a wait and its end the thread blocks in nothing else that is recorded: a slot publishes one wait at a time.
//!
//! ```
//! use instrumented_sync::{resource::{Holding, Mode, Resource}, thread};
//! use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
//!
//! struct SpinLock {
//!     is_locked: AtomicBool,
//!     resource: Resource,
//! }
//!
//! /// The holding is the first field: it is dropped, and the release recorded, before the lock is free.
//! struct Guard<'a>(Option<Holding<'a>>, &'a AtomicBool);
//!
//! impl SpinLock {
//!     const fn new() -> Self {
//!         Self { is_locked: AtomicBool::new(false), resource: Resource::new("spin lock") }
//!     }
//!
//!     #[track_caller]
//!     fn lock(&self) -> Guard<'_> {
//!         if !self.is_locked.swap(true, Ordering::Acquire) {
//!             return Guard(Some(self.resource.acquired(Mode::Exclusive)), &self.is_locked);
//!         }
//!         let request = self.resource.request(Mode::Exclusive);
//!         while self.is_locked.swap(true, Ordering::Acquire) {
//!             std::hint::spin_loop();
//!         }
//!         Guard(Some(request.acquired()), &self.is_locked)
//!     }
//! }
//!
//! impl Drop for Guard<'_> {
//!     fn drop(&mut self) {
//!         drop(self.0.take());
//!         self.1.store(false, Ordering::Release);
//!     }
//! }
//!
//! static LOCK: SpinLock = SpinLock::new();
//! static COUNT: AtomicU32 = AtomicU32::new(0);
//! thread::scope(|scope| {
//!     for _ in 0..2 {
//!         scope.spawn(|| {
//!             let _guard = LOCK.lock();
//!             COUNT.store(COUNT.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
//!         });
//!     }
//! });
//! assert_eq!(COUNT.load(Ordering::Relaxed), 2);
//! ```

#[cfg_attr(not(recorded), path = "unrecorded/resource.rs")]
mod record;

use self::record::{Hold, Object, Requested, Waited};
use std::{fmt, marker::PhantomData, panic::Location};

/// How a resource is held or wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Excludes everybody.
    Exclusive,
    /// Excludes exclusive holders.
    Shared,
}

/// Stands in the trace for something that the program blocks on.
pub struct Resource {
    object: Object,
}

/// Keeps an annotation on the thread whose doing it describes.
type OfThisThread = PhantomData<*const ()>;

impl Resource {
    /// A resource that reports call `name`.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        Self { object: Object::new(name) }
    }

    /// The thread is about to block until it owns the resource. Dropped instead of
    /// [`acquired`](Request::acquired), the request was given up.
    #[track_caller]
    pub fn request(&self, mode: Mode) -> Request<'_> {
        let site = Location::caller();
        Request { resource: self, mode, site, requested: self.object.request(mode, site), on: PhantomData }
    }

    /// The thread owns the resource and did not have to wait.
    #[track_caller]
    pub fn acquired(&self, mode: Mode) -> Holding<'_> {
        Holding { _hold: self.object.acquire(mode, None, Location::caller()), on: PhantomData }
    }

    /// The thread is about to block until somebody notifies it.
    #[track_caller]
    pub fn wait(&self) -> ResourceWait<'_> {
        ResourceWait { waited: self.object.wait(false, Location::caller()), on: PhantomData }
    }

    /// As [`Self::wait`], but it gives up after a time.
    #[track_caller]
    pub fn wait_timed(&self) -> ResourceWait<'_> {
        ResourceWait { waited: self.object.wait(true, Location::caller()), on: PhantomData }
    }

    /// The thread is about to wake `n_woken` threads that wait. Returns the number to hand to them for
    /// [`ResourceWait::woken_by`], 0 if this is not recorded.
    ///
    /// ```
    /// use instrumented_sync::{resource::Resource, thread};
    /// use std::sync::mpsc;
    ///
    /// static DOOR: Resource = Resource::new("door");
    /// let (bell, rings) = mpsc::channel();
    /// let visitor = thread::spawn(move || {
    ///     let wait = DOOR.wait();
    ///     let number = rings.recv().unwrap();
    ///     wait.woken_by(number);
    ///     number
    /// });
    /// let number = DOOR.notify(1);
    /// bell.send(number).unwrap();
    /// assert_eq!(visitor.join().unwrap(), number);
    /// ```
    #[track_caller]
    pub fn notify(&self, n_woken: usize) -> u64 {
        self.object.notify(n_woken, Location::caller())
    }
}

/// A request for a [`Resource`]: the thread blocks.
#[must_use = "if unused the request is given up immediately"]
pub struct Request<'a> {
    resource: &'a Resource,
    mode: Mode,
    site: &'static Location<'static>,
    requested: Option<Requested>,
    on: OfThisThread,
}

impl<'a> Request<'a> {
    /// The thread owns the resource now.
    pub fn acquired(mut self) -> Holding<'a> {
        let requested = self.requested.take();
        Holding { _hold: self.resource.object.acquire(self.mode, requested, self.site), on: PhantomData }
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if let Some(requested) = self.requested.take() {
            requested.gave_up();
        }
    }
}

/// Ownership of a [`Resource`]; dropping it records the release, and comes before giving the resource back.
#[must_use = "if unused the release is recorded immediately"]
pub struct Holding<'a> {
    _hold: Hold<'a>,
    on: OfThisThread,
}

/// A wait for a [`Resource`] that nobody owns. Dropped instead of [`woken_by`](Self::woken_by), it ended without a notify.
#[must_use = "if unused the wait ends immediately"]
pub struct ResourceWait<'a> {
    waited: Option<Waited<'a>>,
    on: OfThisThread,
}

impl ResourceWait<'_> {
    /// The wait was ended by the notify with this number.
    pub fn woken_by(mut self, number: u64) {
        if let Some(waited) = self.waited.take() {
            waited.woke(number);
        }
    }
}

impl Drop for ResourceWait<'_> {
    fn drop(&mut self) {
        if let Some(waited) = self.waited.take() {
            waited.woke(0);
        }
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").finish_non_exhaustive()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl fmt::Debug for Holding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").finish_non_exhaustive()
    }
}

impl fmt::Debug for ResourceWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceWait").finish_non_exhaustive()
    }
}
