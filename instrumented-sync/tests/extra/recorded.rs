//! What the primitives record: exact events, and what slots show meanwhile.

use super::behaviour::until;
use crate::support::{
    Thread, Trace,
    program::{command, own_trace, run},
};
use instrumented_sync::{
    Latch, ReentrantLock, Semaphore, UpgradableGuard, UpgradableRwLock, UpgradableWriteGuard, label, thread, trace,
};
use std::{path::Path, time::Duration};
use trace_format::{Event, Flags, Kind, MAX_BYTES_VARIABLE, Mode, PAYLOAD_MAX, slot::Snapshot};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(600);

/// Runs a part and reads what it recorded.
fn recorded(role: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command(role, dir.path()));
    let trace = Trace::only(dir.path());
    assert_eq!(trace.n_lost(), 0);
    trace
}

/// Kind, number and flags of all that a thread did with an object, but for its making and its end.
fn on(thread: &Thread, object: u64) -> Vec<(Kind, u64, Flags)> {
    let made = [Kind::CREATE, Kind::CAPACITY, Kind::DESTROY];
    let wanted = |event: &&Event| event.object().0 == object && !made.contains(&event.kind());
    let events = thread.events.iter().filter(|event| event.kind() != Kind::EXTEND).filter(wanted);
    events.map(|event| (event.kind(), event.seq(), event.flags())).collect()
}

fn capacity(trace: &Trace, object: u64) -> u64 {
    let mut events = trace.threads.iter().flat_map(|thread| thread.events.windows(3));
    let made = events.find(|made| made[0].kind() == Kind::CREATE && made[0].object().0 == object).unwrap();
    assert_eq!((made[1].kind(), made[2].kind(), made[2].object().0), (Kind::EXTEND, Kind::CAPACITY, object));
    made[2].seq()
}

/// What a NOTIFY says about how many it woke.
fn extension(thread: &Thread, notify: u64) -> (u64, u64) {
    let is_it = |pair: &&[Event]| pair[0].kind() == Kind::NOTIFY && pair[0].seq() == notify;
    let pair = thread.events.windows(2).find(is_it).unwrap();
    assert_eq!(pair[1].kind(), Kind::EXTEND);
    pair[1].payload()
}

/// The slot of the only thread that waits.
fn waiting() -> Option<Snapshot> {
    Trace::only(&own_trace()).slots().into_iter().find(|slot| slot.wait.is_some())
}

/// Waits until a thread of this process waits, and says for what.
fn wait_of_another() -> Event {
    until(|| waiting().is_some());
    waiting().unwrap().wait.unwrap()
}

/// Mode and number of what this process's only thread with holds has, oldest first.
fn holds() -> Vec<(Mode, u64)> {
    let trace = Trace::only(&own_trace());
    let slots: Vec<_> = trace.slots().into_iter().filter(|slot| slot.n_holds > 0).collect();
    slots.iter().flat_map(|slot| trace.holds(slot)).map(|hold| (hold.flags().mode(), hold.seq())).collect()
}

fn named<'scope>(scope: &'scope thread::Scope<'scope, '_>, name: &str, f: impl FnOnce() + Send + 'scope) {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, f).unwrap();
}

const SHARED: Flags = Flags::SHARED;
const TIMED_OUT: Flags = Flags::TIMED_OUT.with(Flags::TIMED);

#[test]
fn behaviour_is_the_same() {
    recorded("behaves");
    recorded("edges");
}

/// Where events are not kept, or not all of them, everything works, and slots stay exact.
#[test]
fn without_room_for_events() {
    for role in ["behaves", "edges", "semaphore", "joint", "limiter", "latch", "reentrant", "upgradable", "both_modes"]
    {
        for bytes_max in [100_000, 200_000] {
            let dir = tempfile::tempdir().unwrap();
            run(command(role, dir.path()).env(MAX_BYTES_VARIABLE, bytes_max.to_string()));
            let trace = Trace::only(dir.path());
            assert!(bytes_max > 100_000 || trace.n_lost() > 0, "{role} found room");
        }
    }
}

pub(crate) fn semaphore() {
    let permits = Semaphore::new(2);
    label(&permits, "permits");
    permits.acquire_many(2);
    assert_eq!(holds(), [(Mode::Shared, 0); 2]);
    assert!(!permits.acquire_timeout(SHORT) && !permits.try_acquire());
    thread::scope(|scope| {
        named(scope, "waits", || {
            drop(permits.access());
            permits.acquire();
        });
        let wait = wait_of_another();
        assert_eq!((wait.kind(), wait.seq(), wait.flags()), (Kind::WAIT, 1, Flags::NONE));
        permits.release_many(3);
    });
    assert_eq!(holds(), [(Mode::Shared, 0)], "the other thread ended with a permit");
    assert!(permits.try_acquire());
}

