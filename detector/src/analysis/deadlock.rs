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
    Some(scene.raw(Code::Deadlock, scene.cycle_edges(&cycle), Help::LookAtWaits))
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
