//! Fork without exec, and signals: what a child inherits is its parent's, and who is interrupted goes on waiting.

use crate::{
    FIRST_OBJECT, Named, SOON, own_region, read_word,
    support::{Trace, process_files, program},
    until,
};
use instrumented_sync::process::shared::{Mutex, Region, RwLock, TryLockError};
use std::{
    os::unix::process::CommandExt,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::{Duration, Instant},
};
use trace_format::{Event, Kind, TRACE_VARIABLE};

/// Forks; the child runs `f` and leaves without any destructor. Returns the child's id.
fn fork(f: impl FnOnce()) -> libc::pid_t {
    // SAFETY: this process has one thread but for those of the test harness, which wait; the child uses memory and locks, which works
    // with glibc.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let panicked = catch_unwind(AssertUnwindSafe(f)).is_err();
        // SAFETY: it ends the process.
        unsafe { libc::_exit(i32::from(panicked)) };
    }
    pid
}

fn wait_for(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child failed: {status:#x}");
}

fn number(pid: libc::pid_t) -> u32 {
    pid.try_into().unwrap()
}

fn is_held<G>(attempt: &Result<G, TryLockError<G>>) -> bool {
    matches!(attempt, Err(TryLockError::WouldBlock))
}

pub(crate) fn inherits() {
    // The anonymous one is inherited, and nothing else.
    let region = Region::anonymous(8192).unwrap();
    let mutex = Mutex::open(&region, "mutex", 0_u64).unwrap();
    let lock = RwLock::open(&region, "lock", 0_u64).unwrap();
    let mut guards = Some((mutex.lock().unwrap(), lock.read().unwrap()));
    wait_for(fork(|| {
        assert!(is_held(&mutex.try_lock()) && is_held(&lock.try_write()));
        drop(guards.take());
        assert!(is_held(&mutex.try_lock()) && is_held(&lock.try_write()), "it was not the child's to free");
        drop(lock.read().unwrap());
    }));
    assert!(is_held(&mutex.try_lock()) && is_held(&lock.try_write()));
    drop(guards);
    *mutex.lock().unwrap() += *lock.write().unwrap() + 1;

    // What the child takes is its own, and lost when it ends: also for the thread that has the number of its parent's.
    let child = fork(|| {
        let (mut guard, mut writer) = (mutex.lock().unwrap(), lock.write().unwrap());
        (*guard, *writer) = (*guard + 1, 1);
        std::mem::forget((guard, writer));
    });
    wait_for(child);
    let poisoned = mutex.lock().unwrap_err();
    assert_eq!((poisoned.owner().process_id(), poisoned.owner().thread_id()), (number(child), number(child)));
    assert_eq!(*poisoned.into_inner(), 2);
    assert_eq!(lock.write().unwrap_err().owner().process_id(), number(child));
    // Forked while its parent lives, and its parent is gone.
    mutex.clear_poison();
    let grandchild = fork(|| {
        let pid = fork(|| std::mem::forget(mutex.lock().unwrap()));
        wait_for(pid);
        assert_eq!(mutex.lock().unwrap_err().owner().process_id(), number(pid));
    });
    wait_for(grandchild);
}

#[test]
fn a_child_does_not_free_what_its_parent_holds() {
    let dir = tempfile::tempdir().unwrap();
    program::run(&mut program::command("fork::inherits", dir.path()));
    program::run(program::command("fork::inherits", dir.path()).env_remove(TRACE_VARIABLE));
}

/// The child's only thread takes the lock, and becomes `cat`: it has the number that it had.
pub(crate) fn executes() {
    let region = own_region();
    let accounts = Mutex::open(&region, "accounts", 0_u64).unwrap();
    let child = fork(|| {
        let _guard = accounts.lock().unwrap();
        panic!("{}", Command::new("cat").stdout(Stdio::null()).exec());
    });
    until("the child has it", || read_word(&region, FIRST_OBJECT) != 0);
    program::tell("here");
    let poisoned = accounts.lock().unwrap_err();
    // As long as it was said to go on, it did.
    until("it is another program", || {
        std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "cat\n")
    });
    assert_eq!(poisoned.owner().process_id(), number(child));
    program::tell("noticed");
    // SAFETY: the child has not been waited for, so the id is its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
}

/// As [`executes`]; but what it becomes is this program again, which opens the same region, and the same mutex.
pub(crate) fn executes_itself() {
    let region = own_region();
    let accounts = Mutex::open(&region, "accounts", 0_u64).unwrap();
    let lock = RwLock::open(&region, "lock", 0_u64).unwrap();
    let (reads, writes) = (lock.read().unwrap(), accounts.lock().unwrap());
    drop((reads, writes));
    let child = fork(|| {
        let _guards = (accounts.lock().unwrap(), lock.read().unwrap());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
        panic!("{}", command.env(program::ROLE, "fork::executed").exec());
    });
    until("the child has it", || read_word(&region, FIRST_OBJECT) != 0);
    // This one waits, and is told too.
    assert_eq!(accounts.lock().unwrap_err().owner().process_id(), number(child));
    wait_for(child);
    assert!(lock.try_write().is_ok());
}

