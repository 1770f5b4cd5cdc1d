//! Processes as `/proc` shows them, and ending them.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Time between being asked to end and being ended.
const GRACE: Duration = Duration::from_secs(2);
/// How often to look whether they have gone.
const LOOK: Duration = Duration::from_millis(20);

/// A process, told from a later one with its number by the time it started.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    start: u64,
    is_alive: bool,
}

/// Ends `roots` and their descendants: first asks, after a grace time insists.
pub(super) fn end(roots: &[i32]) {
    let asked = with_descendants(roots);
    ask(&asked, Signal::TERM);
    // Some may have started others in the meantime; and a child whose parent is gone is still in the first list.
    let mut left = with_descendants(roots);
    left.extend(asked);
    send(&left, Signal::KILL);
}

/// Ends these processes and no others: asks by `signal`, after a grace time insists.
pub(super) fn end_only(pids: &[i32], signal: Signal) {
    let mut asked = with_descendants(pids);
    asked.retain(|process| pids.contains(&process.pid));
    ask(&asked, signal);
    send(&asked, Signal::KILL);
}

/// Asks, and waits until all have gone or the grace time is over.
fn ask(processes: &[Process], signal: Signal) {
    send(processes, signal);
    let deadline = Instant::now() + GRACE;
    while processes.iter().any(|process| is_alive(*process)) && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
}

fn send(processes: &[Process], signal: Signal) {
    for process in processes.iter().copied().filter(|process| is_alive(*process)) {
        if let Some(pid) = Pid::from_raw(process.pid) {
            // It may have ended by itself just now.
            let _ = kill_process(pid, signal);
        }
    }
}

fn with_descendants(roots: &[i32]) -> Vec<Process> {
    let all = all();
    // Never this process, nor init: pids of a trace are not trusted that far.
    let own = std::process::id().cast_signed();
    let mut found: Vec<Process> = Vec::new();
    let mut wanted: Vec<i32> = roots.iter().copied().filter(|pid| *pid > 1 && *pid != own).collect();
    while let Some(pid) = wanted.pop() {
        let Some(process) = all.iter().find(|process| process.pid == pid) else { continue };
        if !found.contains(process) {
            found.push(*process);
            wanted.extend(all.iter().filter(|child| child.parent == pid && child.pid != own).map(|child| child.pid));
        }
    }
    found
}

fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn is_alive(process: Process) -> bool {
    read(process.pid).is_some_and(|now| now.start == process.start && now.is_alive)
}

fn read(pid: i32) -> Option<Process> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid …`; the name may have parentheses and spaces of its own.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of the line; state is field 3, the parent field 4.
    let start = fields.nth(17)?.parse().ok()?;
    Some(Process { pid, parent, start, is_alive: !matches!(state, "Z" | "X") })
}

#[cfg(test)]
mod tests {
    use super::{all, parse};

    #[test]
    fn a_name_may_have_parentheses() {
        let stat = "42 (a) b) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000";
        let process = parse(42, stat).unwrap();
        assert_eq!((process.parent, process.start, process.is_alive), (7, 12345, true));
    }

    #[test]
    fn this_process_is_among_all() {
        assert!(all().iter().any(|process| process.pid.cast_unsigned() == std::process::id() && process.is_alive));
    }
}
