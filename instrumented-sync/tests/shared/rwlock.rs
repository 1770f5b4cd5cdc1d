//! `RwLock`: readers and writers of several processes, killed and not.

use crate::{FIRST_OBJECT, Named, SOON, own_region, read_word, stay, support::program, until};
use instrumented_sync::process::shared::{Region, RwLock, TryLockError};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Where the lock's writer is, behind its 64 readers.
const WRITER: u64 = FIRST_OBJECT + 64 * 8;

const TURNS: u32 = 5_000;

pub(crate) fn keeps_two_equal() {
    let lock = RwLock::open(&own_region(), "lock", [0_u64; 2]).unwrap();
    stay();
    for turn in 0..TURNS {
        if turn % 4 == 0 {
            let mut fields = lock.write().unwrap();
            fields[0] += 1;
            fields[1] += 1;
        } else {
            let fields = lock.read().unwrap();
            assert_eq!(fields[0], fields[1]);
        }
    }
}

#[test]
fn readers_see_what_writers_finished() {
    let name = Named::new();
    let mut running = [(); 3].map(|()| name.start_and_hear("rwlock::keeps_two_equal"));
    running.iter_mut().for_each(program::Running::go);
    assert!(running.into_iter().all(|running| running.end().success()));
    let lock = RwLock::open(&name.open(), "lock", [0_u64; 2]).unwrap();
    assert_eq!(*lock.read().unwrap(), [3 * u64::from(TURNS) / 4; 2]);
}

fn open(region: &Region) -> RwLock<u64> {
    RwLock::open(region, "limits", 0).unwrap()
}

pub(crate) fn reads() {
    let lock = open(&own_region());
    let _guard = lock.read().unwrap();
    stay();
}

pub(crate) fn writes() {
    let lock = open(&own_region());
    let mut guard = lock.write().unwrap();
    *guard += 1;
    stay();
}

/// Somebody reads, so that this one waits.
pub(crate) fn wants_to_write() {
    let lock = open(&own_region());
    program::tell("here");
    *lock.write().unwrap() += 1;
}

#[test]
fn a_killed_writer_is_named() {
    let name = Named::new();
    let lock = open(&name.open());
    let mut writer = name.start_and_hear("rwlock::writes");
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    let pid = writer.child.id();
    thread::scope(|scope| {
        let reading = scope.spawn(|| lock.read().unwrap_err().owner().process_id());
        let writing = scope.spawn(|| lock.write().unwrap_err().owner().process_id());
        until("two wait", || read_word(&name.open(), WRITER + 8) >> 32 == 2);
        let killed = Instant::now();
        writer.child.kill().unwrap();
        assert_eq!([reading, writing].map(|waiting| waiting.join().unwrap()), [pid; 2]);
        assert!(killed.elapsed() < SOON);
    });
    writer.kill();
    lock.clear_poison();
    assert_eq!(*lock.read().unwrap(), 1);
}

/// As many as there are places: without a look at who lives neither a reader nor a writer would come in.
#[test]
fn killed_readers_leave_their_places() {
    let name = Named::new();
    let lock = open(&name.open());
    let readers: Vec<_> = (0..4).map(|_| name.start_and_hear("rwlock::reads")).collect();
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            *lock.write().unwrap() += 1;
        });
        until("one wants to write", || read_word(&name.open(), WRITER) != 0);
        let killed = Instant::now();
        readers.into_iter().for_each(program::Running::kill);
        writing.join().unwrap();
        assert!(killed.elapsed() < SOON);
    });
    assert_eq!(*lock.read().unwrap(), 1);

    let full: Vec<_> = (0..64).map(|_| lock.read().unwrap()).collect();
    assert!(matches!(lock.read_timeout(Duration::from_millis(20)), Err(TryLockError::WouldBlock)));
    drop(full);
    for _ in 0..2 {
        thread::scope(|scope| {
            let forgetting = || (0..64).for_each(|_| std::mem::forget(lock.read().unwrap()));
            scope.spawn(forgetting).join().unwrap();
        });
        assert_eq!(*lock.read().unwrap(), 1);
    }
}

#[test]
fn who_was_killed_while_it_wanted_to_write_wrote_nothing() {
    let name = Named::new();
    let lock = open(&name.open());
    let guard = lock.read().unwrap();
    let wants = name.start_and_hear("rwlock::wants_to_write");
    until("it wants", || read_word(&name.open(), WRITER) != 0);
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)), "writers go first");
    wants.kill();
    assert_eq!(*lock.try_read().unwrap(), 0);
    let wants = name.start_and_hear("rwlock::wants_to_write");
    until("it wants", || read_word(&name.open(), WRITER) != 0);
    drop(guard);
    assert!(wants.end().success());
    assert_eq!(*lock.read().unwrap(), 1);
}

#[test]
fn a_time_that_is_over_changes_nothing() {
    let region = Region::anonymous(4096).unwrap();
    let lock = open(&region);
    let guard = lock.read().unwrap();
    let short = Duration::from_millis(120);
    let start = Instant::now();
    assert!(matches!(lock.write_timeout(short), Err(TryLockError::WouldBlock)));
    assert!(start.elapsed() >= short && start.elapsed() < short + SOON);
    // It wants no more: others may read, and who reads can be waited for.
    assert_eq!(*lock.try_read().unwrap() + *guard, 0);
    drop(guard);
    let guard = lock.write().unwrap();
    let start = Instant::now();
    assert!(matches!(lock.read_timeout(short), Err(TryLockError::WouldBlock)));
    assert!(start.elapsed() >= short && start.elapsed() < short + SOON);
    drop(guard);
    assert!(lock.try_write().is_ok() && lock.try_read().is_ok());
}
