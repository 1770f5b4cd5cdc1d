//! The trace directory: made, joined, refused, unwritable, gone, full.

use crate::support::{
    Trace, process_files,
    program::{command, run, start, tell, wait_for_go},
    rules::{self, Ending},
};
use instrumented_sync::{Mutex, label, thread, trace};
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Command,
};
use trace_format::{MARKER, TRACE_VARIABLE, process::Stopped};

const REFUSAL: &str = "DIRECTORY_REFUSAL";
const NOBODY: u32 = 65534;

fn work(n_rounds: u32) {
    for n in 0..n_rounds {
        let fresh = Mutex::new(n);
        label(&fresh, &format!("a label of some length for lock {n}"));
        *fresh.lock().unwrap() += 1;
    }
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let own = Mutex::new(0);
                (0..n_rounds).for_each(|_| *own.lock().unwrap() += 1);
            });
        }
    });
}

/// Works, lets its directory be taken away, and works on.
pub(crate) fn goes_on() {
    work(10);
    tell("recording");
    wait_for_go();
    assert!(trace::is_recording());
    work(10_000);
    std::process::exit(7);
}

#[test]
fn a_program_outlives_its_directory() {
    for made_anew in [false, true] {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("trace");
        let mut program = start(&mut command("directory::goes_on", &dir));
        assert!(program.heard("recording"));
        let files = process_files(&dir);
        // A second name, by which the file can be read when it has lost its own.
        let kept = parent.path().join("kept");
        fs::hard_link(&files[0], &kept).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        if made_anew {
            fs::create_dir(&dir).unwrap();
            fs::write(&files[0], "another file of the same name").unwrap();
        }
        program.go();
        assert_eq!(program.end().code(), Some(7));
        let trace = Trace::read(&kept).unwrap();
        assert_eq!(trace.header.stopped, Stopped::DirectoryGone);
        assert!(trace.n_lost() > 0 && trace.header.exited);
        if made_anew {
            assert_eq!(fs::read(&files[0]).unwrap(), b"another file of the same name");
        } else {
            assert!(!dir.exists());
        }
    }
}

#[test]
fn a_program_outlives_a_new_name_of_its_directory() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, moved) = (parent.path().join("trace"), parent.path().join("moved"));
    let mut program = start(&mut command("directory::goes_on", &dir));
    assert!(program.heard("recording"));
    fs::rename(&dir, &moved).unwrap();
    program.go();
    assert_eq!(program.end().code(), Some(7));
    assert!(!dir.exists(), "the directory is not made again");
    let trace = Trace::only(&moved);
    assert_eq!(trace.header.stopped, Stopped::DirectoryGone);
    assert!(trace.n_lost() > 0 && trace.header.exited);
    trace.labelled("a label of some length for lock 9");
}

/// As [`goes_on`], as a user who may not write everywhere; then it forks.
pub(crate) fn goes_on_without_privileges() {
    gives_up_privileges();
    work(10);
    tell("recording");
    wait_for_go();
    work(10_000);
    // SAFETY: the child locks, and ends; no other thread is left.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        *Mutex::new(0).lock().unwrap() += 1;
        // SAFETY: no precondition.
        unsafe { libc::_exit(3) };
    }
    let mut status = 0;
    // SAFETY: a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(libc::WEXITSTATUS(status), 3);
    std::process::exit(7);
}

#[test]
fn a_program_outlives_the_right_to_write_into_its_directory() {
    for mode in [0o500, 0o000] {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = parent.path().join("trace");
        fs::create_dir(&dir).unwrap();
        // Where that fails the program is of the user that this is.
        give_to_nobody(&dir);
        let mut program = start(&mut command("directory::goes_on_without_privileges", &dir));
        assert!(program.heard("recording"));
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        program.go();
        assert_eq!(program.end().code(), Some(7));
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        // The child could not make a file.
        let trace = Trace::only(&dir);
        if mode == 0o500 {
            // The file that is there can still be opened.
            rules::check(&trace, Ending::Exit);
            assert_eq!(trace.header.stopped, Stopped::No);
            trace.labelled("a label of some length for lock 9999");
        } else {
            assert!(trace.n_lost() > 0 && trace.header.exited);
            assert_eq!(trace.header.stopped, Stopped::Other);
        }
    }
}

