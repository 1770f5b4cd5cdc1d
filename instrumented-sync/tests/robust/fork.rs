//! Fork without exec: the child records into a file of its own and leaves the parent's alone.

use crate::support::{
    Trace,
    program::{command, own_trace, run},
    rules::{self, Ending},
};
use instrumented_sync::{Barrier, Mutex, OnceLock, RwLock, label, thread};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};
use trace_format::{Event, Flags, Kind, Mode};

/// A child that takes longer hangs.
const CHILD_LIMIT: Duration = Duration::from_secs(20);

static HELD: Mutex<u32> = Mutex::new(0);
static READ: RwLock<u32> = RwLock::new(0);
static BARRIER: Barrier = Barrier::new(2);
static MADE: OnceLock<u32> = OnceLock::new();
static SHARED: Mutex<u64> = Mutex::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

/// Forks; the child runs `f` and goes through an orderly exit. Returns the child's id.
pub(crate) fn fork(f: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child does what the programs do that these tests are about: it uses memory and locks, which POSIX
    // does not allow after a fork with several threads, and which works with glibc's allocator. It starts threads only
    // if no other thread of its parent can be in the middle of starting or ending one: std has a lock of its own there,
    // which it also takes in its own exit. So the child goes through that of C.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let panicked = catch_unwind(AssertUnwindSafe(f)).is_err();
        // SAFETY: no other thread of the child is left.
        unsafe { libc::exit(i32::from(panicked)) };
    }
    pid
}

