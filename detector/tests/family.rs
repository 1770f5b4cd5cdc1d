//! Traces of processes that have to do with each other: one order, one wait graph, one lock order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail like tests")]

mod support;

use detector::{
    analysis::RawFinding,
    finding::{Certainty, Code},
    merge::{self, FirstPass, Sink, Step},
    model::{FamilyId, Model, replayable},
    source::Trace,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, fmt::Write as _};
use support::{Several, analyse, trace_of};
use trace_format::{Event, Flags, Kind, ObjectId};

/// The model and what was found, but for what is said of each process that was killed while it waited.
fn found(files: impl IntoIterator<Item = Vec<u8>>) -> (Model, Vec<RawFinding>) {
    let (model, mut findings, problems) = analyse(files);
    assert_eq!(problems, []);
    findings.retain(|finding| finding.code != Code::Stall);
    (model, findings)
}

fn codes(several: &Several) -> Vec<(Code, Certainty)> {
    found(several.files()).1.iter().map(|finding| (finding.code, finding.certainty)).collect()
}

fn pids(finding: &RawFinding, model: &Model) -> Vec<u32> {
    let process = |edge: &detector::analysis::RawEdge| model.threads[edge.thread.idx()].process;
    finding.edges.iter().map(|edge| model.processes[process(edge).idx()].pid).collect()
}

/// The order: thread and kind of each event.
#[derive(Default)]
struct Collected(Vec<(u32, Kind)>);

impl Sink for Collected {
    type Mark = ();

    fn step(&mut self, step: &Step) {
        self.0.push((step.thread, step.event.kind()));
    }

    fn depart(&mut self, _: u32) {}

    fn arrive(&mut self, _: u32, (): &()) {}
}

/// The one order of a trace that is one family.
fn order(trace: &Trace) -> (Vec<(u32, Kind)>, u64) {
    let [family] = trace.families.as_slice() else { panic!("{} families", trace.families.len()) };
    let mut collected = Collected::default();
    let merged = merge::run(family, FirstPass::new(family), &mut collected);
    (collected.0, merged.n_gaps)
}

const INVERSION: &str = "100/t1: acq shared.A@1 | acq shared.B@2 | rel shared.B | rel shared.A
                         200/t2: acq shared.B@3 | acq shared.A@4 | rel shared.A | rel shared.B";

#[test]
fn processes_that_share_nothing_stay_apart_whatever_their_ids() {
    let apart = Several::script(
        "100/t1: acq A@1 | acq B@2 | rel B | rel A
         200/t2: acq B@3 | acq A@4 | rel A | rel B",
    );
    assert_eq!(trace_of(apart.files()).families.len(), 2);
    assert_eq!(codes(&apart), []);
    // Ids are equal, and so would addresses be: they are private all the same.
    let related = Several::script(
        "100/t1: spawn 200
         100/t1: acq A@1 | acq B@2 | rel B | rel A
         200/t2: acq B@3 | acq A@4 | rel A | rel B",
    );
    assert_eq!(trace_of(related.files()).families.len(), 1);
    assert_eq!(codes(&related), []);
}

#[test]
fn locks_of_shared_memory_are_the_same_in_all_processes() {
    let several = Several::script(INVERSION);
    let trace = trace_of(several.files());
    let (order, n_gaps) = order(&trace);
    assert_eq!(n_gaps, 0);
    let of_first = order.iter().rposition(|(thread, _)| *thread == 0).unwrap();
    let of_second = order.iter().position(|(thread, kind)| (*thread, *kind) == (1, Kind::ACQUIRE)).unwrap();
    assert!(of_first < of_second, "{order:?}");
    let (model, findings) = found(several.files());
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.code, finding.certainty), (Code::LockOrder, Certainty::Possible));
    assert_eq!(pids(finding, &model), [100, 200]);
    let reference = &model.objects[finding.edges[0].wants.unwrap().0.unwrap().idx()];
    assert_eq!((reference.label.as_deref(), reference.shared_by.len()), (Some("shared.B"), 2));
}

