//! `abandoned-lock`: a thread wants what another one held when it ended. The guard was leaked - forgotten, or kept in a
//! variable that is never dropped - or the thread was ended from outside.

use super::{Help, RawEdge, RawFinding, hang::Scene, mode_name};
use crate::{
    finding::Code,
    model::{ObjectId, ThreadId},
};

pub(super) fn in_knot(scene: &Scene<'_>) -> Option<RawFinding> {
    let (waiting, object, owner) = scene.knot.threads.iter().find_map(|thread| {
        let object = scene.object(*thread)?;
        let by = &scene.want(*thread)?.by;
        Some((*thread, object, *by.iter().find(|by| holds_for_ever(scene, **by, object))?))
    })?;
    let wants_it = |thread: &&ThreadId| scene.object(**thread) == Some(object);
    let mut edges: Vec<RawEdge> =
        scene.knot.threads.iter().filter(wants_it).map(|thread| scene.edge(*thread, None)).collect();
    debug_assert!(edges.iter().any(|edge| edge.thread == waiting));
    let holds = &scene.model.threads.get(owner.idx())?.holds;
    let hold = holds.iter().rev().find(|hold| hold.object == object)?;
    edges.push(RawEdge {
        thread: owner,
        holds: Some((object, mode_name(hold.mode), hold.site)),
        wants: None,
        could_release: Vec::new(),
    });
    Some(scene.raw(Code::AbandonedLock, edges, Help::DropBeforeEnd))
}

fn holds_for_ever(scene: &Scene<'_>, thread: ThreadId, object: ObjectId) -> bool {
    let thread = scene.model.threads.get(thread.idx());
    thread.is_some_and(|thread| thread.ended && thread.holds.iter().any(|hold| hold.object == object))
}
