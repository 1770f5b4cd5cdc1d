//! Happens-before as C11 has it: a graph of all its edges, and what is reached in it.

use super::runs::{Run, What};
use detector::race::{Kind, Mode, Ordering, Rule};
use std::collections::BTreeSet;

/// By operation the set of those before it, as bits.
pub(crate) type Before = Vec<u64>;

/// What is before each operation.
pub(crate) fn before(run: &Run, rule: Rule) -> Before {
    assert!(run.len() <= 64, "a set is a word");
    let edges: Vec<(usize, usize)> = (0..run.len()).flat_map(|to| edges_to(run, to)).collect();
    let mut before = vec![0_u64; run.len()];
    // What comes only behind an operation: of what its thread does next, that it read what was written.
    let mut behind = vec![0_u64; run.len()];
    for to in 0..run.len() {
        for (from, _) in edges.iter().filter(|(_, edge)| *edge == to) {
            before[to] |= before[*from] | behind[*from] | 1 << from;
        }
        if let Some(from) = read_from(run, to).filter(|_| rule == Rule::Schedulable) {
            behind[to] = before[from] | behind[from] | 1 << from;
        }
    }
    before
}

/// Pairs of accesses that race.
pub(crate) fn races(run: &Run, before: &Before) -> BTreeSet<(usize, usize)> {
    let is_race = |first: usize, second: usize| {
        let (Some((variable, one)), Some((same, other))) = (run[first].1.access(), run[second].1.access()) else {
            return false;
        };
        let is_forgotten = (first..second).any(|between| run[between].1 == What::Free(variable));
        variable == same && !is_forgotten && conflict(one, other) && before[second] & 1 << first == 0
    };
    (0..run.len())
        .flat_map(|second| (0..second).map(move |first| (first, second)))
        .filter(|(a, b)| is_race(*a, *b))
        .collect()
}

fn conflict(one: Kind, other: Kind) -> bool {
    let writes = |kind| kind == Kind::Write || kind == Kind::AtomicWrite;
    let is_atomic = |kind| kind == Kind::AtomicRead || kind == Kind::AtomicWrite;
    (writes(one) || writes(other)) && !(is_atomic(one) && is_atomic(other))
}

/// The write that a read saw, unless both are atomic.
fn read_from(run: &Run, at: usize) -> Option<usize> {
    let (variable, kind) = run[at].1.access()?;
    let writes = |n: &usize| {
        run[*n]
            .1
            .access()
            .is_some_and(|(same, kind)| same == variable && [Kind::Write, Kind::AtomicWrite].contains(&kind))
    };
    let from = (0..at).rev().find(writes)?;
    let is_atomic = |kind| matches!(kind, Kind::AtomicRead | Kind::AtomicWrite);
    let is_ordered_otherwise = is_atomic(kind) && is_atomic(run[from].1.access()?.1);
    let is_read = matches!(kind, Kind::Read | Kind::AtomicRead);
    (is_read && !matches!(run[from].1, What::Free(_)) && !is_ordered_otherwise).then_some(from)
}

fn edges_to(run: &Run, to: usize) -> Vec<(usize, usize)> {
    let (thread, what) = run[to];
    let mut from: Vec<usize> = (0..to).filter(|n| run[*n].0 == thread).collect();
    match what {
        What::Arrive(departure) => from.push(departure),
        What::Acquire(lock, mode) => from.extend((0..to).filter(|n| is_released_for(run[*n].1, lock, mode))),
        _ => {}
    }
    // All that synchronises with an operation of an atomic, and with a fence behind it.
    let loads = (0..=to).filter(|n| run[*n].0 == thread && matches!(run[*n].1, What::Load(..) | What::Rmw(..)));
    for load in loads {
        let acquires = if load == to {
            matches!(what, What::Load(_, order) | What::Rmw(_, order) if acquires(order))
        } else {
            matches!(what, What::Fence(order) if acquires(order))
        };
        if acquires {
            from.extend(released_to(run, load));
        }
    }
    from.into_iter().map(|from| (from, to)).collect()
}

/// Whether an acquire of a lock comes after this.
fn is_released_for(what: What, lock: u32, mode: Mode) -> bool {
    let (What::Release(released, was) | What::Downgrade(released, was, _)) = what else { return false };
    released == lock && (was == Mode::Exclusive || matches!(mode, Mode::Exclusive | Mode::Upgradable))
}

/// What releases to an operation that loads: the heads of the release sequences that it reads from, or fences before them.
fn released_to(run: &Run, load: usize) -> Vec<usize> {
    let (What::Load(atomic, _) | What::Rmw(atomic, _)) = run[load].1 else { return Vec::new() };
    let mut released = Vec::new();
    for head in (0..load).rev() {
        let (order, is_last) = match run[head].1 {
            What::Store(same, order) if same == atomic => (order, true),
            What::Rmw(same, order) if same == atomic => (order, false),
            _ => continue,
        };
        if releases(order) {
            released.push(head);
        }
        let is_fence =
            |n: &usize| run[*n].0 == run[head].0 && matches!(run[*n].1, What::Fence(order) if releases(order));
        released.extend((0..head).filter(is_fence));
        if is_last {
            break;
        }
    }
    released
}

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

/// An ordering with more to it.
pub(crate) fn stronger(order: Ordering, release: bool, acquire: bool) -> Ordering {
    match (releases(order) || release, acquires(order) || acquire) {
        (false, false) => Ordering::Relaxed,
        (true, false) => Ordering::Release,
        (false, true) => Ordering::Acquire,
        (true, true) => Ordering::AcqRel,
    }
}
