//! Plays of several processes: running them, and what is expected of the report.

use super::outside::{line_of, only_program, read_report, tool};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Files with the places that the expectations name, by what stands there as a comment.
const FILES: [&str; 4] = ["circles", "waits", "forks", "deaths"];

/// A play and what is told of it.
#[derive(Clone, Copy)]
pub(crate) struct Play {
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    /// By name of the thread.
    pub(crate) links: &'static [Link],
    pub(crate) behind: &'static [&'static str],
}

/// A thread of a finding, what it holds and what it wants: `object// comment at the line`.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) who: &'static str,
    pub(crate) holds: &'static str,
    pub(crate) wants: &'static str,
}

impl Link {
    pub(crate) const fn new(who: &'static str, holds: &'static str, wants: &'static str) -> Self {
        Self { who, holds, wants }
    }
}

/// A side of an edge: an object, if it has a name, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    object: String,
    file: String,
    line: u64,
}

impl Side {
    /// What an edge says: `held` or `wanted`.
    pub(crate) fn of(edge: &Value, side: &str) -> Option<Self> {
        let place = edge[format!("{side}_at")].as_object()?;
        let object = edge[if side == "held" { "holds" } else { "wants" }].as_str().unwrap_or_default();
        // A process has no name of its own; its threads have.
        let object = if edge[format!("{side}_mode")] == "join" { "" } else { object };
        let (file, line) = (place["file"].as_str().unwrap(), place["line"].as_u64().unwrap());
        assert_eq!(edge[format!("{side}_stack")][0]["line"], line, "{edge:#}");
        Some(Self { object: object.to_owned(), file: file.to_owned(), line })
    }

    /// What is expected, as [`Link`] has it.
    pub(crate) fn expected(side: &str) -> Self {
        let at = side.find("//").unwrap();
        let (object, comment) = side.split_at(at);
        let paths = FILES.map(|file| format!("src/bin/plays/{file}.rs"));
        let is_in =
            |path: &&String| fs::read_to_string(super::outside::outside().0.join(path)).unwrap().contains(comment);
        let file = paths.iter().find(is_in).unwrap_or_else(|| panic!("nowhere {comment}"));
        Self { object: object.to_owned(), file: file.clone(), line: line_of(file, comment) }
    }
}

/// What came of a play.
pub(crate) struct Played {
    pub(crate) report: Value,
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// When the tool first spoke of a hang, after the last process said that it stands still from there on.
    pub(crate) told_after: Option<Duration>,
    /// How long in the whole play somebody on this machine wanted a processor and had none.
    pub(crate) starved: Duration,
}

/// The program with all plays.
pub(crate) fn program() -> PathBuf {
    only_program("plays")
}

/// Runs a play under the tool.
pub(crate) fn play(name: &str, ending: &str, arguments: &[&str]) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let program = program();
    run(arguments, &[program.to_str().unwrap(), name, ending, folder])
}

/// Runs a command under the tool.
pub(crate) fn run(arguments: &[&str], command: &[&str]) -> Played {
    let _built = program();
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut tool = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap()]);
    tool.args(arguments).arg("--").args(command);
    let starved_before = starved();
    let mut tool = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = tool.stdout.take().unwrap();
    let stdout = thread::spawn(move || when(stdout, |line| line == "hangs"));
    let (stderr, told) = when(tool.stderr.take().unwrap(), |line| line.starts_with("deadlock-check: process"));
    let (stdout, stands_still) = stdout.join().unwrap();
    let output = Output { status: tool.wait().unwrap(), stdout: Vec::new(), stderr: stderr.clone().into_bytes() };
    let (json, status) = read_report(report.path(), &output);
    let told_after = told.first().map(|told| {
        let before = stands_still.iter().rev().find(|still| *still <= told).unwrap_or(told);
        told.duration_since(*before)
    });
    let starved =
        starved().zip(starved_before).map_or(Duration::from_secs(3), |(now, before)| now.saturating_sub(before));
    Played { report: json, status, stdout, stderr, told_after, starved }
}

/// Reads to the end; also when such lines came.
fn when(stream: impl Read, is_one: impl Fn(&str) -> bool) -> (String, Vec<Instant>) {
    let (mut all, mut instants) = (String::new(), Vec::new());
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if is_one(&line) {
            instants.push(Instant::now());
        }
        all.push_str(&line);
        all.push('\n');
    }
    (all, instants)
}

/// How long since the machine began somebody wanted a processor and had none; not every kernel counts it.
fn starved() -> Option<Duration> {
    let text = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let total = text.lines().find(|line| line.starts_with("some "))?.split("total=").nth(1)?;
    Some(Duration::from_micros(total.trim().parse().ok()?))
}

/// The thread of an edge, by name and role: its process's number is another one each time.
pub(crate) fn who(finding: &Value, edge: &Value) -> String {
    let name = text(&finding["threads"][edge["thread"].as_u64().unwrap() as usize], "name");
    name.split(" (process ").next().unwrap().to_owned()
}

pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value:#}"))
}
