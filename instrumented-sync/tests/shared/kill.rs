//! Processes that are killed at any point.

use crate::{Named, SOON, own_region, support::program};
use instrumented_sync::process::shared::{Mutex, PoisonError, RwLock, TryLockError};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long the kills go on, unless there are many.
const TIME: Duration = Duration::from_secs(20);

/// Keeps two fields equal under a mutex and under a lock, until it is killed.
pub(crate) fn works() {
    let region = own_region();
    let mutex = Mutex::open(&region, "mutex", [0_u64; 3]).unwrap();
    let lock = RwLock::open(&region, "lock", [0_u64; 2]).unwrap();
    program::tell("here");
    loop {
        let mut fields = match mutex.lock() {
            Ok(fields) => {
                assert_eq!(fields[0], fields[1], "and nobody said that it is poisoned");
                fields
            }
            Err(poisoned) => {
                mutex.clear_poison();
                let mut fields = poisoned.into_inner();
                fields[1] = fields[0];
                fields[2] += 1;
                fields
            }
        };
        fields[0] += 1;
        fields[1] += 1;
        drop(fields);
        if let Ok(fields) = lock.read() {
            assert_eq!(fields[0], fields[1], "and nobody said that it is poisoned");
        }
        let mut fields = lock.write().unwrap_or_else(|poisoned| {
            lock.clear_poison();
            let mut fields = poisoned.into_inner();
            fields[1] = fields[0];
            fields
        });
        fields[0] += 1;
        fields[1] += 1;
    }
}

/// After each kill somebody gets on, and what it finds is whole, or said to be not.
#[test]
fn whoever_is_killed_the_others_get_on() {
    let n_rounds = if std::env::var_os("CI_FULL").is_some() { 1000 } else { 200 };
    let began = Instant::now();
    let name = Named::new();
    let region = name.open();
    let mutex = Mutex::open(&region, "mutex", [0_u64; 3]).unwrap();
    let lock = RwLock::open(&region, "lock", [0_u64; 2]).unwrap();
    let mut running: Vec<_> = (0..3).map(|_| name.start_and_hear("kill::works")).collect();
    let (mut n_poisoned, mut state) = (0, 12_345_u64);
    for round in 0..n_rounds {
        // On a machine that is busy with something else fewer rounds have to do.
        if round >= 50 && began.elapsed() > TIME {
            break;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_micros(state >> 33 & 0xfff));
        let mut victim = running.swap_remove(round % 3);
        assert!(victim.child.try_wait().unwrap().is_none(), "it found fields that differ, or could not go on");
        victim.kill();
        let start = Instant::now();
        let before = {
            let fields = mutex.lock_timeout(SOON).or_else(|error| match error {
                TryLockError::Poisoned(poisoned) => {
                    n_poisoned += 1;
                    mutex.clear_poison();
                    let mut fields = poisoned.into_inner();
                    fields[1] = fields[0];
                    Ok(fields)
                }
                TryLockError::WouldBlock => Err("the mutex is lost"),
            });
            let fields = fields.unwrap();
            assert_eq!(fields[0], fields[1]);
            fields[0]
        };
        match lock.read_timeout(SOON) {
            Ok(fields) => assert_eq!(fields[0], fields[1]),
            Err(TryLockError::Poisoned(_)) => n_poisoned += 1,
            Err(TryLockError::WouldBlock) => panic!("the lock is lost"),
        }
        while mutex.lock().unwrap_or_else(PoisonError::into_inner).first() == Some(&before) {
            assert!(start.elapsed() < SOON, "nobody gets on");
            thread::yield_now();
        }
        running.push(name.start_and_hear("kill::works"));
    }
    running.into_iter().for_each(program::Running::kill);
    // Mostly one of the others heard of it first.
    let heard_of = mutex.lock().unwrap_or_else(PoisonError::into_inner)[2];
    assert!(n_poisoned + heard_of > 0, "no owner was hit");
}
