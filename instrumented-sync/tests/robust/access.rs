//! Accesses of cells where much else happens: in signal handlers, after a fork, in a thousand threads.

use crate::{
    fork::{fork, parent_and_children, wait_for},
    support::{
        Thread, Trace,
        program::{command, run},
        rules::{self, Ending},
    },
};
use instrumented_sync::{Mutex, cell::RaceCell, label, thread};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};
use trace_format::{Event, Kind};

static MAIN: Mutex<()> = Mutex::new(());
static HANDLER: Mutex<()> = Mutex::new(());
static OF_MAIN: RaceCell<u64> = RaceCell::new(0);
static OF_HANDLER: RaceCell<u64> = RaceCell::new(0);
static N_HANDLED: AtomicU64 = AtomicU64::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);

const N_SIGNALS_MIN: u64 = 1000;
const N_SIGNALS_MAX: u64 = 20_000;
const TIME: Duration = Duration::from_secs(2);

fn add(cell: &RaceCell<u64>) {
    // SAFETY: each cell has one user at a time: a mutex, or the order in which a thread does things, sees to that.
    unsafe { cell.write(cell.read() + 1) };
}

fn name_all() {
    label(&MAIN, "main");
    label(&HANDLER, "handler");
    label(&OF_MAIN, "of main");
    label(&OF_HANDLER, "of handler");
}

extern "C" fn handle(_: libc::c_int) {
    N_HANDLED.fetch_add(1, Relaxed);
    if let Ok(_held) = HANDLER.try_lock() {
        add(&OF_HANDLER);
    }
}

/// Locks and writes, while signals come at any instruction whose handler locks and writes.
pub(crate) fn interrupted() {
    name_all();
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler is a function of this program, and waits for nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    drop((MAIN.lock(), HANDLER.lock()));
    let sender = std::thread::spawn(move || {
        let start = Instant::now();
        while match N_HANDLED.load(Relaxed) {
            n if n < N_SIGNALS_MIN => true,
            n => n < N_SIGNALS_MAX && start.elapsed() < TIME,
        } {
            // SAFETY: the thread waits for this one below, so it lives.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            (0..N_HANDLED.load(Relaxed) % 500).for_each(|_| std::hint::spin_loop());
            std::thread::yield_now();
        }
        STOPPED.store(true, SeqCst);
    });
    while !STOPPED.load(SeqCst) {
        let held = MAIN.lock().unwrap();
        (0..20).for_each(|_| add(&OF_MAIN));
        drop(held);
    }
    sender.join().unwrap();
}

/// Checks that each hold of `lock` has at least a write of `cell` in it, and returns how many holds there are.
fn check_sections(thread: &Thread, lock: u64, cell: u64) -> usize {
    let wanted = |event: &&Event| {
        let of_lock = matches!(event.kind(), Kind::ACQUIRE | Kind::RELEASE) && event.object().0 == lock;
        of_lock || (event.kind() == Kind::CELL_WRITE && event.object().0 == cell)
    };
    let mut n_holds = 0;
    let mut n_writes = None;
    for event in thread.events.iter().filter(wanted) {
        match (event.kind(), &mut n_writes) {
            (Kind::ACQUIRE, _) => n_writes = Some(0),
            (Kind::CELL_WRITE, Some(n)) => *n += 1,
            (_, writes) => {
                assert!(writes.take().is_some_and(|n| n > 0), "{event:?} without a write before it");
                n_holds += 1;
            }
        }
    }
    n_holds
}

#[test]
fn an_access_in_a_handler_hides_none_of_what_it_interrupts() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("access::interrupted", dir.path()));
    let trace = Trace::only(dir.path());
    assert!(trace.header.exited && trace.n_lost() == 0);
    let thread = trace.threads.iter().max_by_key(|thread| thread.events.len()).unwrap();
    // Without the first hold of each, in which nothing is written.
    let after = thread.on(trace.labelled("handler"), &[Kind::RELEASE])[0];
    let first = thread.events.iter().position(|event| *event == after).unwrap() + 1;
    let after = thread.on(trace.labelled("main"), &[Kind::RELEASE])[0];
    let first = first.max(thread.events.iter().position(|event| *event == after).unwrap() + 1);
    let thread = Thread { object: thread.object, events: thread.events[first..].to_vec(), segments: Vec::new() };
    assert!(check_sections(&thread, trace.labelled("main"), trace.labelled("of main")) > 100);
    let n_handled = check_sections(&thread, trace.labelled("handler"), trace.labelled("of handler"));
    assert!(n_handled as u64 > N_SIGNALS_MIN / 2, "{n_handled}");
}

