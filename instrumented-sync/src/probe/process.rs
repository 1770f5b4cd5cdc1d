//! Probes of processes.

use super::{Class, Identity, Text, entry, platform, recording};

/// Says which process an object of kind process is.
pub(crate) fn child(identity: &Identity, class: Class, pid: u32, start: u64) {
    let object = if recording() { identity.object(class) } else { 0 };
    if object != 0 {
        entry::child(object, pid, start);
    }
}

/// When a child process was started, in clock ticks since boot; 0 if that is not known.
pub(crate) fn process_start(pid: u32) -> u64 {
    platform::process_start_of(pid)
}

/// Names this process.
pub(crate) fn role(text: &str) {
    if recording() {
        entry::role(Text::of(text));
    }
}