#[test]
fn two_handles_of_one_process_are_one_lock() {
    let several = Several::script("100/t1: acq shared.A@1");
    let process = several.processes[&100].clone();
    let bytes = |process: &support::Process| process.to_bytes();
    // Another id for the same place.
    let other = ObjectId(40).in_shared_memory();
    let mut twice = process;
    twice.alias("shared.A", other);
    twice.push("t1", Event::new(Kind::REQUEST, Flags::NONE, 2, other, 0));
    twice.wait("t1", Event::new(Kind::REQUEST, Flags::NONE, 2, other, 0));
    twice.exited = false;
    let (_, findings) = found([bytes(&twice)]);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.code, finding.certainty), (Code::SelfDeadlock, Certainty::Observed));
}

#[test]
fn what_spawns_and_waits_order_is_not_predicted() {
    let child = "200/t2: acq shared.B@3 | acq shared.A@4 | rel shared.A | rel shared.B";
    let parent = "100/t1: acq shared.A@1 | acq shared.B@2 | rel shared.B | rel shared.A";
    let before = Several::script(&format!("{parent}\n100/t1: spawn 200\n{child}"));
    assert_eq!(codes(&before), []);
    let after = Several::script(&format!("100/t1: spawn 200\n{child}\n100/t1: waitpid 200\n{parent}"));
    assert_eq!(codes(&after), []);
    let beside = Several::script(&format!("100/t1: spawn 200\n{parent}\n{child}\n100/t1: waitpid 200"));
    assert_eq!(codes(&beside), [(Code::LockOrder, Certainty::Possible)]);
    // Whoever else the child had is behind its end too.
    let other = "200/t3: acq shared.B@3 | acq shared.A@4 | rel shared.A | rel shared.B";
    let after = Several::script(&format!("100/t1: spawn 200\n200/t2: fork t3\n{other}\n100/t1: waitpid 200\n{parent}"));
    assert_eq!(codes(&after), []);
}

#[test]
fn what_a_fork_orders_is_not_predicted_and_its_copies_are_its_own() {
    let child = "200/t2: acq shared.B@3 | acq shared.A@4 | rel shared.A | rel shared.B | acq Q@5 | acq P@6";
    let parent =
        "100/t1: acq shared.A@1 | acq shared.B@2 | rel shared.B | rel shared.A | acq P@7 | acq Q@8 | rel Q | rel P";
    let forked = |script: &str| {
        Several::script(script).with(200, |child| {
            child.forked_from = Some((100, 1000));
            child.forked_number = 1;
        })
    };
    assert_eq!(codes(&forked(&format!("{parent}\n100/t1: pfork 1\n{child}"))), []);
    assert_eq!(
        codes(&forked(&format!("100/t1: pfork 1\n{parent}\n{child}"))),
        [(Code::LockOrder, Certainty::Possible)],
        "after the fork"
    );
}

#[test]
fn a_wait_for_a_child_that_wants_what_its_parent_holds_is_a_deadlock() {
    let several = Several::script(
        "100/t1: spawn 200 | acq shared.A@1
         200/t2: block shared.A@2",
    );
    let several = several.with(100, |parent| {
        let child = parent.object("t1", "pid.200");
        parent.wait("t1", Event::new(Kind::PROCESS_WAIT, Flags::NONE, 3, child, 0));
        parent.exited = false;
    });
    let several = several.with(200, |child| child.exited = false);
    let (model, findings) = found(several.files());
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.code, finding.certainty), (Code::Deadlock, Certainty::Observed));
    assert_eq!(pids(finding, &model), [100, 200]);
}

#[test]
fn locks_over_processes_that_wait_for_each_other_are_a_deadlock() {
    let several = Several::script(
        "100/t1: acq shared.A@1
         200/t2: acq shared.B@2
         100/t1: block shared.B@3
         200/t2: block shared.A@4",
    );
    let several = several.with(100, |one| one.exited = false).with(200, |other| other.exited = false);
    assert_eq!(codes(&several), [(Code::Deadlock, Certainty::Observed)]);
}

