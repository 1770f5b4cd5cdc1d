//! `lost-wakeup`: a thread waits to be notified or unparked, and nobody is left to do it. Either the notify came before
//! the wait, when it had nobody to wake, or the code that changed the condition does not notify at all.

use super::{Help, RawEdge, RawFinding, hang::Scene};
use crate::{
    finding::Code,
    model::{ObjectId, ThreadId},
};

pub(super) fn in_knot(scene: &Scene<'_>) -> Option<RawFinding> {
    let waiting: Vec<ThreadId> = scene.ownerless();
    let mut edges: Vec<RawEdge> = waiting.iter().map(|thread| scene.edge_with_newest_hold(*thread)).collect();
    let mut objects: Vec<ObjectId> = waiting.iter().filter_map(|thread| scene.object(*thread)).collect();
    objects.sort_unstable();
    objects.dedup();
    let idle = scene.model.releasers.iter().filter(|releasers| objects.contains(&releasers.object));
    let mut idle: Vec<_> = idle.filter_map(|releasers| Some((releasers.object, releasers.idle_notify?))).collect();
    idle.dedup();
    edges.extend(idle.into_iter().map(|(object, (thread, site))| RawEdge {
        thread,
        holds: None,
        wants: Some((Some(object), "notified", site)),
        could_release: Vec::new(),
    }));
    (!waiting.is_empty()).then(|| scene.raw(Code::LostWakeup, edges, Help::NotifyWhatChanged))
}