/// Waits for a child, but not for ever.
pub(crate) fn wait_for(pid: libc::pid_t) {
    let start = Instant::now();
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > CHILD_LIMIT {
            // SAFETY: the child has not been waited for, so the id is its own.
            unsafe { libc::kill(pid, libc::SIGABRT) };
            panic!("the forked child {pid} hangs");
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child failed: {status:#x}");
}

/// What a forked child that inherited holds of [`HELD`] and [`READ`] does and finds; it leaves them as they are.
fn lives_as_a_child(parent: u32, dir: &Path) {
    let own = Mutex::new(0);
    *own.lock().unwrap() += 1;
    label(&own, "own");
    let trace = Trace::of_process(dir, std::process::id());
    let from = Trace::of_process(dir, parent);
    assert_eq!(trace.header.forked_from, Some((parent, from.header.start, from.header.copy)));
    let (held, read) = (from.labelled("held"), from.labelled("read"));
    assert!(held < trace.header.forked_next_object && trace.labelled("own") >= trace.header.forked_next_object);
    let slots = trace.slots();
    assert_eq!(slots.len(), 1);
    assert_eq!(trace.held(&slots[0]), [held, read]);
    // Sites are numbered anew: that the parent has told where guards are dropped says nothing here.
    let releases = trace.threads[0].on(trace.labelled("own"), &[Kind::RELEASE]);
    assert!(matches!(releases.as_slice(), [release] if !release.site().is_none()), "{releases:?}");
    let holds = trace.holds(&slots[0]);
    assert_eq!(holds.iter().map(|hold| hold.flags().mode()).collect::<Vec<_>>(), [Mode::Exclusive, Mode::Shared]);
    // Locks, threads and holds go on as in any process.
    let other = thread::spawn(|| *Mutex::new(1).lock().unwrap());
    assert_eq!(other.join().unwrap(), 1);
    assert_eq!(MADE.get(), Some(&1));
    meet();
}

/// Two threads meet at [`BARRIER`]: in the parent, then again in the child.
fn meet() {
    let other = thread::spawn(|| BARRIER.wait().is_leader());
    assert!(BARRIER.wait().is_leader() != other.join().unwrap());
}

/// A parent with holds. `child` gets its id and directory; then the child drops the guards that it inherited.
fn forks(child: impl FnOnce(u32, &Path)) {
    // The first site of the parent, as its first one will be to the child.
    drop(Mutex::new(0).lock());
    label(&HELD, "held");
    label(&READ, "read");
    *HELD.lock().unwrap() += 1;
    assert_eq!(MADE.set(1), Ok(()));
    meet();
    let (held, read) = (HELD.lock().unwrap(), READ.read().unwrap());
    let (dir, id) = (own_trace(), std::process::id());
    let file = Trace::of_process(&dir, id).path;
    // What the file is like once the fork is recorded.
    let before = dir.join("before");
    let mut guards = Some((held, read));
    let pid = fork(|| {
        fs::copy(&file, &before).unwrap();
        child(id, &dir);
        drop(guards.take());
        *HELD.lock().unwrap() += 1;
    });
    // The parent's own sleeps are not recorded, so its file changes only if the child writes it.
    wait_for(pid);
    assert!(fs::read(&file).unwrap() == fs::read(&before).unwrap(), "the child wrote into its parent's file");
    drop(guards.take());
    *HELD.lock().unwrap() += 1;
}

pub(crate) fn child_goes_on() {
    forks(lives_as_a_child);
}

/// The child forks again before it did anything, as a daemon does.
pub(crate) fn grandchild_goes_on() {
    forks(|parent, dir| wait_for(fork(|| lives_as_a_child(parent, dir))));
}

/// Runs a program that forks; returns the traces of the parent and of its descendants.
pub(crate) fn parent_and_children(role: &str) -> (Trace, Vec<Trace>) {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command(role, dir.path()));
    let traces = crate::support::process_files(dir.path()).into_iter().map(|path| Trace::read(&path).unwrap());
    let (mut parents, children): (Vec<_>, _) = traces.partition(|trace| trace.header.forked_from.is_none());
    assert_eq!(parents.len(), 1);
    (parents.remove(0), children)
}

fn check_parent(parent: &Trace) {
    rules::check(parent, Ending::Exit);
    let held = parent.thread(parent.threads[0].object).on(parent.labelled("held"), &[Kind::ACQUIRE]);
    assert_eq!(held.iter().map(|event| event.seq()).collect::<Vec<_>>(), [1, 2, 3]);
}

/// Kinds and numbers of what a child does with [`HELD`]: inherited, released, and once more.
const GIVEN_BACK: &[(Kind, u64)] = &[(Kind::ACQUIRE, 2), (Kind::RELEASE, 2), (Kind::ACQUIRE, 3), (Kind::RELEASE, 3)];

/// The stream of the thread that forked: it begins with what it inherited, and goes on with the lock's numbers.
fn check_child(parent: &Trace, child: &Trace, expected: &[(Kind, u64)]) {
    assert!(child.header.exited && child.n_lost() == 0);
    let (held, read) = (parent.labelled("held"), parent.labelled("read"));
    let of_held = |thread: &&crate::support::Thread| !thread.on(held, &[Kind::ACQUIRE]).is_empty();
    let thread = child.threads.iter().find(of_held).expect("the inherited hold is in the stream");
    let kinds = thread.events.iter().map(|event| event.kind()).filter(|kind| *kind != Kind::TIME);
    assert!(kinds.take(3).eq([Kind::BEGIN, Kind::ACQUIRE, Kind::ACQUIRE]));
    assert!(!thread.events[thread.position(Kind::BEGIN).unwrap()].flags().has(Flags::FORKED));
    let events = thread.on(held, &[Kind::ACQUIRE, Kind::RELEASE]);
    let seen: Vec<_> = events.iter().map(|event| (event.kind(), event.seq())).collect();
    assert_eq!(seen, expected);
    let n_of_read = if expected == GIVEN_BACK { 2 } else { 1 };
    assert_eq!(thread.on(read, &[Kind::ACQUIRE, Kind::RELEASE]).len(), n_of_read);
    assert!(thread.segments.iter().copied().eq(0..thread.segments.len() as u64), "{:?}", thread.segments);
    rules::check_holds(thread);
    rules::check_dictionary(child);
    assert_eq!((&child.program, &child.modules), (&parent.program, &parent.modules));
    let created = child.events().filter(|event| event.kind() == Kind::CREATE).map(Event::object);
    assert!(created.into_iter().all(|object| object.0 >= child.header.forked_next_object));
}

#[test]
fn a_forked_child_records_for_itself() {
    let (parent, children) = parent_and_children("fork::child_goes_on");
    check_parent(&parent);
    assert_eq!(children.len(), 1);
    check_child(&parent, &children[0], GIVEN_BACK);
}

#[test]
fn a_grandchild_inherits_through_a_child_that_did_nothing() {
    let (parent, children) = parent_and_children("fork::grandchild_goes_on");
    check_parent(&parent);
    // The child releases what it holds when the grandchild has ended, so it is recorded too.
    assert_eq!(children.len(), 2);
    let (grandchildren, children): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|trace| trace.labels.values().any(|label| label == "own"));
    assert_eq!(grandchildren[0].header.forked_from.map(|(pid, _, _)| pid), Some(parent.header.pid));
    // It ends inside the scope of the guards, so it never gives anything back.
    check_child(&parent, &grandchildren[0], &[(Kind::ACQUIRE, 2)]);
    assert_eq!(grandchildren[0].slots()[0].n_holds, 2);
    check_child(&parent, &children[0], GIVEN_BACK);
}

