//! `deadlock-check explain ID [TRACE…]`.

use super::{
    CliError,
    options::ColorArg,
    output::{self, UNREADABLE},
    progress::Progress,
};
use crate::{
    finding::{Finding, Report},
    pipeline::{self, Races, Stopped},
    render::{escaped, render_explained},
    source,
};
use clap::Args;
use rustix::process::getuid;
use std::{env, fmt, fs, io, os::unix::fs::MetadataExt, path::PathBuf, time::SystemTime};
use trace_format::{MARKER, TRACE_VARIABLE};

/// Findings that an error lists.
const LISTED_MAX: usize = 32;

/// Columns of what is no terminal, as logs are.
const WIDTH: usize = 140;

/// Columns below which nobody reads a table.
const WIDTH_MIN: usize = 40;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id of the finding, as reports have it, or its beginning.
    #[arg(value_name = "ID")]
    id: String,
    /// Traces, as `check` takes them. Without: the one that `DEADLOCK_CHECK_TRACE` names, else the latest that `run --keep` kept.
    #[arg(value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// Predict data races as `check --predict-races` does, so that one that it found is found again.
    #[arg(long)]
    predict_races: bool,
    /// Colour the report.
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    color: ColorArg,
}

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExplainError {
    #[error(
        "no trace is named, {TRACE_VARIABLE} is not set, and no trace was kept in {}: name one, or record one with \
         `deadlock-check run --keep -- CMD`",
        .0.display()
    )]
    NoTrace(PathBuf),
    #[error("no finding has the id `{id}`; {known}")]
    Unknown { id: String, known: Listed },
    #[error("several findings have ids that begin with `{id}`; {known}")]
    Ambiguous { id: String, known: Listed },
}

pub(super) fn explain(args: &ExplainArgs) -> Result<u8, CliError> {
    let directory = env::current_dir().map_err(CliError::CurrentDirectory)?;
    let traces = match args.traces.as_slice() {
        [] => {
            let trace = default_trace()?;
            output::tell(&format!("trace: {}", trace.display()));
            vec![trace]
        }
        named => named.to_vec(),
    };
    let report = {
        let progress = Progress::start("reading");
        let readings: Vec<_> = traces.iter().map(|trace| pipeline::read(trace)).collect();
        progress.stage("analysing");
        let races = Races { predicts_always: args.predict_races, ..Races::default() };
        pipeline::report(&readings, Stopped::No, races, &directory)
    };
    output::tell_problems(&report);
    let is_unreadable = report.problems.iter().any(|problem| problem.fatal);
    match find(&report, &args.id) {
        Ok(finding) => {
            output::print(args.color, |colored| render_explained(&report, finding, width(), colored))?;
            Ok(if is_unreadable { UNREADABLE } else { 0 })
        }
        // It may be in what could not be read.
        Err(_) if is_unreadable => Ok(UNREADABLE),
        Err(error) => Err(error.into()),
    }
}

/// The finding with this id, or the only one whose id begins so.
fn find<'r>(report: &'r Report, id: &str) -> Result<&'r Finding, ExplainError> {
    if let Some(finding) = report.findings.iter().find(|finding| finding.id == id) {
        return Ok(finding);
    }
    let begins: Vec<&Finding> = report.findings.iter().filter(|finding| finding.id.starts_with(id)).collect();
    let id = id.to_owned();
    match begins.as_slice() {
        [finding] => Ok(finding),
        [] => Err(ExplainError::Unknown { id, known: Listed::of(report.findings.iter()) }),
        several => Err(ExplainError::Ambiguous { id, known: Listed::of(several.iter().copied()) }),
    }
}

/// Findings by id and title, for a message.
#[derive(Debug)]
pub(super) struct Listed(Vec<String>);

impl Listed {
    fn of<'f>(findings: impl Iterator<Item = &'f Finding>) -> Self {
        let line = |finding: &Finding| {
            let (id, code) = (&finding.id, finding.code.name());
            format!("{id} ({code}): {}", escaped(&finding.title))
        };
        Self(findings.map(line).collect())
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there are no findings");
        }
        f.write_str("the findings are")?;
        for line in self.0.iter().take(LISTED_MAX) {
            write!(f, "\n  {line}")?;
        }
        match self.0.len().saturating_sub(LISTED_MAX) {
            0 => Ok(()),
            n => write!(f, "\n  and {n} more"),
        }
    }
}

/// The trace that is meant if none is named.
fn default_trace() -> Result<PathBuf, ExplainError> {
    if let Some(named) = env::var_os(TRACE_VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let place = env::temp_dir();
    let kept = fs::read_dir(&place).into_iter().flatten().filter_map(|entry| kept_trace(&entry.ok()?));
    let latest = kept.max().map(|(_, path)| path);
    latest.ok_or(ExplainError::NoTrace(place))
}

/// A trace that `run` kept in a directory of temporary files, and when it was changed last. Only one's own: what others leave
/// there is not what one has kept.
fn kept_trace(entry: &fs::DirEntry) -> Option<(SystemTime, PathBuf)> {
    let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(super::trace_directory::PREFIX));
    // Of the entry itself: a link leads elsewhere.
    let metadata = entry.metadata().ok().filter(|metadata| metadata.is_dir() && is_named_so)?;
    let is_own = metadata.uid() == getuid().as_raw();
    let path = entry.path();
    let has = |name: &str| path.join(name).symlink_metadata().is_ok();
    // Nobody asked for a temporary one, which goes with its run.
    let is_trace = is_own && has(MARKER) && !has(source::TEMPORARY);
    let changed: io::Result<SystemTime> = metadata.modified();
    is_trace.then_some((changed.ok()?, path))
}

/// Columns of the terminal, if standard output is one.
fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0).unwrap_or(WIDTH).max(WIDTH_MIN)
}
