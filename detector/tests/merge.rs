//! The merged order of a trace without loss is one that could have been.

mod support;

use detector::{
    merge::{self, FirstPass, Sink, Step},
    source::Family,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{Process, trace_of};
use trace_format::{Event, Flags, Kind, Mode, Order, stripe};

#[derive(Default)]
struct Collected {
    steps: Vec<Step>,
}

impl Sink for Collected {
    type Mark = ();

    fn step(&mut self, step: &Step) {
        self.steps.push(*step);
    }

    fn depart(&mut self, _: u32) {}

    fn arrive(&mut self, _: u32, (): &()) {}
}

/// The merged order, which must be one of locks that exclude each other.
fn check_order(file: &Family) -> Result<usize, TestCaseError> {
    let first = FirstPass::new(file);
    let (n_events, n_objects) = (first.n_events, first.objects.len());
    let mut collected = Collected::default();
    let merged = merge::run(file, first, &mut collected);
    prop_assert_eq!(merged.n_gaps, 0);
    prop_assert!((0..n_objects as u32).all(|object| !merged.is_gapped(object)));
    prop_assert_eq!(collected.steps.len() as u64, n_events);
    let mut holders: BTreeMap<u32, Vec<(u32, Mode)>> = BTreeMap::new();
    for step in &collected.steps {
        let holders = holders.entry(step.object).or_default();
        let own = holders.iter().position(|(thread, _)| *thread == step.thread);
        let not_held = || TestCaseError::fail(format!("{step:?}: not held"));
        let mode = step.event.flags().mode();
        match step.event.kind() {
            Kind::ACQUIRE => {
                prop_assert!(holders.iter().all(|(_, held)| !held.excludes(mode)), "{:?}", step);
                holders.push((step.thread, mode));
            }
            Kind::DOWNGRADE => holders[own.ok_or_else(not_held)?].1 = Mode::Shared,
            Kind::RELEASE => {
                let (_, held) = holders.remove(own.ok_or_else(not_held)?);
                prop_assert_eq!(held, mode);
            }
            _ => {}
        }
    }
    prop_assert!(holders.values().all(Vec::is_empty));
    Ok(collected.steps.len())
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Acquire,
    Read,
    Release,
    Downgrade,
    Send,
    Receive,
    Pass,
}

const ACTIONS: [Action; 9] = [
    Action::Acquire,
    Action::Read,
    Action::Release,
    Action::Acquire,
    Action::Release,
    Action::Downgrade,
    Action::Send,
    Action::Receive,
    Action::Pass,
];

/// Runs what is possible of a list of wishes, then releases everything.
fn execute(wishes: &[(usize, usize, usize)], segment_events: usize) -> Process {
    const LOCKS: [&str; 4] = ["A", "B", "RA", "RB"];
    let mut process = Process::new(1);
    process.segment_events = segment_events;
    let mut held: Vec<(usize, usize, Mode)> = Vec::new();
    let mut n_messages = 0;
    for (thread, action, lock) in wishes.iter().copied() {
        let (name, on) = (format!("t{thread}"), LOCKS[lock]);
        let own = held.iter().position(|(t, l, _)| (*t, *l) == (thread, lock));
        let may = |mode: Mode| own.is_none() && held.iter().all(|(_, l, held)| *l != lock || !held.excludes(mode));
        match (ACTIONS[action], own) {
            (Action::Acquire, _) if may(Mode::Exclusive) => {
                process.run(&name, &format!("acq {on}"));
                held.push((thread, lock, Mode::Exclusive));
            }
            (Action::Read, _) if lock >= 2 && may(Mode::Shared) => {
                process.run(&name, &format!("read {on}"));
                held.push((thread, lock, Mode::Shared));
            }
            (Action::Downgrade, Some(own)) if lock >= 2 && held[own].2 == Mode::Exclusive => {
                process.run(&name, &format!("down {on}"));
                held[own].2 = Mode::Shared;
            }
            (Action::Release, Some(own)) => {
                process.run(&name, &format!("rel {on}"));
                held.remove(own);
            }
            (Action::Pass, Some(_)) => {
                let (condvar, mutex) = (process.object(&name, "K"), process.object(&name, on));
                process.push(&name, Event::new(Kind::PASS, Flags::NONE, 1, condvar, mutex.0));
            }
            (Action::Send, _) => {
                process.run(&name, "send C");
                n_messages += 1;
            }
            (Action::Receive, _) if n_messages > 0 => {
                process.run(&name, "recv C");
                n_messages -= 1;
            }
            _ => {}
        }
    }
    for (thread, lock, _) in held {
        process.run(&format!("t{thread}"), &format!("rel {}", LOCKS[lock]));
    }
    process
}

/// Addresses of atomic variables, of which two share a stripe.
fn addresses() -> [u64; 3] {
    let first = 0x7f00_0000_1000;
    let twin = (1..100_000).map(|n| first + n * 8).find(|twin| stripe::of(*twin) == stripe::of(first)).unwrap_or(first);
    [first, twin, first + 8]
}

/// Threads that load, store and modify what lies at three addresses.
fn execute_on_atomics(wishes: &[(usize, usize, usize)], segment_events: usize, forked: bool) -> Process {
    const KINDS: [Kind; 5] = [Kind::ATOMIC_LOAD, Kind::ATOMIC_STORE, Kind::ATOMIC_RMW, Kind::PUBLISH, Kind::OBSERVE];
    let mut process = Process::new(1);
    process.segment_events = segment_events;
    let mut versions = BTreeMap::new();
    for (thread, kind, address) in wishes.iter().copied() {
        let (kind, address) = (KINDS[kind % KINDS.len()], addresses()[address % 3]);
        let version = versions.entry(stripe::of(address)).or_insert(if forked { 1000 } else { 0 });
        *version += u64::from(!matches!(kind, Kind::ATOMIC_LOAD | Kind::OBSERVE));
        let flags = Flags::atomic(Order::Relaxed, 3);
        let thread = format!("t{thread}");
        process.object(&thread, &thread);
        process.push(&thread, Event::at_address(kind, flags, 1, address, *version));
    }
    process
}

/// The merged order, in which each version is made once and seen between its making and that of the next one.
fn check_stripes(file: &Family) -> Result<(), TestCaseError> {
    let first = FirstPass::new(file);
    let n_events = first.n_events;
    let mut collected = Collected::default();
    let merged = merge::run(file, first, &mut collected);
    prop_assert_eq!((merged.n_gaps, collected.steps.len() as u64), (0, n_events));
    let mut versions = BTreeMap::new();
    for Step { event, object, .. } in collected.steps.iter().filter(|step| step.event.is_at_address()) {
        prop_assert_eq!(merged.objects.id(*object), merge::AT_ADDRESS | event.address());
        let version = versions.entry(stripe::of(event.address())).or_insert(0);
        *version += u64::from(!matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::OBSERVE));
        prop_assert_eq!(*version, event.beside());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_execution_split_by_thread_is_merged_without_gaps(
        wishes in prop::collection::vec((0..5_usize, 0..ACTIONS.len(), 0..4_usize), 0..150),
        segment_events in prop_oneof![Just(4000_usize), 3..20_usize],
    ) {
        let trace = trace_of([execute(&wishes, segment_events).to_bytes()]);
        prop_assert_eq!(&trace.problems, &[]);
        check_order(&trace.families[0])?;
    }

    #[test]
    fn what_was_loaded_lies_between_the_stores(
        wishes in prop::collection::vec((0..5_usize, 0..5_usize, 0..3_usize), 0..150),
        segment_events in prop_oneof![Just(4000_usize), 3..20_usize],
    ) {
        let trace = trace_of([execute_on_atomics(&wishes, segment_events, false).to_bytes()]);
        prop_assert_eq!(&trace.problems, &[]);
        check_stripes(&trace.families[0])?;
    }
}

#[test]
fn an_operation_whose_version_is_not_certain_waits_for_nothing() {
    let mut process = Process::new(1);
    let address = addresses()[0];
    let flags = Flags::atomic(Order::Release, 3);
    for thread in ["t1", "t2"] {
        process.object(thread, thread);
    }
    process.push("t1", Event::at_address(Kind::ATOMIC_STORE, flags.with(Flags::UNCERTAIN), 1, address, 77));
    process.push("t2", Event::at_address(Kind::ATOMIC_STORE, flags, 1, address, 1));
    let trace = trace_of([process.to_bytes()]);
    let merged = merge::run(&trace.families[0], FirstPass::new(&trace.families[0]), &mut Collected::default());
    assert_eq!(merged.n_gaps, 0);
}

#[test]
fn a_version_that_is_missing_is_a_gap() {
    let wishes = [(1, 1, 0), (2, 1, 0), (1, 0, 0), (2, 1, 0)];
    let process = execute_on_atomics(&wishes, 4000, true);
    let trace = trace_of([process.to_bytes()]);
    let mut collected = Collected::default();
    let merged = merge::run(&trace.families[0], FirstPass::new(&trace.families[0]), &mut collected);
    // Where the versions begin is where recording began, for all that is known.
    assert_eq!(merged.n_gaps, 0);
    let mut process = execute_on_atomics(&wishes[..2], 4000, false);
    let late = Event::at_address(Kind::ATOMIC_LOAD, Flags::NONE, 1, addresses()[0], 5);
    process.push("t1", late);
    let trace = trace_of([process.to_bytes()]);
    let merged = merge::run(&trace.families[0], FirstPass::new(&trace.families[0]), &mut collected);
    assert_eq!(merged.n_gaps, 1);
}

#[test]
fn the_order_is_the_same_each_time() {
    let wishes: Vec<(usize, usize, usize)> = (0..400).map(|i| (i * 7 % 5, i * 5 % 8, i * 3 % 4)).collect();
    let trace = trace_of([execute(&wishes, 10).to_bytes()]);
    let order = || {
        let mut collected = Collected::default();
        merge::run(&trace.families[0], FirstPass::new(&trace.families[0]), &mut collected);
        format!("{:?}", collected.steps)
    };
    assert_eq!(order(), order());
}

#[test]
fn a_missing_number_marks_its_object_and_no_other() {
    let mut process = Process::new(1).script(
        "
        t1: acq A | rel A | acq B | rel B
        t2: acq A | rel A | acq B | rel B
        t1: acq A | rel A | acq B | rel B
    ",
    );
    // The first thread's second section of A and what follows it are in its second segment.
    process.segment_events = 7;
    let bytes = process.to_bytes();
    let segments = process.segments();
    let mut file = bytes[..bytes.len() - segments.iter().map(Vec::len).sum::<usize>()].to_vec();
    // Without the second thread, whose section of each lock lies between two of the first one.
    let with_thread = |thread: u64| move |segment: &&Vec<u8>| u64::from(segment[64 + 5]) == thread;
    for segment in segments.iter().filter(with_thread(1)) {
        file.extend(segment);
    }
    let trace = trace_of([file]);
    let first = FirstPass::new(&trace.families[0]);
    let merged = merge::run(&trace.families[0], first, &mut Collected::default());
    assert_eq!(merged.n_gaps, 2);
    let gapped: Vec<bool> = (0..merged.objects.len() as u32).map(|object| merged.is_gapped(object)).collect();
    assert_eq!(gapped, [false, true, true], "a thread, and two locks");
}