#[test]
fn who_takes_over_from_the_dead_comes_after_them() {
    let several = Several::script(
        "100/t1: acq shared.A@1 | acq P@2
         200/t2: died shared.A 100@3 | acq shared.A@3 | rel shared.A",
    );
    let several = several.with(100, |dead| dead.exited = false);
    let trace = trace_of(several.files());
    let (order, n_gaps) = order(&trace);
    assert_eq!(n_gaps, 0);
    let last_of_dead = order.iter().rposition(|(thread, _)| *thread == 0).unwrap();
    assert_eq!(order[last_of_dead].1, Kind::RELEASE, "what it owed: {order:?}");
    let taken = order.iter().position(|(thread, kind)| (*thread, *kind) == (1, Kind::ACQUIRE)).unwrap();
    assert!(last_of_dead < taken);
    let (model, findings) = found(several.files());
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.code, finding.certainty), (Code::AbandonedLock, Certainty::Hazard));
    assert_eq!(pids(finding, &model), [200, 100]);
    let trace = trace_of(several.files());
    let history = replayable(&trace, &model, FamilyId(0), u64::MAX).unwrap().history;
    assert_eq!(history.threads.len(), 2);
}

#[test]
fn a_copy_that_a_fork_left_locked_is_nobodys() {
    let several = Several::script(
        "100/t1: fork t9
         100/t9: acq P@1
         100/t1: pfork 1
         200/t2: look Q",
    );
    let parent = several.processes[&100].clone();
    let copy = parent.name("P");
    let several = several.with(200, |child| {
        child.forked_from = Some((100, 1000));
        child.forked_number = 1;
        child.exited = false;
        child.push("t2", Event::new(Kind::REQUEST, Flags::NONE, 5, copy, 1));
        child.wait("t2", Event::new(Kind::REQUEST, Flags::NONE, 5, copy, 1));
    });
    let several = several.with(100, |parent| parent.exited = false);
    let (model, findings) = found(several.files());
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.code, finding.certainty), (Code::AbandonedLock, Certainty::Observed));
    assert!(finding.why.contains("forked"), "{}", finding.why);
    assert_eq!(pids(finding, &model), [200, 200]);
    assert!(model.threads[finding.edges[1].thread.idx()].is_left_behind);
}

/// What threads do to locks: a script of as many processes as there are threads, and one of a single process.
fn scripts(wishes: &[(usize, usize, bool)]) -> (String, String) {
    const LOCKS: [&str; 4] = ["shared.A", "shared.B", "shared.RA", "shared.RB"];
    let mut held: Vec<(usize, usize, bool)> = Vec::new();
    let (mut several, mut single) = (String::new(), String::new());
    let mut say = |thread: usize, what: &str| {
        let _ = writeln!(several, "{}/t{thread}: {what}", 100 * (thread + 1));
        let _ = writeln!(single, "100/t{thread}: {what}");
    };
    for (at, (thread, lock, shared)) in wishes.iter().copied().enumerate() {
        let shared = shared && lock >= 2;
        let own = held.iter().position(|(of, on, _)| (*of, *on) == (thread, lock));
        let is_free = held.iter().all(|(_, on, mode)| *on != lock || (*mode && shared));
        match own {
            Some(own) => {
                say(thread, &format!("rel {}", LOCKS[lock]));
                held.remove(own);
            }
            None if is_free => {
                // Sites are places in the program: some are used again.
                let verb = if shared { "read" } else { "acq" };
                say(thread, &format!("{verb} {}@{}", LOCKS[lock], 1 + at % 12));
                held.push((thread, lock, shared));
            }
            None => {}
        }
    }
    for (thread, lock, _) in held {
        say(thread, &format!("rel {}", LOCKS[lock]));
    }
    (several, single)
}

type Side = Option<(String, u32)>;

