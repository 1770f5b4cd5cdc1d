//! What reading and analysing cost: traces of others, made to size or public, and recorded ones.
//!
//! `cargo bench --bench prediction` at the root of the workspace prints the tables that the README shows. Each run is a process
//! of its own, so that its memory is its own too. Times are medians of processor time, with what passed meanwhile in brackets; beside
//! them stands what it takes to go over the same bytes and count line feeds, since machines differ. What is in a trace is known,
//! and a run that does not find just that fails, as does one that takes too much memory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a program made to measure prints, and fails where it stands"
)]

mod generate;
mod measure;
mod record;

use detector::{
    analysis::lock_order,
    finding::{Certainty, Code, Report},
    model,
    pipeline::{self, Races, Stopped},
    prediction, source,
};
use generate::{N_DEADLOCKS, N_REFUTED, Shape};
use measure::{Figures, pass_over, peak_kib, timed};
use std::{
    env,
    hint::black_box,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Says what a child measures, and of what.
const PART: &str = "PREDICTION_BENCH";
const OF: &str = "PREDICTION_BENCH_OF";

/// Runs of each figure.
const ROUNDS: usize = 5;

/// Memory that a million operations may take, in KiB.
const PEAK_KIB_MAX: u64 = 100_000_000 / 1024;

/// Memory that ten times as many events of one recorded program may take beyond what a tenth takes, in KiB: some patterns are
/// rare, and each time that a lock is written which others read takes a byte.
const GROWTH_KIB_MAX: u64 = 4 << 10;

/// Runs in one process of a trace that is read in no time.
const SMALL_ROUNDS: usize = 21;

const SCALE: Shape =
    Shape { n_operations: 1_000_000, n_threads: 8, n_locks: 64, n_variables: 10_000, nesting: 3, sync_permille: 100 };

/// What each public trace has, with the acquire's place in the key.
const PUBLIC: [(&str, u64); 9] = [
    ("Account.std", 0),
    ("Bensalem.std", 1),
    ("Bensalem_dlf.std", 2),
    ("Dbcp2.std", 0),
    ("Deadlock.std", 0),
    ("DiningPhil.std", 1),
    ("StringBuffer.std", 2),
    ("Transfer.std", 0),
    ("cache4j_dlf.std.gz", 0),
];

fn main() {
    let of = env::var(OF).unwrap_or_default();
    match env::var(PART).as_deref() {
        Ok("large") => println!("{}", large(Path::new(&of)).write()),
        Ok("small") => println!("{}", small(Path::new(&of)).write()),
        Ok("record") => record::record(of.parse().unwrap()),
        Ok("recorded") => println!("{}", recorded(Path::new(&of)).write()),
        _ => {
            let directory = tempfile::tempdir().unwrap();
            measure_scale(directory.path());
            measure_public();
            measure_recorded(directory.path());
        }
    }
}

/// The whole road from a file to a report, and after that what its report does not say.
fn large(path: &Path) -> Figures {
    let (pass, _) = timed(|| black_box(pass_over(path)));
    let begin = Instant::now();
    let (read, reading) = timed(|| pipeline::read(path));
    let (analyse, report) = timed(|| pipeline::report(&[reading], Stopped::No, Races::default(), Path::new(".")));
    let (elapsed, peak_kib) = (begin.elapsed(), peak_kib());
    let (history, problems) = source::history(path).unwrap();
    assert!(problems.is_empty() && report.problems.is_empty(), "{problems:?} {:?}", report.problems);
    let n_refuted = prediction::predict(&history).n_refuted as u64;
    let n_deadlocks = n_proven(&report);
    Figures { pass, read, analyse, elapsed, peak_kib, n_events: report.stats.events, n_deadlocks, n_refuted }
}

/// The same for a trace that takes no time, many times over.
fn small(path: &Path) -> Figures {
    let runs = (0..SMALL_ROUNDS).map(|_| {
        let (read, reading) = timed(|| pipeline::read(path));
        let (analyse, report) = timed(|| pipeline::report(&[reading], Stopped::No, Races::default(), Path::new(".")));
        Figures { read, analyse, n_events: report.stats.events, n_deadlocks: n_proven(&report), ..Figures::default() }
    });
    Figures { peak_kib: peak_kib(), ..Figures::of_runs(&runs.collect::<Vec<_>>()) }
}

/// Deadlocks that are proven; nothing else may be there.
fn n_proven(report: &Report) -> u64 {
    let is_proven = |code, certainty| (code, certainty) == (Code::LockOrder, Certainty::Proven);
    assert!(report.findings.iter().all(|finding| is_proven(finding.code, finding.certainty)), "{:?}", report.findings);
    report.findings.len() as u64
}

/// Merge, model and lock order of a recorded trace.
fn recorded(path: &Path) -> Figures {
    let (pass, _) = timed(|| black_box(pass_over(path)));
    let begin = Instant::now();
    let (read, (model, problems)) = timed(|| {
        let trace = source::open(path).unwrap();
        assert!(trace.problems.is_empty(), "{:?}", trace.problems);
        model::build(&trace)
    });
    let (analyse, (findings, cut)) = timed(|| lock_order::run(&model));
    let elapsed = begin.elapsed();
    assert!(problems.is_empty() && cut.is_empty(), "{problems:?} {cut:?}");
    assert_eq!((model.n_lost, model.n_gaps), (0, 0), "nothing is missing in the trace");
    let n_deadlocks = findings.len() as u64;
    Figures { pass, read, analyse, elapsed, peak_kib: peak_kib(), n_events: model.n_events, n_deadlocks, n_refuted: 0 }
}

fn measure_scale(directory: &Path) {
    let shapes = [
        ("1 M operations, 8 threads, 10% about locks", SCALE),
        ("10 M operations", Shape { n_operations: 10 * SCALE.n_operations, ..SCALE }),
        ("1 M, 60% about locks", Shape { sync_permille: 600, ..SCALE }),
        ("1 M, 256 threads", Shape { n_threads: 256, ..SCALE }),
    ];
    println!("| trace | bytes alone | read | analyse | both (elapsed) | against the first | peak memory |");
    println!("|---|---|---|---|---|---|---|");
    let mut first = None;
    for (name, shape) in shapes {
        let path = directory.join("scale.std");
        generate::write(shape, &path).unwrap();
        let found = runs("large", &path);
        assert_eq!((found.n_deadlocks, found.n_refuted), (N_DEADLOCKS, N_REFUTED), "{name}: not what is in it");
        assert!(first.is_some() || found.peak_kib <= PEAK_KIB_MAX, "{name}: {} KiB of memory", found.peak_kib);
        let both = found.read + found.analyse;
        let ratio = both.as_secs_f64() / first.get_or_insert(both).as_secs_f64();
        let [pass, read, analyse, both, elapsed] = [found.pass, found.read, found.analyse, both, found.elapsed].map(ms);
        let peak = mb(found.peak_kib);
        println!("| {name} | {pass} | {read} | {analyse} | {both} ({elapsed}) | {ratio:.2}x | {peak} |");
    }
    println!();
}

fn measure_public() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("detector/tests/data/traces/deadlock");
    println!("| public trace | operations | deadlocks | read and analyse |");
    println!("|---|---|---|---|");
    for (name, n_deadlocks) in PUBLIC {
        let figures = run("small", &folder.join(name));
        assert_eq!(figures.n_deadlocks, n_deadlocks, "{name}");
        let name = name.split('.').next().unwrap_or_default();
        println!("| {name} | {} | {n_deadlocks} | {} |", figures.n_events, ms(figures.read + figures.analyse));
    }
    println!();
}

