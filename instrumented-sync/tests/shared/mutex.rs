//! `Mutex`: counted under, and its owner killed, gone, panicking, or another program.

use crate::{FIRST_OBJECT, Named, SOON, own_region, read_word, stay, support::program, until, write_word};
use instrumented_sync::process::shared::{Mutex, PoisonError, Region, TryLockError};
use std::{
    io::{Read, Write},
    mem,
    os::unix::process::CommandExt,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const TURNS: u64 = 50_000;

pub(crate) fn counts() {
    let total = Mutex::open(&own_region(), "total", [0_u64; 2]).unwrap();
    stay();
    for _ in 0..TURNS {
        let mut total = total.lock().unwrap();
        total[0] += 1;
        total[1] += 1;
    }
}

#[test]
fn two_processes_count() {
    let name = Named::new();
    let mut running = [name.start_and_hear("mutex::counts"), name.start_and_hear("mutex::counts")];
    running.iter_mut().for_each(program::Running::go);
    assert!(running.into_iter().all(|running| running.end().success()));
    let total = Mutex::open(&name.open(), "total", [0_u64; 2]).unwrap();
    assert_eq!(*total.lock().unwrap(), [2 * TURNS; 2]);
}

/// A thread called `writer` takes the lock, and stays.
pub(crate) fn holds() {
    let region = own_region();
    let holding = thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let accounts = Mutex::open(&region, "accounts", 0_u64).unwrap();
        let mut guard = accounts.lock().unwrap();
        *guard += 1;
        stay();
    });
    holding.unwrap().join().unwrap();
}

/// Says who it was, in words too.
fn assert_names<G>(poisoned: &PoisonError<G>, pid: u32) {
    let owner = poisoned.owner();
    assert_eq!((owner.process_id(), owner.thread_name()), (pid, "writer"));
    assert!(owner.program().starts_with("shared") && !owner.has_panicked(), "{owner:?}");
    let said = format!(
        "process {pid} ({}), thread `writer` {}, died while it held `accounts`",
        owner.program(),
        owner.thread_id()
    );
    assert_eq!(poisoned.to_string(), said);
}

#[test]
fn a_killed_owner_s_lock_goes_on() {
    let name = Named::new();
    let accounts = Mutex::open(&name.open(), "accounts", 0_u64).unwrap();
    let mut owner = name.start_and_hear("mutex::holds");
    assert!(matches!(accounts.try_lock(), Err(TryLockError::WouldBlock)));
    let pid = owner.child.id();
    thread::scope(|scope| {
        let waiting = [0; 3].map(|_| {
            scope.spawn(|| {
                let poisoned = accounts.lock().unwrap_err();
                assert_names(&poisoned, pid);
                *poisoned.into_inner() += 1;
                Instant::now()
            })
        });
        // They wait: three have announced themselves in the count beside the word.
        until("three wait", || read_word(&name.open(), FIRST_OBJECT + 8) >> 32 == 3);
        let killed = Instant::now();
        // It is not waited for: a zombie is dead too.
        owner.child.kill().unwrap();
        for waiting in waiting {
            assert!(waiting.join().unwrap() - killed < SOON);
        }
    });
    owner.kill();
    assert!(accounts.is_poisoned());
    accounts.clear_poison();
    assert_eq!(*accounts.lock().unwrap(), 4);
}

#[test]
fn who_only_tries_finds_a_dead_owner_too() {
    let name = Named::new();
    let accounts = Mutex::open(&name.open(), "accounts", 0_u64).unwrap();
    for _ in 0..3 {
        let owner = name.start_and_hear("mutex::holds");
        let pid = owner.child.id();
        owner.kill();
        let Err(TryLockError::Poisoned(poisoned)) = accounts.try_lock() else { panic!("no poison") };
        assert_names(&poisoned, pid);
        drop(poisoned);
        accounts.clear_poison();
    }
}

#[test]
fn a_thread_that_ended_holds_nothing() {
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "forgotten", 0_u64).unwrap();
    let forgetting = thread::scope(|scope| {
        scope
            .spawn(|| {
                mem::forget(mutex.lock().unwrap());
                assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)), "its thread goes on");
            })
            .join()
    });
    forgetting.unwrap();
    let poisoned = mutex.lock().unwrap_err();
    assert_eq!(poisoned.owner().process_id(), std::process::id());
}

