//! Child processes by the dozen, killed, forked, executed, and with an environment of their own.

use crate::{
    fork::{fork, wait_for},
    support::{
        Trace, process_files,
        program::{ROLE, command, own_trace, run},
        rules::{self, Ending},
    },
};
use instrumented_sync::{
    Mutex, label,
    process::{self, Command, Stdio},
    thread,
};
use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::Path,
    sync::atomic::{AtomicI32, Ordering::SeqCst},
};
use trace_format::{Event, Kind, MAX_BYTES_VARIABLE, TRACE_VARIABLE};

static LOCK: Mutex<u32> = Mutex::new(0);

/// This test binary as a child that plays another part.
fn playing(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(ROLE, role).stdout(Stdio::null());
    command
}

/// A child that is recorded, and says what it is.
pub(crate) fn works() {
    process::set_role("worker");
    *LOCK.lock().unwrap() += 1;
}

/// A child that ends when its input does, or is killed.
pub(crate) fn reads() {
    works();
    crate::support::program::wait_for_go();
}

/// All process files of a run: those that no process was forked into, and the others.
fn traces(dir: &Path) -> (Vec<Trace>, Vec<Trace>) {
    let all = process_files(dir).into_iter().map(|path| Trace::read(&path).unwrap());
    all.partition(|trace| trace.header.forked_from.is_none())
}

fn record(role: &str) -> (Vec<Trace>, Vec<Trace>) {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command(role, dir.path()));
    traces(dir.path())
}

/// The process that started the others.
fn parent(traces: &[Trace]) -> &Trace {
    let is_parent = |trace: &&Trace| trace.count(Kind::PROCESS_SPAWN) + trace.count(Kind::PROCESS_FORK) > 0;
    traces.iter().find(is_parent).expect("somebody starts the others")
}

/// Numbers of the forks that a process recorded, in their order.
fn forks(trace: &Trace) -> Vec<u64> {
    let mut forks: Vec<_> = trace.events().filter(|event| event.kind() == Kind::PROCESS_FORK).map(Event::seq).collect();
    forks.sort_unstable();
    forks
}

const N_THREADS: usize = 50;

pub(crate) fn from_many_threads() {
    thread::scope(|scope| {
        for n in 0..N_THREADS {
            scope.spawn(move || {
                let mut command = playing("process::works");
                if n % 5 == 0 {
                    // By fork, not by `posix_spawn`. SAFETY: the closure returns.
                    unsafe { command.pre_exec(|| Ok(())) };
                }
                assert!(command.status().unwrap().success());
                assert!(Command::new("/there/is/no/such/program").spawn().is_err());
            });
        }
    });
}

#[test]
fn children_of_many_threads_are_known_by_id_and_start() {
    let (all, forked) = record("process::from_many_threads");
    assert_eq!((all.len(), forked.len()), (N_THREADS + 1, 0));
    let parent = parent(&all);
    for trace in &all {
        rules::check(trace, Ending::Exit);
    }
    let mut described: Vec<_> = parent.children.iter().map(|(_, pid, start)| (*pid, *start)).collect();
    let children = all.iter().filter(|trace| trace.roles == ["worker"]);
    let mut recorded: Vec<_> = children.map(|child| (child.header.pid, child.header.start)).collect();
    described.sort_unstable();
    recorded.sort_unstable();
    assert_eq!((described.len(), described), (N_THREADS, recorded));
    assert_eq!((parent.count(Kind::PROCESS_SPAWN), parent.count(Kind::FORK_FAILED)), (2 * N_THREADS, N_THREADS));
    assert_eq!((parent.count(Kind::PROCESS_WAIT), parent.count(Kind::CHILD_EXIT)), (N_THREADS, N_THREADS));
    assert!(forks(parent).into_iter().eq(1..=N_THREADS as u64 / 5));
}

