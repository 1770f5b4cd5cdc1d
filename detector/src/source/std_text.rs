//! RAPID's STD text: a line for each operation, `thread|op(operand)|location`.
//!
//! * Operations: `acq rel r w fork join`, and of later dialects `req wait notify notifyAll broadcast begin end branch
//!   dummy`. `broadcast` is `notifyAll`; `dummy` says nothing. What begins with `begin` or `end` is that, whatever follows.
//! * Threads and operands are free texts without blanks and `|`, locations free texts.
//! * In one dialect the threads are called `T9`, and `fork(9)` starts `T9`: an operand of fork and join that consists of digits
//!   alone means `T` and the digits if the thread that forks or joins is itself called so, unless a thread with the very
//!   name was met before.
//! * Lines end with a line feed, before which a carriage return may stand; the last one need not end. Empty lines
//!   are skipped.
//!
//! A line that is not like this is left out, and told of; reading goes on.

mod line;
mod write;

pub use write::StdText;

use crate::{
    finding::Problem,
    history::{Builder, History, Kind, Origin, Target},
};
use line::Line;
use memchr::memchr;
use std::io::{self, BufRead};

/// Bytes of the longest line that is read.
const LINE_MAX: usize = 64 << 10;

/// What UTF-8 texts of some systems begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a text; `file` is what its problems call it.
///
/// Takes what memory the names and operations need, besides a block, however long a line may be. If reading fails,
/// that is a problem, and the operations before it are the history.
///
/// ```
/// let text = "T1|acq(L)|1\nT1|w(x)\nT1|rel(L)|3\n";
/// let (history, problems) = detector::source::std_text::read(text.as_bytes(), "x.std");
/// assert_eq!(history.operations.len(), 2);
/// assert!(problems[0].text.starts_with("x.std:2: "));
/// ```
pub fn read(input: impl BufRead, file: &str) -> (History, Vec<Problem>) {
    let mut reader = Reader { builder: Builder::new(Origin::Lines(file.to_owned())), n_lines: 0 };
    if let Err(error) = reader.read_blocks(input) {
        let n_lines = reader.n_lines;
        reader.builder.reject_file(format_args!(
            "cannot be read on after line {n_lines}: {error}; what comes before was used: make or copy it again"
        ));
    }
    reader.builder.finish()
}

struct Reader {
    builder: Builder,
    n_lines: u64,
}

impl Reader {
    /// Reads line by line, but takes whole blocks of lines wherever one is in the input's buffer.
    fn read_blocks(&mut self, mut input: impl BufRead) -> io::Result<()> {
        // The beginning of a line whose end was not read yet, and how long it is in truth.
        let mut cut: Vec<u8> = Vec::new();
        let mut cut_bytes = 0;
        loop {
            let block = match input.fill_buf() {
                Ok(block) => block,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let n_bytes = block.len();
            if n_bytes == 0 {
                if cut_bytes > 0 {
                    self.line_of_bytes(&cut, cut_bytes);
                }
                return Ok(());
            }
            let mut rest = block;
            if cut_bytes > 0
                && let Some(end) = memchr(b'\n', rest)
            {
                let (head, tail) = rest.split_at(end);
                extend_line(&mut cut, head);
                self.line_of_bytes(&cut, cut_bytes + end);
                cut.clear();
                cut_bytes = 0;
                rest = tail.get(1..).unwrap_or_default();
            }
            if cut_bytes == 0 {
                let n_whole = memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1);
                let (whole, tail) = rest.split_at(n_whole);
                self.lines(whole);
                rest = tail;
            }
            extend_line(&mut cut, rest);
            cut_bytes += rest.len();
            input.consume(n_bytes);
        }
    }

    /// Lines, each with its line feed.
    fn lines(&mut self, block: &[u8]) {
        // Almost all blocks are; then no line has to be looked at for it.
        let Ok(text) = str::from_utf8(block) else {
            for line in block.split_inclusive(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                self.line_of_bytes(line, line.len());
            }
            return;
        };
        let mut start = 0;
        while let Some(len) = block.get(start..).and_then(|rest| memchr(b'\n', rest)) {
            self.line(text.get(start..start + len).unwrap_or_default());
            start += len + 1;
        }
    }

    /// One line without its line feed; all of it, or the beginning of a longer one.
    fn line_of_bytes(&mut self, line: &[u8], n_bytes: usize) {
        match str::from_utf8(line) {
            _ if n_bytes > LINE_MAX => self.too_long(n_bytes),
            Ok(line) => self.line(line),
            Err(_) => {
                self.n_lines += 1;
                self.builder.reject(self.n_lines, "the line is not UTF-8; it is left out: write its names in UTF-8");
            }
        }
    }

    #[cold]
    fn too_long(&mut self, n_bytes: usize) {
        self.n_lines += 1;
        let fault =
            format_args!("the line has {n_bytes} bytes, more than {LINE_MAX}; it is left out: shorten its names");
        self.builder.reject(self.n_lines, fault);
    }

    #[inline]
    fn line(&mut self, text: &str) {
        if text.len() > LINE_MAX {
            self.too_long(text.len());
            return;
        }
        self.n_lines += 1;
        let mut text = text.strip_suffix('\r').unwrap_or(text);
        if self.n_lines == 1 {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        match Line::parse(text) {
            Ok(Some(line)) => self.add(&line),
            Ok(None) => {}
            Err(expected) => {
                self.builder.reject(self.n_lines, format_args!("{expected}; the line is left out: correct it"));
            }
        }
    }

    #[inline]
    fn add(&mut self, line: &Line<'_>) {
        let builder = &mut self.builder;
        let thread = builder.thread(line.thread);
        let target = match line.kind.target() {
            Target::Lock => builder.lock(line.operand),
            Target::Variable => builder.variable(line.operand),
            Target::Thread => other_thread(builder, line),
            Target::Resource | Target::Nothing => 0,
        };
        let place = builder.place(line.location);
        builder.add(self.n_lines, line.kind, thread, target, place);
    }
}

/// The thread that a fork or join names.
fn other_thread(builder: &mut Builder, line: &Line<'_>) -> u32 {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_numbered = line.thread.strip_prefix('T').is_some_and(is_digits);
    if is_numbered && is_digits(line.operand) && builder.find_thread(line.operand).is_none() {
        return builder.thread(&format!("T{}", line.operand));
    }
    builder.thread(line.operand)
}

/// Adds to the beginning of a line, up to what is looked at of any.
fn extend_line(cut: &mut Vec<u8>, bytes: &[u8]) {
    let n_free = (LINE_MAX + 1).saturating_sub(cut.len());
    cut.extend_from_slice(bytes.get(..n_free).unwrap_or(bytes));
}

/// Whether the beginning of a file looks like such a text: no byte of it that texts do not have, and in its first line
/// that is not empty a `|`, if that line is all there.
pub(super) fn is_like(head: &[u8]) -> bool {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    head.iter().all(is_text) && (first.contains(&b'|') || !first.ends_with(b"\n") && first.len() > 1 << 10)
}

/// Kinds by the names that texts give them, beside `begin…`, `end…`, and `dummy`.
fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "acq" => Kind::Acquire,
        "rel" => Kind::Release,
        "r" => Kind::Read,
        "w" => Kind::Write,
        "req" => Kind::Request,
        "fork" => Kind::Fork,
        "join" => Kind::Join,
        "wait" => Kind::Wait,
        "notify" => Kind::Notify,
        "notifyAll" | "broadcast" => Kind::NotifyAll,
        _ => return None,
    })
}
