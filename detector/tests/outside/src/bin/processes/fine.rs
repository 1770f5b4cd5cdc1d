//! Programs that hang nobody, though they look as if they could.

use crate::{
    forks::{fork, wait_for},
    stage::{hear, tell, Peer, Stage},
};
use instrumented_sync::{
    process::{
        shared::{Condvar, Mutex as Shared},
        Command, Stdio,
    },
    thread::{self, Builder},
    Mutex,
};
use std::{
    fs,
    sync::mpsc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 50;

/// Both processes take the locks in one order.
pub fn ordered(stage: &Stage) {
    let (outer, inner) = (stage.mutex("outer"), stage.mutex("inner"));
    let rounds = || {
        for _ in 0..ROUNDS {
            let mut outer = outer.lock().unwrap();
            let mut inner = inner.lock().unwrap();
            *outer += 1;
            *inner += 1;
        }
    };
    if stage.is("second") {
        return rounds();
    }
    let second = stage.start("second");
    rounds();
    second.finish();
    assert_eq!(*outer.lock().unwrap(), 2 * ROUNDS as u64);
}

/// The owner of a lock is killed while somebody waits, who recovers.
pub fn recovered(stage: &Stage) {
    let ledger = stage.mutex("ledger");
    if stage.is("careless") {
        let guard = ledger.lock().unwrap(); // recovered: careless holds
        tell();
        hear();
        drop(guard);
        return;
    }
    let mut careless = stage.start("careless");
    careless.hear();
    let careless_id = careless.0.id();
    thread::scope(|scope| {
        let ledger = &ledger;
        let inherit = move || {
            let Err(poisoned) = ledger.lock() else { panic!("nobody said that the owner died") }; // recovered: heir takes over
            assert_eq!(poisoned.owner().process_id(), careless_id);
            let mut guard = poisoned.into_inner();
            ledger.clear_poison();
            *guard += 1;
        };
        let heir = Builder::new().name("heir".into()).spawn_scoped(scope, inherit).unwrap();
        sleeps("/proc/self/task", "heir");
        kill(&mut careless);
        heir.join().unwrap();
    });
    *ledger.lock().unwrap() += 1;
}

/// Short processes, one after the other: two locks in one order, then in the other one.
pub fn reused(stage: &Stage) {
    let (left, right) = (stage.mutex("left"), stage.mutex("right"));
    if stage.part.is_some() {
        return both(stage, &left, &right);
    }
    for round in 0..ROUNDS {
        stage.start(["forwards", "backwards"][round % 2]).finish();
    }
}

fn both(stage: &Stage, left: &Shared<u64>, right: &Shared<u64>) {
    let (outer, inner) = if stage.is("forwards") { (left, right) } else { (right, left) };
    let mut outer = outer.lock().unwrap();
    let mut inner = inner.lock().unwrap();
    *outer += 1;
    *inner += 1;
}

static LEFT: Mutex<u64> = Mutex::new(0);
static RIGHT: Mutex<u64> = Mutex::new(0);

/// Processes of one image take locks of their own, which stand at equal addresses, in opposite orders.
pub fn private(stage: &Stage) {
    if stage.part.is_some() {
        let (outer, inner) = if stage.is("forwards") { (&LEFT, &RIGHT) } else { (&RIGHT, &LEFT) };
        let outer = outer.lock().unwrap();
        tell();
        // All of them hold one now.
        hear();
        let inner = inner.lock().unwrap();
        drop((inner, outer));
        return;
    }
    // SAFETY: changes how the next images of this process and its children are laid out; where it is not allowed, nothing.
    let _refused_in_some_containers = unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    let mut peers: Vec<_> = (0..4).map(|at| stage.start(["forwards", "backwards"][at % 2])).collect();
    peers.iter_mut().for_each(Peer::hear);
    peers.iter_mut().for_each(Peer::tell);
    peers.into_iter().for_each(Peer::finish);
}

/// Waits for a process under a lock that the process does not need.
pub fn waits(stage: &Stage) {
    let (mine, yours) = (stage.mutex("mine"), stage.mutex("yours"));
    if stage.part.is_some() {
        *yours.lock().unwrap() += 1;
        return;
    }
    let held = mine.lock().unwrap();
    stage.start("second").finish();
    drop(held);
}

/// A process becomes another image while it holds a lock of its own, which ends with the old image.
pub fn exec(stage: &Stage) {
    let counter = stage.mutex("counter");
    *counter.lock().unwrap() += 1;
    if stage.is("before") {
        let _held = LEFT.lock().unwrap();
        let failed = stage.command("after").stdin(Stdio::inherit()).stdout(Stdio::inherit()).exec();
        panic!("{failed}");
    }
    if stage.is("after") {
        drop(LEFT.lock().unwrap());
        return;
    }
    stage.start("before").finish();
    assert_eq!(*counter.lock().unwrap(), 3);
}

/// Children without an environment: one whose `Command` clears it, one of std's `Command`, one behind a program that does.
pub fn env_clear(stage: &Stage) {
    let counter = stage.mutex("counter");
    *counter.lock().unwrap() += 1;
    if stage.part.is_some() {
        return;
    }
    assert!(stage.command("stays").env_clear().status().unwrap().success());
    let leaves = stage.command("leaves");
    let mut std = std::process::Command::new(leaves.get_program());
    assert!(std.args(leaves.get_args()).env_clear().status().unwrap().success());
    let mut env = Command::new("env");
    assert!(env.arg("-i").arg(leaves.get_program()).args(leaves.get_args()).status().unwrap().success());
    assert_eq!(*counter.lock().unwrap(), 4);
}

/// A server waits for whoever comes: a client that is gone by then, and one of which nothing is recorded, which takes its time.
pub fn served(stage: &Stage) {
    let (requests, asked) = (stage.mutex("requests"), Condvar::open(&stage.region, "asked").unwrap());
    let ask = || {
        *requests.lock().unwrap() += 1;
        asked.notify_one();
    };
    if stage.is("stranger") {
        // Longer than it takes to find a hang.
        thread::sleep(Duration::from_secs(3));
    }
    if stage.part.is_some() {
        return ask();
    }
    stage.start("client").finish();
    let stranger = stage.command("stranger");
    let mut std = std::process::Command::new(stranger.get_program());
    let mut stranger = std.args(stranger.get_args()).env_remove("DEADLOCK_CHECK_TRACE").spawn().unwrap();
    for _ in 0..2 {
        *asked.wait_while(requests.lock().unwrap(), |requests| *requests == 0).unwrap() -= 1;
    }
    assert!(stranger.wait().unwrap().success());
}

/// A process is killed while it waits for a lock.
pub fn killed_waiting(stage: &Stage) {
    let queue = stage.mutex("queue");
    if stage.is("victim") {
        tell();
        drop(queue.lock().unwrap());
        panic!("it was to be killed");
    }
    let held = queue.lock().unwrap();
    let mut victim = stage.start("victim");
    victim.hear();
    sleeps(&format!("/proc/{}/task", victim.0.id()), "processes");
    kill(&mut victim);
    drop(held);
    *queue.lock().unwrap() += 1;
}

/// fork(2) while another thread holds a lock that the child does not touch.
pub fn forked(stage: &Stage) {
    let (counter, cache) = (stage.mutex("counter"), Mutex::new(0));
    let (is_held, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let cache = &cache;
        let keep = move || {
            let guard = cache.lock().unwrap();
            is_held.send(()).unwrap();
            released.recv().unwrap();
            drop(guard);
        };
        Builder::new().name("keeper".into()).spawn_scoped(scope, keep).unwrap();
        held.recv().unwrap();
        let child = fork(|| *counter.lock().unwrap() += 1);
        assert_eq!(wait_for(child), 0);
        release.send(()).unwrap();
    });
    assert_eq!(*counter.lock().unwrap(), 1);
}

fn kill(peer: &mut Peer) {
    peer.0.kill().unwrap();
    assert_eq!(peer.0.wait().unwrap().code(), None);
}

/// Waits until the thread of this name sleeps.
fn sleeps(tasks: &str, name: &str) {
    let begin = Instant::now();
    let is_asleep = || {
        let stats = fs::read_dir(tasks).unwrap().map(|task| fs::read_to_string(task.unwrap().path().join("stat")));
        stats.flatten().any(|stat| stat.contains(&format!("({name}) S")))
    };
    while !is_asleep() {
        assert!(begin.elapsed() < Duration::from_secs(60), "`{name}` never slept");
        std::thread::yield_now();
    }
}
