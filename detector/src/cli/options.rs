//! What `run` and `check` have in common.

use super::CliError;
use crate::{
    finding::{Certainty, Code},
    pipeline::Races,
    render::Format,
    suppress::Suppressions,
};
use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use std::{
    env,
    path::{Path, PathBuf},
};

/// How to report.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = FormatArg::Human)]
    pub(super) format: FormatArg,
    /// Write the report to this file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Fail on findings that are at least this sure.
    #[arg(long, value_name = "CERTAINTY", default_value = "possible", value_parser = certainty_parser())]
    pub(super) deny: Certainty,
    /// Report findings of these codes only.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = code_parser())]
    pub(super) only: Vec<Code>,
    /// Predict data races of every trace, however long it is, not only of those with less than 100 000 accesses.
    #[arg(long)]
    pub(super) predict_races: bool,
    /// Colour the human report.
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    pub(super) color: ColorArg,
    /// Allow list, instead of deadlock-check.toml in the current directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave out the findings whose ids are in this file.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the ids of all findings that are not allowed to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) write_baseline: Option<PathBuf>,
    /// Exit with this status instead of 1 if there are findings.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) error_exitcode: u8,
}

/// A [`Format`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArg {
    /// Diagnostics with source, stacks and help.
    Human,
    /// One line per finding.
    Short,
    /// For programs.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ColorArg {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl FormatArg {
    pub(super) fn format(self) -> Format {
        match self {
            Self::Human => Format::Human,
            Self::Short => Format::Short,
            Self::Json => Format::Json,
        }
    }
}

impl ReportArgs {
    /// What is to be done about races, but for counting them.
    pub(super) fn races(&self) -> Races {
        Races { predicts_always: self.predict_races, counts: false }
    }

    /// Reads what is to be suppressed, before anything is run: a typing error should not cost a test run.
    pub(super) fn suppressions(&self) -> Result<Suppressions, CliError> {
        let directory = env::current_dir().map_err(CliError::CurrentDirectory)?;
        // One file that is read and then written may be missing the first time.
        let is_to_be_made =
            |path: &&Path| self.write_baseline.as_deref() == Some(*path) && matches!(path.try_exists(), Ok(false));
        let baseline = self.baseline.as_deref().filter(|path| !is_to_be_made(path));
        Ok(Suppressions::read(&directory, self.config.as_deref(), baseline)?)
    }
}

fn certainty_parser() -> impl TypedValueParser<Value = Certainty> {
    PossibleValuesParser::new(Certainty::ALL.map(Certainty::name)).map(|name| {
        // The parser lets only these names through.
        Certainty::ALL.into_iter().find(|certainty| certainty.name() == name).unwrap_or(Certainty::Possible)
    })
}

fn code_parser() -> impl TypedValueParser<Value = Code> {
    PossibleValuesParser::new(Code::ALL.map(Code::name))
        .map(|name| Code::ALL.into_iter().find(|code| code.name() == name).unwrap_or(Code::LockOrder))
}
