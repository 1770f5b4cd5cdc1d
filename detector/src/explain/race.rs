//! Data races: what their accesses, and what orders their threads, are in people's words.

use super::{
    Names,
    wording::{self, Ordered, Repair},
};
use crate::{
    analysis::{RawAccess, RawAtomic, RawFinding, RawPlace, RawSyncPoint},
    finding::{Access, HeldLock, LastSync, Object, Place, SyncPoint},
    model::{ObjectId, ThreadId},
    symbolize::Symbolizer,
};

pub(super) fn threads_of(raw: &RawFinding) -> impl Iterator<Item = ThreadId> + '_ {
    let of_accesses = raw.accesses.iter().map(|access| access.thread);
    let of_sync = raw.last_sync.iter().flat_map(|sync| [sync.from.thread, sync.to.thread]);
    let of_repair = raw.repair.iter().flat_map(|repair| [repair.store.thread, repair.load.thread]);
    of_accesses.chain(of_sync).chain(of_repair)
}

pub(super) fn objects_of(raw: &RawFinding) -> impl Iterator<Item = ObjectId> + '_ {
    let accessed = raw.accesses.iter().filter_map(|access| access.object);
    let held = raw.accesses.iter().flat_map(|access| access.held.iter().map(|(object, ..)| *object));
    let of_sync = raw.last_sync.iter().flat_map(|sync| [sync.from.object, sync.to.object]).flatten();
    let of_repair = raw.repair.iter().filter_map(|repair| repair.atomic);
    accessed.chain(held).chain(of_sync).chain(of_repair)
}

/// A place, with its function and source.
pub(super) fn place(raw: &RawPlace, symbolizer: &mut Symbolizer<'_>) -> Place {
    match raw {
        RawPlace::Site(site) => symbolizer.place(*site),
        RawPlace::Spot(spot) => symbolizer.place_of_spot(spot),
    }
}

fn known_place(raw: &RawPlace, symbolizer: &mut Symbolizer<'_>) -> Option<Place> {
    Some(place(raw, symbolizer)).filter(Place::is_known)
}

/// Describes what nobody named, by where it is used: memory that is known by its address was made nowhere.
pub(super) fn describe(raw: &RawFinding, ids: &[ObjectId], objects: &mut [Object], symbolizer: &mut Symbolizer<'_>) {
    let accessed = raw.accesses.iter().map(|access| (access.object, Some(&access.at)));
    let of_repair = raw.repair.iter().map(|repair| (repair.atomic, Some(&repair.store.at)));
    let points = raw.last_sync.iter().flat_map(|sync| [&sync.from, &sync.to]);
    let of_sync = points.map(|point| (point.object, point.at.as_ref()));
    let of_steps = raw.witness.iter().flat_map(|witness| &witness.steps).map(|step| (step.object, step.at.as_ref()));
    let uses: Vec<_> = accessed.chain(of_repair).chain(of_sync).chain(of_steps).collect();
    for (id, object) in ids.iter().zip(objects).filter(|(_, object)| object.is_described()) {
        let mut used_at = uses.iter().filter(|(used, _)| *used == Some(*id)).filter_map(|(_, at)| *at);
        let place = used_at.find_map(|at| known_place(at, symbolizer));
        object.reference = wording::description(object, place.as_ref());
    }
}

pub(super) fn accesses(raw: &RawFinding, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Vec<Access> {
    raw.accesses.iter().filter_map(|access| explain_access(access, names, symbolizer)).collect()
}

fn explain_access(raw: &RawAccess, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Option<Access> {
    let held = raw.held.iter().filter_map(|(object, mode, at)| {
        let object = names.object_idx(*object)?;
        Some(HeldLock { object, mode: (*mode).to_owned(), at: known_place(at, symbolizer) })
    });
    let held = held.collect();
    let stack = match &raw.at {
        RawPlace::Site(site) => symbolizer.stack(*site).to_vec(),
        RawPlace::Spot(spot) => symbolizer.stack_of_spot(spot).to_vec(),
    };
    Some(Access {
        thread: names.thread_idx(raw.thread)?,
        op: raw.op,
        object: raw.object.and_then(|object| names.object_idx(object)),
        at: known_place(&raw.at, symbolizer),
        stack,
        held,
    })
}

pub(super) fn last_sync(raw: &RawFinding, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Option<LastSync> {
    let sync = raw.last_sync.as_ref()?;
    let (from, to) = (point(&sync.from, names, symbolizer)?, point(&sync.to, names, symbolizer)?);
    Some(LastSync { from, to })
}

fn point(raw: &RawSyncPoint, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Option<SyncPoint> {
    Some(SyncPoint {
        thread: names.thread_idx(raw.thread)?,
        op: raw.op,
        object: raw.object.and_then(|object| names.object_idx(object)),
        at: raw.at.as_ref().and_then(|at| known_place(at, symbolizer)),
    })
}

pub(super) fn repair(raw: &RawFinding, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Option<Repair> {
    let raw = raw.repair.as_ref()?;
    let mut ordered = |raw: &RawAtomic| Ordered {
        at: place(&raw.at, symbolizer),
        ordering: raw.ordering,
        is_rmw: raw.is_rmw,
        is_too_weak: raw.is_too_weak,
    };
    let (store, load) = (ordered(&raw.store), ordered(&raw.load));
    Some(Repair { atomic: raw.atomic.and_then(|atomic| names.object_idx(atomic)), store, load })
}
