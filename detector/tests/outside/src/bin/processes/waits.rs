//! Processes that wait for what no process will do.

use crate::{
    forks::{fork, wait_for},
    stage::{is_through, meet_parent, tell, Stage},
};
use instrumented_sync::{
    process::shared::{Barrier, Condvar, RwLock, Semaphore},
    thread::{self, Builder},
    Mutex,
};
use std::sync::mpsc;

/// Waits for the end of a process under a lock that the process needs.
pub fn waitpid(stage: &Stage) {
    let spool = stage.mutex("spool");
    if stage.is("printer") {
        drop(spool.lock().unwrap()); // waitpid: printer wants
        return;
    }
    let held = spool.lock().unwrap(); // waitpid: first holds
    let printer = stage.start("printer"); // waitpid: first starts
    printer.finish(); // waitpid: first waits
    drop(held);
}

/// fork(2) while another thread holds a lock that the child wants: in the child nobody will release it.
pub fn forked() {
    let cache = Mutex::new(0);
    let (is_held, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let cache = &cache;
        let keep = move || {
            let guard = cache.lock().unwrap(); // fork: keeper holds
            is_held.send(()).unwrap();
            released.recv().unwrap();
            drop(guard);
        };
        Builder::new().name("keeper".into()).spawn_scoped(scope, keep).unwrap();
        held.recv().unwrap();
        let child = fork(|| {
            drop(cache.lock()); // fork: child wants
        });
        release.send(()).unwrap();
        assert_eq!(wait_for(child), 0);
    });
}

/// A shared condition variable is notified before anybody waits, and who waits then does not look first.
pub fn condvar(stage: &Stage) {
    let (ready, told) = (stage.mutex("ready"), Condvar::open(&stage.region, "told").unwrap());
    if stage.is("notifier") {
        *ready.lock().unwrap() = 1;
        told.notify_one(); // condvar: notifier notifies
        tell();
        return;
    }
    let mut notifier = stage.start("notifier");
    notifier.hear();
    notifier.finish();
    let guard = ready.lock().unwrap();
    let guard = told.wait(guard).unwrap(); // condvar: first waits
    drop(guard);
}

/// A reader of a shared lock waits for what a writer holds that waits for it.
pub fn readers(stage: &Stage) {
    let (index, pages) = (RwLock::open(&stage.region, "index", 0u64).unwrap(), stage.mutex("pages"));
    if stage.is("reader") {
        let held = index.read().unwrap(); // readers: reader holds
        meet_parent(stage);
        let wanted = pages.lock().unwrap(); // readers: reader wants
        drop((wanted, held));
        return is_through(stage);
    }
    let mut reader = stage.start("reader");
    reader.hear();
    let held = pages.lock().unwrap(); // readers: first holds
    if stage.hangs() {
        reader.tell();
    }
    let wanted = index.write().unwrap(); // readers: first wants
    drop((wanted, held));
    reader.finish();
}

/// The last permit of a shared semaphore and a lock, each held by who waits for the other.
pub fn permits(stage: &Stage) {
    let (slots, table) = (Semaphore::open(&stage.region, "slots", 1).unwrap(), stage.mutex("table"));
    if stage.is("worker") {
        let held = slots.access().unwrap(); // permits: worker holds
        meet_parent(stage);
        let wanted = table.lock().unwrap(); // permits: worker wants
        drop((wanted, held));
        return;
    }
    let mut worker = stage.start("worker");
    worker.hear();
    let held = table.lock().unwrap(); // permits: first holds
    worker.tell();
    let wanted = slots.access().unwrap(); // permits: first wants
    drop((wanted, held));
    worker.finish();
}

/// A shared barrier for three, at which two arrive.
pub fn barrier(stage: &Stage) {
    let line = Barrier::open(&stage.region, "line", 3).unwrap();
    if stage.is("second") {
        line.wait(); // barrier: second waits
        return;
    }
    let second = stage.start("second");
    line.wait(); // barrier: first waits
    second.finish();
}
