//! RapidBin: RAPID's operations in 8 bytes each, after a header of 18; all numbers big-endian.
//!
//! ```text
//! header   i16 threads | i32 locks | i32 variables | i64 events
//! event    1 sign, 0 | 15 location | 34 operand | 4 operation | 10 thread     high bit to low
//! ```
//!
//! Operations: 0 acq, 1 rel, 2 r, 3 w, 4 fork, 5 join, 6 begin, 7 end, 8 req, 9 branch. Things have numbers only; they are called
//! `T0`, `L0`, `V0` as in the texts that such files are made from. The header's counts are bounds, not exact, and nothing is
//! sized by them.
//!
//! The file has no magic number. Its first two bytes are a number up to 1024, which no text begins with.

use crate::{
    finding::Problem,
    history::{Builder, History, Kind, Operation, Origin, Target},
};
use rustc_hash::FxHashMap;
use std::io::{self, BufRead, Write};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 18;
/// Bytes of an event.
const EVENT_BYTES: usize = 8;
/// Threads that a file can have.
const THREADS_MAX: u64 = 1 << 10;
/// Operands that a file can have of each sort.
const OPERANDS_MAX: u64 = 1 << 34;
/// Locations that a file can have.
const LOCATIONS_MAX: u64 = 1 << 15;

/// Operations by number.
const KINDS: [Kind; 10] = [
    Kind::Acquire,
    Kind::Release,
    Kind::Read,
    Kind::Write,
    Kind::Fork,
    Kind::Join,
    Kind::Begin,
    Kind::End,
    Kind::Request,
    Kind::Branch,
];

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// More than any thread's number.
    pub threads: u64,
    /// More than any lock's number.
    pub locks: u64,
    /// More than any variable's number.
    pub variables: u64,
    /// How many events follow.
    pub events: u64,
}

/// Why a header is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderError {
    /// The file ends within it.
    #[error("it ends after {0} of the header's {HEADER_BYTES} bytes")]
    Truncated(usize),
    /// A count cannot be.
    #[error("its header counts {count} {what}, and there can be 0 to {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// The number.
        count: i64,
        /// What it can be at most.
        max: u64,
    },
}

impl Header {
    /// Reads the header at the beginning of `bytes`.
    ///
    /// ```
    /// use detector::source::rapid_bin::Header;
    ///
    /// let bytes = [0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9];
    /// assert_eq!(Header::parse(&bytes), Ok(Header { threads: 2, locks: 1, variables: 3, events: 9 }));
    /// assert!(Header::parse(b"T1|acq(L)|main.rs:1\n").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If there are too few bytes, or a count is negative, or larger than an event can name.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(HeaderError::Truncated(bytes.len())) };
        let [t0, t1, l0, l1, l2, l3, v0, v1, v2, v3, events @ ..] = *header;
        let count = |what, count, max| match u64::try_from(count) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(HeaderError::Count { what, count, max }),
        };
        Ok(Self {
            threads: count("threads", i16::from_be_bytes([t0, t1]).into(), THREADS_MAX)?,
            locks: count("locks", i32::from_be_bytes([l0, l1, l2, l3]).into(), i32::MAX as u64)?,
            variables: count("variables", i32::from_be_bytes([v0, v1, v2, v3]).into(), i32::MAX as u64)?,
            events: count("events", i64::from_be_bytes(events), i64::MAX as u64)?,
        })
    }

    fn bytes(self) -> Option<[u8; HEADER_BYTES]> {
        let mut bytes = [0; HEADER_BYTES];
        let mut rest = &mut bytes[..];
        rest.write_all(&i16::try_from(self.threads).ok()?.to_be_bytes()).ok()?;
        rest.write_all(&i32::try_from(self.locks).ok()?.to_be_bytes()).ok()?;
        rest.write_all(&i32::try_from(self.variables).ok()?.to_be_bytes()).ok()?;
        rest.write_all(&i64::try_from(self.events).ok()?.to_be_bytes()).ok()?;
        Some(bytes)
    }
}

/// Whether the beginning of a file looks like one: a number of threads that is possible, and no text.
pub(super) fn is_like(head: &[u8]) -> bool {
    head.first().is_some_and(|byte| u64::from(*byte) <= THREADS_MAX >> 8)
}

/// Reads a file; `file` is what its problems call it.
///
/// An event that cannot be is left out, and told of. If the file ends early, or reading fails, that is a problem, and the
/// events before are the history.
///
/// # Errors
///
/// Only if the header is none; a failure to read it counts as its end.
pub fn read(mut input: impl BufRead, file: &str) -> Result<(History, Vec<Problem>), HeaderError> {
    let mut head = [0; HEADER_BYTES];
    let n_read = read_up_to(&mut input, &mut head).unwrap_or(0);
    let header = Header::parse(head.get(..n_read).unwrap_or_default())?;
    let mut reader = Reader {
        builder: Builder::new(Origin::Events(file.to_owned())),
        header,
        numbers: Default::default(),
        n_events: 0,
    };
    match reader.read_events(&mut input) {
        Ok(None) => {}
        Ok(Some(fault)) => reader.builder.reject_file(fault),
        Err(error) => {
            let n = reader.n_events;
            reader.builder.reject_file(format_args!(
                "cannot be read on after event {n}: {error}; what comes before was used: make or copy it again"
            ));
        }
    }
    Ok(reader.builder.finish())
}

struct Reader {
    builder: Builder,
    header: Header,
    /// Numbers of the history by those of the file: threads, locks, variables, places.
    numbers: [FxHashMap<u64, u32>; 4],
    n_events: u64,
}

