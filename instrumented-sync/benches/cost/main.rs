//! What an operation costs: compiled out, off, warm, retained; against std and tracing-mutex.
//!
//! `cargo bench -p instrumented-sync --bench cost` measures every row in every mode and prints the table that the
//! README shows. Each cell is a process of its own, in which criterion measures std and the mode one after the
//! other, so that a ratio compares two figures of one process. A recorded cell counts only if nothing was lost.
//!
//! * off: compiled in, not recording.
//! * warm: recording, while a reader drains full segments, so that their pages are used again.
//! * retained: recording, all of it kept on disk.
//! * compiled out (feature `record` off) has no column: the types are std's own, which a test compares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and fails where it stands"
)]

mod cells;
mod drain;
mod rows;
mod table;

use criterion::Criterion;
use std::{
    env,
    error::Error,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

/// Says which cell a child measures: `row/mode`.
const CELL: &str = "DEADLOCK_CHECK_BENCH_CELL";

const MODES: [&str; 4] = ["off", "warm", "retained", "tracing-mutex"];

fn main() -> ExitCode {
    let result = match env::var(CELL) {
        Ok(cell) => measure(&cell),
        Err(_) => orchestrate(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs each cell in a process of its own, then prints the table.
fn orchestrate() -> Result<(), Box<dyn Error>> {
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let names = [&rows::NAMES[..], &cells::NAMES].concat();
    for row in &names {
        let is_of_cells = cells::NAMES.contains(row);
        for mode in MODES.into_iter().filter(|mode| !is_of_cells || *mode != "tracing-mutex") {
            let cell = format!("{row}/{mode}");
            // tracing-mutex has no atomics.
            let exists = !row.starts_with("atomic-") || mode != "tracing-mutex";
            if exists && filter.as_ref().is_none_or(|filter| cell.contains(filter.as_str())) {
                run_cell(&cell, matches!(mode, "warm" | "retained"))?;
            }
        }
    }
    println!("{}", table::render(&names, &MODES)?);
    Ok(())
}

fn run_cell(cell: &str, recorded: bool) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut command = Command::new(env::current_exe()?);
    command.env(CELL, cell).arg("--bench");
    if recorded {
        command.env(trace_format::TRACE_VARIABLE, dir.path());
        // Enough for what one cell records, whatever the machine.
        command.env(trace_format::MAX_BYTES_VARIABLE, (1_u64 << 36).to_string());
    }
    if !command.status()?.success() {
        return Err(format!("cell {cell} failed").into());
    }
    if recorded { nothing_lost(dir.path(), cell) } else { Ok(()) }
}

/// A row counts only with nothing lost.
fn nothing_lost(dir: &Path, cell: &str) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "events") {
            let header = drain::header(&path)?.ok_or("a process file without a header")?;
            if header.stopped != trace_format::process::Stopped::No || header.lost > 0 {
                return Err(format!("cell {cell} lost events: {header:?}").into());
            }
            return Ok(());
        }
    }
    Err(format!("cell {cell} recorded nothing").into())
}

fn measure(cell: &str) -> Result<(), Box<dyn Error>> {
    let (row, mode) = cell.split_once('/').ok_or("a cell is row/mode")?;
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .without_plots()
        .configure_from_args();
    let mut group = criterion.benchmark_group(format!("{row}-{mode}"));
    group.bench_function("std", |bencher| bencher.iter_custom(cells::of_std(row).unwrap_or_else(|| rows::of_std(row))));
    if mode == "warm" {
        drain::start(Path::new(&env::var_os(trace_format::TRACE_VARIABLE).ok_or("warm needs a trace")?));
    }
    let measured = if mode == "tracing-mutex" {
        rows::of_tracing_mutex(row)
    } else {
        cells::of_instrumented(row).unwrap_or_else(|| rows::of_instrumented(row))
    };
    group.bench_function("measured", |bencher| bencher.iter_custom(measured));
    group.finish();
    Ok(())
}