/// The first thing that the child does is an access that its parent did just before.
pub(crate) fn forks() {
    name_all();
    add(&OF_MAIN);
    wait_for(fork(|| {
        add(&OF_MAIN);
        add(&OF_MAIN);
        let own = RaceCell::new(0);
        label(&own, "own");
        add(&own);
    }));
    add(&OF_MAIN);
}

#[test]
fn a_forked_child_records_its_first_access() {
    let (parent, children) = parent_and_children("access::forks");
    rules::check(&parent, Ending::Exit);
    assert_eq!(children.len(), 1);
    let child = &children[0];
    assert!(child.header.exited && child.n_lost() == 0 && child.threads.len() == 1);
    let (cell, own) = (parent.labelled("of main"), child.labelled("own"));
    assert!(cell < child.header.forked_next_object && own >= child.header.forked_next_object);
    let told = |thread: &Thread| {
        let events = thread.events.iter().filter(|event| !matches!(event.kind(), Kind::TIME | Kind::EXTEND));
        events.map(|event| (event.kind(), event.object().0)).collect::<Vec<_>>()
    };
    let of_child = told(&child.threads[0]);
    assert_eq!(of_child[1..3], [(Kind::CELL_READ, cell), (Kind::CELL_WRITE, cell)]);
    assert_eq!(of_child[3..6], [(Kind::CREATE, own), (Kind::CELL_READ, own), (Kind::CELL_WRITE, own)]);
    assert_eq!(of_child[6], (Kind::DESTROY, own));
    // To the parent nothing has happened meanwhile but the fork, which its accesses come before and after.
    let of_parent = told(&parent.threads[0]);
    let read = of_parent.iter().position(|(kind, _)| *kind == Kind::CELL_READ).unwrap();
    let expected = [Kind::CELL_READ, Kind::CELL_WRITE, Kind::PROCESS_FORK, Kind::CELL_READ, Kind::CELL_WRITE];
    assert!(of_parent[read..].iter().map(|(kind, _)| *kind).take(5).eq(expected), "{of_parent:?}");
}

const N_THREADS: usize = 1000;
const N_ROUNDS: usize = 20;

pub(crate) fn many_threads() {
    name_all();
    let all_here = Arc::new(Barrier::new(N_THREADS));
    let start = |n| {
        let all_here = Arc::clone(&all_here);
        let builder = thread::Builder::new().name(format!("thread {n}")).stack_size(256 << 10);
        let handle = builder.spawn(move || {
            let own = RaceCell::new(0);
            all_here.wait();
            for _ in 0..N_ROUNDS {
                add(&own);
                let held = MAIN.lock().unwrap();
                add(&OF_MAIN);
                add(&OF_MAIN);
                drop(held);
            }
            all_here.wait();
        });
        handle.unwrap()
    };
    let handles: Vec<_> = (0..N_THREADS).map(start).collect();
    for handle in handles {
        handle.join().unwrap();
    }
    // SAFETY: all threads were joined.
    assert_eq!(unsafe { OF_MAIN.read() }, (2 * N_THREADS * N_ROUNDS) as u64);
}

#[test]
fn accesses_of_a_thousand_threads_are_all_recorded() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("access::many_threads", dir.path()));
    let trace = Trace::only(dir.path());
    rules::check(&trace, Ending::Exit);
    assert_eq!(trace.threads.len(), N_THREADS + 1);
    let cell = trace.labelled("of main");
    for n in 0..N_THREADS {
        let thread = trace.named(&format!("thread {n}"));
        // Within a hold a time may come between two accesses, which makes the second one new.
        let shared = thread.on(cell, &[Kind::CELL_WRITE]).len();
        assert!((N_ROUNDS..=N_ROUNDS + 1).contains(&shared), "{shared}");
        let own = thread.count(Kind::CELL_WRITE) - shared;
        assert!((N_ROUNDS..=N_ROUNDS + 1).contains(&own), "{own}");
        assert_eq!(thread.count(Kind::DESTROY), 1);
    }
}