#[test]
fn permits_are_held_or_signalled() {
    let trace = recorded("semaphore");
    let permits = trace.labelled("permits");
    assert_eq!(capacity(&trace, permits), 2);
    let main = trace.threads.iter().find(|thread| thread.position(Kind::CREATE).is_some()).unwrap();
    assert_eq!(
        on(main, permits),
        [
            (Kind::ACQUIRE, 0, SHARED),
            (Kind::ACQUIRE, 0, SHARED.with(Flags::JOINT)),
            (Kind::WAIT, 1, Flags::TIMED),
            (Kind::WAKE, 0, TIMED_OUT),
            (Kind::RELEASE, 0, SHARED),
            (Kind::RELEASE, 0, SHARED),
            (Kind::NOTIFY, 1, Flags::NONE),
            (Kind::ACQUIRE, 0, SHARED.with(Flags::TRY)),
        ]
    );
    assert_eq!(extension(main, 1), (1, 0));
    assert_eq!(
        on(trace.named("waits"), permits),
        [
            (Kind::WAIT, 1, Flags::NONE),
            (Kind::ACQUIRE, 0, SHARED),
            (Kind::RELEASE, 0, SHARED),
            (Kind::ACQUIRE, 0, SHARED),
        ]
    );
}

pub(crate) fn limiter() {
    let limiter = Semaphore::new(2000);
    label(&limiter, "limiter");
    limiter.acquire_many(2000);
    assert!(!limiter.acquire_timeout(SHORT));
    limiter.release_many(2);
    limiter.acquire_many(2);
    limiter.release_many(3);
    assert!(limiter.try_acquire() && limiter.acquire_timeout(LONG) && limiter.try_acquire_many(1));
    assert_eq!(holds(), []);
}

#[test]
fn a_limiter_of_rates_holds_nothing() {
    let trace = recorded("limiter");
    let limiter = trace.labelled("limiter");
    assert_eq!(capacity(&trace, limiter), 2000);
    assert_eq!(
        on(&trace.threads[0], limiter),
        [
            (Kind::WAIT, 1, Flags::TIMED),
            (Kind::WAKE, 0, TIMED_OUT),
            (Kind::NOTIFY, 1, Flags::NONE),
            (Kind::WAKE, 1, Flags::NONE),
            (Kind::WAKE, 1, Flags::JOINT),
            (Kind::NOTIFY, 2, Flags::NONE),
            (Kind::WAKE, 2, Flags::TIMED),
            (Kind::WAKE, 2, Flags::TIMED),
            (Kind::WAKE, 2, Flags::TIMED),
        ]
    );
}

pub(crate) fn joint() {
    let permits = Semaphore::new(2);
    label(&permits, "permits");
    permits.release_many(2);
    permits.acquire_many(4);
    assert_eq!(holds(), [(Mode::Shared, 0); 2]);
    permits.release_many(2);
    assert!(permits.try_acquire_many(2));
    permits.release_many(2);
    permits.acquire();
    permits.acquire();
    thread::scope(|scope| {
        named(scope, "waits", || permits.acquire_many(3));
        let wait = wait_of_another();
        assert_eq!((wait.kind(), wait.seq()), (Kind::WAIT, 3));
        permits.release_many(2);
        permits.release();
    });
    assert_eq!(holds(), [(Mode::Shared, 0); 2], "the other thread ended with its permits");
}

#[test]
fn permits_that_were_taken_at_once_are_joint() {
    let trace = recorded("joint");
    let permits = trace.labelled("permits");
    let main = trace.threads.iter().find(|thread| thread.position(Kind::CREATE).is_some()).unwrap();
    let (both, tried) = (SHARED.with(Flags::JOINT), SHARED.with(Flags::TRY));
    let taken = |thread| {
        let events = on(thread, permits).into_iter();
        events.filter(|(kind, ..)| [Kind::ACQUIRE, Kind::WAKE].contains(kind)).collect::<Vec<_>>()
    };
    assert_eq!(
        taken(main),
        [
            (Kind::ACQUIRE, 0, SHARED),
            (Kind::ACQUIRE, 0, both),
            (Kind::WAKE, 1, Flags::JOINT),
            (Kind::WAKE, 1, Flags::JOINT),
            (Kind::ACQUIRE, 0, tried),
            (Kind::ACQUIRE, 0, tried.with(Flags::JOINT)),
            (Kind::ACQUIRE, 0, SHARED),
            (Kind::ACQUIRE, 0, SHARED),
        ]
    );
    assert_eq!(
        taken(trace.named("waits")),
        [(Kind::ACQUIRE, 0, SHARED), (Kind::ACQUIRE, 0, both), (Kind::WAKE, 2, Flags::JOINT)]
    );
}

