//! Whether a recorded process is still alive, and what time it is for it.

use std::{fs, sync::OnceLock};
use trace_format::process::{Header, fnv1a};

/// Whether the process that wrote `header` is alive on this machine, in this boot.
///
/// A pid alone proves nothing since it is used again; pid, start time and boot together name one process.
pub(super) fn is_alive(header: &Header) -> bool {
    boot_hash() == Some(header.boot) && start_time(header.pid) == Some(header.start)
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

fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_start_time(&String::from_utf8_lossy(&stat))
}

/// Field 22 of `/proc/PID/stat`, unless the process is a zombie, which runs no more.
fn parse_start_time(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may itself contain any of "() ".
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // State is field 3, the start time field 22.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_behind_any_name() {
        let tail = "S 1 1 1 0 -1 4194304 1 1 1 1 1 1 1 1 20 0 1 0 77 1 1";
        assert_eq!(parse_start_time(&format!("9 (a) b (c) {tail}")), Some(77));
        assert_eq!(parse_start_time(&format!("9 (x) Z{}", &tail[1..])), None, "a zombie runs no more");
        assert_eq!(parse_start_time("9 (x"), None);
        assert_eq!(parse_start_time(""), None);
    }

    #[test]
    fn this_process_is_alive() {
        let pid = std::process::id();
        assert!(start_time(pid).is_some());
        assert!(boot_hash().is_some());
    }
}
