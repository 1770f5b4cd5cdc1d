//! Operations on atomic variables, fences, and what is published and observed at an address.
//!
//! Recorded with the location alone: a stack for each would cost more than the operation. Looked up before the stripe is
//! taken, as all cold work is; of a load, which holds nothing up, only if it is recorded.
//!
//! What it costs (`benches/cost`): off, a branch. A write is one locked instruction more, which waits for the stores of
//! the event before it, and the event. A load that repeats one is two looks and a comparison with what the thread remembers.
//! Tried and dropped: site and stripe through one call that returns both, before a load (8 ns of 17 for one that repeats: the
//! site was looked up in vain).

use super::{Flags, SITE, Site, Source, Stripe, entry, recording};
use std::{cell::Cell, sync::atomic::Ordering};
use trace_format::{Event, Kind, ObjectId, Order};

/// Where an atomic variable lies, and how long it is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    address: u64,
    /// What the flags of all its events have: how long it is.
    flags: Flags,
}

impl Place {
    #[inline]
    pub(crate) fn of<T>(variable: &T) -> Self {
        let flags = Flags::atomic(Order::Relaxed, size_of::<T>().trailing_zeros());
        Self { address: std::ptr::from_ref(variable).addr() as u64, flags }
    }

    #[inline]
    fn at(address: *const ()) -> Self {
        Self { address: address.addr() as u64, flags: Flags::NONE }
    }

    #[inline]
    fn event(self, kind: Kind, order: Ordering, site: u32, version: Result<u64, u64>) -> Event {
        let flags = Flags::atomic(recorded(order), 0).with(self.flags);
        match version {
            Ok(version) => Event::at_address(kind, flags, site, self.address, version),
            Err(seen) => Event::at_address(kind, flags.with(Flags::UNCERTAIN), site, self.address, seen),
        }
    }
}

#[inline]
const fn recorded(order: Ordering) -> Order {
    match order {
        Ordering::Relaxed => Order::Relaxed,
        Ordering::Acquire => Order::Acquire,
        Ordering::Release => Order::Release,
        Ordering::AcqRel => Order::AcqRel,
        _ => Order::SeqCst,
    }
}

/// Whether a load with this ordering is to be recorded. With an ordering that no load has, std panics.
#[inline]
pub(crate) fn records_load(order: Ordering) -> bool {
    recording() && matches!(order, Ordering::Relaxed | Ordering::Acquire | Ordering::SeqCst)
}

/// Whether a store with this ordering is to be recorded.
#[inline]
pub(crate) fn records_store(order: Ordering) -> bool {
    recording() && matches!(order, Ordering::Relaxed | Ordering::Release | Ordering::SeqCst)
}

/// Loads, and records what was seen. `native` may be called several times.
#[inline(never)]
pub(crate) fn load<T>(place: Place, order: Ordering, site: Site, native: impl Fn() -> T) -> T {
    let Some(stripe) = Stripe::of(place.address) else { return native() };
    let (value, version) = stripe.read(native);
    entry::append_load(place.event(Kind::ATOMIC_LOAD, order, 0, version).into(), Source::of(site));
    value
}

/// The stripe and the site of an operation that may change something, if it can be recorded.
#[inline]
fn prepare(place: Place, site: Site) -> Option<(Stripe, u32)> {
    let site = entry::bare_site_at(Source::of(site), true);
    let stripe = Stripe::of(place.address)?;
    (site & SITE != 0).then_some((stripe, site as u32))
}

/// Stores, or reads and writes at once, and records it as `kind`.
#[inline(never)]
pub(crate) fn write<T>(kind: Kind, place: Place, order: Ordering, site: Site, native: impl FnOnce() -> T) -> T {
    let Some((stripe, site)) = prepare(place, site) else { return native() };
    let taken = stripe.take();
    let result = native();
    let version = taken.map(|version| version + 1);
    entry::append_prepared(place.event(kind, order, site, version).into());
    if let Ok(version) = version {
        // After the event is published: no version is ever seen whose event is missing.
        stripe.free(version);
    }
    result
}