pub(crate) fn latch() {
    let latch = Latch::new(2);
    label(&latch, "latch");
    assert!(!latch.wait_timeout(SHORT));
    thread::scope(|scope| {
        named(scope, "waits", || latch.count_down_and_wait());
        assert_eq!(wait_of_another().kind(), Kind::WAIT);
        latch.count_down();
    });
    latch.count_down();
    latch.wait();
    assert!(latch.wait_timeout(LONG));
    let open = Latch::new(0);
    label(&open, "open");
    open.wait();
}

#[test]
fn a_latch_is_arrivals_and_one_notify() {
    let trace = recorded("latch");
    let latch = trace.labelled("latch");
    assert_eq!(capacity(&trace, latch), 2);
    let main = trace.threads.iter().find(|thread| thread.position(Kind::CREATE).is_some()).unwrap();
    assert_eq!(
        on(main, latch),
        [
            (Kind::WAIT, 1, Flags::TIMED),
            (Kind::WAKE, 0, TIMED_OUT),
            (Kind::ARRIVE, 1, Flags::NONE),
            (Kind::NOTIFY, 1, Flags::ALL),
            (Kind::WAKE, 1, Flags::NONE),
            (Kind::WAKE, 1, Flags::TIMED),
        ]
    );
    assert_eq!(extension(main, 1), (PAYLOAD_MAX, 0));
    assert_eq!(
        on(trace.named("waits"), latch),
        [(Kind::ARRIVE, 1, Flags::NONE), (Kind::WAIT, 1, Flags::NONE), (Kind::WAKE, 1, Flags::NONE)]
    );
    assert_eq!(on(main, trace.labelled("open")), [], "nobody opened it");
}

pub(crate) fn reentrant() {
    let lock = ReentrantLock::new(1);
    label(&lock, "lock");
    let outer = lock.lock();
    let inner = lock.lock();
    assert_eq!(holds(), [(Mode::Exclusive, 1)]);
    thread::scope(|scope| {
        named(scope, "waits", || drop(lock.lock()));
        assert_eq!(wait_of_another().kind(), Kind::REQUEST);
        drop(outer);
        assert_eq!((holds(), *inner), (vec![(Mode::Exclusive, 1)], 1));
        drop(inner);
    });
    assert!(lock.try_lock().is_some());
    assert_eq!(holds(), []);
}

#[test]
fn only_the_outermost_is_recorded() {
    let trace = recorded("reentrant");
    let lock = trace.labelled("lock");
    let main = trace.threads.iter().find(|thread| thread.position(Kind::CREATE).is_some()).unwrap();
    assert_eq!(
        on(main, lock),
        [
            (Kind::ACQUIRE, 1, Flags::NONE),
            (Kind::RELEASE, 1, Flags::READ),
            (Kind::ACQUIRE, 3, Flags::TRY),
            (Kind::RELEASE, 3, Flags::NONE),
        ]
    );
    assert_eq!(
        on(trace.named("waits"), lock),
        [(Kind::REQUEST, 1, Flags::NONE), (Kind::ACQUIRE, 2, Flags::CONTENDED), (Kind::RELEASE, 2, Flags::NONE)]
    );
}

pub(crate) fn upgradable() {
    let lock = UpgradableRwLock::new(1);
    label(&lock, "lock");
    *lock.write() = 2;
    let guard = lock.upgradable_read();
    assert_eq!(holds(), [(Mode::Upgradable, 1)]);
    let mut guard = UpgradableGuard::upgrade(guard);
    assert_eq!(holds(), [(Mode::Exclusive, 2)]);
    *guard = 3;
    let guard = UpgradableWriteGuard::downgrade(guard);
    assert_eq!(holds(), [(Mode::Shared, 2)]);
    thread::scope(|scope| {
        named(scope, "upgrades", || drop(UpgradableGuard::upgrade(lock.upgradable_read())));
        let wait = wait_of_another();
        assert_eq!((wait.kind(), wait.flags().mode()), (Kind::UPGRADE, Mode::Exclusive));
        drop(lock.read_recursive());
        assert!(lock.read_timeout(SHORT).is_none());
        drop(guard);
    });
    drop(UpgradableGuard::downgrade(lock.upgradable_read()));
}

