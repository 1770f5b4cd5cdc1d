//! `deadlock-check run -- CMD ARGS…`.

use super::{
    CliError,
    options::ReportArgs,
    output::{self, Stream},
    progress::Progress,
    supervise::{self, Ended},
    trace_directory::TraceDirectory,
};
use crate::{
    finding::ProgramEnd,
    pipeline::{self, Reading, Stopped},
};
use clap::Args;
use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};
use trace_format::TRACE_VARIABLE;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Keep the trace in this directory: a missing or empty one, or a trace to be added to.
    #[arg(long, value_name = "DIR")]
    trace: Option<PathBuf>,
    /// Keep the trace, and say where it is.
    #[arg(long)]
    keep: bool,
    /// Stop the program after this time (such as 90s or 5m) and report what each thread held and waited for.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    report: ReportArgs,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(args: &RunArgs) -> Result<u8, CliError> {
    let suppressions = args.report.suppressions()?;
    output::check_file(&args.report)?;
    let directory = env::current_dir().map_err(CliError::CurrentDirectory)?;
    let trace = TraceDirectory::prepare(args.trace.as_deref())?;
    let mut command = Command::new(args.command.first().map(OsString::as_os_str).unwrap_or_default());
    command.args(args.command.iter().skip(1)).env(TRACE_VARIABLE, trace.path());
    let look = || {
        let reading = pipeline::read(trace.path());
        let recorded = reading.live_processes();
        (reading, recorded)
    };
    let Ended { status, timed_out, interrupted, last_state } = supervise::supervise(&mut command, args.timeout, look)?;
    let stopped = match (timed_out, interrupted) {
        (true, _) => Stopped::TimedOut,
        (_, true) => Stopped::Interrupted,
        _ => Stopped::No,
    };
    let mut report = {
        let progress = Progress::start("reading");
        let reading: Reading = last_state.unwrap_or_else(|| pipeline::read(trace.path()));
        progress.stage("analysing");
        pipeline::report(&[reading], stopped, &directory)
    };
    report.program = Some(ProgramEnd { exit: status.code(), signal: status.signal(), timed_out });
    let result = output::finish(report, &args.report, &suppressions, Stream::Stderr, Some(status_to_pass_on(status)));
    if args.keep || !trace.is_temporary() {
        let path = trace.keep();
        let path = path.display();
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "trace: kept in {path}; `deadlock-check check {path}` reports on it again");
    }
    result
}

/// As shells have it: 128 + n for signal n.
fn status_to_pass_on(status: ExitStatus) -> u8 {
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(status & 0xff).unwrap_or(u8::MAX)
}
