//! Findings that are known: the allow list in `deadlock-check.toml` and baselines.

use crate::finding::{Finding, Problem};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The allow list that is read if it is there and no other one is named.
pub const CONFIG_FILE: &str = "deadlock-check.toml";

/// Ids of findings that are not to be reported.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    allowed: Vec<Allow>,
    config: PathBuf,
    baseline: BTreeSet<String>,
}

/// An entry of the allow list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    allow: Vec<Allow>,
}

/// Why suppressions could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SuppressError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The allow list is not what it should be.
    #[error("{}: {source}an allow list consists of `[[allow]]` entries with `id = \"…\"` and `reason = \"…\"`", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// What went wrong; ends in a line feed.
        source: Box<toml::de::Error>,
    },
    /// An entry of the allow list does not say why.
    #[error("{}: the entry for `{id}` has an empty reason: say why this finding is acceptable", path.display())]
    EmptyReason {
        /// Which file.
        path: PathBuf,
        /// Of which entry.
        id: String,
    },
    /// The baseline is not a list of ids.
    #[error("{}: not a baseline ({source}): make it with --write-baseline", path.display())]
    Baseline {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: serde_json::Error,
    },
    /// The baseline could not be written.
    #[error("cannot write the baseline {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Suppressions {
    /// Reads the allow list, `config` or else [`CONFIG_FILE`] in `directory` if there is one, and the baseline.
    ///
    /// # Errors
    /// A file that was named cannot be read, or a file is malformed.
    pub fn read(directory: &Path, config: Option<&Path>, baseline: Option<&Path>) -> Result<Self, SuppressError> {
        let default_config = directory.join(CONFIG_FILE);
        let path = config.unwrap_or(&default_config);
        let allowed = match fs::read_to_string(path) {
            Ok(text) => parse_config(path, &text)?,
            Err(error) if config.is_none() && error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(SuppressError::Read { path: path.to_owned(), source }),
        };
        let baseline = baseline.map(read_baseline).transpose()?.unwrap_or_default();
        let config = config.map_or_else(|| PathBuf::from(CONFIG_FILE), Path::to_owned);
        Ok(Self { allowed, config, baseline })
    }

    /// Takes out the findings that are known; says how many, and which entries of the allow list were of no use.
    pub fn apply(&self, findings: Vec<Finding>) -> (Vec<Finding>, usize, Vec<Problem>) {
        let n_findings = findings.len();
        let mut is_used = vec![false; self.allowed.len()];
        let mut kept = Vec::new();
        for finding in findings {
            let mut is_known = self.baseline.contains(&finding.id);
            for (allow, is_used) in self.allowed.iter().zip(&mut is_used) {
                if allow.id == finding.id {
                    (*is_used, is_known) = (true, true);
                }
            }
            if !is_known {
                kept.push(finding);
            }
        }
        let unused = self.allowed.iter().zip(is_used).filter(|(_, is_used)| !is_used);
        let problems = unused.map(|(allow, _)| Problem {
            text: format!(
                "{}: nothing has the id `{}` ({}): remove the entry if that is mended",
                self.config.display(),
                allow.id,
                allow.reason
            ),
            fatal: false,
        });
        let n_suppressed = n_findings - kept.len();
        (kept, n_suppressed, problems.collect())
    }

    /// The ids that a baseline of these findings has: theirs, and those that the old baseline knew.
    pub fn next_baseline(&self, findings: &[Finding]) -> BTreeSet<String> {
        findings.iter().map(|finding| finding.id.clone()).chain(self.baseline.iter().cloned()).collect()
    }
}

/// Writes a baseline.
///
/// # Errors
/// The file cannot be written.
pub fn write_baseline(path: &Path, ids: &BTreeSet<String>) -> Result<(), SuppressError> {
    let failed = |source| SuppressError::Write { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(ids).map_err(|error| failed(error.into()))?;
    fs::write(path, text + "\n").map_err(failed)
}

fn parse_config(path: &Path, text: &str) -> Result<Vec<Allow>, SuppressError> {
    let config: Config = toml::from_str(text)
        .map_err(|error| SuppressError::Config { path: path.to_owned(), source: Box::new(error) })?;
    if let Some(allow) = config.allow.iter().find(|allow| allow.reason.trim().is_empty()) {
        return Err(SuppressError::EmptyReason { path: path.to_owned(), id: allow.id.clone() });
    }
    Ok(config.allow)
}

fn read_baseline(path: &Path) -> Result<BTreeSet<String>, SuppressError> {
    let text = fs::read_to_string(path).map_err(|source| SuppressError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| SuppressError::Baseline { path: path.to_owned(), source })
}