pub(crate) fn kills() {
    let mut child = playing("process::reads").stdin(Stdio::piped()).spawn().unwrap();
    // Once it has recorded something.
    let is_there = |path: &std::path::PathBuf| {
        path.file_name().unwrap().to_string_lossy().starts_with(&format!("{}-", child.id()))
            && Trace::read(path).is_some_and(|trace| trace.count(Kind::RELEASE) > 0)
    };
    while !process_files(&own_trace()).iter().any(is_there) {
        thread::yield_now();
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_child_that_is_killed_has_a_trace_and_a_status() {
    let (all, _) = record("process::kills");
    let (parent, child) = (parent(&all), all.iter().find(|trace| trace.roles == ["worker"]).unwrap());
    rules::check(parent, Ending::Exit);
    rules::check(child, Ending::Killed);
    let kinds = [Kind::PROCESS_SPAWN, Kind::PROCESS_KILL, Kind::PROCESS_WAIT, Kind::CHILD_EXIT];
    let events = parent.threads.iter().flat_map(|thread| thread.on(parent.children[0].0, &kinds));
    assert_eq!(
        events.map(|event| (event.kind(), event.seq())).collect::<Vec<_>>(),
        kinds.map(|kind| (kind, if kind == Kind::CHILD_EXIT { 9 } else { 0 }))
    );
}

/// Somebody else hears of the end of children: here the system, which is told to ignore them.
pub(crate) fn never_hears() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let mut child = playing("process::works").spawn().unwrap();
    assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
    assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
    assert!(child.try_wait().is_err());
    let output = playing("process::works").output();
    assert_eq!(output.unwrap_err().raw_os_error(), Some(libc::ECHILD));
}

#[test]
fn an_end_that_is_not_known_is_not_recorded() {
    let (all, _) = record("process::never_hears");
    let parent = parent(&all);
    rules::check(parent, Ending::Exit);
    assert_eq!((all.len(), parent.children.len()), (3, 2));
    assert_eq!((parent.count(Kind::PROCESS_WAIT), parent.count(Kind::CHILD_EXIT)), (0, 0));
    assert!(parent.slots().iter().all(|slot| slot.wait.is_none()));
}

/// The environment is emptied in several ways.
pub(crate) fn clears() {
    let set = |command: &Command| command.get_envs().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    let cleared = || {
        let mut command = playing("process::works");
        command.env_clear().env(ROLE, "process::works");
        command
    };
    let (mut stays, mut again) = (cleared(), cleared());
    assert!(stays.status().unwrap().success() && again.spawn().unwrap().wait().unwrap().success());
    assert!(stays.output().unwrap().status.success());
    assert_eq!((set(&stays), set(&again)), (vec![ROLE.into()], vec![ROLE.into()]));
    // A program that means the trace itself is obeyed.
    let (mut removes, mut before) = (cleared(), playing("process::works"));
    assert!(removes.env_remove(TRACE_VARIABLE).status().unwrap().success());
    assert!(before.env_remove(TRACE_VARIABLE).env_clear().env(ROLE, "process::works").status().unwrap().success());
    let elsewhere = own_trace().join("elsewhere");
    assert!(cleared().env(TRACE_VARIABLE, &elsewhere).status().unwrap().success());
    let mut back = cleared();
    back.env_remove(TRACE_VARIABLE).env(TRACE_VARIABLE, own_trace());
    assert!(back.status().unwrap().success());
    assert_eq!(set(&back).len(), 2);
    // All of the recorder's variables, and nothing else.
    let output = Command::new("/usr/bin/env").env_clear().output().unwrap();
    let names: Vec<_> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b'=').next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(names.contains(&TRACE_VARIABLE.as_bytes()) && names.contains(&MAX_BYTES_VARIABLE.as_bytes()), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with(b"DEADLOCK_CHECK_")), "{names:?}");
}