/// Code, certainty, and of each edge what is held and wanted, and where.
type Told = (Code, Certainty, Vec<(Side, Side)>);

/// What was found, in words that do not depend on processes.
fn told(several: &Several) -> BTreeSet<Told> {
    let (model, findings) = found(several.files());
    let side = |object: detector::model::ObjectId, site: detector::model::SiteId| {
        let label = model.objects[object.idx()].label.clone().unwrap_or_default();
        (label, model.sites[site.idx()].line)
    };
    let edges = |finding: &RawFinding| {
        let edge = |edge: &detector::analysis::RawEdge| {
            let holds = edge.holds.map(|(object, _, site)| side(object, site));
            (holds, edge.wants.and_then(|(object, _, site)| Some(side(object?, site))))
        };
        let mut edges: Vec<_> = finding.edges.iter().map(edge).collect();
        edges.sort();
        edges
    };
    findings.iter().map(|finding| (finding.code, finding.certainty, edges(finding))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Processes over shared locks are what threads over private ones are.
    #[test]
    fn processes_are_as_threads(
        wishes in prop::collection::vec((0..3_usize, 0..4_usize, any::<bool>()), 0..60),
        segment_events in prop_oneof![Just(4000_usize), 3..20_usize],
    ) {
        let (several, single) = scripts(&wishes);
        let [mut several, mut single] = [several, single].map(|script| Several::script(&script));
        for process in several.processes.values_mut().chain(single.processes.values_mut()) {
            process.segment_events = segment_events;
        }
        for run in [&several, &single] {
            let trace = trace_of(run.files());
            prop_assert_eq!(&trace.problems, &[]);
            if let [_] = trace.families.as_slice() {
                prop_assert_eq!(order(&trace).1, 0);
            }
        }
        prop_assert_eq!(told(&several), told(&single));
    }
}

/// All that may happen to processes, in one trace.
fn eventful() -> Vec<Vec<u8>> {
    let several = Several::script(
        "100/t1: spawn 200 | acq shared.A@1 | acq P@2 | rel P | fork t9
         100/t9: acq Q@3
         100/t1: pfork 1 | rel shared.A
         200/t2: acq shared.A@4 | acq shared.RB@5 | rel shared.RB
         300/t3: read shared.RB@6 | acq P@7 | rel P | rel shared.RB
         400/t4: died shared.A 200@8 | acq shared.A@8 | rel shared.A
         100/t1: waitpid 200 | join t9",
    );
    let forked = |child: &mut support::Process| {
        child.forked_from = Some((100, 1000));
        child.forked_number = 1;
    };
    several.with(200, |dead| dead.exited = false).with(300, forked).files()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written over relatives' files, nothing panics, hangs or takes memory without a bound.
    #[test]
    fn damaged_relatives_are_read(
        damages in prop::collection::vec((0..4_usize, any::<prop::sample::Index>(), any::<u64>(), 0..64_u32), 1..24),
        cut in prop::option::of((0..4_usize, any::<prop::sample::Index>())),
    ) {
        let mut files = eventful();
        for (file, place, value, shift) in damages {
            let words = files[file].len() / 8;
            let at = place.index(words) * 8;
            files[file][at..at + 8].copy_from_slice(&(value >> shift).to_le_bytes());
        }
        if let Some((file, place)) = cut {
            let len = place.index(files[file].len());
            files[file].truncate(len);
        }
        let trace = trace_of(files);
        let (model, _) = detector::model::build(&trace);
        let _ = detector::analysis::run(&model, detector::analysis::Stopped::No);
        let _ = detector::convert::history_of(&trace, "damaged");
        for (family, id) in trace.families.iter().zip((0..).map(FamilyId)) {
            let _ = replayable(&trace, &model, id, u64::MAX);
            let recorded = detector::race::Recorded::new(family, &FirstPass::new(family), |_| trace_format::ObjectKind::Mutex);
            let mut races = detector::race::HappensBefore::new(detector::race::Rule::Schedulable);
            recorded.pass(&mut races);
        }
    }
}
