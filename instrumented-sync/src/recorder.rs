//! The recorder: from a probe to published words in a mapped file.
//!
//! ```text
//! probe --> local (this thread's segment and slot; no lock, no allocation)
//!             | cold: a new site, a full page, a full segment, a new thread
//!             v
//!           process (one lock: the file, its dictionary, pools of segments and slots)
//! ```
//!
//! What the program may rely on: nothing here panics, prints, waits for anything but the recorder's own lock (and the
//! dynamic loader's, at the first operation and in a module that is new; not under the recorder's own), allocates through the program's allocator on the path of a recorded operation, or keeps a file open. What
//! cannot be recorded is counted.
//!
//! Re-entrancy: a signal handler, or an allocator that runs while the recorder works, finds this thread's
//! [`local::Local`] busy and its operation goes through unrecorded.

pub(crate) mod latch;
pub(crate) mod local;
pub(crate) mod platform;
pub(crate) mod process;
pub(crate) mod task;

mod site;
mod stack;
mod table;

pub(crate) use local::Local;
