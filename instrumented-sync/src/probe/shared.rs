//! What is recorded of objects in memory that processes share only.

use super::{Class, Event, Identity, Kind, Mode, Site, append_extended, ready, recording};

use crate::identity::latest_version;
use std::sync::atomic::AtomicU64;

pub(crate) use crate::identity::Place;

/// As [`with_capacity`](super::with_capacity), of a primitive in shared memory, at `place` for all processes.
#[inline]
pub(crate) fn in_shared_memory<'a>(
    identity: &'a Identity,
    class: Class,
    place: &Place,
    capacity: Option<u64>,
) -> &'a Identity {
    if recording() {
        identity.object_in_shared_memory(class, place, capacity);
    }
    identity
}

/// Records that the owner of an object in shared memory is no more, and that this thread, which has just become its owner,
/// takes it over. To be called before its own acquire is recorded. `version` is where acquires are numbered, if they are.
pub(crate) fn owner_died(
    identity: &Identity,
    class: Class,
    mode: Mode,
    version: Option<&AtomicU64>,
    (tid, start): (u32, u32),
    site: Site,
) {
    if recording() {
        let ready = ready(identity, class, site);
        if ready.0 != 0 {
            let seq = version.map_or(0, latest_version);
            let died = ready.event(Kind::OWNER_DIED, mode.flags(), seq);
            append_extended(died, Event::extend(u64::from(tid), u64::from(start)));
        }
    }
}
