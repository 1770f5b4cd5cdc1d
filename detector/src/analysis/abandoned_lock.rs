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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{WhyNot, fixture::Fixture, hang},
        finding::Certainty,
    };
    use trace_format::Mode::Exclusive;

    #[test]
    fn a_lock_that_an_ended_thread_holds_is_one_finding_for_all_that_want_it() {
        let mut fixture = Fixture::default();
        fixture.holds(0, &[("A", Exclusive)]);
        fixture.waits(1, &[], "A", Exclusive);
        fixture.waits(2, &[], "A", Exclusive);
        fixture.thread(3);
        assert!(hang::run(&fixture.model).is_empty(), "its owner runs");
        fixture.model.threads[0].ended = true;
        let findings = hang::run(&fixture.model);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let finding = &findings[0];
        assert_eq!((finding.code, finding.certainty), (Code::AbandonedLock, Certainty::Observed));
        let edges: Vec<_> =
            finding.edges.iter().map(|edge| (edge.thread.0, edge.holds.is_some(), edge.wants.is_some())).collect();
        assert_eq!(edges, [(1, false, true), (2, false, true), (0, true, false)]);
        assert_eq!(finding.edges[0].could_release, [(ThreadId(0), WhyNot::Ended)]);
    }
}