/// Finds that it is not recorded, asks why, and works.
pub(crate) fn is_refused() {
    let lock = Mutex::new(0);
    label(&lock, "nobody sees this");
    *lock.lock().unwrap() += 1;
    assert!(!trace::is_recording());
    let expected = env::var(REFUSAL).unwrap();
    let refusal = trace::refusal().expect("recording was refused").to_string();
    assert!(refusal.contains(&expected), "{refusal} does not contain {expected}");
    work(10);
}

fn is_refused_because(dir: &Path, expected: &str) {
    run(command("directory::is_refused", dir).env(REFUSAL, expected));
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "mine").unwrap();
    is_refused_because(dir.path(), "is not empty and not a trace: name an empty or new directory");
    is_refused_because(dir.path(), &dir.path().display().to_string());
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["thesis.tex"], "nothing was put into it");
    is_refused_because(&dir.path().join("thesis.tex"), "cannot record into");
}

#[test]
fn a_trace_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("deadlock-check-trace.2"), "").unwrap();
    is_refused_because(dir.path(), "is a trace of another version (deadlock-check-trace.2)");
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    is_refused_because(Path::new("/proc/no/such/place"), "cannot record into /proc/no/such/place");
}

/// Becomes a user who may not do everything.
pub(crate) fn gives_up_privileges() {
    // SAFETY: no precondition.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setgid(NOBODY), 0);
            assert_eq!(libc::setuid(NOBODY), 0);
        }
    }
}

/// Gives up the privileges that would let it write anywhere, then plays [`is_refused`].
pub(crate) fn without_privileges() {
    gives_up_privileges();
    if env::var(REFUSAL).unwrap().is_empty() {
        // The marker admits the program, but it cannot make its file.
        work(10);
    } else {
        is_refused();
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("trace");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    run(command("directory::without_privileges", &dir).env(REFUSAL, "cannot record into"));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);

    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join(MARKER), "").unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    run(command("directory::without_privileges", &dir).env(REFUSAL, ""));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

pub(crate) fn locks_once() {
    drop(Mutex::new(0).lock().unwrap());
}

#[test]
fn directories_are_made_with_their_parents_and_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    run(&mut command("directory::locks_once", &dir));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join(MARKER))), (0o700, 0o600));
    assert_eq!(mode(&process_files(&dir)[0]), 0o600);
}

#[test]
fn a_trace_is_joined() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        run(&mut command("directory::locks_once", dir.path()));
    }
    let files = process_files(dir.path());
    assert_eq!(files.len(), 3);
    for path in files {
        rules::check(&Trace::read(&path).unwrap(), Ending::Exit);
    }
}

#[test]
fn an_empty_name_means_off() {
    let mut command = command("directory::locks_once", Path::new(""));
    run(command.env(TRACE_VARIABLE, ""));
}

/// Takes a mount back, whatever happens.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _stays = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_stops_recording_only() {
    let parent = tempfile::tempdir().unwrap();
    let disk = parent.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small tmpfs cannot be mounted here");
        return;
    }
    let mounted = Mounted(&disk);
    let dir = disk.join("trace");
    let mut program = start(&mut command("directory::goes_on", &dir));
    assert!(program.heard("recording"));
    program.go();
    assert_eq!(program.end().code(), Some(7));
    let trace = Trace::only(&dir);
    assert_eq!(trace.header.stopped, Stopped::NoSpace);
    assert!(trace.n_lost() > 0 && trace.header.exited);
    assert!(trace.events().count() > 1000, "what there was room for is kept");
    drop(mounted);
}

/// Used by [`crate::secure`] too.
pub(crate) fn give_to_nobody(path: &Path) -> bool {
    chown(path, Some(NOBODY), Some(NOBODY)).is_ok()
}
