//! Scripts of several processes: each line begins with the pid, `100/t1: acq shared.A@1`.

use super::trace_builder::{Lock, Process};
use std::collections::BTreeMap;

/// Processes that have locks of shared memory in common.
#[derive(Debug, Default)]
pub(crate) struct Several {
    pub(crate) processes: BTreeMap<u32, Process>,
    shared: BTreeMap<String, Lock>,
}

impl Several {
    /// Runs a script, line by line.
    pub(crate) fn script(script: &str) -> Self {
        let mut several = Self::default();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (pid, line) = line.split_once('/').expect("a line is `pid/thread: operations`");
            let pid = pid.parse().expect("a pid");
            let process = several.processes.entry(pid).or_insert_with(|| Process::new(pid));
            process.exchange_shared(&mut several.shared);
            let (thread, operations) = line.split_once(':').expect("a line is `pid/thread: operations`");
            for operation in operations.split('|').map(str::trim) {
                process.run(thread.trim(), operation);
            }
            process.exchange_shared(&mut several.shared);
        }
        several
    }

    /// Changes a process.
    pub(crate) fn with(mut self, pid: u32, change: impl FnOnce(&mut Process)) -> Self {
        change(self.processes.get_mut(&pid).expect("a process of the script"));
        self
    }

    /// The process files, in order of pids.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        self.processes.values().map(Process::to_bytes).collect()
    }
}
