//! The command line: `deadlock-check` and `cargo deadlock-check`.
//!
//! Exit status: 0 nothing at or above `--deny`; 1 findings, or a hang that was ended (or `--error-exitcode`); 2 usage,
//! or the program could not be started; 3 a trace is unreadable or not well formed; else, for `run`, the program's own
//! status.
//! Of several that apply 2 wins over 3, 3 over 1, 1 over the program's.

mod check;
mod convert;
mod explain;
mod follow;
mod hang;
mod options;
mod output;
mod process_tree;
mod progress;
mod run;
mod signals;
mod stale;
mod supervise;
mod trace_directory;

use clap::{ArgAction, Parser, Subcommand};
use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};
use tracing::level_filters::LevelFilter;

/// Exit status for wrong usage.
const USAGE: u8 = 2;

/// Finds deadlocks: those that happened, and those that another timing of the same run would have hit.
#[derive(Debug, Parser)]
#[command(name = "deadlock-check", version, max_term_width = 100)]
struct Cli {
    /// Log what the tool itself does, to stderr; twice for more.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program, record what its threads do with locks, and report.
    ///
    /// A hang is found while it happens: see --on-hang. Whoever sends SIGQUIT to this tool is shown at once what every
    /// recorded thread holds and waits for, and the program goes on; a second SIGQUIT within two seconds is passed on
    /// to the program. (Ctrl-\ goes to the program as well, from the terminal, and ends it unless it is prepared.)
    /// Ctrl-C ends the program, a second one ends what is left of it; the report is written all the same.
    Run(run::RunArgs),
    /// Report on traces recorded before.
    Check(check::CheckArgs),
    /// Show one finding in full: the report on it, and the schedule that reaches it, step by step.
    ///
    /// Of a proven finding it shows what each thread did, a column for each, up to where all of them block; of others it says
    /// why there is no schedule. The ids of findings are in every report. Exit status: 0 if the finding is there, 2 if
    /// none has the id, 3 if a trace is unreadable.
    Explain(explain::ExplainArgs),
    /// Write a trace as STD text, which other tools read.
    ///
    /// STD text has a line for each operation, `thread|op(operand)|location`. Of a recorded trace it has the merged order; what the
    /// format lacks is told on stderr.
    Convert(convert::ConvertArgs),
}

/// Why there is no report; exit status 2.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Suppress(#[from] crate::suppress::SuppressError),
    #[error(transparent)]
    Output(#[from] output::OutputError),
    #[error(transparent)]
    Supervise(#[from] supervise::SuperviseError),
    #[error(transparent)]
    Explain(#[from] explain::ExplainError),
    #[error(transparent)]
    Convert(#[from] convert::ConvertError),
    #[error(transparent)]
    TraceDirectory(#[from] trace_directory::TraceDirectoryError),
    #[error("cannot find out the current directory: {0}")]
    CurrentDirectory(io::Error),
}

/// Runs the tool with these arguments, the first of which is its own name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, to stdout; whether they arrive is nobody's concern.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    log_to_stderr(cli.verbose);
    let status = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Convert(args) => convert::convert(&args),
    };
    match status {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let _ = writeln!(io::stderr(), "deadlock-check: error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

/// As [`main`], for `cargo deadlock-check`: cargo passes the name of the subcommand as the first argument.
pub fn cargo_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|arg| arg == "deadlock-check") {
        args.remove(1);
    }
    if let Some(name) = args.first_mut() {
        *name = "cargo deadlock-check".into();
    }
    main(args)
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).finish();
    // It fails only if a library user of this function has a subscriber already, which then is the better one.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
