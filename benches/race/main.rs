//! What finding data races costs, and which clocks cost least.
//!
//! `cargo bench --bench race` at the root of the workspace prints the tables that the README and ARCHITECTURE.md show. Each run is a
//! process of its own, so that its memory is its own too; times are medians of processor time. What is in a trace is known, and a run
//! that does not find just that fails, as does one that takes too much memory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a program made to measure prints, and fails where it stands"
)]

mod clocks;
#[path = "../prediction/generate.rs"]
#[allow(dead_code, reason = "how many deadlocks there are is for the other measurement")]
mod generate;
#[path = "../prediction/measure.rs"]
#[allow(dead_code, reason = "what the other one measures has other figures")]
mod measure;

use detector::{
    race::{self, Rule},
    source,
};
use generate::Shape;
use measure::{pass_over, peak_kib, timed};
use std::{
    env,
    fs::OpenOptions,
    hint::black_box,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Says what a child measures, and of what.
const PART: &str = "RACE_BENCH";
const OF: &str = "RACE_BENCH_OF";

/// Runs of each figure.
const ROUNDS: usize = 5;

/// Memory that a million operations may take, in KiB.
const PEAK_KIB_MAX: u64 = 60_000_000 / 1024;

const SCALE: Shape =
    Shape { n_operations: 1_000_000, n_threads: 8, n_locks: 64, n_variables: 10_000, nesting: 3, sync_permille: 100 };

/// What two threads of their own do at the end: one race; what a lock orders; what a lock guards; and a value that is handed over by
/// a race, after which another one is ordered by it if races are to be schedulable. Beside them the bulk has one, for its deadlocks.
const RACES: &str = "\
T0|fork(TA)|8000
T0|fork(TB)|8001
TA|w(VR1)|8010
TB|w(VR1)|8011
TA|w(VR2)|8020
TA|acq(LR)|8021
TA|rel(LR)|8022
TB|acq(LR)|8023
TB|rel(LR)|8024
TB|w(VR2)|8025
TA|acq(LS)|8030
TA|w(VR3)|8031
TA|rel(LS)|8032
TB|acq(LS)|8033
TB|w(VR3)|8034
TB|rel(LS)|8035
TA|w(VR4)|8040
TA|w(VR5)|8041
TB|r(VR5)|8042
TB|r(VR4)|8043
T0|join(TA)|8050
T0|join(TB)|8051
";

/// Races in each trace, by happens-before and by what is schedulable.
const N_RACES: [(Rule, u64); 2] = [(Rule::HappensBefore, 4), (Rule::Schedulable, 3)];

fn main() {
    let of = env::var(OF).unwrap_or_default();
    match env::var(PART).as_deref() {
        Ok("plain") => println!("{}", races(Path::new(&of), 0)),
        Ok("schedulable") => println!("{}", races(Path::new(&of), 1)),
        Ok("clocks") => println!("{}", clocks::compare(Path::new(&of))),
        _ => {
            let directory = tempfile::tempdir().unwrap();
            measure_races(directory.path());
            measure_clocks(directory.path());
        }
    }
}

/// What a child says: microseconds for a pass over the bytes, for reading, and for finding races; and the memory that it took.
fn races(path: &Path, rule: usize) -> String {
    let (pass, _) = timed(|| black_box(pass_over(path)));
    let (read, (history, problems)) = timed(|| source::history(path).unwrap());
    let (find, races) = timed(|| race::of_history(&history, N_RACES[rule].0));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!((races.n_accesses, races.list.len() as u64), (N_RACES[rule].1, N_RACES[rule].1), "{:?}", races.list);
    let [pass, read, find] = [pass, read, find].map(|time| time.as_micros());
    format!("{pass} {read} {find} {}", peak_kib())
}

fn measure_races(directory: &Path) {
    let shapes = [
        ("1 M operations, 8 threads, 10% about locks", SCALE),
        ("10 M operations", Shape { n_operations: 10 * SCALE.n_operations, ..SCALE }),
        ("1 M, 60% about locks", Shape { sync_permille: 600, ..SCALE }),
        ("1 M, 256 threads", Shape { n_threads: 256, ..SCALE }),
    ];
    println!(
        "| trace in one file | bytes alone | read | happens-before | schedulable | read, and happens-before | against the first | peak memory |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut first = None;
    for (name, shape) in shapes {
        let path = directory.join("trace.std");
        generate::write(shape, &path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(RACES.as_bytes()).unwrap();
        let [pass, read, plain, peak] = medians("plain", &path);
        let [_, _, schedulable, _] = medians("schedulable", &path);
        assert!(peak <= PEAK_KIB_MAX * shape.n_operations / 1_000_000, "{name} takes {peak} KiB");
        let both = read + plain;
        let against = both as f64 / *first.get_or_insert(both) as f64;
        let peak_mb = peak as f64 * 1024.0 / 1e6;
        let [pass, read, plain, schedulable, both] = [pass, read, plain, schedulable, both].map(ms);
        println!("| {name} | {pass} | {read} | {plain} | {schedulable} | {both} | {against:.2}x | {peak_mb:.0} MB |");
    }
    println!();
}

fn measure_clocks(directory: &Path) {
    println!(
        "| 1 M operations, all about locks | vectors that are shared (the detector's) | vectors that are copied | tree clocks |"
    );
    println!("|---|---|---|---|");
    let path = directory.join("clocks.std");
    let measure = |name: &str| {
        let [shared, copied, trees, _] = medians("clocks", &path);
        let [shared, copied, trees] = [shared, copied, trees].map(ms);
        println!("| {name} | {shared} | {copied} | {trees} |");
    };
    for (n_threads, n_locks) in [(8, 64), (64, 64), (64, 512), (256, 64), (256, 2048)] {
        generate::write(Shape { n_threads, n_locks, sync_permille: 1000, ..SCALE }, &path).unwrap();
        measure(&format!("{n_threads} threads, {n_locks} locks"));
    }
    for n_threads in [8, 64, 256] {
        std::fs::write(&path, pairs(n_threads)).unwrap();
        measure(&format!("{n_threads} threads, a lock for each two of them"));
    }
}

/// A trace in which threads never know more of others than one of them, which is what tree clocks like best.
fn pairs(n_threads: u64) -> String {
    let mut random = generate::Random(n_threads);
    let section = |_| {
        let thread = random.below(n_threads);
        let (thread, lock) = (thread + 1, thread / 2);
        format!("T{thread}|acq(L{lock})|1\nT{thread}|rel(L{lock})|2\n")
    };
    (0..SCALE.n_operations / 2).map(section).collect()
}

/// Of each figure that a child writes the median.
fn medians(part: &str, path: &Path) -> [u64; 4] {
    let runs: Vec<[u64; 4]> = (0..ROUNDS).map(|_| run(part, path)).collect();
    std::array::from_fn(|figure| {
        let mut figures: Vec<u64> = runs.iter().map(|run| run[figure]).collect();
        figures.sort_unstable();
        figures[figures.len() / 2]
    })
}

fn run(part: &str, path: &Path) -> [u64; 4] {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.env(PART, part).env(OF, path).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<u64> = text.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    assert!(output.status.success(), "{part} of {}: {}, {text:?}", path.display(), output.status);
    figures.try_into().unwrap()
}

fn ms(micros: u64) -> String {
    let time = Duration::from_micros(micros).as_secs_f64() * 1e3;
    if time < 10.0 { format!("{time:.1} ms") } else { format!("{time:.0} ms") }
}
