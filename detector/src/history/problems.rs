//! What is wrong with a trace, each with the place where it is; a bounded number of them.

use crate::finding::Problem;
use std::fmt::{self, Display};

/// Problems of one trace that are told; the rest is counted.
pub const PROBLEMS_MAX: usize = 20;

/// Whose operations they are, and how their places are called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A text: `FILE:17`.
    Lines(String),
    /// Something binary: `FILE: event 17`.
    Events(String),
}

impl Origin {
    /// What the file is called.
    pub fn file(&self) -> &str {
        match self {
            Self::Lines(file) | Self::Events(file) => file,
        }
    }

    /// What one of its operations is called within it.
    pub(super) fn item(&self, at: u64) -> Item {
        Item { word: self.word(), at }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Lines(_) => "line",
            Self::Events(_) => "event",
        }
    }
}

/// `line 17`.
pub(super) struct Item {
    word: &'static str,
    at: u64,
}

impl Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word, self.at)
    }
}

/// The problems of one trace.
#[derive(Debug)]
pub(super) struct Problems {
    origin: Origin,
    told: Vec<Problem>,
    n_untold: u64,
    is_untold_fatal: bool,
}

impl Problems {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, told: Vec::new(), n_untold: 0, is_untold_fatal: false }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Something about one operation. The text is made only if it is going to be told.
    #[cold]
    pub(super) fn at(&mut self, at: u64, fatal: bool, text: impl Display) {
        if self.told.len() >= PROBLEMS_MAX {
            self.n_untold += 1;
            self.is_untold_fatal |= fatal;
            return;
        }
        let text = match &self.origin {
            Origin::Lines(file) => format!("{file}:{at}: {text}"),
            Origin::Events(file) => format!("{file}: event {at}: {text}"),
        };
        self.told.push(Problem { text, fatal });
    }

    /// Something about the file as a whole, told in any case: there are few of the kind.
    pub(super) fn of_file(&mut self, text: impl Display) {
        self.told.push(Problem { text: format!("{}: {text}", self.origin.file()), fatal: true });
    }

    pub(super) fn finish(mut self) -> Vec<Problem> {
        if self.n_untold > 0 {
            let text = format!("{}: {} more {}s are like these", self.origin.file(), self.n_untold, self.origin.word());
            self.told.push(Problem { text, fatal: self.is_untold_fatal });
        }
        self.told
    }
}
