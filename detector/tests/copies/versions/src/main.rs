//! A program in which two versions of the wrappers meet. Its argument says what happens.

mod works;

use std::{
    os::unix::process::CommandExt,
    process::Command,
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        Barrier,
    },
};

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

static FIRST: first::Mutex<u32> = first::Mutex::new(0);
static SECOND: second::Mutex<u32> = second::Mutex::new(0);
static STRANGER: stranger::Mutex<u32> = stranger::Mutex::new(0);

/// Said by a thread that has both locks no more; not recorded.
static DONE: AtomicBool = AtomicBool::new(false);

fn forwards(between: impl FnOnce()) {
    let first = FIRST.lock().unwrap();
    between();
    let second = SECOND.lock().unwrap(); // forwards
    assert_eq!(*first, *second);
}

fn backwards(between: impl FnOnce()) {
    let second = SECOND.lock().unwrap();
    between();
    let first = FIRST.lock().unwrap(); // backwards
    assert_eq!(*first, *second);
}

/// Two threads, one by each version, which take the locks in opposite order.
fn threads(forwards: impl FnOnce() + Send + 'static, backwards: impl FnOnce() + Send + 'static) {
    let forwards = first::thread::Builder::new().name("a thread of the first version".into()).spawn(forwards).unwrap();
    let backwards = second::thread::Builder::new().name("a thread of the second version".into()).spawn(backwards).unwrap();
    forwards.join().unwrap();
    backwards.join().unwrap();
}

fn wait_until_done() {
    while !DONE.load(SeqCst) {
        std::thread::yield_now();
    }
}

/// One after the other, as far as nobody can see who looks at what was recorded.
fn orders() {
    first::label(&FIRST, "of the first");
    second::label(&SECOND, "of the second");
    threads(
        || {
            forwards(|| ());
            DONE.store(true, SeqCst);
        },
        || {
            wait_until_done();
            backwards(|| ());
        },
    );
}

fn hangs() {
    first::label(&FIRST, "of the first");
    second::label(&SECOND, "of the second");
    static MET: Barrier = Barrier::new(2);
    threads(
        || forwards(|| drop(MET.wait())),
        || backwards(|| drop(MET.wait())),
    );
}

/// Both begin to record at the same moment.
fn at_once() {
    static MET: Barrier = Barrier::new(2);
    let other = std::thread::spawn(|| {
        MET.wait();
        *SECOND.lock().unwrap() += 1;
    });
    MET.wait();
    *FIRST.lock().unwrap() += 1;
    other.join().unwrap();
    assert!(first::trace::is_recording() && second::trace::is_recording());
}

/// A child goes on with both versions; nothing of it was in the parent but that both record.
fn forks() {
    // Held by the forking thread, in the child too.
    let first = FIRST.lock().unwrap();
    let second = SECOND.lock().unwrap();
    let child = unsafe { fork() };
    drop((second, first));
    if child == 0 {
        orders();
        return;
    }
    let mut status = 0;
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// The second version is told to record in the child only, before the first has done anything there.
fn forks_early() {
    forwards_alone();
    let child = unsafe { fork() };
    if child == 0 {
        drop(SECOND.lock().unwrap());
        orders();
        return;
    }
    let mut status = 0;
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn forwards_alone() {
    *FIRST.lock().unwrap() += 1;
    *FIRST.lock().unwrap() -= 1;
}

/// An image that recorded is followed by one that does.
fn execs() {
    forwards(|| ());
    let error = Command::new(std::env::current_exe().unwrap()).arg("orders").exec();
    panic!("{error}");
}

/// The order across a copy that records apart cannot be seen, and that of each by itself is sound.
fn strangers() {
    let of_first = first::thread::spawn(|| {
        let first = FIRST.lock().unwrap();
        let stranger = STRANGER.lock().unwrap();
        assert_eq!(*first, *stranger);
        DONE.store(true, SeqCst);
    });
    let of_stranger = stranger::thread::spawn(|| {
        wait_until_done();
        let stranger = STRANGER.lock().unwrap();
        let first = FIRST.lock().unwrap();
        assert_eq!(*first, *stranger);
    });
    of_first.join().unwrap();
    of_stranger.join().unwrap();
}

/// Switched on from inside: the same directory is joined, another one is not, and what records goes on.
fn starts(dir: &str) {
    first::trace::start(dir).unwrap();
    second::trace::start(dir).unwrap();
    let elsewhere = format!("{dir}-elsewhere");
    assert_eq!(stranger::trace::start(&elsewhere), Ok(()), "nobody records for it");
    assert_eq!(second::trace::start(&elsewhere), Err(second::trace::StartError::AlreadyRecording));
    orders();
}

/// Told to record somewhere else than where the process records already.
fn starts_elsewhere(dir: &str) {
    first::trace::start(dir).unwrap();
    let elsewhere = format!("{dir}-elsewhere");
    assert_eq!(second::trace::start(elsewhere), Err(second::trace::StartError::AlreadyRecording));
    assert!(second::trace::is_recording());
    orders();
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().unwrap();
    let dir = arguments.next().unwrap_or_default();
    match part.as_str() {
        "orders" => orders(),
        "hangs" => hangs(),
        "at_once" => at_once(),
        "forks" => forks(),
        "forks_early" => forks_early(),
        "works_first" => works::run(&[works::first, works::second]),
        "works_second" => works::run(&[works::second, works::first]),
        "execs" => execs(),
        "strangers" => strangers(),
        "starts" => starts(&dir),
        "starts_elsewhere" => starts_elsewhere(&dir),
        _ => panic!("{part}"),
    }
}
