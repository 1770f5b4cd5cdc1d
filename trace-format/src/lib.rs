//! The vocabulary shared by the program under test and the detector.
//!
//! `instrumented-sync` writes traces, `deadlock-check` reads them, and neither may depend on the other. What
//! both must agree on lives here and nowhere else: event kinds, ids, dictionary records, versions, and the
//! layout of the mapped files together with the protocols that publish words in them. The normative text is
//! [`FORMAT.md`](https://docs.rs/crate/trace-format/latest/source/FORMAT.md) beside this crate.
//!
//! * [`Event`] is 16 bytes; [`Kind`] lists every kind, emitted or reserved.
//! * [`chunk`], [`process`] and [`slot`] are the layouts of what lies in a process file.
//! * [`words`] is how those layouts are touched: as 64-bit atomic words, never as bytes of a `&mut [u8]`, since
//!   another process may look at the same memory at any time. The protocols are generic over [`words::Words`],
//!   so that the models in `tests/` run under loom the same code that the recorder and the readers run.
//! * [`dictionary`] encodes and decodes the records that ids refer to.
//! * [`stripe`] numbers what happens to atomic variables.
//! * [`version`] says which traces a reader accepts.
//!
//! The crate is `no_std` without dependencies. Its feature `map` adds the one routine that maps a file.
//!
//! ```
//! use trace_format::{Event, Flags, Kind, ObjectId};
//!
//! let event = Event::new(Kind::ACQUIRE, Flags::SHARED, 7, ObjectId(3), 42);
//! assert_eq!(event.kind(), Kind::ACQUIRE);
//! assert_eq!(event.seq(), 42);
//! assert_eq!(Event::from_words(event.words()), event);
//! ```
#![cfg_attr(not(feature = "map"), no_std)]
#![cfg_attr(not(feature = "map"), forbid(unsafe_code))]

pub mod chunk;
pub mod dictionary;
mod event;
mod id;
pub mod process;
pub mod slot;
pub mod stripe;
pub mod version;
pub mod words;

#[cfg(all(feature = "map", unix))]
pub mod segment;

pub use crate::{
    event::{ADDRESS_MAX, BESIDE_MAX, Event, Flags, Kind, MESSAGE_MAX, Mode, ObjectKind, Order, PAYLOAD_MAX},
    id::{ClassId, LocationId, ObjectId, SiteId, StackId},
};

/// Name of the file whose presence makes a directory a trace; its suffix is the major version.
///
/// It is created with `O_EXCL`, so that of several processes that start at once exactly one makes it, and its
/// content carries no meaning: a half-written marker cannot exist.
pub const MARKER: &str = "deadlock-check-trace.1";

/// What every marker of every major version begins with.
pub const MARKER_PREFIX: &str = "deadlock-check-trace.";

/// Stands for the data of a lock in the type of its class: something of type `T`, at most, and what holders of the lock do to it is not recorded.
///
/// ```
/// use trace_format::{UNSEEN_TYPE, Unseen};
///
/// assert_eq!(std::any::type_name::<Unseen<u8>>(), format!("{UNSEEN_TYPE}u8>"));
/// ```
#[derive(Debug)]
pub struct Unseen<T: ?Sized>(core::marker::PhantomData<T>);

/// How the type of such a class begins; the type of the data follows, and a `>`.
pub const UNSEEN_TYPE: &str = "trace_format::Unseen<";

/// Suffix of the files written by processes: `PID-START-COPY.events`.
pub const PROCESS_FILE_SUFFIX: &str = ".events";

/// The environment variable that switches recording on and names the trace directory.
pub const TRACE_VARIABLE: &str = "DEADLOCK_CHECK_TRACE";

/// The environment variable that bounds the bytes one process may keep in a trace.
pub const MAX_BYTES_VARIABLE: &str = "DEADLOCK_CHECK_MAX_BYTES";

/// Bytes that one process may keep in a trace unless [`MAX_BYTES_VARIABLE`] says otherwise: 4 GiB.
pub const PROCESS_BYTES_MAX_DEFAULT: u64 = 4 << 30;
