//! `deadlock-check check TRACE…`.

use super::{
    CliError,
    options::ReportArgs,
    output::{self, Stream},
    progress::Progress,
};
use crate::pipeline::{self, Races, Stopped};
use clap::Args;
use std::{env, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Traces: directories that `run --trace` or `DEADLOCK_CHECK_TRACE` named; or files of other tools, RAPID's STD text and
    /// RapidBin, compressed or not (`-` is the standard input), of which deadlocks are predicted.
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Count data races by the rules that other tools have - happens-before, the same by epochs, schedulable happens-before, sync-preserving -: for
    /// each the accesses that race, and the places of the program at which there is one.
    #[arg(long)]
    count_races: bool,
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
        let races = Races { counts: args.count_races, ..args.report.races() };
        pipeline::report(&readings, Stopped::No, races, &directory)
    };
    output::finish(report, &args.report, &suppressions, Stream::Stdout, None)
}
