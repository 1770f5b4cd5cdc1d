//! `deadlock-check check TRACE…`.

use super::{
    CliError,
    options::ReportArgs,
    output::{self, Stream},
    progress::Progress,
};
use crate::pipeline::{self, Stopped};
use clap::Args;
use std::{env, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Traces: directories that `run --trace` or `DEADLOCK_CHECK_TRACE` named; or files of other tools, RAPID's STD text and
    /// RapidBin, compressed or not (`-` is the standard input), of which deadlocks are predicted.
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn check(args: &CheckArgs) -> Result<u8, CliError> {
    let suppressions = args.report.suppressions()?;
    let directory = env::current_dir().map_err(CliError::CurrentDirectory)?;
    let report = {
        let progress = Progress::start("reading");
        let readings: Vec<_> = args.traces.iter().map(|trace| pipeline::read(trace)).collect();
        progress.stage("analysing");
        pipeline::report(&readings, Stopped::No, &directory)
    };
    output::finish(report, &args.report, &suppressions, Stream::Stdout, None)
}