fn measure_recorded(directory: &Path) {
    println!(
        "| recorded | bytes alone | merge and model | lock order | both (elapsed) | events in a second | peak memory |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut first = None;
    for n_millions in [5, 50] {
        let path = directory.join(format!("{n_millions}m"));
        record_to(&path, n_millions * 1_000_000);
        let found = runs("recorded", &path);
        assert_eq!(found.n_deadlocks, 1, "one pair of locks is taken both ways round");
        let grown = found.peak_kib.saturating_sub(*first.get_or_insert(found.peak_kib));
        assert!(grown <= GROWTH_KIB_MAX, "memory grows with the events, by {grown} KiB");
        let both = found.read + found.analyse;
        let n_millions = found.n_events as f64 / 1e6;
        let rate = n_millions / both.as_secs_f64();
        let [pass, read, analyse, both, elapsed] = [found.pass, found.read, found.analyse, both, found.elapsed].map(ms);
        let peak = mb(found.peak_kib);
        println!(
            "| {n_millions:.0} M events | {pass} | {read} | {analyse} | {both} ({elapsed}) | {rate:.1} M | {peak} |"
        );
        std::fs::remove_dir_all(path).unwrap();
    }
}

fn record_to(path: &Path, n_events: u64) {
    let mut command = child("record", &n_events.to_string());
    command.env(trace_format::TRACE_VARIABLE, path);
    assert!(command.status().unwrap().success(), "the program to record failed");
}

fn runs(part: &str, path: &Path) -> Figures {
    let runs: Vec<Figures> = (0..ROUNDS).map(|_| run(part, path)).collect();
    Figures::of_runs(&runs)
}

fn run(part: &str, path: &Path) -> Figures {
    let output = child(part, path.to_str().unwrap()).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match Figures::parse(&text) {
        Some(figures) if output.status.success() => figures,
        _ => panic!("{part} of {}: {}, {text:?}", path.display(), output.status),
    }
}

fn child(part: &str, of: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(PART, part).env(OF, of).env_remove(trace_format::TRACE_VARIABLE);
    command
}

fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

fn mb(kib: u64) -> String {
    format!("{:.0} MB", kib as f64 * 1024.0 / 1e6)
}
