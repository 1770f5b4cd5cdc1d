//! What predicting races costs: traces made to size, in which is known how many accesses race.
//!
//! `cargo bench --bench race_prediction` at the root of the workspace prints the table that the README shows;
//! `cargo bench --bench race_prediction -- TRACE` does so for a trace of one's own. Each run is a process of its own, so that its
//! memory is its own too. Times are medians of processor time; "count" is how long it takes to say of each access whether it races
//! with one before it, as other tools count, "races" how long to find a schedule for each two places that race, and replay it. A run that
//! does not find just what is in the trace fails, and so does one that takes too long or too much memory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a program made to measure prints, and fails where it stands"
)]

mod generate;
#[path = "../prediction/measure.rs"]
#[allow(dead_code, reason = "figures of deadlocks are for another benchmark")]
mod measure;

use detector::{
    history::History,
    prediction::{self, race},
    source,
};
use generate::{Bulk, Shape};
use measure::{peak_kib, timed};
use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Says that a child measures, and what.
const OF: &str = "RACE_PREDICTION_BENCH_OF";

/// Runs of each figure.
const ROUNDS: usize = 3;

/// Work that is never used up here.
const WORK_MAX: u64 = 1 << 40;

/// What a trace of a million operations may take.
const TIME_MAX: Duration = Duration::from_secs(10);
const PEAK_KIB_MAX: u64 = 500_000_000 / 1024;

const SCALE: Shape = Shape {
    n_operations: 1_000_000,
    n_threads: 8,
    n_locks: 64,
    n_variables: 512,
    sync_permille: 100,
    bulk: Bulk::Guarded,
};

/// Figures of one run, in the order in which they are written.
#[derive(Clone, Copy, Debug)]
struct Figures {
    read: Duration,
    count: Duration,
    races: Duration,
    peak_kib: u64,
    n_events: u64,
    n_racing: u64,
    n_places: u64,
    n_found: u64,
}

impl Figures {
    fn write(&self) -> String {
        let nanos = |time: Duration| time.as_nanos() as u64;
        let Self { read, count, races, peak_kib, n_events, n_racing, n_places, n_found } = *self;
        [nanos(read), nanos(count), nanos(races), peak_kib, n_events, n_racing, n_places, n_found]
            .map(|number| number.to_string())
            .join(" ")
    }

    fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = text.split_whitespace().map(|number| number.parse().ok()).collect();
        let [read, count, races, peak_kib, n_events, n_racing, n_places, n_found] = numbers?[..] else { return None };
        let [read, count, races] = [read, count, races].map(Duration::from_nanos);
        Some(Self { read, count, races, peak_kib, n_events, n_racing, n_places, n_found })
    }

    /// Medians of times, the highest of memory; what was found is that of all.
    fn of_runs(runs: &[Self]) -> Self {
        let median = |time: fn(&Self) -> Duration| {
            let mut times: Vec<Duration> = runs.iter().map(time).collect();
            times.sort();
            times[times.len() / 2]
        };
        let peak_kib = runs.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        Self {
            read: median(|run| run.read),
            count: median(|run| run.count),
            races: median(|run| run.races),
            peak_kib,
            ..runs[0]
        }
    }
}

fn main() {
    if let Ok(of) = env::var(OF) {
        println!("{}", measured(Path::new(&of)).write());
        return;
    }
    println!("| trace | operations | racing | places | pairs of places | read | count | races | peak memory |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let own: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !own.is_empty() {
        for path in &own {
            print(path, &runs(Path::new(path)));
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let shapes = [
        ("data under its lock", SCALE, [3, 3, 3]),
        ("data under its lock, 256 threads", Shape { n_threads: 256, ..SCALE }, [3, 3, 3]),
        ("half of it shared without", Shape { bulk: Bulk::Shared, ..SCALE }, [115_027, 19, 395]),
        ("written in phases", Shape { bulk: Bulk::Phases, ..SCALE }, [787_503, 19, 19]),
        ("half of it written without", Shape { bulk: Bulk::Written, ..SCALE }, [406_690, 19, 139]),
    ];
    for (name, shape, expected) in shapes {
        let path = directory.path().join("scale.std");
        generate::write(shape, &path).unwrap();
        let found = runs(&path);
        print(name, &found);
        assert_eq!([found.n_racing, found.n_places, found.n_found], expected, "{name}: not what is in it");
        assert!(found.count.max(found.races) <= TIME_MAX, "{name}: takes too long");
        assert!(found.peak_kib <= PEAK_KIB_MAX, "{name}: takes too much memory");
    }
}

fn measured(path: &Path) -> Figures {
    let (read, history) = timed(|| history(path));
    let (count, counted) = timed(|| race::count(&history, &|_| true, WORK_MAX));
    let (races, found) = timed(|| prediction::races(&history, &|_| true, WORK_MAX));
    assert!(!counted.is_cut_short && !found.is_cut_short && found.failed.is_empty(), "{:?}", found.failed);
    let [n_events, n_racing, n_places, n_found] =
        [history.operations.len(), counted.operations, counted.places, found.found.len()].map(|n| n as u64);
    Figures { read, count, races, peak_kib: peak_kib(), n_events, n_racing, n_places, n_found }
}

fn history(path: &Path) -> History {
    let (history, problems) = source::history(path).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    history
}

fn runs(path: &Path) -> Figures {
    let runs: Vec<Figures> = (0..ROUNDS).map(|_| run(path)).collect();
    Figures::of_runs(&runs)
}

fn run(path: &Path) -> Figures {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.env(OF, path).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match Figures::parse(&text) {
        Some(figures) if output.status.success() => figures,
        _ => panic!("{}: {}, {text:?}", path.display(), output.status),
    }
}

fn print(name: &str, found: &Figures) {
    let Figures { n_events, n_racing, n_places, n_found, .. } = found;
    let [read, count, races] =
        [found.read, found.count, found.races].map(|time| format!("{:.0} ms", time.as_secs_f64() * 1e3));
    let peak = found.peak_kib as f64 * 1024.0 / 1e6;
    println!(
        "| {name} | {n_events} | {n_racing} | {n_places} | {n_found} | {read} | {count} | {races} | {peak:.0} MB |"
    );
}
