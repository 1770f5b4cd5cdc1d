//! The recorder: from a probe to published words in a mapped file.
//!
//! ```text
//! probe --> entry (this copy's recorder, or that of the copy that records for all)
//!             v
//!           local (this thread's segment and slot; no lock, no allocation)
//!             | cold: a new site, a full page, a full segment, a new thread
//!             v
//!           process (one lock: the file, its dictionary, pools of segments and slots)
//! ```
//!
//! What the program may rely on: nothing here panics, prints, waits for anything but the recorder's own lock (and, at the
//! first operation and in a module that is new, the dynamic loader's, not under the recorder's own; and, when it is
//! switched on, at most two seconds for another copy that is being switched on), allocates through the program's
//! allocator on the path of a recorded operation, or keeps a file open. What cannot be recorded is counted.
//!
//! Re-entrancy: a signal handler, or an allocator that runs while the recorder works, finds this thread's
//! [`local::Local`] busy and its operation goes through unrecorded.

pub(crate) mod copies;
pub(crate) mod entry;
pub(crate) mod latch;
pub(crate) mod local;
pub(crate) mod platform;
pub(crate) mod process;
pub(crate) mod stripe;
pub(crate) mod table_abi;
pub(crate) mod task;

mod here;
mod site;
mod stack;
mod table;
