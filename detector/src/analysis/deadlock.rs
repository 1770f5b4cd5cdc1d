//! `deadlock`: threads that wait for each other, through whatever.
//!
//! A cycle in which every thread wants what the next one holds, or waits for its end. Or one that goes through a lock
//! and through something that nobody owns: a thread waits to be notified while it holds the lock that the notifier
//! needs. Or two that each wait for a message of the other one. Or parties of a barrier that are too few.

use super::{Help, RawFinding, hang::Scene};
use crate::{finding::Code, graph::wait_for::Need, model::ThreadId};
use trace_format::{Flags, ObjectKind};

pub(super) fn in_knot(scene: &Scene<'_>) -> Option<RawFinding> {
    owned_cycle(scene).or_else(|| mixed_cycle(scene)).or_else(|| ownerless_cycle(scene)).or_else(|| too_few(scene))
}

/// Every link is a lock or a join.
fn owned_cycle(scene: &Scene<'_>) -> Option<RawFinding> {
    let is_owned = |thread: ThreadId, _| scene.need(thread) == Some(Need::All);
    let cycle = scene.graph.cycle(&scene.knot.threads, is_owned, |_, _| true)?;
    // Who re-acquires after a notify cannot take its locks in another order; it must not wait while it holds one.
    let orders = |thread: &ThreadId| {
        scene.wants_lock(*thread) && scene.wait(*thread).is_none_or(|wait| !wait.event.flags().has(Flags::REACQUIRE))
    };
    let help = if cycle.iter().all(orders) { Help::OneOrder } else { Help::NotWhileHolding };
    Some(scene.raw(Code::Deadlock, scene.cycle_edges(&cycle), help))
}

/// One link at least is a lock: who holds it waits for something that nobody owns.
fn mixed_cycle(scene: &Scene<'_>) -> Option<RawFinding> {
    let wants_lock = |thread: ThreadId, _| scene.wants_lock(thread);
    let cycle = scene.graph.cycle(&scene.knot.threads, |_, _| true, wants_lock)?;
    Some(scene.raw(Code::Deadlock, scene.cycle_edges(&cycle), Help::NotWhileHolding))
}

/// Threads that wait for different things, each of which the next thread is known to have in its hands.
fn ownerless_cycle(scene: &Scene<'_>) -> Option<RawFinding> {
    let ownerless = scene.ownerless();
    let is_in_hands = |thread: ThreadId, next: ThreadId| {
        let want = scene.want(thread);
        scene.object(thread) != scene.object(next)
            && want.is_some_and(|want| {
                let acted = want.acted.iter().any(|by| scene.stuck.get(by.idx()).copied().unwrap_or(false));
                if acted { want.acted.contains(&next) } else { want.is_by_touch }
            })
    };
    let cycle = scene.graph.cycle(&ownerless, is_in_hands, |_, _| true)?;
    Some(scene.raw(Code::Deadlock, scene.cycle_edges(&cycle), Help::SendFirst))
}

