//! What FORMAT.md says holds for every trace from which nothing was lost.

use super::{Thread, Trace};
use std::collections::{BTreeMap, BTreeSet};
use trace_format::{Event, Flags, Kind, Mode, stripe};

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By `exit`; threads may have been in the middle of something.
    Exit,
    /// By a signal, at any instruction.
    Killed,
}

/// Checks a trace of one process that was not forked and lost nothing.
pub(crate) fn check(trace: &Trace, ending: Ending) {
    assert_eq!(trace.n_lost(), 0);
    assert_eq!(trace.header.exited, ending == Ending::Exit);
    trace.threads.iter().for_each(check_thread);
    check_acquires(trace);
    check_created(trace);
    check_messages(trace);
    check_wakes(trace);
    check_arrivals(trace);
    check_dictionary(trace);
}

/// The program is named, no module is there twice, and every return address lies in a module.
pub(crate) fn check_dictionary(trace: &Trace) {
    assert!(trace.program.is_some());
    let modules: BTreeSet<_> = trace.modules.iter().collect();
    assert!(!modules.is_empty() && modules.len() == trace.modules.len(), "a module was described twice");
    let unknown = |address: &&u64| !modules.iter().any(|(start, end)| (start..end).contains(address));
    assert_eq!(trace.addresses.iter().find(unknown), None, "an address of no module");
}

/// BEGIN comes first, END last, and every RELEASE gives back what this thread acquired or was sent.
fn check_thread(thread: &Thread) {
    let kinds: Vec<_> = thread.events.iter().map(|event| event.kind()).filter(|kind| *kind != Kind::TIME).collect();
    assert!(kinds.first().is_none_or(|kind| *kind == Kind::BEGIN), "thread {}: {:?}", thread.object, kinds.first());
    assert!(thread.segments.iter().copied().eq(0..thread.segments.len() as u64), "{:?}", thread.segments);
    assert!(thread.count(Kind::BEGIN) <= 1 && thread.count(Kind::END) <= 1);
    if let Some(end) = thread.position(Kind::END) {
        assert!(thread.events[end + 1..].iter().all(|event| event.kind() == Kind::TIME), "events behind END");
    }
    check_holds(thread);
    for pair in thread.events.windows(2).filter(|pair| pair[1].kind() == Kind::CHILD_EXIT) {
        assert_eq!((pair[0].kind(), pair[0].object()), (Kind::PROCESS_WAIT, pair[1].object()));
    }
    for pair in thread.events.windows(2).filter(|pair| pair[1].kind() == Kind::EXTEND) {
        assert!(matches!(pair[0].kind(), Kind::NOTIFY | Kind::CREATE | Kind::EXTEND), "{pair:?}");
    }
}

/// Holds that exclude each other do not nest, RELEASE carries the number and the mode that its hold ended with, and who
/// need not wait holds the mutex.
///
/// Guards are not sent to other threads: std's are not `Send`.
pub(crate) fn check_holds(thread: &Thread) {
    let mut held: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    for event in &thread.events {
        match event.kind() {
            Kind::ACQUIRE => {
                let holds = held.entry(event.object().0).or_default();
                let excludes = |hold: &Event| event.flags().mode().excludes(hold.flags().mode());
                assert!(!holds.iter().any(excludes), "{event:?} while held: {holds:?}");
                holds.push(*event);
            }
            Kind::RELEASE => {
                let holds = held.entry(event.object().0).or_default();
                let is_it = |hold: &Event| (hold.seq(), hold.flags().mode()) == (event.seq(), event.flags().mode());
                let released = holds.iter().rposition(is_it);
                holds.remove(released.unwrap_or_else(|| panic!("{event:?} without an acquire: {holds:?}")));
            }
            Kind::DOWNGRADE | Kind::UPGRADE => {
                let holds = held.entry(event.object().0).or_default();
                let is_upgrade = event.kind() == Kind::UPGRADE;
                let may_become = |hold: &Event| match hold.flags().mode() {
                    Mode::Upgradable if is_upgrade => event.flags().mode() == Mode::Exclusive,
                    Mode::Upgradable => event.flags().mode() == Mode::Shared && hold.seq() == event.seq(),
                    Mode::Exclusive => !is_upgrade && hold.seq() == event.seq(),
                    _ => false,
                };
                let changed = holds.iter().rposition(may_become);
                holds[changed.unwrap_or_else(|| panic!("{event:?} without its hold"))] = *event;
            }
            Kind::PASS => {
                let mutex = held.get(&event.seq()).and_then(|holds| holds.last());
                assert!(
                    mutex.is_some_and(|hold| hold.flags().mode() == Mode::Exclusive),
                    "{event:?} without its mutex"
                );
            }
            _ => {}
        }
    }
}

