//! `deadlock-check convert IN OUT`.

use super::CliError;
use crate::{
    convert,
    finding::Problem,
    history::History,
    source::{self, Compression, Found, HistoryError, std_text::StdText},
};
use clap::Args;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Exit status if something in the trace could not be converted.
const INCOMPLETE: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// What to convert: a trace's directory, or a file of STD text or RapidBin, as it is or compressed with gzip or zstd; `-` is stdin.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where to: a file of STD text, compressed if its name ends in .gz or .zst; `-` is stdout.
    #[arg(value_name = "OUT")]
    output: PathBuf,
}

/// Why nothing was converted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConvertError {
    #[error(transparent)]
    Input(#[from] HistoryError),
    #[error("cannot write {}: {source}; name a file that you may write", path.display())]
    Output { path: PathBuf, source: io::Error },
}

pub(super) fn convert(args: &ConvertArgs) -> Result<u8, CliError> {
    let (history, problems) = read(&args.input)?;
    write(&history, &args.output).map_err(|source| ConvertError::Output { path: args.output.clone(), source })?;
    for Problem { text, fatal } in &problems {
        let _ = writeln!(io::stderr(), "deadlock-check: {}: {text}", if *fatal { "problem" } else { "note" });
    }
    Ok(if problems.iter().any(|problem| problem.fatal) { INCOMPLETE } else { 0 })
}

fn read(path: &Path) -> Result<(History, Vec<Problem>), ConvertError> {
    match source::look(path)? {
        Found::File(file) => Ok(file.read()?),
        Found::Directory => {
            let trace = source::open(path).map_err(HistoryError::from)?;
            let (history, problems) = convert::history_of(&trace, &path.display().to_string());
            Ok((history, trace.problems.into_iter().chain(problems).collect()))
        }
    }
}

fn write(history: &History, path: &Path) -> io::Result<()> {
    let text = StdText::new(history);
    if path.as_os_str() == "-" {
        return match Compression::None.write(text, BufWriter::new(io::stdout().lock())) {
            // Whoever reads it, `head` for one, has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        };
    }
    Compression::of_name(path).write(text, BufWriter::new(File::create(path)?))
}
