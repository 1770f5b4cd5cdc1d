//! What a line of a scenario file says.
//!
//! A scenario is an abstract program over named primitives, with one schedule in which it was seen to run. What is
//! executed and what is known about it are two types, so that the execution cannot look at a verdict.

use serde::{Deserialize, Serialize};

/// The program: all that is executed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) id: String,
    /// Declarations, such as `mutex A`, `chan CH 1 tx=2`.
    pub(crate) primitives: Vec<String>,
    /// The threads.
    pub(crate) program: Vec<Thread>,
    /// The run to be repeated: `T:i` with a suffix.
    #[serde(default)]
    pub(crate) schedule: Vec<String>,
    /// `writer_pref` or `reader_pref`.
    #[serde(default)]
    pub(crate) rw_policy: Option<String>,
    /// Whose locks it is run on; std's if nothing is said.
    #[serde(default)]
    pub(crate) locks: Option<String>,
}

/// A thread of a program.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Thread {
    /// Its name.
    #[serde(rename = "thread")]
    pub(crate) name: String,
    /// What it does, in order.
    pub(crate) ops: Vec<String>,
    /// The process that it belongs to, if there are several.
    #[serde(default)]
    pub(crate) process: Option<String>,
    /// The executor that runs it, if it is a task.
    #[serde(default)]
    pub(crate) executor: Option<String>,
    /// Whether the program may end without it.
    #[serde(default)]
    pub(crate) daemon: bool,
}

/// What is known about a program; every field may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Verdict {
    /// Suite and test that it comes from.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// Class of the verdict.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// What a detector has to do.
    #[serde(default)]
    pub(crate) grade: Option<String>,
    /// How the run ends: `completes` or `hangs`.
    #[serde(default)]
    pub(crate) observed: Option<String>,
    /// What is true of all its runs.
    #[serde(default)]
    pub(crate) verified: Option<Verified>,
}

/// What looking at every interleaving of a program has shown.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Verified {
    /// Whether one of them hangs.
    pub(crate) hang_reachable: bool,
    /// Whether two accesses race in one of them.
    #[serde(default)]
    pub(crate) race_reachable: bool,
}

/// A line of the file.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    /// What is executed.
    #[serde(flatten)]
    pub(crate) scenario: Scenario,
    /// What is known about it.
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

/// Reads a file of one record a line.
///
/// # Errors
///
/// A line is not a record; the error says which.
pub(crate) fn parse(text: &str) -> Result<Vec<Record>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", n + 1))).collect()
}

/// An operation in words: its name, then what it is done to.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    words: Vec<String>,
}

impl Op {
    /// Splits an operation of [`Thread::ops`].
    pub(crate) fn new(text: &str) -> Self {
        Self { words: text.split_whitespace().map(str::to_owned).collect() }
    }

    /// All operations of a thread.
    pub(crate) fn all(thread: &Thread) -> Vec<Self> {
        thread.ops.iter().map(|text| Self::new(text)).collect()
    }

    /// Its name; empty for an empty line.
    pub(crate) fn name(&self) -> &str {
        self.word(0)
    }

    /// Its `n`-th word; empty if it has fewer.
    pub(crate) fn word(&self, n: usize) -> &str {
        self.words.get(n).map_or("", String::as_str)
    }

    /// Its `n`-th word as a number.
    pub(crate) fn number(&self, n: usize) -> Option<i64> {
        self.word(n).trim_start_matches('+').parse().ok()
    }

    /// All words after the first.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(String::as_str)
    }

    /// Index of the next operation after `pc` that ends what the one at `pc` began: of the same object, named `end`.
    pub(crate) fn end_of(ops: &[Self], pc: usize, end: &str) -> Option<usize> {
        let object = ops.get(pc)?.word(1);
        let rest = ops.iter().enumerate().skip(pc + 1);
        rest.into_iter().find(|(_, op)| op.name() == end && op.word(1) == object).map(|(n, _)| n)
    }
}