/// Exclusive acquires of an object are numbered 1, 2, 3, … over all threads.
pub(crate) fn check_acquires(trace: &Trace) {
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut shared: BTreeMap<u64, u64> = BTreeMap::new();
    for event in trace.events().filter(|event| [Kind::ACQUIRE, Kind::UPGRADE].contains(&event.kind())) {
        if event.flags().mode() == Mode::Exclusive {
            numbers.entry(event.object().0).or_default().push(event.seq());
        } else {
            let latest = shared.entry(event.object().0).or_default();
            *latest = event.seq().max(*latest);
        }
    }
    for (object, numbers) in &mut numbers {
        numbers.sort_unstable();
        let expected: Vec<_> = (1..=numbers.len() as u64).collect();
        assert!(*numbers == expected, "object {object}: {} acquires, {:?}", numbers.len(), gaps(numbers));
    }
    for (object, latest) in shared {
        let n_exclusive = numbers.get(&object).map_or(0, Vec::len) as u64;
        assert!(latest <= n_exclusive, "object {object}: shared after acquire {latest} of {n_exclusive}");
    }
}

fn gaps(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|pair| (pair[0], pair[1])).collect()
}

/// Every object is created once, before anybody destroys it, and destroyed once at most.
fn check_created(trace: &Trace) {
    let of = |kind| trace.events().filter(move |event| event.kind() == kind).map(Event::object);
    let created: BTreeSet<_> = of(Kind::CREATE).collect();
    assert_eq!(created.len(), trace.count(Kind::CREATE), "an object was created twice");
    let destroyed: BTreeSet<_> = of(Kind::DESTROY).collect();
    assert_eq!(destroyed.len(), trace.count(Kind::DESTROY), "an object was destroyed twice");
    assert!(destroyed.is_subset(&created));
    for object in of(Kind::ACQUIRE).chain(of(Kind::SEND)).chain(of(Kind::NOTIFY)) {
        let thread = trace.names.iter().any(|(thread, _, _)| *thread == object.0);
        assert!(thread || created.contains(&object), "{object:?} was never created");
    }
    let accesses = trace.events().filter(|event| matches!(event.kind(), Kind::CELL_READ | Kind::CELL_WRITE));
    for access in accesses.filter(|access| !access.is_at_address()) {
        assert!(created.contains(&access.object()), "{access:?} of what was never created");
    }
}

/// Message numbers are unique, and what was received was sent.
fn check_messages(trace: &Trace) {
    let of = |kind| {
        let events = trace.events().filter(move |event| event.kind() == kind);
        events.map(|event| (event.object(), event.seq()))
    };
    let sent: BTreeSet<_> = of(Kind::SEND).collect();
    assert_eq!(sent.len(), trace.count(Kind::SEND), "a message number was used twice");
    let received: BTreeSet<_> = of(Kind::RECEIVE).collect();
    assert_eq!(received.len(), trace.count(Kind::RECEIVE), "a message was received twice");
    assert!(received.is_subset(&sent));
    let failed: BTreeSet<_> = of(Kind::SEND_FAILED).collect();
    assert!(failed.is_subset(&sent) && failed.is_disjoint(&received));
}

