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

#[test]
fn everybody_of_a_generation_meets_somebody_new_each_time() {
    const N_GENERATIONS: usize = 40;
    let (barrier, n_here) = (Barrier::new(8), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..N_GENERATIONS {
                    n_here.fetch_add(1, Relaxed);
                    // Between two waits all are here, and after the second the leader alone resets.
                    barrier.wait();
                    assert_eq!(n_here.load(Relaxed), 8);
                    if barrier.wait().is_leader() {
                        n_here.store(0, Relaxed);
                    }
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(n_here.into_inner(), 0);
}

#[test]
fn a_late_party_is_not_mistaken_for_one_of_the_next_generation() {
    let barrier = Barrier::new(2);
    let n_passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                barrier.wait();
                n_passed.fetch_add(1, Relaxed);
            });
        }
    });
    assert_eq!(n_passed.into_inner(), 100, "pairs that overlap");
}

#[test]
fn a_barrier_is_dropped_by_its_last_party() {
    for _ in 0..50 {
        let barrier = std::sync::Arc::new(Barrier::new(3));
        let threads = [(); 2].map(|()| {
            let barrier = std::sync::Arc::clone(&barrier);
            std::thread::spawn(move || barrier.wait().is_leader())
        });
        let leads = barrier.wait().is_leader();
        drop(barrier);
        let n_leaders = threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count();
        assert_eq!(n_leaders + usize::from(leads), 1);
    }
}

#[test]
fn a_panic_of_a_party_elsewhere_leaves_the_barrier_usable() {
    let barrier = Barrier::new(2);
    let meet = || {
        std::thread::scope(|scope| {
            let party = scope.spawn(|| barrier.wait().is_leader());
            barrier.wait().is_leader() != party.join().unwrap()
        })
    };
    assert!(meet());
    let text = crate::panic_text(|| assert!(!meet(), "after a generation"));
    assert_eq!(text, "after a generation");
    assert!(meet());
}
