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
pub(super) struct Process {
    pid: i32,
    parent: i32,
    start: u64,
    is_alive: bool,
    is_stopped: bool,
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

/// How long to wait until all stand still.
const STILL: Duration = Duration::from_millis(200);

/// Asks, and waits until all have gone or the grace time is over.
///
/// Of several none goes on because another one has ended: whoever waits for a child, or for a lock of a dead owner, would, and leave a trace of
/// something else than what the processes were ended for.
fn ask(processes: &[Process], signal: Signal) {
    let are_several = processes.len() > 1;
    if are_several {
        send(processes, Signal::STOP);
        let deadline = Instant::now() + STILL;
        while processes.iter().any(|process| is_moving(*process)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
    send(processes, signal);
    if are_several {
        send(processes, Signal::CONT);
    }
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

/// Processes that were started less than `age` ago with `variable`, a whole `NAME=value`, in their environment.
pub(super) fn heirs(variable: &[u8], age: Duration) -> Vec<Process> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let is_young = |process: &Process| {
        let start = Duration::from_millis(process.start.saturating_mul(1000) / ticks_per_second);
        process.is_alive && now.saturating_sub(start) < age
    };
    // What belongs to others cannot be read.
    let environment = |process: &Process| fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
    let is_heir = |process: &Process| environment(process).split(|byte| *byte == 0).any(|entry| entry == variable);
    all().into_iter().filter(is_young).filter(is_heir).collect()
}

/// What the system calls a process.
pub(super) fn name(pid: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

pub(super) fn is_alive(process: Process) -> bool {
    read(process.pid).is_some_and(|now| now.start == process.start && now.is_alive)
}

fn is_moving(process: Process) -> bool {
    read(process.pid).is_some_and(|now| now.start == process.start && now.is_alive && !now.is_stopped)
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
    let (is_alive, is_stopped) = (!matches!(state, "Z" | "X"), matches!(state, "T" | "t"));
    Some(Process { pid, parent, start, is_alive, is_stopped })
}

#[cfg(test)]
mod tests {
    use super::{all, end_only, heirs, name, parse};
    use rustix::process::Signal;
    use std::{process::Command, thread, time::Duration};

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

    #[test]
    fn who_waits_for_another_that_is_ended_with_it_does_not_go_on() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            // Not the last command, so that the shell stays for it.
            let mut shell =
                Command::new("sh").args(["-c", "sleep 60; : > went-on"]).current_dir(dir.path()).spawn().unwrap();
            let pid = shell.id().cast_signed();
            let child = loop {
                if let Some(child) = all().iter().find(|process| process.parent == pid) {
                    break child.pid;
                }
            };
            end_only(&[pid, child], Signal::TERM);
            assert!(!shell.wait().unwrap().success());
            assert!(!dir.path().join("went-on").exists());
        }
    }

    #[test]
    fn who_was_started_just_now_with_a_variable_is_its_heir() {
        let mut child = Command::new("sleep").arg("60").env("HEIR_OF", "this test").spawn().unwrap();
        let pids = |variable: &[u8], age| heirs(variable, age).iter().map(|heir| heir.pid).collect::<Vec<_>>();
        let pid = child.id().cast_signed();
        let minute = Duration::from_secs(60);
        // Between fork and exec it has the environment of its parent.
        while !pids(b"HEIR_OF=this test", minute).contains(&pid) {}
        assert_eq!(pids(b"HEIR_OF=this tes", minute), [0; 0]);
        assert_eq!(name(pid).unwrap(), "sleep");
        thread::sleep(Duration::from_millis(100));
        assert_eq!(pids(b"HEIR_OF=this test", Duration::from_millis(50)), [0; 0], "it is older");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(name(pid).is_none());
    }
}
