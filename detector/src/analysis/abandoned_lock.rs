//! `abandoned-lock`: a thread wants what another one held when it ended. The guard was leaked - forgotten, or kept in a
//! variable that is never dropped - or the thread was ended from outside.
//!
//! What happened: a thread is blocked on it. What could: a thread took it before, and nothing made it come first.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, WhyNot, hang::Scene, mode_name};
use crate::{
    finding::{Certainty, Code},
    model::{Hold, Model, NestedAcquire, Object, ObjectId, OwnerDeath, ThreadId},
};
use rustc_hash::FxHashSet;

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
    if scene.model.threads.get(owner.idx())?.is_left_behind {
        let why = "the process was forked while another thread held the lock: that thread is not in it, and nobody else \
                   can release its copy";
        let raw = scene.raw(Code::AbandonedLock, edges, Help::NotInForkedChild);
        return Some(RawFinding { why: why.to_owned(), ..raw });
    }
    Some(scene.raw(Code::AbandonedLock, edges, Help::DropBeforeEnd))
}

/// Finds what could happen: one finding per pair of sites.
pub fn run(model: &Model) -> Vec<RawFinding> {
    let mut findings: Vec<RawFinding> = model.deaths.iter().map(taken_over).collect();
    let mut reported = FxHashSet::default();
    for (thread, owner) in model.threads.iter().zip((0_u32..).map(ThreadId)).filter(|(thread, _)| thread.ended) {
        let is_robust = |hold: &&Hold| model.objects.get(hold.object.idx()).is_some_and(Object::is_shared);
        for hold in thread.holds.iter().filter(|hold| !is_robust(hold)) {
            let taken = model.abandoned.iter().find(|taken| taken.thread == owner && taken.wants == hold.object);
            let comes_late = |other: &&NestedAcquire| {
                let is_later = |taken: &NestedAcquire| model.is_ordered_before(other, taken);
                other.may_wait && other.mode.excludes(hold.mode) && !taken.is_some_and(is_later)
            };
            let others = model.abandoned.iter().filter(|other| other.thread != owner && other.wants == hold.object);
            for other in others.filter(comes_late) {
                if reported.insert((hold.object, hold.site, other.site)) {
                    findings.push(could_hang(model, owner, *hold, other));
                }
            }
        }
    }
    findings
}

/// What happened and did no harm by itself: a thread was killed while it held a lock of shared memory, and another one took it over.
fn taken_over(death: &OwnerDeath) -> RawFinding {
    let OwnerDeath { dead, hold, taker, site } = *death;
    let why = "whoever waited for it went on, and was told so; what the lock guards may be half changed".to_owned();
    let mode = mode_name(hold.mode);
    let taking =
        RawEdge { thread: taker, holds: None, wants: Some((Some(hold.object), mode, site)), could_release: Vec::new() };
    let holding =
        RawEdge { thread: dead, holds: Some((hold.object, mode, hold.site)), wants: None, could_release: Vec::new() };
    RawFinding {
        edges: vec![taking, holding],
        ..RawFinding::new(Code::AbandonedLock, Certainty::Hazard, why, Help::MendWhatIsGuarded)
    }
}

fn could_hang(model: &Model, owner: ThreadId, hold: Hold, other: &NestedAcquire) -> RawFinding {
    let mut why = "no schedule was replayed; whoever wants the lock after that thread has ended waits for ever, and \
                   nothing that was recorded makes the other one come first"
        .to_owned();
    if model.objects.get(hold.object.idx()).is_some_and(|object| object.gap) {
        why.push_str("; the order of the lock has gaps");
    }
    let waiting = RawEdge {
        thread: other.thread,
        holds: None,
        wants: Some((Some(hold.object), mode_name(other.mode), other.site)),
        could_release: vec![(owner, WhyNot::Ended)],
    };
    let holding = RawEdge {
        thread: owner,
        holds: Some((hold.object, mode_name(hold.mode), hold.site)),
        wants: None,
        could_release: Vec::new(),
    };
    RawFinding {
        assumes: vec![ALL_RECORDED.to_owned()],
        count: other.count,
        edges: vec![waiting, holding],
        ..RawFinding::new(Code::AbandonedLock, Certainty::Possible, why, Help::DropBeforeEnd)
    }
}

fn holds_for_ever(scene: &Scene<'_>, thread: ThreadId, object: ObjectId) -> bool {
    let thread = scene.model.threads.get(thread.idx());
    thread.is_some_and(|thread| thread.ended && thread.holds.iter().any(|hold| hold.object == object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{Stopped, WhyNot, fixture::Fixture, hang},
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
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "its owner runs");
        fixture.model.threads[0].ended = true;
        let findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let finding = &findings[0];
        assert_eq!((finding.code, finding.certainty), (Code::AbandonedLock, Certainty::Observed));
        let edges: Vec<_> =
            finding.edges.iter().map(|edge| (edge.thread.0, edge.holds.is_some(), edge.wants.is_some())).collect();
        assert_eq!(edges, [(1, false, true), (2, false, true), (0, true, false)]);
        assert_eq!(finding.edges[0].could_release, [(ThreadId(0), WhyNot::Ended)]);
    }

    #[test]
    fn who_took_it_before_could_have_come_later_unless_something_made_it_come_first() {
        let mut fixture = Fixture::default();
        fixture.holds(0, &[("A", Exclusive)]);
        fixture.model.threads[0].ended = true;
        fixture.takes_abandoned(0, "A");
        fixture.takes_abandoned(1, "A");
        let findings = run(&fixture.model);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].code, findings[0].certainty), (Code::AbandonedLock, Certainty::Possible));
        fixture.order(1, 0);
        assert!(run(&fixture.model).is_empty());
    }
}
