//! The scenarios of `tests/data`, executed and judged as the example `scenarios` does it.
//!
//! `scenarios.jsonl` follows the test suites of other tools, `hangs.jsonl` has for each primitive, and for pairs of them, a
//! program that hangs, one that may, and one that looks like it and cannot.
//!
//! Runs must end as the file says. A run that hangs must be reported, a program that cannot hang must not. How many
//! verdicts the detector gets right may only grow. This test has a main of its own, since it starts itself again as
//! the program of each scenario.

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
#[path = "../examples/scenarios/parked.rs"]
mod parked;
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

/// A file of scenarios.
struct File {
    name: &'static str,
    text: &'static str,
    /// On how many of its scenarios findings and grade agree at least. Raise it when more do; never lower it.
    n_agreeing: usize,
    /// The same on the locks of `parking_lot`, which do not know what is done to their data.
    n_agreeing_parked: usize,
}

const FILES: [File; 2] = [
    File {
        name: "scenarios.jsonl",
        text: include_str!("data/scenarios.jsonl"),
        n_agreeing: 155,
        n_agreeing_parked: 147,
    },
    File { name: "hangs.jsonl", text: include_str!("data/hangs.jsonl"), n_agreeing: 163, n_agreeing_parked: 151 },
];
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
    // On other locks once more takes as long again.
    let backends: &[Option<&str>] =
        if env::var_os("CI_FULL").is_some() { &[None, Some(parked::NAME)] } else { &[None] };
    let mut runs = FILES.iter().flat_map(|file| backends.iter().map(move |locks| (file, *locks)));
    written(runs.try_for_each(|(file, locks)| check(file, locks, &judged(file, locks)?, &mut out)))
}

fn written(result: io::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    // If even this cannot be said, the status says it.
    let _said = writeln!(io::stderr(), "test {NAME} ... FAILED: {error}");
    ExitCode::FAILURE
}

fn judged(file: &File, locks: Option<&str>) -> io::Result<Vec<Judged>> {
    let mut records = record::parse(file.text).map_err(io::Error::other)?;
    for record in &mut records {
        record.scenario.locks = locks.map(str::to_owned);
    }
    crew::judge_all(&records, |_| Ok(()))
}

/// Says what is wrong with the results, or could be better.
fn check(file: &File, locks: Option<&str>, judged: &[Judged], out: &mut impl Write) -> io::Result<()> {
    let complaints: Vec<String> = judged.iter().flat_map(|one| complaints(one, locks)).collect();
    let n_agreeing = judged.iter().filter(|one| one.agrees == Some(true)).count();
    let n_wanted = if locks.is_some() { &file.n_agreeing_parked } else { &file.n_agreeing };
    let name = format!("{}{}", file.name, locks.map(|locks| format!(" with {locks}")).unwrap_or_default());
    if n_agreeing < *n_wanted || !complaints.is_empty() {
        for one in judged.iter().filter(|one| one.agrees != Some(true)) {
            writeln!(out, "{}", one.line())?;
        }
        writeln!(out, "{}{}", judge::table(judged), complaints.join("\n"))?;
        return Err(io::Error::other(format!("{name}: {n_agreeing} verdicts are right, {n_wanted} have to be")));
    }
    if n_agreeing > *n_wanted {
        writeln!(out, "{name}: {n_agreeing} verdicts are right: raise what is wanted, which is {n_wanted}")?;
    }
    writeln!(out, "test {NAME} of {name} ... ok")
}

/// What is wrong with how a scenario was run, and what the detector may never say or leave unsaid.
fn complaints(judged: &Judged, locks: Option<&str>) -> Vec<String> {
    let otherwise = judged.ended_otherwise() == Some(true);
    let otherwise = otherwise.then(|| format!("{}, which is not what the file says", judged.outcome()));
    let strayed = judged.strayed.as_ref().map(|step| format!("strayed from the schedule at {step}"));
    // Locks that do not know what is done to their data may leave unsaid what another schedule would do, but accuse nobody either.
    let is_allowed = |rule: &&str| locks.is_some() && rule.starts_with("races");
    let rule = judged.broken_rule().filter(|rule| !is_allowed(rule)).map(str::to_owned);
    [otherwise, strayed, rule].into_iter().flatten().map(|text| format!("{}: {text}", judged.id)).collect()
}