fn n_forks() -> u32 {
    if crate::same::full() { 1000 } else { 50 }
}

/// Forks so often, once another thread runs `work`, each time with a lock held, and lets each child go on before the
/// next.
fn forks_beside(n_forks: u32, work: impl Fn() + Send + 'static, child: impl Fn(u32)) {
    label(&SHARED, "shared");
    let runs = std::sync::Arc::new(AtomicBool::new(false));
    let has_begun = std::sync::Arc::clone(&runs);
    let worker = thread::spawn(move || {
        while !STOP.load(Relaxed) {
            work();
            // Past what std does to begin a thread.
            has_begun.store(true, Relaxed);
        }
    });
    while !runs.load(Relaxed) {
        thread::yield_now();
    }
    for n in 0..n_forks {
        *SHARED.lock().unwrap() += 1;
        let guard = SHARED.lock().unwrap();
        let pid = fork(|| {
            drop(guard);
            let own = Mutex::new(n);
            label(&own, "own");
            *own.lock().unwrap() += 1;
            child(n);
        });
        wait_for(pid);
    }
    STOP.store(true, Relaxed);
    worker.join().unwrap();
}

/// What takes the recorder's lock: new objects, and names in the dictionary.
fn names_something() {
    let fresh = Mutex::new(0);
    label(&fresh, "fresh");
    drop(fresh.lock().unwrap());
}

/// Forks while other threads do what takes the recorder's lock, the loader's, and std's of starting threads. Of these
/// only the first is free in the child for certain, so the child has one thread.
pub(crate) fn under_fire() {
    let starts = thread::spawn(|| {
        while !STOP.load(Relaxed) {
            // Each with a stack of its own depth, and so with new sites.
            thread::spawn(|| drop(Mutex::new(0).lock().unwrap())).join().unwrap();
        }
    });
    // The loader's lock is not the recorder's, but the recorder asks the loader for the modules.
    let modules = std::thread::spawn(|| {
        extern "C" fn visit(_: *mut libc::dl_phdr_info, _: libc::size_t, _: *mut libc::c_void) -> libc::c_int {
            0
        }
        while !STOP.load(Relaxed) {
            // SAFETY: the callback touches nothing.
            unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::null_mut()) };
        }
    });
    forks_beside(n_forks(), names_something, |n| {
        // By a new site, whose stack is captured.
        *SHARED.lock().unwrap() += u64::from(n);
        drop(READ.read().unwrap());
    });
    modules.join().unwrap();
    starts.join().unwrap();
}

/// Forks while another thread takes the recorder's lock and no other; the child starts threads.
pub(crate) fn beside_names() {
    forks_beside(n_forks() / 5, names_something, |_| {
        thread::spawn(|| *SHARED.lock().unwrap() += 1).join().unwrap();
    });
}

/// Runs a program that forks; checks one trace after the other, since a thousand take a gigabyte.
fn check_all(role: &str, n_forks: u32) {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command(role, dir.path()));
    let mut paths = crate::support::process_files(dir.path());
    let is_parent = |path: &PathBuf| Trace::read(path).is_some_and(|trace| trace.header.forked_from.is_none());
    let parent = paths.iter().position(is_parent).expect("the parent is recorded");
    let parent = Trace::read(&paths.remove(parent)).unwrap();
    rules::check(&parent, Ending::Exit);
    assert_eq!(paths.len(), n_forks as usize);
    for path in paths {
        check_fork(&parent, &Trace::read(&path).unwrap());
    }
}

fn check_fork(parent: &Trace, child: &Trace) {
    let shared = parent.labelled("shared");
    assert!(child.header.exited && child.n_lost() == 0);
    assert_eq!(child.header.forked_from.map(|(pid, _, _)| pid), Some(parent.header.pid));
    child.threads.iter().for_each(rules::check_holds);
    rules::check_dictionary(child);
    assert!(child.threads.iter().all(|thread| thread.segments[0] == 0));
    let acquires = child.events().filter(|event| event.kind() == Kind::ACQUIRE && event.object().0 == shared);
    assert_eq!(acquires.count(), 2, "the inherited hold and one more");
    child.labelled("own");
}

#[test]
fn a_fork_at_any_moment_leaves_a_child_that_works() {
    check_all("fork::under_fire", n_forks());
}

#[test]
fn a_fork_beside_threads_that_lock_leaves_a_child_that_starts_threads() {
    check_all("fork::beside_names", n_forks() / 5);
}