#[test]
fn modes_follow_upgrades_and_downgrades() {
    let trace = recorded("upgradable");
    let lock = trace.labelled("lock");
    let main = trace.threads.iter().find(|thread| thread.position(Kind::CREATE).is_some()).unwrap();
    let (upgradable, recursive) = (Mode::Upgradable.flags(), Mode::SharedRecursive.flags());
    assert_eq!(
        on(main, lock),
        [
            (Kind::ACQUIRE, 1, Flags::NONE),
            (Kind::RELEASE, 1, Flags::WROTE),
            (Kind::ACQUIRE, 1, upgradable),
            (Kind::UPGRADE, 2, Flags::NONE),
            (Kind::DOWNGRADE, 2, SHARED),
            (Kind::ACQUIRE, 2, recursive),
            (Kind::RELEASE, 2, recursive),
            (Kind::REQUEST, 2, SHARED.with(Flags::TIMED)),
            (Kind::LOOK, 0, Flags::NONE),
            (Kind::RELEASE, 2, SHARED.with(Flags::WROTE)),
            (Kind::ACQUIRE, 3, upgradable),
            (Kind::DOWNGRADE, 3, SHARED),
            (Kind::RELEASE, 3, SHARED),
        ]
    );
    assert_eq!(
        on(trace.named("upgrades"), lock),
        [(Kind::ACQUIRE, 2, upgradable), (Kind::UPGRADE, 3, Flags::NONE), (Kind::RELEASE, 3, Flags::NONE)]
    );
}

/// A thread that holds one lock in two modes gives either back first.
pub(crate) fn both_modes() {
    let lock = UpgradableRwLock::new(1);
    for is_reader_first in [false, true] {
        let (reader, upgradable) = if is_reader_first {
            let reader = lock.read();
            (reader, lock.upgradable_read())
        } else {
            let upgradable = lock.upgradable_read();
            (lock.read(), upgradable)
        };
        assert_eq!(holds().len(), 2);
        if is_reader_first {
            drop(reader);
            assert_eq!(holds(), [(Mode::Upgradable, 0)]);
            drop(upgradable);
        } else {
            drop(upgradable);
            assert_eq!(holds(), [(Mode::Shared, 0)]);
            drop(reader);
        }
        assert_eq!(holds(), []);
    }
}

#[test]
fn a_release_ends_the_hold_of_its_mode() {
    recorded("both_modes");
}

/// Recording begins while everything is held.
pub(crate) fn midway() {
    let (permits, latch, reentrant) = (Semaphore::new(2), Latch::new(2), ReentrantLock::new(1));
    let lock = UpgradableRwLock::new(1);
    latch.count_down();
    permits.acquire();
    let held = (permits.access(), reentrant.lock(), UpgradableGuard::upgrade(lock.upgradable_read()));
    let dir = tempfile::tempdir().unwrap();
    trace::start(dir.path()).unwrap();
    label(&permits, "permits");
    drop(reentrant.lock());
    let reader = UpgradableWriteGuard::downgrade(held.2);
    drop((held.0, held.1, reader));
    permits.release();
    latch.count_down();
    latch.wait();
    drop((reentrant.lock(), UpgradableGuard::upgrade(lock.upgradable_read())));
    let trace = Trace::only(dir.path());
    let seen: Vec<_> = on(&trace.threads[0], trace.labelled("permits"));
    assert_eq!(seen, [(Kind::NOTIFY, 1, Flags::NONE)], "a permit of unknown origin is a signal");
    let kinds = [Kind::ACQUIRE, Kind::RELEASE, Kind::UPGRADE, Kind::ARRIVE, Kind::WAKE];
    assert_eq!(kinds.map(|kind| trace.count(kind)), [2, 2, 1, 1, 1]);
}

#[test]
fn switched_on_midway() {
    let dir = tempfile::tempdir().unwrap();
    run(command("midway", dir.path()).env_remove(trace_format::TRACE_VARIABLE));
}

/// A child of a process in which threads wait for everything.
pub(crate) fn forked() {
    static PERMITS: Semaphore = Semaphore::new(0);
    static LOCK: UpgradableRwLock<u32> = UpgradableRwLock::new(0);
    static REENTRANT: ReentrantLock<u32> = ReentrantLock::new(5);
    let (reader, reentrant) = (LOCK.read(), REENTRANT.lock());
    let threads = [thread::spawn(|| PERMITS.acquire()), thread::spawn(|| *LOCK.write() += 1)];
    let dir = own_trace();
    let n_waiting = |dir: &Path| Trace::only(dir).slots().iter().filter(|slot| slot.wait.is_some()).count();
    until(|| n_waiting(&dir) == 2 && LOCK.try_read().is_none());
    // SAFETY: the child does what the programs do that this test is about, and goes by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        PERMITS.release();
        let ok = PERMITS.try_acquire() && LOCK.try_read().is_some() && *REENTRANT.lock() == 5;
        drop((reader, reentrant));
        let ok = ok && LOCK.try_write().is_some() && REENTRANT.try_lock().is_some();
        // SAFETY: ends the child, which has nothing to clean up.
        unsafe { libc::_exit(i32::from(!ok)) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    drop(reader);
    PERMITS.release();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*LOCK.read(), 1);
}

#[test]
fn a_forked_child_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("forked", dir.path()));
}