#[test]
fn a_child_without_an_environment_stays_in_the_trace() {
    let dir = tempfile::tempdir().unwrap();
    run(command("process::clears", dir.path()).env(MAX_BYTES_VARIABLE, "100000000"));
    let (all, _) = traces(dir.path());
    // Three that stay, and one that was told by name.
    assert_eq!(all.iter().filter(|trace| trace.roles == ["worker"]).count(), 4);
    assert_eq!(process_files(&dir.path().join("elsewhere")).len(), 1);
    assert_eq!(parent(&all).children.len(), 8);
}

/// The process forks thrice: a recorded thread with other threads about, one that is not recorded, and again.
pub(crate) fn forks_by_number() {
    let other = || drop(LOCK.lock().unwrap());
    thread::spawn(other).join().unwrap();
    let here = || {
        wait_for(fork(works));
    };
    here();
    std::thread::spawn(here).join().unwrap();
    here();
}

#[test]
fn a_child_knows_which_fork_it_comes_from() {
    let (all, mut children) = record("process::forks_by_number");
    assert_eq!((all.len(), children.len()), (1, 3));
    rules::check(&all[0], Ending::Exit);
    assert_eq!(forks(&all[0]), [1, 2]);
    children.sort_by_key(|child| child.header.forked_number);
    assert_eq!(children.iter().map(|child| child.header.forked_number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(children.iter().all(|child| child.header.forked_from.map(|(pid, _, _)| pid) == Some(all[0].header.pid)));
    assert_eq!(all[0].header.forked_number, 0);
    // The first fork comes after the thread that locked was joined, and before the second.
    let main = all[0].threads.iter().find(|thread| thread.count(Kind::PROCESS_FORK) == 2).unwrap();
    assert!(main.position(Kind::JOIN).unwrap() < main.position(Kind::PROCESS_FORK).unwrap());
}

/// A fork of a fork, where the one between records something, or nothing.
pub(crate) fn forks_of_forks() {
    *LOCK.lock().unwrap() += 1;
    wait_for(fork(|| {
        label(&Mutex::new(0), "between");
        *LOCK.lock().unwrap() += 1;
        wait_for(fork(|| ()));
        wait_for(fork(works));
    }));
    wait_for(fork(|| wait_for(fork(works))));
}

#[test]
fn a_fork_of_a_fork_names_the_latest_that_recorded() {
    let (all, children) = record("process::forks_of_forks");
    assert_eq!((all.len(), children.len()), (1, 3));
    assert_eq!(forks(&all[0]), [1, 2]);
    let between = children.iter().find(|child| child.roles.is_empty()).unwrap();
    let from = |child: &Trace| (child.header.forked_from.unwrap().0, child.header.forked_number);
    assert_eq!((from(between), forks(between)), ((all[0].header.pid, 1), vec![1, 2]));
    let mut of_workers: Vec<_> = children.iter().filter(|child| !child.roles.is_empty()).map(from).collect();
    let mut expected = [(between.header.pid, 2), (all[0].header.pid, 2)];
    of_workers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(of_workers, expected);
}

/// What is forked executes a program: by `exec`, and by a start with a closure that locks.
pub(crate) fn forks_and_executes() {
    *LOCK.lock().unwrap() += 1;
    let pid = fork(|| {
        *LOCK.lock().unwrap() += 1;
        let error = playing("process::works").env_clear().env(ROLE, "process::works").exec();
        panic!("{error}");
    });
    wait_for(pid);
    let mut command = playing("process::works");
    let locks = || {
        *LOCK.lock().unwrap() += 1;
        Ok(())
    };
    // SAFETY: the lock is free, and the recorder works in what is forked.
    unsafe { command.pre_exec(locks) };
    assert!(command.status().unwrap().success());
}

#[test]
fn an_executed_program_is_another_copy_of_its_process() {
    let (all, forked) = record("process::forks_and_executes");
    assert_eq!((all.len(), forked.len()), (3, 2));
    let parent = parent(&all);
    rules::check(parent, Ending::Exit);
    for (n, forked) in [1, 2].map(|n| (n, forked.iter().find(|child| child.header.forked_number == n).unwrap())) {
        let is_it = |trace: &&Trace| (trace.header.pid, trace.header.start) == (forked.header.pid, forked.header.start);
        let executed = all.iter().find(is_it).unwrap();
        assert_eq!((forked.header.copy, executed.header.copy), (0, 1));
        assert_eq!((executed.header.forked_number, forked.header.exited, executed.header.exited), (0, false, true));
        assert_eq!((forked.count(Kind::EXEC), executed.roles.len()), (usize::from(n == 1), 1));
    }
    let thread = parent.threads.iter().find(|thread| thread.count(Kind::PROCESS_FORK) == 2).unwrap();
    let kinds = [Kind::PROCESS_FORK, Kind::PROCESS_SPAWN, Kind::PROCESS_WAIT];
    let order: Vec<_> = thread.events.iter().map(|event| event.kind()).filter(|kind| kinds.contains(kind)).collect();
    assert_eq!(order, [Kind::PROCESS_FORK, Kind::PROCESS_SPAWN, Kind::PROCESS_FORK, Kind::PROCESS_WAIT]);
}

const N_FORKS: u64 = 200;

/// Forks, with nothing recorded between them, over the end of a segment.
pub(crate) fn forks_in_a_row() {
    for _ in 0..2000 {
        *LOCK.lock().unwrap() += 1;
    }
    for _ in 0..N_FORKS {
        wait_for(fork(|| ()));
    }
}

#[test]
fn forks_find_room() {
    let (all, forked) = record("process::forks_in_a_row");
    assert_eq!((all.len(), forked.len()), (1, 0));
    rules::check(&all[0], Ending::Exit);
    assert!(forks(&all[0]).into_iter().eq(1..=N_FORKS));
    assert!(all[0].segments().count() > 1, "they reach over the end of a segment");
}

static N_HANDLED: AtomicI32 = AtomicI32::new(0);
static HANDLERS: Mutex<u32> = Mutex::new(0);

extern "C" fn forks_when_it_comes(_: libc::c_int) {
    // SAFETY: the child locks what is free for it, in memory of its own, and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(HANDLERS.lock());
        // SAFETY: no precondition.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    N_HANDLED.fetch_add(1, SeqCst);
}

/// Signals come at any instruction of a thread that locks, and fork.
pub(crate) fn forks_in_handlers() {
    // All that is cold and takes the allocator comes before.
    drop(HANDLERS.lock());
    let handler: extern "C" fn(libc::c_int) = forks_when_it_comes;
    // SAFETY: the handler is a function of this program, and interrupts nothing but locks and the recorder.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    let n_wanted = if crate::same::full() { 1000 } else { 100 };
    let sender = std::thread::spawn(move || {
        for n in 0..n_wanted {
            // SAFETY: the thread waits for this one below, so it lives.
            unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            while N_HANDLED.load(SeqCst) == n {
                std::thread::yield_now();
            }
            (0..n * 37 % 500).for_each(|_| std::hint::spin_loop());
        }
    });
    while N_HANDLED.load(SeqCst) < n_wanted {
        *LOCK.lock().unwrap() += 1;
    }
    sender.join().unwrap();
}

#[test]
fn a_handler_that_forks_corrupts_nothing() {
    let (all, forked) = record("process::forks_in_handlers");
    rules::check(&all[0], Ending::Exit);
    let known = forks(&all[0]);
    assert!(known.iter().copied().eq(1..=known.len() as u64), "{known:?}");
    // Those that came while the recorder worked are not numbered, and none has the number of another.
    let mut numbers: Vec<_> = forked.iter().map(|child| child.header.forked_number).filter(|n| *n != 0).collect();
    numbers.sort_unstable();
    assert!(!numbers.is_empty() && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.iter().all(|number| known.contains(number)));
}
