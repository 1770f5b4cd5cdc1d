//! Threads that wait for themselves: one that locks again what it holds, which happened; and one that reads again
//! while it reads, which waits for ever once a writer has queued between the two.

use super::{ALL_RECORDED, Help, RawEdge, RawFinding, mode_name};
use crate::{
    finding::{Certainty, Code},
    model::{Hold, Model, NestedAcquire, ObjectId, SiteId, Thread, ThreadId},
};
use rustc_hash::FxHashMap;
use trace_format::{Flags, Kind, Mode};

/// Finds both.
pub fn run(model: &Model) -> Vec<RawFinding> {
    let threads = model.threads.iter().zip(0..);
    let mut findings: Vec<RawFinding> = threads.filter_map(|(thread, idx)| relocked(thread, ThreadId(idx))).collect();
    findings.extend(read_again(model));
    findings
}

/// A thread that is blocked on a lock that it holds itself.
fn relocked(thread: &Thread, id: ThreadId) -> Option<RawFinding> {
    let wait = thread.wait.as_ref().filter(|wait| wait.event.kind() == Kind::REQUEST)?;
    let flags = wait.event.flags();
    if flags.has(Flags::TRY) || flags.has(Flags::TIMED) {
        return None;
    }
    let (object, mode) = (wait.object?, flags.mode());
    let hold = thread.holds.iter().find(|hold| hold.object == object && hold.mode.excludes(mode))?;
    let could_release = vec![(id, "it waits for itself".to_owned())];
    Some(RawFinding {
        code: Code::SelfDeadlock,
        certainty: Certainty::Observed,
        why: "the thread waits for a lock that it holds itself, so nobody can let it go on".to_owned(),
        assumes: Vec::new(),
        count: 1,
        edges: vec![RawEdge {
            thread: id,
            holds: Some((object, mode_name(hold.mode), hold.site)),
            wants: Some((Some(object), mode_name(mode), wait.site)),
            could_release,
        }],
        help: Help::DropBeforeRelock,
    })
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
        code: Code::SelfDeadlock,
        certainty: Certainty::Possible,
        why,
        assumes: vec![ALL_RECORDED.to_owned()],
        count: read.count,
        edges: vec![
            RawEdge {
                thread: read.thread,
                holds: Some((lock, mode_name(hold.mode), hold.site)),
                wants: Some((Some(lock), mode_name(read.mode), read.site)),
                could_release: vec![(writer.thread, "it waits for the first read to end".to_owned())],
            },
            RawEdge {
                thread: writer.thread,
                holds: None,
                wants: Some((Some(lock), mode_name(writer.mode), writer.site)),
                could_release: vec![(read.thread, "it waits behind the writer".to_owned())],
            },
        ],
        help: Help::NoRecursiveRead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::Fixture;

    #[test]
    fn a_relock_that_happened_is_observed() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Exclusive)], "A", Mode::Exclusive);
        let findings = run(&fixture.model);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].certainty, findings[0].help), (Certainty::Observed, Help::DropBeforeRelock));
    }

    #[test]
    fn every_mixed_relock_is_observed_and_two_reads_are_not() {
        for (held, wanted, n) in
            [(Mode::Shared, Mode::Exclusive, 1), (Mode::Exclusive, Mode::Shared, 1), (Mode::Shared, Mode::Shared, 0)]
        {
            let mut fixture = Fixture::default();
            fixture.waits(0, &[("A", held)], "A", wanted);
            assert_eq!(run(&fixture.model).len(), n, "{held:?} then {wanted:?}");
        }
    }

    #[test]
    fn waiting_for_another_lock_is_nothing() {
        let mut fixture = Fixture::default();
        fixture.waits(0, &[("A", Mode::Exclusive)], "B", Mode::Exclusive);
        assert!(run(&fixture.model).is_empty());
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
