//! One line of the text.

use super::kind;
use crate::history::Kind;
use memchr::memchr;
use std::fmt::{self, Display};

/// Bytes of a text that a message quotes.
const QUOTED_MAX: usize = 40;

/// The parts of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Line<'a> {
    pub(super) thread: &'a str,
    pub(super) kind: Kind,
    /// Empty for kinds that are about nothing.
    pub(super) operand: &'a str,
    pub(super) location: &'a str,
}

/// What is expected where a line is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expected<'a> {
    Fields(&'a str),
    Thread(&'a str),
    Operation(&'a str),
    Operand(&'a str),
    End(&'a str),
}

impl<'a> Line<'a> {
    /// The line; nothing if it says nothing.
    #[inline]
    pub(super) fn parse(text: &'a str) -> Result<Option<Self>, Expected<'a>> {
        let Some((thread, rest)) = split(text) else {
            return if text.trim().is_empty() { Ok(None) } else { Err(Expected::Fields(text)) };
        };
        let Some((operation, location)) = split(rest) else { return Err(Expected::Fields(text)) };
        if thread.is_empty() || has_blank(thread) {
            return Err(Expected::Thread(thread));
        }
        let name_len = memchr(b'(', operation.as_bytes());
        let (name, rest) = operation.split_at(name_len.unwrap_or(operation.len()));
        let Some(kind) = kind(name) else {
            return other(name, operation).map(|kind| kind.map(|kind| Self { thread, kind, operand: "", location }));
        };
        let Some(inner) = rest.strip_prefix('(') else { return Err(Expected::Operand(operation)) };
        let Some(operand) = inner.strip_suffix(')') else { return Err(Expected::End(operation)) };
        if operand.is_empty() || has_blank(operand) {
            return Err(Expected::Operand(operation));
        }
        Ok(Some(Self { thread, kind, operand, location }))
    }
}

/// What has no operand; nothing for what says nothing.
#[cold]
fn other<'a>(name: &str, operation: &'a str) -> Result<Option<Kind>, Expected<'a>> {
    match name {
        "dummy" => Ok(None),
        "branch" => Ok(Some(Kind::Branch)),
        _ if name.starts_with("begin") => Ok(Some(Kind::Begin)),
        _ if name.starts_with("end") => Ok(Some(Kind::End)),
        _ => Err(Expected::Operation(operation)),
    }
}

/// Before and after the first `|`.
#[inline]
fn split(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b'|', text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[inline]
fn has_blank(text: &str) -> bool {
    text.bytes().any(|byte| byte <= b' ')
}

impl Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(found) => write!(f, "expected thread|op(operand)|location, found {}", quoted(found)),
            Self::Thread(found) => {
                write!(f, "expected a thread without blanks before the first |, found {}", quoted(found))
            }
            Self::Operation(found) => write!(
                f,
                "expected one of acq rel r w fork join req wait notify notifyAll broadcast begin end branch dummy, found {}",
                quoted(found)
            ),
            Self::Operand(found) => {
                write!(f, "expected op(operand) with an operand without blanks, found {}", quoted(found))
            }
            Self::End(found) => write!(f, "expected ) before the second |, found {}", quoted(found)),
        }
    }
}

/// A text in quotes, the beginning of it if it is long, and nothing in it that a terminal would obey.
fn quoted(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= QUOTED_MAX);
    match end.and_then(|end| text.get(..end)) {
        Some(head) => format!("\"{}…\"", head.escape_debug()),
        None => format!("\"{}\"", text.escape_debug()),
    }
}
