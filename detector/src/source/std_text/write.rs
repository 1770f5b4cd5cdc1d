//! A history as text.

use crate::history::{History, Names, Operation, Target};
use rustc_hash::FxHashSet;
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// Bytes that are made at a time.
const BLOCK: usize = 64 << 10;

/// The text of a history, made while it is read: what reads it may compress it, and never holds all of it.
///
/// Blanks, line breaks and `|` in names become `_`, and line breaks in places blanks; names stay apart. Reading the text gives
/// the same history, flaws aside, which are not operations.
///
/// ```
/// use detector::source::std_text::{StdText, read};
///
/// let text = "T1|acq(L)|main.rs:1\nT1|rel(L)|main.rs:2\n";
/// let (history, _) = read(text.as_bytes(), "x.std");
/// assert_eq!(std::io::read_to_string(StdText::new(&history)).unwrap(), text);
/// ```
#[derive(Debug)]
pub struct StdText<'a> {
    operations: std::slice::Iter<'a, Operation>,
    threads: Vec<Cow<'a, str>>,
    locks: Vec<Cow<'a, str>>,
    variables: Vec<Cow<'a, str>>,
    places: Vec<Cow<'a, str>>,
    block: Vec<u8>,
    n_read: usize,
}

impl<'a> StdText<'a> {
    /// The text of a history.
    pub fn new(history: &'a History) -> Self {
        let is_break = ['\n', '\r'];
        let place = |text: &'a str| -> Cow<'a, str> {
            if text.contains(is_break) { text.replace(is_break, " ").into() } else { text.into() }
        };
        Self {
            operations: history.operations.iter(),
            threads: unblanked(&history.threads),
            locks: unblanked(&history.locks),
            variables: unblanked(&history.variables),
            places: history.places.iter().map(place).collect(),
            block: Vec::new(),
            n_read: 0,
        }
    }

    fn add_line(&mut self, operation: Operation) {
        let targets = match operation.kind.target() {
            Target::Lock => &self.locks[..],
            Target::Variable => &self.variables,
            Target::Thread => &self.threads,
            Target::Resource | Target::Nothing => &[],
        };
        let parts = [
            self.threads.get(operation.thread as usize).map_or("_", |name| name),
            "|",
            operation.kind.name(),
            "(",
            targets.get(operation.target as usize).map_or("", |name| name),
            ")|",
            self.places.get(operation.place as usize).map_or("", |name| name),
            "\n",
        ];
        for part in parts {
            self.block.extend_from_slice(part.as_bytes());
        }
    }
}

impl Read for StdText<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_read == self.block.len() {
            self.block.clear();
            self.n_read = 0;
            while self.block.len() < BLOCK
                && let Some(operation) = self.operations.next()
            {
                self.add_line(*operation);
            }
        }
        let mut rest = self.block.get(self.n_read..).unwrap_or_default();
        let n = rest.read(buffer)?;
        self.n_read += n;
        Ok(n)
    }
}

/// Names that can stand in a line, each a different one.
fn unblanked(names: &Names) -> Vec<Cow<'_, str>> {
    let is_bad = |letter: char| letter <= ' ' || letter == '|';
    let mut made = FxHashSet::default();
    let unblank = |name| -> Cow<'_, str> {
        let name: &str = name;
        if !name.is_empty() && !name.contains(is_bad) {
            return name.into();
        }
        let mut new = if name.is_empty() { "_".to_owned() } else { name.replace(is_bad, "_") };
        while names.find(&new).is_some() || !made.insert(new.clone()) {
            new.push('_');
        }
        new.into()
    };
    names.iter().map(unblank).collect()
}
