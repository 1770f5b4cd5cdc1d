//! A program with raised privileges does not obey the environment.

use crate::{
    directory::give_to_nobody,
    support::program::{command_of, start, tell},
};
use instrumented_sync::{Mutex, trace};
use std::{env, fs, os::unix::fs::PermissionsExt, process::Command};

pub(crate) fn locks() {
    // SAFETY: no precondition.
    if unsafe { libc::getauxval(libc::AT_SECURE) } == 0 {
        return;
    }
    *Mutex::new(0).lock().unwrap() += 1;
    assert!(!trace::is_recording());
    assert_eq!(trace::refusal(), None, "the variable was not even looked at");
    tell("secure");
}

#[test]
fn the_environment_of_a_privileged_program_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let (exe, trace) = (dir.path().join("program"), dir.path().join("trace"));
    // By a process of its own: a file that this one writes stays open for writing in whatever another test forks
    // just then, and cannot be run for that moment.
    let copied = Command::new("cp").arg(env::current_exe().unwrap()).arg(&exe).status().unwrap();
    assert!(copied.success());
    fs::create_dir(&trace).unwrap();
    fs::set_permissions(&trace, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let given = give_to_nobody(&exe);
    fs::set_permissions(&exe, fs::Permissions::from_mode(0o4755)).unwrap();
    let mut program = start(&mut command_of(&exe, "secure::locks", &trace));
    let was_secure = program.heard("secure");
    assert!(program.end().success());
    if given && was_secure {
        assert_eq!(fs::read_dir(&trace).unwrap().count(), 0);
    } else {
        println!("skipped: programs with raised privileges cannot be made here");
    }
}