/// Counts when it is dropped.
struct Unwound<'a>(&'a Mutex<u64>);
impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn a_panic_poisons() {
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "half", 0_u64).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = mutex.lock().unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let poisoned = mutex.lock().unwrap_err();
    assert!(poisoned.owner().has_panicked());
    assert!(poisoned.to_string().contains("panicked while it held `half`"), "{poisoned}");
    drop(poisoned);
    mutex.clear_poison();

    // Taken and freed while a panic unwinds: that breaks nothing.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _unwound = Unwound(&mutex);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(*mutex.lock().unwrap(), 1);
}

/// Takes the lock, and becomes `cat`.
pub(crate) fn executes() {
    let accounts = Mutex::open(&own_region(), "accounts", 0_u64).unwrap();
    let _guard = accounts.lock().unwrap();
    program::tell("here");
    panic!("{}", Command::new("cat").exec());
}

#[test]
fn another_program_does_not_hold_what_its_process_held() {
    let name = Named::new();
    let accounts = Mutex::open(&name.open(), "accounts", 0_u64).unwrap();
    let mut command = name.command("mutex::executes");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // What comes back is the new program's.
    stdin.write_all(b"#").unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut byte = [0];
    while byte != *b"#" {
        stdout.read_exact(&mut byte).unwrap();
    }
    let Err(TryLockError::Poisoned(poisoned)) = accounts.lock_timeout(2 * SOON) else { panic!("no poison") };
    assert_eq!(poisoned.owner().process_id(), child.id());
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    drop(stdin);
    child.wait().unwrap();
}

/// The number of this thread, but another start: it was used again.
#[test]
fn a_number_that_is_used_again_is_another_thread() {
    let name = Named::new();
    let region = name.open();
    let mutex = Mutex::open(&region, "accounts", 0_u64).unwrap();
    let guard = mutex.lock().unwrap();
    let me = read_word(&region, FIRST_OBJECT);
    assert!(mutex.try_lock().is_err());
    mem::forget(guard);
    write_word(&region, FIRST_OBJECT, me ^ 1 << 40);
    let Err(TryLockError::Poisoned(poisoned)) = mutex.try_lock() else { panic!("no poison") };
    assert_eq!(poisoned.owner().thread_id(), me as u32);
}

#[test]
fn a_time_that_is_over_changes_nothing() {
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "busy", 0_u64).unwrap();
    let guard = mutex.lock().unwrap();
    // This thread too waits for itself.
    for timeout in [Duration::ZERO, Duration::from_millis(3), Duration::from_millis(250)] {
        let start = Instant::now();
        assert!(matches!(mutex.lock_timeout(timeout), Err(TryLockError::WouldBlock)));
        assert!(start.elapsed() >= timeout && start.elapsed() < timeout + SOON);
    }
    drop(guard);
    *mutex.lock_timeout(Duration::MAX).unwrap() += 1;
    assert_eq!(*mutex.lock().unwrap(), 1);
}

#[test]
fn two_thousand_threads_have_their_turns() {
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "busy", 0_u64).unwrap();
    thread::scope(|scope| {
        let guard = mutex.lock().unwrap();
        for _ in 0..2000 {
            let count = || (0..10).for_each(|_| *mutex.lock().unwrap() += 1);
            thread::Builder::new().stack_size(1 << 16).spawn_scoped(scope, count).unwrap();
        }
        drop(guard);
    });
    assert_eq!(*mutex.lock().unwrap(), 20_000);
}

/// A thread's last words: its own storage is gone already.
#[test]
fn a_destructor_of_a_thread_may_lock() {
    struct Last(Mutex<u64>);
    impl Drop for Last {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    thread_local!(static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) });
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "last", 0_u64).unwrap();
    let last = Mutex::open(&region, "last", 0_u64).unwrap();
    let ended = thread::spawn(move || LAST.with_borrow_mut(|cell| *cell = Some(Last(last))));
    ended.join().unwrap();
    assert_eq!(*mutex.lock().unwrap(), 1);
}
