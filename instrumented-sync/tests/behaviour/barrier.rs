//! Barriers.

use super::sync::Barrier;
use crate::A_WHILE;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

#[test]
fn each_generation_has_one_leader_and_waits_for_all() {
    const N_PARTIES: usize = 4;
    const N_GENERATIONS: usize = 50;
    let barrier = Barrier::new(N_PARTIES);
    let n_arrived = AtomicUsize::new(0);
    let n_leaders = [const { AtomicUsize::new(0) }; N_GENERATIONS];
    std::thread::scope(|scope| {
        for _ in 0..N_PARTIES {
            scope.spawn(|| {
                for (generation, n_leaders) in n_leaders.iter().enumerate() {
                    n_arrived.fetch_add(1, Relaxed);
                    let leads = barrier.wait().is_leader();
                    n_leaders.fetch_add(usize::from(leads), Relaxed);
                    assert!(n_arrived.load(Relaxed) >= N_PARTIES * (generation + 1), "somebody was let through early");
                }
            });
        }
    });
    assert!(n_leaders.iter().all(|n_leaders| n_leaders.load(Relaxed) == 1));
}

#[test]
fn more_threads_than_parties_pass_in_groups() {
    let barrier = Barrier::new(3);
    let n_leaders = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..9).map(|_| scope.spawn(|| barrier.wait().is_leader())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|leads| *leads).count()
    });
    assert_eq!(n_leaders, 3);
}

#[test]
fn a_barrier_of_none_or_one_lets_everybody_through() {
    for n in [0, 1] {
        let barrier = Barrier::new(n);
        assert!(barrier.wait().is_leader() && barrier.wait().is_leader(), "a barrier of {n}");
    }
}

#[test]
fn nobody_passes_before_the_last_party_arrives() {
    static BARRIER: Barrier = Barrier::new(2);
    static PASSED: AtomicBool = AtomicBool::new(false);
    let thread = std::thread::spawn(|| {
        BARRIER.wait();
        PASSED.store(true, Release);
    });
    std::thread::sleep(A_WHILE);
    assert!(!PASSED.load(Acquire));
    BARRIER.wait();
    thread.join().unwrap();
    assert!(PASSED.load(Acquire));
}

#[test]
fn what_was_written_before_is_seen_after() {
    let barrier = Barrier::new(2);
    let (left, right) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let meet = |own: &AtomicUsize, other: &AtomicUsize| {
        for n in 1..=100 {
            own.store(n, Relaxed);
            barrier.wait();
            assert_eq!(other.load(Relaxed), n);
            barrier.wait();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| meet(&left, &right));
        meet(&right, &left);
    });
}