impl Reader {
    /// Reads all events; says if they are not as many as announced.
    fn read_events(&mut self, input: &mut impl BufRead) -> io::Result<Option<String>> {
        let announced = self.header.events;
        let mut event = [0; EVENT_BYTES];
        while self.n_events < announced {
            match read_up_to(input, &mut event)? {
                EVENT_BYTES => {}
                n => {
                    let (n_events, n_bytes) = (self.n_events, n + HEADER_BYTES + self.n_events as usize * EVENT_BYTES);
                    return Ok(Some(format!(
                        "is truncated: it ends after {n_bytes} bytes, with {n_events} of {announced} events; \
                         what is there was used: make or copy it again"
                    )));
                }
            }
            self.n_events += 1;
            if let Err(fault) = self.add(u64::from_be_bytes(event)) {
                self.builder.reject(self.n_events, format_args!("{fault}; the event is left out: make the file again"));
            }
        }
        let is_over = read_up_to(input, &mut event)? == 0;
        Ok((!is_over).then(|| {
            format!("goes on after the {announced} events that its header counts; the rest was not read: make it again")
        }))
    }

    fn add(&mut self, event: u64) -> Result<(), String> {
        let (thread, operand) = (event & (THREADS_MAX - 1), event >> 14 & (OPERANDS_MAX - 1));
        let (operation, location) = (event >> 10 & 15, event >> 48 & (LOCATIONS_MAX - 1));
        if event >> 63 != 0 {
            return Err(format!("its first bit is set, and there is no operation {event:#x}"));
        }
        let Some(kind) = KINDS.get(operation as usize) else {
            return Err(format!("its operation is {operation}, and there are 0 to {}", KINDS.len() - 1));
        };
        let Header { threads, locks, variables, .. } = self.header;
        let (what, count) = match kind.target() {
            Target::Lock => ("lock", locks),
            Target::Variable => ("variable", variables),
            Target::Thread => ("thread", threads),
            Target::Resource | Target::Nothing => ("nothing", u64::MAX),
        };
        check("thread", thread, threads)?;
        check(what, operand, count)?;
        let thread = self.number(Target::Thread, thread);
        let target = self.number(kind.target(), operand);
        let builder = &mut self.builder;
        let place = known(&mut self.numbers[3], location, |number| builder.place(&number.to_string()));
        self.builder.add(self.n_events, *kind, thread, target, place);
        Ok(())
    }

    fn number(&mut self, of: Target, number: u64) -> u32 {
        let builder = &mut self.builder;
        match of {
            Target::Thread => known(&mut self.numbers[0], number, |number| builder.thread(&format!("T{number}"))),
            Target::Lock => known(&mut self.numbers[1], number, |number| builder.lock(&format!("L{number}"))),
            Target::Variable => known(&mut self.numbers[2], number, |number| builder.variable(&format!("V{number}"))),
            Target::Resource | Target::Nothing => 0,
        }
    }
}

fn check(what: &str, number: u64, count: u64) -> Result<(), String> {
    let fault = || format!("it names {what} {number}, and the header counts {count}");
    if number < count { Ok(()) } else { Err(fault()) }
}

fn known(numbers: &mut FxHashMap<u64, u32>, number: u64, make: impl FnOnce(u64) -> u32) -> u32 {
    *numbers.entry(number).or_insert_with(|| make(number))
}

/// Fills a buffer as far as the input goes.
fn read_up_to(input: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

/// Why a history has no such file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is no room for it in the format.
    #[error("the trace has {count} {what}, and RapidBin has room for {max}: write STD text")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there can be.
        max: u64,
    },
    /// The format has no such operation.
    #[error("the trace has {0} operations, and RapidBin has none: write STD text")]
    NoOperation(&'static str),
    /// The output refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes a history. Its names are lost: things are called by their numbers.
///
/// ```
/// use detector::source::{rapid_bin, std_text};
///
/// let (history, _) = std_text::read(&b"T0|acq(L0)|7\nT0|rel(L0)|8\n"[..], "x.std");
/// let mut bytes = Vec::new();
/// rapid_bin::write(&history, &mut bytes).unwrap();
/// assert_eq!(rapid_bin::read(&bytes[..], "x.data").unwrap().0.operations, history.operations);
/// ```
///
/// # Errors
///
/// If the history has what the format has no room for, or the output fails.
pub fn write(history: &History, output: &mut impl Write) -> Result<(), WriteError> {
    let counts = [
        ("threads", history.threads.len(), THREADS_MAX),
        ("locks", history.locks.len(), i32::MAX as u64),
        ("variables", history.variables.len(), i32::MAX as u64),
        ("places", history.places.len(), LOCATIONS_MAX),
    ];
    if let Some((what, count, max)) = counts.into_iter().find(|(_, count, max)| *count as u64 > *max) {
        return Err(WriteError::TooMany { what, count, max });
    }
    let header = Header {
        threads: history.threads.len() as u64,
        locks: history.locks.len() as u64,
        variables: history.variables.len() as u64,
        events: history.operations.len() as u64,
    };
    output.write_all(&header.bytes().unwrap_or_default())?;
    for Operation { thread, target, place, kind, .. } in &history.operations {
        let number = KINDS.iter().position(|known| known == kind).ok_or(WriteError::NoOperation(kind.name()))? as u64;
        let event = u64::from(*thread) | number << 10 | u64::from(*target) << 14 | u64::from(*place) << 48;
        output.write_all(&event.to_be_bytes())?;
    }
    Ok(())
}