/// Compares and exchanges, and records a write, or else the load that it was.
#[inline(never)]
pub(crate) fn exchange<T>(
    place: Place,
    success: Ordering,
    failure: Ordering,
    site: Site,
    native: impl FnOnce() -> Result<T, T>,
) -> Result<T, T> {
    let source = Source::of(site);
    let Some((stripe, site)) = prepare(place, site) else { return native() };
    let taken = stripe.take();
    let result = native();
    let version = if result.is_ok() {
        let version = taken.map(|version| version + 1);
        entry::append_prepared(place.event(Kind::ATOMIC_RMW, success, site, version).into());
        version
    } else {
        entry::append_load(place.event(Kind::ATOMIC_LOAD, failure, 0, taken).into(), source);
        taken
    };
    if let Ok(version) = version {
        // As in `write`.
        stripe.free(version);
    }
    result
}

/// Records a fence; the fence itself comes next.
#[inline(never)]
pub(crate) fn fence(order: Ordering, site: Site) {
    let flags = Flags::atomic(recorded(order), 0);
    entry::append_fence(Event::new(Kind::FENCE, flags, 0, ObjectId::NONE, 0).into(), Source::of(site));
}

/// Records that what this thread has done is published at an address.
#[inline]
pub(crate) fn publish(address: *const (), site: Site) {
    if recording() {
        write(Kind::PUBLISH, Place::at(address), Ordering::Relaxed, site, || ());
    }
}

/// Records that what was published at an address is known to this thread.
#[inline]
pub(crate) fn observe(address: *const (), site: Site) {
    if recording() {
        observe_while_recording(Place::at(address), site);
    }
}

#[inline(never)]
fn observe_while_recording(place: Place, site: Site) {
    let Some(stripe) = Stripe::of(place.address) else { return };
    let ((), version) = stripe.read(|| ());
    entry::append_load(place.event(Kind::OBSERVE, Ordering::Relaxed, 0, version).into(), Source::of(site));
}

/// What stands for the ends of all memory that is marked: no variable lies there.
const FREES: Place = Place { address: 0, flags: Flags::NONE };

thread_local! {
    /// The version of [`FREES`] that this thread knows of. Of this copy's marks only, which costs an event more.
    static FREES_SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Records that some memory has ended, for the sake of who is given it next.
pub(crate) fn freed(site: Site) {
    let Some((stripe, site)) = prepare(FREES, site) else { return };
    let version = stripe.take().map(|version| version + 1);
    entry::append_prepared(FREES.event(Kind::PUBLISH, Ordering::Relaxed, site, version).into());
    if let Ok(version) = version {
        // As in `write`.
        stripe.free(version);
        FREES_SEEN.set(version);
    }
}

/// Records which memory has ended by now, if more has than this thread knew: memory that it is about to access may be such.
pub(crate) fn observe_frees(site: Site) {
    let Some(stripe) = Stripe::of(FREES.address) else { return };
    let ((), version) = stripe.read(|| ());
    if version != Ok(FREES_SEEN.get()) {
        entry::append_load(FREES.event(Kind::OBSERVE, Ordering::Relaxed, 0, version).into(), Source::of(site));
        FREES_SEEN.set(version.unwrap_or_default());
    }
}

/// Room in a bounded channel: where its end is that tells of it, and where the program is.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    address: u64,
    site: Site,
}

impl Room {
    pub(crate) fn of<T>(channel: &T, site: Site) -> Self {
        Self { address: std::ptr::from_ref(channel).addr() as u64, site }
    }

    const fn place(self) -> Place {
        Place { address: self.address, flags: Flags::ROOM }
    }

    /// Records that a receive is about to be tried, which makes room if it succeeds.
    ///
    /// Before it: who finds the room may go on before the receiver does. A loop that tries again and again, and does nothing
    /// else that is recorded, has nothing new to tell.
    pub(crate) fn makes(self) {
        if !entry::is_latest(u32::from(Kind::PUBLISH.0), self.address) {
            write(Kind::PUBLISH, self.place(), Ordering::Relaxed, self.site, || ());
        }
    }

    /// Records that a message found room.
    pub(crate) fn finds(self) {
        observe_while_recording(self.place(), self.site);
    }
}
