//! `lost-wakeup`: a thread waits to be notified or unparked, and nobody is left to do it. Either the notify came before
//! the wait, when it had nobody to wake, or the code that changed the condition does not notify at all.

use super::{Help, RawEdge, RawFinding, hang::Scene};
use crate::{
    finding::{Code, NOTIFIED},
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
        wants: Some((Some(object), NOTIFIED, site)),
        could_release: Vec::new(),
    }));
    (!waiting.is_empty()).then(|| scene.raw(Code::LostWakeup, edges, Help::NotifyWhatChanged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{Stopped, WhyNot, fixture::Fixture, hang},
        finding::Certainty,
        model::{Process, ProcessId, Side, SiteId},
    };
    use trace_format::{Kind, ObjectKind};

    #[test]
    fn the_notify_that_came_too_early_is_shown() {
        let mut fixture = Fixture::default();
        fixture.awaits(1, Kind::WAIT, ObjectKind::Condvar, "C");
        fixture.joins(0, 1);
        fixture.thread(2);
        fixture.model.threads[2].ended = true;
        fixture.reach("C", Side::Gives, &[0, 1, 2], &[2]).idle_notify = Some((ThreadId(2), SiteId(0)));
        let findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let finding = &findings[0];
        assert_eq!((finding.code, finding.certainty), (Code::LostWakeup, Certainty::Observed));
        let modes: Vec<_> = finding.edges.iter().map(|edge| edge.wants.map(|(_, mode, _)| mode)).collect();
        assert_eq!(modes, [Some("wait"), Some(NOTIFIED)]);
        let helpers = &finding.edges[0].could_release;
        assert_eq!(helpers[..], [(ThreadId(2), WhyNot::Ended), (ThreadId(0), WhyNot::Waits)]);
    }

    #[test]
    fn a_process_that_has_ended_notifies_nobody() {
        let mut fixture = Fixture::default();
        fixture.awaits(0, Kind::WAIT, ObjectKind::Condvar, "C");
        fixture.thread(1);
        fixture.model.processes.push(Process { pid: 2, exited: true, ..Process::default() });
        fixture.model.threads[1].process = ProcessId(1);
        fixture.reach("C", Side::Gives, &[0, 1], &[1]);
        let object = fixture.lock("C");
        fixture.model.objects[object.idx()].shared_by = vec![ProcessId(0), ProcessId(1)];
        let findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!((findings[0].code, findings[0].certainty), (Code::LostWakeup, Certainty::Observed));
        assert_eq!(findings[0].edges[0].could_release, [(ThreadId(1), WhyNot::Ended)]);
        // Who runs its exit handlers has not.
        fixture.model.processes[1].alive = true;
        assert!(hang::run(&fixture.model, Stopped::No).is_empty());
    }

    #[test]
    fn a_parked_thread_that_nobody_can_unpark() {
        let mut fixture = Fixture::default();
        fixture.awaits(1, Kind::WAIT, ObjectKind::Thread, "t");
        fixture.joins(0, 1);
        fixture.reach("t", Side::Gives, &[0, 1], &[]);
        assert_eq!(
            hang::run(&fixture.model, Stopped::No).iter().map(|finding| finding.code).collect::<Vec<_>>(),
            [Code::LostWakeup]
        );
        fixture.model.threads[0].wait = None;
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "who runs may unpark it");
    }
}
