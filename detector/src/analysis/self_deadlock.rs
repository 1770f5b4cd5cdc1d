//! `self-deadlock`: threads that wait for themselves, by one lock alone.
//!
//! What happened: a thread locks again what it holds, or writes what it reads, or is initialising what it initialises;
//! readers that both ask to write, each waiting for the other one to stop reading; a reader that reads again behind a
//! queued writer. What could: a read within a read, with a writer that may queue between the two.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, WhyNot, hang::Scene, mode_name};
use crate::{
    finding::{Certainty, Code},
    graph::wait_for::Need,
    model::{Hold, Model, NestedAcquire, ObjectId, SiteId, ThreadId},
};
use rustc_hash::FxHashMap;
use trace_format::Mode;

/// Threads that wait for themselves and that a finding shows.
const SHOWN_MAX: usize = 8;

pub(super) fn in_knot(scene: &Scene<'_>) -> Option<RawFinding> {
    relocked(scene).or_else(|| one_lock(scene))
}

/// Threads that want what they hold.
fn relocked(scene: &Scene<'_>) -> Option<RawFinding> {
    let waits_for_itself = |thread: &ThreadId| {
        scene.wants_lock(*thread) && scene.want(*thread).is_some_and(|want| want.by.contains(thread))
    };
    let threads = scene.knot.threads.iter().copied().filter(waits_for_itself).take(SHOWN_MAX);
    let edges: Vec<RawEdge> = threads.map(|thread| scene.edge(thread, scene.object(thread))).collect();
    let reads = |edge: &RawEdge| edge.holds.is_some_and(|(_, mode, _)| mode == mode_name(Mode::Shared));
    let help = if edges.iter().all(reads) { Help::NoUpgrade } else { Help::DropBeforeRelock };
    (!edges.is_empty()).then(|| scene.raw(Code::SelfDeadlock, edges, help))
}

/// A cycle through one lock: its readers wait for each other to stop reading, or behind a writer that waits for them.
fn one_lock(scene: &Scene<'_>) -> Option<RawFinding> {
    let same_lock = |thread: ThreadId, next: ThreadId| {
        let is_lock = |thread| scene.wants_lock(thread) && scene.need(thread) == Some(Need::All);
        is_lock(thread) && is_lock(next) && scene.object(thread) == scene.object(next)
    };
    let cycle = scene.graph.cycle(&scene.knot.threads, same_lock, |_, _| true)?;
    let reads = |thread: &ThreadId| scene.wait(*thread).is_some_and(|wait| wait.event.flags().mode() == Mode::Shared);
    let help = if cycle.iter().any(reads) { Help::NoRecursiveRead } else { Help::NoUpgrade };
    Some(scene.raw(Code::SelfDeadlock, scene.cycle_edges(&cycle), help))
}

/// Finds what could happen: one finding per pair of sites.
pub fn run(model: &Model) -> Vec<RawFinding> {
    read_again(model)
}

/// Reads nested in reads of the same lock, with a writer that may queue between; one finding per pair of sites.
fn read_again(model: &Model) -> Vec<RawFinding> {
    let mut writers: FxHashMap<ObjectId, Vec<&NestedAcquire>> = FxHashMap::default();
    for writer in model.writers.iter().filter(|writer| writer.may_wait) {
        writers.entry(writer.wants).or_default().push(writer);
    }
    let mut findings: Vec<RawFinding> = Vec::new();
    let mut by_sites: FxHashMap<(ObjectId, SiteId, SiteId), usize> = FxHashMap::default();
    for read in model.nested.iter().filter(|nested| nested.may_wait && nested.mode == Mode::Shared) {
        let is_read = |hold: &&Hold| hold.object == read.wants && !hold.mode.excludes(Mode::Shared);
        let Some(hold) = read.holds.iter().find(is_read) else { continue };
        let place = (read.wants, hold.site, read.site);
        if let Some(finding) = by_sites.get(&place).and_then(|finding| findings.get_mut(*finding)) {
            finding.count = finding.count.saturating_add(read.count);
            continue;
        }
        let mut candidates = writers.get(&read.wants).into_iter().flatten();
        if let Some(writer) = candidates.find(|writer| model.may_overlap(read, writer)) {
            by_sites.insert(place, findings.len());
            findings.push(read_again_finding(model, read, *hold, writer));
        }
    }
    findings
}