/// Has the region mapped, and goes on: it finds who it was itself.
pub(crate) fn executed() {
    let region = own_region();
    let accounts = Mutex::open(&region, "accounts", 0_u64).unwrap();
    let lock = RwLock::open(&region, "lock", 0_u64).unwrap();
    let poisoned = accounts.lock().unwrap_err();
    assert_eq!(poisoned.owner().process_id(), std::process::id());
    drop(poisoned);
    drop(lock.write_timeout(SOON).unwrap());
    // Opened once more, what it holds now is its own.
    let guard = accounts.lock().unwrap_err().into_inner();
    let again = Mutex::open(&own_region(), "accounts", 0_u64).unwrap();
    assert!(is_held(&again.try_lock()));
    drop(guard);
}

#[test]
fn a_program_that_begins_anew_holds_nothing() {
    let name = Named::new();
    assert!(name.start("fork::executes_itself").end().success());
}

#[test]
fn another_program_does_not_hold_what_its_thread_held() {
    let name = Named::new();
    let mut running = name.start_and_hear("fork::executes");
    let start = Instant::now();
    // The lock is waited for; `cat` goes on until its input ends, which this test holds.
    assert!(running.heard("noticed"));
    assert!(start.elapsed() > Duration::from_millis(500) && start.elapsed() < SOON);
    assert!(running.end().success());
}

/// Its child drops what it inherited of both kinds: a private mutex, of which it has a copy, and one in shared memory.
pub(crate) fn drops_guards() {
    static PRIVATE: instrumented_sync::Mutex<u32> = instrumented_sync::Mutex::new(0);
    instrumented_sync::label(&PRIVATE, "private");
    let region = Region::anonymous(8192).unwrap();
    let mutex = Mutex::open(&region, "mutex", 0_u64).unwrap();
    let other = Mutex::open(&region, "other", 0_u64).unwrap();
    let guards = (mutex.lock().unwrap(), PRIVATE.lock().unwrap());
    let mut inherited = Some(guards);
    wait_for(fork(|| {
        *other.lock().unwrap() += 1;
        drop(inherited.take());
        *other.lock().unwrap() += 1;
    }));
}

#[test]
fn a_child_says_nothing_of_what_its_parent_holds() {
    let dir = tempfile::tempdir().unwrap();
    program::run(&mut program::command("fork::drops_guards", dir.path()));
    let traces = process_files(dir.path()).into_iter().map(|path| Trace::read(&path).unwrap());
    let (parents, children): (Vec<_>, Vec<_>) = traces.partition(|trace| trace.header.exited);
    let ([parent], [child]) = (&parents[..], &children[..]) else { panic!("two processes") };
    let kinds = [Kind::ACQUIRE, Kind::RELEASE];
    let of = |trace: &Trace, label: &str| -> Vec<Kind> {
        let object = parent.labels.iter().chain(&child.labels).find(|(_, known)| *known == label);
        let object = *object.unwrap().0;
        trace.threads.iter().flat_map(|thread| thread.on(object, &kinds)).map(Event::kind).collect()
    };
    assert_eq!([of(parent, "mutex"), of(parent, "private")], [kinds, kinds]);
    assert_eq!([of(child, "mutex"), of(child, "private")], [vec![], kinds.to_vec()]);
    assert_eq!(of(child, "other"), [kinds, kinds].concat());
    assert!(child.slots().iter().all(|slot| slot.n_holds == 0));
}

static N_HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_: libc::c_int) {
    // Relaxed: counts.
    N_HANDLED.fetch_add(1, Relaxed);
}

pub(crate) fn interrupted() {
    let mutex = Mutex::open(&own_region(), "mutex", 0_u64).unwrap();
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler is a function of this program and only counts.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    let (start, is_over) = (Instant::now(), AtomicBool::new(false));
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    let guard = mutex.lock().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            // SeqCst: this flag is all there is.
            while !is_over.load(SeqCst) {
                // SAFETY: that thread waits for this one below, so it lives.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
                thread::sleep(Duration::from_micros(200));
            }
        });
        let timeout = Duration::from_millis(300);
        assert!(is_held(&mutex.lock_timeout(timeout)));
        assert!(start.elapsed() >= timeout && start.elapsed() < timeout + SOON);
        drop(guard);
        (0..1000).for_each(|_| *mutex.lock().unwrap() += 1);
        is_over.store(true, SeqCst);
    });
    assert!(N_HANDLED.load(Relaxed) > 100);
    assert_eq!(*mutex.lock().unwrap(), 1000);
}

#[test]
fn who_is_interrupted_goes_on_waiting() {
    let name = Named::new();
    assert!(name.start("fork::interrupted").end().success());
}
