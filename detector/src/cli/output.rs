//! From a report to bytes on a stream and an exit status.

use super::{
    CliError,
    options::{ColorArg, ReportArgs},
};
use crate::{
    finding::{Finding, Problem, Report},
    render::{Format, escaped, render, render_findings},
    suppress::{Suppressions, write_baseline},
};
use anstream::{AutoStream, ColorChoice};
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

/// Exit status if a trace was unreadable or not well formed.
pub(super) const UNREADABLE: u8 = 3;

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    #[error("cannot write the report to {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot write the report: {0}")]
    Stream(io::Error),
}

/// Where a report goes unless `-o` says otherwise.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// `check` has stdout for itself.
    Stdout,
    /// `run` shares both with the program, whose stdout may be piped somewhere.
    Stderr,
}

/// Makes sure that the report's file can be written, before a program is run for it.
pub(super) fn check_file(args: &ReportArgs) -> Result<(), OutputError> {
    let Some(path) = &args.output else { return Ok(()) };
    // Whoever reads a pipe would take this for the end of the report.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Ok(());
    }
    let opened = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
    opened.map(drop).map_err(|source| OutputError::File { path: path.clone(), source })
}

/// Suppresses what is known, writes the report and the baseline, and gives the exit status.
///
/// `program` is the status of the program that was run.
pub(super) fn finish(
    mut report: Report,
    args: &ReportArgs,
    suppressions: &Suppressions,
    stream: Stream,
    program: Option<u8>,
) -> Result<u8, CliError> {
    let (findings, n_suppressed, problems) = suppressions.apply(report.findings);
    report.findings = findings;
    // After the allow list, whose entries for other codes are not unused because nobody asked for those today.
    report.findings.retain(|finding| args.only.is_empty() || args.only.contains(&finding.code));
    report.suppressed = n_suppressed;
    report.problems.extend(problems);
    write(&report, args, stream)?;
    if let Some(path) = &args.write_baseline {
        write_baseline(path, &suppressions.next_baseline(&report.findings))?;
    }
    Ok(status(&report, args, program))
}

fn status(report: &Report, args: &ReportArgs, program: Option<u8>) -> u8 {
    if report.problems.iter().any(|problem| problem.fatal) {
        return UNREADABLE;
    }
    if report.findings.iter().any(|finding| finding.certainty >= args.deny) {
        return args.error_exitcode;
    }
    match program {
        // A hang is no success, whatever the program makes of being asked to end.
        Some(0) if report.program.is_some_and(|end| end.timed_out) => args.error_exitcode,
        program => program.unwrap_or(0),
    }
}

fn write(report: &Report, args: &ReportArgs, stream: Stream) -> Result<(), OutputError> {
    let format = args.format.format();
    if let Some(path) = &args.output {
        let text = render(report, format, matches!(args.color, ColorArg::Always));
        return fs::write(path, text).map_err(|source| OutputError::File { path: path.clone(), source });
    }
    let written = match (format, stream) {
        (Format::Json, _) | (_, Stream::Stdout) => {
            let colored = is_colored(args.color, &io::stdout());
            write_all(&mut io::stdout().lock(), &render(report, format, colored))
        }
        (_, Stream::Stderr) => {
            let colored = is_colored(args.color, &io::stderr());
            write_all(&mut io::stderr().lock(), &render(report, format, colored))
        }
    };
    has_arrived(written)
}

fn has_arrived(written: io::Result<()>) -> Result<(), OutputError> {
    match written {
        // Whoever reads it, `head` for one, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(OutputError::Stream),
    }
}

/// Writes a text to standard output; `text` is told whether to colour it.
pub(super) fn print(color: ColorArg, text: impl FnOnce(bool) -> String) -> Result<(), OutputError> {
    let colored = is_colored(color, &io::stdout());
    has_arrived(write_all(&mut io::stdout().lock(), &text(colored)))
}

/// Tells on stderr what is wrong with the traces of a report.
pub(super) fn tell_problems(report: &Report) {
    for Problem { text, fatal } in &report.problems {
        let severity = if *fatal { "error" } else { "warning" };
        tell(&format!("{severity}: {text}"));
    }
}

/// Says something on stderr.
pub(super) fn tell(text: &str) {
    // Without stderr there is nobody to tell.
    let _ = write_all(&mut io::stderr().lock(), &format!("deadlock-check: {}\n", escaped(text)));
}

fn write_all(stream: &mut dyn Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Says something to the user while the program runs, with findings below it.
pub(super) fn show(notice: &str, findings: &[Finding], report: &Report, args: &ReportArgs) {
    let shown = Report { findings: findings.to_vec(), stats: report.stats, ..Report::default() };
    let text = render_findings(&shown, is_colored(args.color, &io::stderr()));
    // Without stderr there is nobody to tell.
    let _ = write_all(&mut io::stderr().lock(), &format!("{notice}\n{text}"));
}

/// `auto` asks the terminal and the environment: `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM`.
fn is_colored(color: ColorArg, stream: &impl anstream::stream::RawStream) -> bool {
    match color {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => AutoStream::choice(stream) != ColorChoice::Never,
    }
}
