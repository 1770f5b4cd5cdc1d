//! Processes that are forked, with what their parent's threads held.

use crate::stage::Stage;
use instrumented_sync::Mutex;
use outside::line_up::start;

type Roles = &'static [(&'static str, fn(&Stage))];

static CACHE: Mutex<u64> = Mutex::new(0);
static INDEX: Mutex<u64> = Mutex::new(0);

/// Forks: the child does `act` and ends.
fn fork(role: &str, act: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child takes no lock but those of this program, which is what is tried here, and std's own for output, which nobody has.
    match unsafe { libc::fork() } {
        0 => {
            instrumented_sync::process::set_role(role);
            act();
            std::process::exit(0)
        }
        pid => {
            assert!(pid > 0);
            pid
        }
    }
}

fn wait_for(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the status lives until the call returns.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
}

/// A thread called `keeper` has `CACHE` while `role` is forked, which does `act`.
fn fork_beside_the_keeper(stage: &Stage, role: &'static str, act: impl FnOnce()) {
    instrumented_sync::trace::label(&CACHE, "cache");
    let keeper = start("keeper", {
        let stage = stage.clone();
        move || {
            let _kept = CACHE.lock().unwrap(); // keeper has cache
            stage.say("keeper-holds");
            stage.hear("forked");
        }
    });
    stage.hear("keeper-holds");
    let pid = fork(role, act);
    stage.say("forked");
    keeper.join().unwrap();
    wait_for(pid);
}

pub const LOCKS: Roles = &[("parent", |stage| {
    fork_beside_the_keeper(stage, "forked", || {
        stage.meet_as("forked", &["forked"]);
        *CACHE.lock().unwrap() += 1; // forked wants cache
    });
})];

pub const DOES_NOT_LOCK: Roles =
    &[("parent", |stage| fork_beside_the_keeper(stage, "forked", || *INDEX.lock().unwrap() += 1))];

/// Two forks of one image: all is at the same addresses, and nothing is shared.
pub const EQUAL_ADDRESSES: Roles = &[("parent", |stage| {
    let nest = |own: &Mutex<u64>, other: &Mutex<u64>, name: &str| {
        let mut first = own.lock().unwrap();
        stage.say(name);
        ["cache", "index"].iter().for_each(|other| stage.hear(other));
        *first += *other.lock().unwrap();
    };
    // It knows both before it is forked.
    *CACHE.lock().unwrap() += *INDEX.lock().unwrap();
    let pids = [
        fork("forwards", || nest(&CACHE, &INDEX, "cache")),
        fork("backwards", || nest(&INDEX, &CACHE, "index")),
    ];
    pids.into_iter().for_each(wait_for);
})];