fn read_again_finding(model: &Model, read: &NestedAcquire, hold: Hold, writer: &NestedAcquire) -> RawFinding {
    let lock = read.wants;
    let mut why = "no schedule was replayed; the thread reads again while it reads, and waits for ever if the writer \
                   queues between the two"
        .to_owned();
    if model.objects.get(lock.idx()).is_some_and(|object| object.gap) {
        why.push_str("; the order of the lock has gaps");
    }
    RawFinding {
        assumes: vec![ALL_RECORDED.to_owned()],
        count: read.count,
        edges: vec![
            RawEdge {
                thread: read.thread,
                holds: Some((lock, mode_name(hold.mode), hold.site)),
                wants: Some((Some(lock), mode_name(read.mode), read.site)),
                could_release: vec![(writer.thread, WhyNot::ForFirstRead)],
            },
            RawEdge {
                thread: writer.thread,
                holds: None,
                wants: Some((Some(lock), mode_name(writer.mode), writer.site)),
                could_release: vec![(read.thread, WhyNot::BehindWriter)],
            },
        ],
        ..RawFinding::new(Code::SelfDeadlock, Certainty::Possible, why, Help::NoRecursiveRead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Stopped, fixture::Fixture, hang};
    use trace_format::{Event, Kind};

    #[test]
    fn every_relock_is_observed_and_two_reads_are_not() {
        use Mode::{Exclusive, Shared};
        for (held, wanted, n) in
            [(Exclusive, Exclusive, 1), (Shared, Exclusive, 1), (Exclusive, Shared, 1), (Shared, Shared, 0)]
        {
            let mut fixture = Fixture::default();
            fixture.waits(0, &[("A", held)], "A", wanted);
            let findings = hang::run(&fixture.model, Stopped::No);
            assert_eq!(findings.len(), n, "{held:?} then {wanted:?}");
            for finding in findings {
                assert_eq!((finding.code, finding.certainty), (Code::SelfDeadlock, Certainty::Observed));
                let help = if held == Shared { Help::NoUpgrade } else { Help::DropBeforeRelock };
                assert_eq!(finding.help, help);
            }
        }
    }

    #[test]
    fn readers_that_both_ask_to_write_are_one_finding() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Shared)], "A", Mode::Exclusive);
        fixture.waits(1, &[("A", Mode::Shared)], "A", Mode::Exclusive);
        let findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].code, findings[0].edges.len()), (Code::SelfDeadlock, 2));
    }

    #[test]
    fn an_upgrade_waits_for_a_read_of_its_own_and_not_for_what_it_upgrades() {
        let upgrading = |held: &[(&str, Mode)]| {
            let mut fixture = Fixture::default();
            fixture.waits(0, held, "A", Mode::Exclusive);
            let wait = fixture.model.threads[0].wait.as_mut().unwrap();
            let flags = Mode::Exclusive.flags();
            wait.event = Event::new(Kind::UPGRADE, flags, wait.event.site().0, wait.event.object(), 0);
            hang::run(&fixture.model, Stopped::No)
        };
        for alone in [Mode::Upgradable, Mode::Shared] {
            assert!(upgrading(&[("A", alone)]).is_empty(), "{alone:?}");
        }
        for both in [[("A", Mode::Shared), ("A", Mode::Upgradable)], [("A", Mode::Upgradable), ("A", Mode::Shared)]] {
            let findings = upgrading(&both);
            assert_eq!(findings.len(), 1, "{both:?}");
            assert_eq!((findings[0].code, findings[0].certainty), (Code::SelfDeadlock, Certainty::Observed));
        }
    }

    #[test]
    fn a_read_behind_the_writer_that_waits_for_the_reader_is_observed() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Shared)], "A", Mode::Shared);
        fixture.waits(1, &[], "A", Mode::Exclusive);
        fixture.waits(2, &[], "A", Mode::Shared);
        let findings = hang::run(&fixture.model, Stopped::No);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].code, findings[0].help), (Code::SelfDeadlock, Help::NoRecursiveRead));
        assert_eq!((findings[0].edges.len(), &findings[0].behind[..]), (2, &[ThreadId(2)][..]));
        fixture.waits(0, &[("A", Mode::Shared)], "A", Mode::SharedRecursive);
        assert!(hang::run(&fixture.model, Stopped::No).is_empty(), "a recursive read does not queue");
    }

    #[test]
    fn waiting_for_another_lock_is_nothing() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Exclusive)], "B", Mode::Exclusive);
        assert!(hang::run(&fixture.model, Stopped::No).is_empty());
    }

    #[test]
    fn reading_again_needs_a_writer_of_another_thread() {
        let read = |fixture: &mut Fixture| {
            fixture.nested(0, &[("A", Mode::Shared)], "A", Mode::Shared);
        };
        let mut fixture = Fixture::default();
        read(&mut fixture);
        assert!(run(&fixture.model).is_empty());
        fixture.writer(0, &[], "A");
        assert!(run(&fixture.model).is_empty(), "the reader's own writes do not queue while it reads");
        fixture.writer(1, &[], "A");
        read(&mut fixture);
        let findings = run(&fixture.model);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].certainty, findings[0].count, findings[0].edges.len()), (Certainty::Possible, 2, 2));
    }

    #[test]
    fn a_gate_keeps_the_writer_out_and_recursive_reads_pass_it() {
        let mut fixture = Fixture::default();
        fixture.nested(0, &[("G", Mode::Exclusive), ("A", Mode::Shared)], "A", Mode::Shared);
        fixture.nested(0, &[("A", Mode::Shared)], "A", Mode::SharedRecursive);
        fixture.writer(1, &[("G", Mode::Exclusive)], "A");
        assert!(run(&fixture.model).is_empty());
    }

    #[test]
    fn a_writer_after_the_join_is_nothing() {
        let mut fixture = Fixture::default();
        fixture.nested(0, &[("A", Mode::Shared)], "A", Mode::Shared);
        fixture.writer(1, &[], "A");
        fixture.order(0, 1);
        assert!(run(&fixture.model).is_empty());
    }
}
