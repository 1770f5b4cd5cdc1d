//! The threads of a process as the operating system has them, those included that recorded nothing.

use rustc_hash::FxHashSet;
use std::{fs, path::Path};

/// A thread of the operating system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsThread {
    /// Its id.
    pub tid: u32,
    /// Its name there, at most 15 bytes; that of the program if nobody named it.
    pub name: String,
    /// Its state as `/proc` has it: `R` running, `S` sleeping, `D` sleeping without being interruptible, `T` stopped.
    pub state: char,
    /// The system call that it sleeps in, if the kernel says and no wait of the thread was recorded.
    pub call: Option<String>,
}

/// The threads of a process in order of their ids, this one left out; none if the process is gone.
///
/// Of threads whose ids are in `waiting` the system call is not asked for: what they wait for is known.
pub(super) fn of(pid: u32, waiting: &FxHashSet<u32>) -> Vec<OsThread> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let tids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // A thread that watches its own program is none of the program's.
    let own = own_tid();
    let mut tids: Vec<u32> = tids.filter(|tid| Some(*tid) != own).collect();
    tids.sort_unstable();
    tids.into_iter().filter_map(|tid| read(pid, tid, waiting.contains(&tid))).collect()
}

/// Whether a process has a thread with this id now.
pub fn is_thread(pid: u32, tid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/task/{tid}")).exists()
}

fn own_tid() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

/// `None` if the thread is gone.
fn read(pid: u32, tid: u32, waits: bool) -> Option<OsThread> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/task/{tid}/{file}"));
    let text = |file| read(file).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    let state = state(&text("stat").ok()?)?;
    let call = (!waits && matches!(state, 'S' | 'D' | 'I')).then(|| {
        let call = text("syscall").ok().and_then(|line| syscall(&line));
        call.or_else(|| text("wchan").ok().and_then(|name| by_channel(&name)))
    });
    Some(OsThread { tid, name: text("comm").unwrap_or_default(), state, call: call.flatten() })
}

/// The field behind the name, which may itself contain any of "() ".
fn state(stat: &str) -> Option<char> {
    stat.get(stat.rfind(')')? + 1..)?.trim_start().chars().next()
}

/// The call in a line of `/proc/PID/task/TID/syscall`: its number and arguments, or a word.
fn syscall(line: &str) -> Option<String> {
    let number: u32 = line.split_ascii_whitespace().next()?.parse().ok()?;
    let name = SYSCALLS.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned());
    Some(name.unwrap_or_else(|| format!("system call {number}")))
}

/// System calls in which threads of programs sleep.
#[cfg(target_arch = "x86_64")]
const SYSCALLS: &[(u32, &str)] = &[
    (0, "read"),
    (1, "write"),
    (7, "poll"),
    (16, "ioctl"),
    (17, "pread64"),
    (18, "pwrite64"),
    (19, "readv"),
    (20, "writev"),
    (23, "select"),
    (34, "pause"),
    (35, "nanosleep"),
    (42, "connect"),
    (43, "accept"),
    (44, "sendto"),
    (45, "recvfrom"),
    (46, "sendmsg"),
    (47, "recvmsg"),
    (61, "wait4"),
    (65, "semop"),
    (70, "msgrcv"),
    (72, "fcntl"),
    (73, "flock"),
    (74, "fsync"),
    (75, "fdatasync"),
    (128, "rt_sigtimedwait"),
    (130, "rt_sigsuspend"),
    (202, "futex"),
    (230, "clock_nanosleep"),
    (232, "epoll_wait"),
    (247, "waitid"),
    (270, "pselect6"),
    (271, "ppoll"),
    (275, "splice"),
    (281, "epoll_pwait"),
    (288, "accept4"),
    (299, "recvmmsg"),
    (426, "io_uring_enter"),
    (441, "epoll_pwait2"),
    (449, "futex_waitv"),
];

/// The generic numbers of newer architectures.
#[cfg(not(target_arch = "x86_64"))]
const SYSCALLS: &[(u32, &str)] = &[
    (22, "epoll_pwait"),
    (63, "read"),
    (64, "write"),
    (72, "pselect6"),
    (73, "ppoll"),
    (95, "waitid"),
    (98, "futex"),
    (101, "nanosleep"),
    (115, "clock_nanosleep"),
    (202, "accept"),
    (203, "connect"),
    (206, "sendto"),
    (207, "recvfrom"),
    (212, "recvmsg"),
    (242, "accept4"),
    (260, "wait4"),
];

/// The call that leads to a function of the kernel, by the beginning of its name; the function if it is not known.
fn by_channel(function: &str) -> Option<String> {
    const CHANNELS: &[(&str, &str)] = &[
        ("futex_", "futex"),
        ("ep_poll", "epoll_wait"),
        ("do_epoll_wait", "epoll_wait"),
        ("hrtimer_nanosleep", "nanosleep"),
        ("do_nanosleep", "nanosleep"),
        ("inet_csk_accept", "accept"),
        ("pipe_read", "read"),
        ("anon_pipe_read", "read"),
        ("poll_schedule_timeout", "poll"),
        ("do_wait", "wait4"),
    ];
    let function = function.trim();
    if function.is_empty() || function == "0" {
        return None;
    }
    let known = CHANNELS.iter().find(|(beginning, _)| function.starts_with(beginning));
    Some(known.map_or(function, |(_, call)| call).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread};

    #[test]
    fn lines_of_proc_are_understood() {
        assert_eq!(state("9 (a) b) D 1 2"), Some('D'));
        assert_eq!(state("9"), None);
        assert_eq!(syscall("running"), None);
        assert_eq!(syscall("-1 0x7ffc 0x7f"), None);
        assert_eq!(syscall("9999 0x0").as_deref(), Some("system call 9999"));
        assert_eq!(by_channel("futex_do_wait").as_deref(), Some("futex"));
        assert_eq!(by_channel("0"), None);
        assert_eq!(by_channel("unix_stream_read_generic").as_deref(), Some("unix_stream_read_generic"));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn system_calls_have_names() {
        assert_eq!(syscall("202 0x7f 0x80").as_deref(), Some("futex"));
        assert_eq!(syscall("45 0x3").as_deref(), Some("recvfrom"));
    }

    #[test]
    fn other_threads_are_listed_and_this_one_is_not() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let sleeper = thread::Builder::new().name("sleeper".to_owned()).spawn(move || {
            tell.send(own_tid().unwrap()).unwrap();
            ended.recv().unwrap_err();
        });
        let tid = told.recv().unwrap();
        let threads = of(std::process::id(), &FxHashSet::default());
        let found = threads.iter().find(|thread| thread.tid == tid).unwrap();
        assert_eq!(found.name, "sleeper");
        assert!(threads.iter().all(|thread| Some(thread.tid) != own_tid()), "{threads:?}");
        drop(end);
        sleeper.unwrap().join().unwrap();
        assert!(of(0, &FxHashSet::default()).is_empty(), "no such process");
    }
}
