//! What the kernel says about the threads of a process that may hang.

use std::{collections::BTreeMap, fs, path::Path};

/// How far a thread is: it sleeps, and how often it has gone to sleep, or been made to wait, and how long it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    sleeps: bool,
    counters: String,
}

/// The pulse of a thread, such as `123/task/456`; `None` if it has ended.
pub(crate) fn thread(id: &str) -> Option<Pulse> {
    let folder = Path::new("/proc").join(id);
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // Behind the name, which may hold anything, in parentheses.
    let state = stat.rsplit(')').next()?.trim_start().chars().next()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let switches: String = status.lines().filter(|line| line.contains("ctxt_switches")).collect();
    let times: Vec<_> = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).collect();
    Some(Pulse { sleeps: state == 'S', counters: format!("{switches} {times:?}") })
}

impl Pulse {
    /// Whether it sleeps, and has not moved since `earlier`.
    pub(crate) fn sleeps_since(&self, earlier: &Self) -> bool {
        self.sleeps && self == earlier
    }
}

/// The pulses of all threads of a process.
pub(crate) fn process(pid: u32) -> BTreeMap<String, Pulse> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeMap::new() };
    let ids = threads.flatten().map(|entry| format!("{pid}/task/{}", entry.file_name().to_string_lossy()));
    ids.filter_map(|id| Some((id.clone(), thread(&id)?))).collect()
}

/// Whether all threads sleep, and none has moved since `earlier`.
pub(crate) fn all_sleep_since(now: &BTreeMap<String, Pulse>, earlier: &BTreeMap<String, Pulse>) -> bool {
    now == earlier && now.values().all(|pulse| pulse.sleeps)
}
