//! Whether a recorded process is still alive, and what time it is for it.

use std::{fs, sync::OnceLock};
use trace_format::{
    PROCESS_FILE_SUFFIX,
    process::{Header, fnv1a},
};

/// What `/proc` says of a live process as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vitals {
    start: u64,
    /// Processor time that it has used, in clock ticks.
    pub(super) cpu_ticks: u64,
    /// Its threads, recorded or not.
    pub(super) n_threads: u64,
}

/// Whether the process that wrote `header` is alive on this machine, in this boot.
pub(super) fn is_alive(header: &Header) -> bool {
    vitals(header).is_some()
}

/// What is known of the process that wrote `header`, if it is alive on this machine, in this boot.
///
/// A pid alone proves nothing since it is used again; pid, start time and boot together name one process.
pub(super) fn vitals(header: &Header) -> Option<Vitals> {
    let is_of_this_boot = boot_hash() == Some(header.boot);
    is_of_this_boot.then(|| read_vitals(header.pid))?.filter(|vitals| vitals.start == header.start)
}

/// Whether a name is that of the process file of a process which is alive. The name alone decides, since a file may have no header yet: of
/// another boot, a process may be taken for another one that has its number and its start.
pub fn is_file_of_live_process(name: &str) -> bool {
    let Some(numbers) = name.strip_suffix(PROCESS_FILE_SUFFIX) else { return false };
    let mut numbers = numbers.split('-').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(start))) = (numbers.next(), numbers.next()) else { return false };
    u32::try_from(pid).ok().and_then(read_vitals).is_some_and(|vitals| vitals.start == start)
}

/// Nanoseconds of the monotonic clock, the one that recorders use.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}

fn boot_hash() -> Option<u64> {
    static HASH: OnceLock<Option<u64>> = OnceLock::new();
    *HASH.get_or_init(|| {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(fnv1a(id.trim().as_bytes()))
    })
}

fn read_vitals(pid: u32) -> Option<Vitals> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_vitals(&String::from_utf8_lossy(&stat))
}

/// Fields 14, 15, 20 and 22 of `/proc/PID/stat`, unless the process is a zombie, which runs no more.
fn parse_vitals(stat: &str) -> Option<Vitals> {
    // The second field is the program's name in parentheses and may itself contain any of "() ".
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // State is field 3.
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let n_threads = fields.nth(4)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    Some(Vitals { start, cpu_ticks: user.saturating_add(system), n_threads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitals_are_found_behind_any_name() {
        let tail = "S 1 1 1 0 -1 4194304 1 1 1 1 5 6 1 1 20 0 3 0 77 1 1";
        let vitals = Vitals { start: 77, cpu_ticks: 11, n_threads: 3 };
        assert_eq!(parse_vitals(&format!("9 (a) b (c) {tail}")), Some(vitals));
        assert_eq!(parse_vitals(&format!("9 (x) Z{}", &tail[1..])), None, "a zombie runs no more");
        assert_eq!(parse_vitals("9 (x"), None);
        assert_eq!(parse_vitals(""), None);
    }

    #[test]
    fn this_process_is_alive() {
        assert!(read_vitals(std::process::id()).is_some_and(|vitals| vitals.n_threads > 0));
        assert!(boot_hash().is_some());
    }

    #[test]
    fn a_file_is_named_by_the_process_that_it_is_of() {
        let pid = std::process::id();
        let start = read_vitals(pid).unwrap().start;
        assert!(is_file_of_live_process(&format!("{pid}-{start}-0.events")));
        assert!(!is_file_of_live_process(&format!("{pid}-{}-0.events", start + 1)), "an earlier one of that number");
        for other in [format!("{pid}-{start}-0.events.threads"), format!("{pid}.events"), ".events".to_owned()] {
            assert!(!is_file_of_live_process(&other), "{other}");
        }
    }
}
