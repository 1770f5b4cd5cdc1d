//! The scenarios of `tests/data/scenarios.jsonl`, executed and judged as the example `scenarios` does it.
//!
//! Runs must end as the file says. How many verdicts the detector gets right may only grow. This test has a main of
//! its own, since it starts itself again as the program of each scenario.

#[path = "../examples/scenarios/actor.rs"]
mod actor;
#[path = "../examples/scenarios/channel.rs"]
mod channel;
#[path = "../examples/scenarios/crew.rs"]
mod crew;
#[path = "../examples/scenarios/driver.rs"]
mod driver;
#[path = "../examples/scenarios/frames.rs"]
mod frames;
#[path = "../examples/scenarios/gate.rs"]
mod gate;
#[path = "../examples/scenarios/judge.rs"]
mod judge;
#[path = "../examples/scenarios/number.rs"]
mod number;
#[path = "../examples/scenarios/placement.rs"]
mod placement;
#[path = "../examples/scenarios/primitives.rs"]
mod primitives;
#[path = "../examples/scenarios/program.rs"]
mod program;
#[path = "../examples/scenarios/record.rs"]
mod record;
#[path = "../examples/scenarios/watched.rs"]
mod watched;

use judge::Judged;
use std::{
    env,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// On how many scenarios findings and grade agree at least. Raise it when more do; never lower it.
const N_AGREEING: usize = 119;
const SCENARIOS: &str = include_str!("data/scenarios.jsonl");
const NAME: &str = "scenarios";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [child, directory, process] = &arguments[..]
        && child == driver::CHILD
    {
        if let Err(why) = program::run(Path::new(directory), process) {
            program::give_up(&why);
        }
        return ExitCode::SUCCESS;
    }
    let mut out = io::stdout().lock();
    if arguments.iter().any(|argument| argument == "--list") {
        return written(writeln!(out, "{NAME}: test"));
    }
    let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if filters.peek().is_some() && !filters.any(|filter| NAME.contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    written(judged().and_then(|judged| check(&judged, &mut out)))
}

fn written(result: io::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    // If even this cannot be said, the status says it.
    let _said = writeln!(io::stderr(), "test {NAME} ... FAILED: {error}");
    ExitCode::FAILURE
}

fn judged() -> io::Result<Vec<Judged>> {
    let records = record::parse(SCENARIOS).map_err(io::Error::other)?;
    crew::judge_all(&records, |_| Ok(()))
}

/// Says what is wrong with the results, or could be better.
fn check(judged: &[Judged], out: &mut impl Write) -> io::Result<()> {
    let complaints: Vec<String> = judged.iter().filter_map(complaint).collect();
    let n_agreeing = judged.iter().filter(|one| one.agrees == Some(true)).count();
    if n_agreeing < N_AGREEING || !complaints.is_empty() {
        for one in judged.iter().filter(|one| one.agrees != Some(true)) {
            writeln!(out, "{}", one.line())?;
        }
        writeln!(out, "{}{}", judge::table(judged), complaints.join("\n"))?;
        return Err(io::Error::other(format!("{n_agreeing} verdicts are right, {N_AGREEING} have to be")));
    }
    if n_agreeing > N_AGREEING {
        writeln!(out, "{n_agreeing} verdicts are right: raise N_AGREEING, which is {N_AGREEING}")?;
    }
    writeln!(out, "test {NAME} ... ok")
}

/// What is wrong with how a scenario was run.
fn complaint(judged: &Judged) -> Option<String> {
    if judged.ended_otherwise() == Some(true) {
        return Some(format!("{}: {}, which is not what the file says", judged.id, judged.outcome()));
    }
    let step = judged.strayed.as_ref()?;
    Some(format!("{}: strayed from the schedule at {step}", judged.id))
}