/// Every wake-up names a notify that was made, and a notify to one thread wakes one.
fn check_wakes(trace: &Trace) {
    let mut woken: BTreeMap<_, u64> = BTreeMap::new();
    for wake in trace.events().filter(|event| event.kind() == Kind::WAKE && event.seq() != 0) {
        *woken.entry((wake.object(), wake.seq())).or_default() += 1;
    }
    for thread in &trace.threads {
        for pair in thread.events.windows(2).filter(|pair| pair[0].kind() == Kind::NOTIFY) {
            assert_eq!(pair[1].kind(), Kind::EXTEND);
            let n_tickets = pair[1].payload().0;
            assert!(n_tickets <= 1 || pair[0].flags().has(Flags::ALL), "{pair:?}");
            let n_woken = woken.remove(&(pair[0].object(), pair[0].seq())).unwrap_or(0);
            assert!(n_woken <= n_tickets, "{pair:?} woke {n_woken}");
        }
    }
    assert!(woken.is_empty(), "wake-ups without a notify: {woken:?}");
}

/// A capacity is told with the object's creation, and a barrier opens when as many have arrived as it takes.
fn check_arrivals(trace: &Trace) {
    let mut capacities = BTreeMap::new();
    for thread in &trace.threads {
        let told = thread.events.iter().filter(|event| !matches!(event.kind(), Kind::EXTEND | Kind::TIME));
        let told: Vec<&Event> = told.collect();
        for pair in told.windows(2).filter(|pair| pair[1].kind() == Kind::CAPACITY) {
            assert_eq!((pair[0].kind(), pair[0].object()), (Kind::CREATE, pair[1].object()));
            capacities.insert(pair[1].object(), pair[1].seq());
        }
    }
    assert_eq!(capacities.len(), trace.count(Kind::CAPACITY));
    let mut n_arrived: BTreeMap<_, u64> = BTreeMap::new();
    for arrive in trace.events().filter(|event| event.kind() == Kind::ARRIVE) {
        *n_arrived.entry((arrive.object(), arrive.seq())).or_default() += 1;
    }
    for notify in trace.events().filter(|event| event.kind() == Kind::NOTIFY) {
        if let Some(n) = n_arrived.get(&(notify.object(), notify.seq())) {
            assert_eq!(Some(n), capacities.get(&notify.object()), "{notify:?} came early or late");
        }
    }
}

/// Kinds of events with a version.
const VERSIONED: [Kind; 5] = [Kind::ATOMIC_LOAD, Kind::ATOMIC_STORE, Kind::ATOMIC_RMW, Kind::PUBLISH, Kind::OBSERVE];

/// In each stripe what is written is numbered without a hole from 1, a thread's versions rise, and nobody loads what was not
/// written. Returns how many events have versions that are not certain, of which none of this holds.
pub(crate) fn check_versions(trace: &Trace) -> usize {
    let mut written: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let mut loaded: BTreeMap<usize, u64> = BTreeMap::new();
    let mut n_uncertain = 0;
    for thread in &trace.threads {
        let mut latest: BTreeMap<usize, u64> = BTreeMap::new();
        let is_versioned = |event: &&Event| VERSIONED.contains(&event.kind());
        for event in thread.events.iter().filter(is_versioned) {
            if event.flags().has(Flags::UNCERTAIN) {
                n_uncertain += 1;
                continue;
            }
            let (stripe, version) = (stripe::of(event.address()), event.beside());
            let before = latest.insert(stripe, version).unwrap_or(0);
            if matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::OBSERVE) {
                assert!(version >= before, "{event:?} behind version {before}");
                let max = loaded.entry(stripe).or_default();
                *max = version.max(*max);
            } else {
                assert!(version > before, "{event:?} behind version {before}");
                written.entry(stripe).or_default().push(version);
            }
        }
    }
    for (stripe, version) in loaded {
        let n_written = written.get(&stripe).map_or(0, Vec::len) as u64;
        assert!(version <= n_written, "version {version} was seen of {n_written}");
    }
    for versions in written.values_mut() {
        versions.sort_unstable();
        assert!(versions.iter().copied().eq(1..=versions.len() as u64), "{:?}", gaps(versions));
    }
    n_uncertain
}
