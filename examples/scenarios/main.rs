//! Abstract programs as real ones: executes each scenario of a file with real threads on the real primitives, along
//! its schedule, and asks the detector what it thinks of the trace.
//!
//! **What is reported:** for each scenario a line of JSON with the findings and whether they agree with the grade in
//! the file, if there is one; then a table. The execution sees the program and its schedule only, no verdict.
//!
//! ```text
//! cargo run --release --example scenarios -- tests/data/scenarios.jsonl [--id ID] [--locks parking_lot]
//! ```

mod actor;
mod channel;
mod crew;
mod driver;
mod frames;
mod gate;
mod judge;
mod number;
mod parked;
mod placement;
mod primitives;
mod program;
mod record;
mod watched;

use driver::Outcome;
use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [driver::CHILD, directory, process] => {
            if let Err(why) = program::run(Path::new(directory), process) {
                program::give_up(&why);
            }
            return ExitCode::SUCCESS;
        }
        [file] => judge(file, None, None),
        [file, "--id", id] | ["--id", id, file] => judge(file, Some(id), None),
        [file, "--locks", parked::NAME] => judge(file, None, Some(parked::NAME)),
        [file, "--id", id, "--locks", parked::NAME] => judge(file, Some(id), Some(parked::NAME)),
        _ => Err(io::Error::other("usage: scenarios FILE.jsonl [--id ID] [--locks parking_lot]")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be said, the status says it.
            let _said = writeln!(io::stderr(), "scenarios: {error}");
            ExitCode::from(2)
        }
    }
}

fn judge(file: &str, id: Option<&str>, locks: Option<&str>) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let mut records = record::parse(&text).map_err(|error| io::Error::other(format!("{file}: {error}")))?;
    records.retain(|record| id.is_none_or(|id| record.scenario.id == id));
    for record in &mut records {
        record.scenario.locks = locks.map(str::to_owned);
    }
    let mut out = io::stdout().lock();
    let mut err = io::stderr().lock();
    let judged = crew::judge_all(&records, |judged| writeln!(out, "{}", judged.line()))?;
    for one in &judged {
        if let Outcome::Unsupported(why) = &one.outcome {
            writeln!(err, "{}: not supported: {why}", one.id)?;
        }
        if one.ended_otherwise() == Some(true) {
            writeln!(err, "{}: {}, which is not what the file says", one.id, one.outcome())?;
        }
        if let Some(rule) = one.broken_rule() {
            writeln!(err, "{}: {rule}", one.id)?;
        }
        if let Some(step) = &one.strayed {
            writeln!(err, "{}: strayed from the schedule at {step}", one.id)?;
        }
    }
    write!(err, "{}", judge::table(&judged))
}