/// Parties at a barrier, counts of a latch, permits: what they wait for can come from nobody any more.
fn too_few(scene: &Scene<'_>) -> Option<RawFinding> {
    let counts = |thread: &ThreadId| {
        matches!(scene.kind(*thread), ObjectKind::Barrier | ObjectKind::Latch | ObjectKind::Semaphore)
    };
    let waiting: Vec<ThreadId> = scene.ownerless().into_iter().filter(counts).collect();
    let edges = waiting.iter().map(|thread| scene.edge_with_newest_hold(*thread)).collect();
    (!waiting.is_empty()).then(|| scene.raw(Code::Deadlock, edges, Help::LetAllArrive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{Stopped, WhyNot, fixture::Fixture, hang},
        finding::Certainty,
        model::Side,
    };
    use trace_format::{Kind, Mode::Exclusive};

    fn only(fixture: &Fixture) -> RawFinding {
        let mut findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }

    /// The threads of a finding, ascending, each with whether something that it holds is shown.
    fn threads(finding: &RawFinding) -> Vec<(u32, bool)> {
        let mut threads: Vec<_> = finding.edges.iter().map(|edge| (edge.thread.0, edge.holds.is_some())).collect();
        threads.sort_unstable();
        threads
    }

    #[test]
    fn a_cycle_of_locks_has_each_hold_that_the_one_before_wants() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Exclusive), ("X", Exclusive)], "B", Exclusive);
        fixture.waits(1, &[("B", Exclusive)], "A", Exclusive);
        fixture.waits(2, &[], "X", Exclusive);
        fixture.thread(3);
        let finding = only(&fixture);
        assert_eq!(
            (finding.code, finding.certainty, finding.help),
            (Code::Deadlock, Certainty::Observed, Help::OneOrder)
        );
        let wanted = |idx: usize| finding.edges[idx].wants.and_then(|(object, ..)| object);
        let held = |idx: usize| finding.edges[idx].holds.map(|(object, ..)| object);
        assert_eq!((wanted(0), wanted(1)), (held(1), held(0)));
        assert_eq!(finding.behind, [ThreadId(2)]);
    }

    #[test]
    fn two_cycles_are_two_findings_and_a_thread_behind_both_is_with_the_first() {
        let mut fixture = Fixture::default();
        for (threads, locks) in [([0, 1], ["A", "B"]), ([2, 3], ["C", "D"])] {
            fixture.waits(threads[0], &[(locks[0], Exclusive)], locks[1], Exclusive);
            fixture.waits(threads[1], &[(locks[1], Exclusive)], locks[0], Exclusive);
        }
        fixture.joins(4, 0);
        let findings = hang::run(&fixture.model, Stopped::No);
        let behind: Vec<_> = findings.iter().map(|finding| finding.behind.len()).collect();
        assert_eq!(behind, [1, 0]);
    }

    #[test]
    fn joining_while_holding_what_the_thread_wants() {
        let mut fixture = Fixture::default();
        fixture.waits(1, &[], "A", Exclusive);
        fixture.joins(0, 1);
        fixture.holds(0, &[("A", Exclusive)]);
        let finding = only(&fixture);
        assert_eq!((finding.code, finding.help), (Code::Deadlock, Help::NotWhileHolding));
        assert_eq!(threads(&finding), [(0, true), (1, false)]);
    }

    #[test]
    fn waiting_for_a_notify_while_holding_what_the_notifier_wants() {
        let mut fixture = Fixture::default();
        fixture.awaits(0, Kind::WAIT, ObjectKind::Condvar, "C");
        fixture.holds(0, &[("A", Exclusive)]);
        fixture.waits(1, &[], "A", Exclusive);
        fixture.joins(2, 0);
        fixture.reach("C", Side::Gives, &[0, 1, 2], &[]);
        let finding = only(&fixture);
        assert_eq!((finding.code, finding.help), (Code::Deadlock, Help::NotWhileHolding));
        assert_eq!(threads(&finding), [(0, true), (1, false)]);
        let waiting = finding.edges.iter().find(|edge| edge.thread == ThreadId(0)).unwrap();
        let helpers = &waiting.could_release;
        assert_eq!(helpers[..], [(ThreadId(1), WhyNot::Waits), (ThreadId(2), WhyNot::Waits)]);
        fixture.thread(3);
        assert!(hang::run(&fixture.model, Stopped::No).iter().all(|finding| finding.certainty == Certainty::Possible));
    }

    #[test]
    fn two_that_wait_for_each_others_messages() {
        let mut fixture = Fixture::default();
        fixture.awaits(0, Kind::RECEIVE, ObjectKind::Channel, "C1");
        fixture.awaits(1, Kind::RECEIVE, ObjectKind::Channel, "C2");
        fixture.joins(2, 0);
        fixture.reach("C1", Side::Gives, &[0, 1, 2], &[]);
        fixture.reach("C2", Side::Gives, &[0, 1, 2], &[]);
        let finding = only(&fixture);
        assert_eq!((finding.code, threads(&finding)), (Code::Deadlock, vec![(0, false), (1, false)]));
    }

    #[test]
    fn a_party_that_is_missing() {
        let mut fixture = Fixture::default();
        fixture.awaits(0, Kind::WAIT, ObjectKind::Barrier, "B");
        fixture.awaits(1, Kind::WAIT, ObjectKind::Barrier, "B");
        fixture.joins(2, 0);
        fixture.reach("B", Side::Gives, &[0, 1, 2], &[0, 1]);
        let finding = only(&fixture);
        assert_eq!((finding.code, finding.help, finding.edges.len()), (Code::Deadlock, Help::LetAllArrive, 2));
    }
}
