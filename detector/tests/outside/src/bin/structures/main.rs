//! Lock-free structures as users write them, each in a correct and in a broken version: `structures NAME VERSION RUNS OPERATIONS`.
//!
//! A run is two threads that begin together and do so many operations each on a structure of their own run. Printed is in how
//! many runs a thread was in its middle while the other one had begun and was not through: those that overlapped.

mod broken;
mod correct;

use instrumented_sync::{thread, Barrier};
use std::{
    env,
    process::exit,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// How often a thread in its middle lets others run until the other one has begun in earnest.
const YIELDS_MAX: usize = 100_000;

/// How far the two threads of a run are. Nothing that the detector could take for an order.
#[derive(Default)]
struct Progress {
    done: [AtomicUsize; 2],
    is_among: [AtomicBool; 2],
}

/// What a thread does: its number, and whether to go on.
pub struct Turn<'a> {
    pub me: usize,
    n: usize,
    progress: &'a Progress,
}

impl Turn<'_> {
    /// The operations of the thread, one after the other.
    pub fn operations(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.n).inspect(move |at| {
            // Relaxed: statistics.
            self.progress.done[self.me].store(at + 1, Relaxed);
            if *at == self.n / 2 {
                let of_other = || self.progress.done[1 - self.me].load(Relaxed);
                // Not for ever: runs that do not overlap are runs too.
                (0..YIELDS_MAX).take_while(|_| of_other() < self.n / 4).for_each(|_| std::thread::yield_now());
                self.progress.is_among[self.me].store((1..self.n).contains(&of_other()), Relaxed);
            }
        })
    }
}

/// Runs two threads on a structure.
pub fn two<S: Sync>(n: usize, structure: &S, body: impl Fn(&S, &Turn<'_>) + Sync) -> bool {
    let (progress, begin) = (Progress::default(), Barrier::new(2));
    thread::scope(|scope| {
        for me in 0..2 {
            let (progress, begin, body) = (&progress, &begin, &body);
            scope.spawn(move || {
                begin.wait();
                body(structure, &Turn { me, n, progress });
            });
        }
    });
    progress.is_among.iter().any(|is_among| is_among.load(Relaxed))
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, version, runs, operations] = &arguments[..] else {
        eprintln!("usage: structures NAME correct|broken RUNS OPERATIONS");
        exit(2);
    };
    let run: fn(usize) -> bool = match (name.as_str(), version.as_str()) {
        ("spin_lock", "correct") => correct::spin_lock::run,
        ("spin_lock", "broken") => broken::spin_lock::run,
        ("seqlock", "correct") => correct::seqlock::run,
        ("seqlock", "broken") => broken::seqlock::run,
        ("treiber_stack", "correct") => correct::treiber_stack::run,
        ("treiber_stack", "broken") => broken::treiber_stack::run,
        ("counted", "correct") => correct::counted::run,
        ("counted", "broken") => broken::counted::run,
        ("once_cell", "correct") => correct::once_cell::run,
        ("once_cell", "broken") => broken::once_cell::run,
        ("ring", "correct") => correct::ring::run,
        ("ring", "broken") => broken::ring::run,
        _ => {
            eprintln!("there is no {version} {name}");
            exit(2);
        }
    };
    let (runs, operations): (usize, usize) = (runs.parse().unwrap(), operations.parse().unwrap());
    let n_overlapping = (0..runs).filter(|_| run(operations)).count();
    println!("{n_overlapping}");
}
