//! Many threads: all are recorded, and what a thread leaves is used by the next.

use crate::support::{
    Trace,
    program::{command, run},
    rules::{self, Ending},
};
use instrumented_sync::{Mutex, label, thread};
use std::sync::{Arc, Barrier};
use trace_format::{Kind, chunk::ChunkKind};

const N_ROUNDS: usize = 50;
const N_ONE_AFTER_ANOTHER: usize = 5000;

fn n_at_once() -> usize {
    if crate::same::full() { 2000 } else { 500 }
}

pub(crate) fn at_once() {
    static SHARED: Mutex<usize> = Mutex::new(0);
    label(&SHARED, "shared");
    let all_here = Arc::new(Barrier::new(n_at_once()));
    let start = |n| {
        let all_here = Arc::clone(&all_here);
        let builder = thread::Builder::new().name(format!("thread {n}")).stack_size(256 << 10);
        let handle = builder.spawn(move || {
            let own = Mutex::new(0);
            all_here.wait();
            for _ in 0..N_ROUNDS {
                *own.lock().unwrap() += 1;
                *SHARED.lock().unwrap() += 1;
            }
            all_here.wait();
        });
        handle.unwrap()
    };
    let handles: Vec<_> = (0..n_at_once()).map(start).collect();
    for handle in handles {
        handle.join().unwrap();
    }
    assert_eq!(*SHARED.lock().unwrap(), n_at_once() * N_ROUNDS);
}

#[test]
fn threads_at_once_are_all_recorded() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("threads::at_once", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    assert_eq!(trace.threads.len(), n_at_once() + 1);
    let shared = trace.labelled("shared");
    for n in 0..n_at_once() {
        let thread = trace.named(&format!("thread {n}"));
        assert_eq!((thread.count(Kind::ACQUIRE), thread.count(Kind::RELEASE)), (2 * N_ROUNDS, 2 * N_ROUNDS));
        assert_eq!(thread.on(shared, &[Kind::ACQUIRE]).len(), N_ROUNDS);
        assert_eq!(thread.count(Kind::END), 1);
    }
    assert_eq!(trace.slots().len(), 1, "slots of threads that ended are free");
}

pub(crate) fn one_after_another() {
    let shared = Arc::new(Mutex::new(0));
    for _ in 0..N_ONE_AFTER_ANOTHER {
        let shared = Arc::clone(&shared);
        thread::spawn(move || *shared.lock().unwrap() += 1).join().unwrap();
    }
}

#[test]
fn threads_one_after_another_use_what_the_last_one_left() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("threads::one_after_another", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    assert_eq!(trace.threads.len(), N_ONE_AFTER_ANOTHER + 1);
    assert_eq!(trace.count(Kind::END), N_ONE_AFTER_ANOTHER);
    let n_slot_chunks = trace.chunks.iter().filter(|(_, header)| header.kind == ChunkKind::SLOTS).count();
    assert_eq!(n_slot_chunks, 1, "slots are used again");
    println!("{N_ONE_AFTER_ANOTHER} threads: {} bytes", trace.n_bytes());
    assert!(trace.n_bytes() < 8 << 20, "{} bytes", trace.n_bytes());
}
