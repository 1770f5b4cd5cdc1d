//! Locks taken in a circle by several processes: at once, or by one after the other.

use crate::stage::{is_through, meet_parent, Stage};
use instrumented_sync::{
    process::shared::Mutex as Shared,
    thread::{self, Builder},
    Mutex,
};
use std::sync::mpsc;

/// Two processes, two shared locks.
pub fn abba(stage: &Stage) {
    let (checking, savings) = (stage.mutex("checking"), stage.mutex("savings"));
    if stage.is("withdraw") {
        let held = savings.lock().unwrap(); // abba: withdraw holds
        meet_parent(stage);
        let wanted = checking.lock().unwrap(); // abba: withdraw wants
        drop((wanted, held));
        return is_through(stage);
    }
    let mut withdraw = stage.start("withdraw");
    withdraw.hear();
    let held = checking.lock().unwrap(); // abba: first holds
    if stage.hangs() {
        withdraw.tell();
    }
    let wanted = savings.lock().unwrap(); // abba: first wants
    drop((wanted, held));
    withdraw.finish();
}

/// Three processes, three shared locks.
pub fn ring(stage: &Stage) {
    let [left, right, top] = ["left", "right", "top"].map(|name| stage.mutex(name));
    if stage.is("second") {
        let held = left.lock().unwrap(); // ring: second holds
        meet_parent(stage);
        let wanted = right.lock().unwrap(); // ring: second wants
        drop((wanted, held));
        return is_through(stage);
    }
    if stage.is("third") {
        let held = right.lock().unwrap(); // ring: third holds
        meet_parent(stage);
        let wanted = top.lock().unwrap(); // ring: third wants
        drop((wanted, held));
        return is_through(stage);
    }
    let mut others = ["second", "third"].map(|part| {
        let mut other = stage.start(part);
        other.hear();
        other
    });
    let held = top.lock().unwrap(); // ring: first holds
    if stage.hangs() {
        others.iter_mut().for_each(|other| other.tell());
    }
    let wanted = left.lock().unwrap(); // ring: first wants
    drop((wanted, held));
    others.into_iter().for_each(|other| other.finish());
}

/// Two processes, a private lock of one of them and two shared ones: no two of the three threads hang by themselves.
pub fn mixed(stage: &Stage) {
    let (ledger, journal) = (stage.mutex("ledger"), stage.mutex("journal"));
    if stage.is("auditor") {
        let held = ledger.lock().unwrap(); // mixed: auditor holds
        meet_parent(stage);
        let wanted = journal.lock().unwrap(); // mixed: auditor wants
        drop((wanted, held));
        return is_through(stage);
    }
    let cache = Mutex::new(0);
    let mut auditor = stage.start("auditor");
    auditor.hear();
    // std's channels: for the tool they order nothing.
    let (has_cache, is_cached) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel();
    let (cache, ledger) = (&cache, &ledger);
    thread::scope(|scope| {
        let body = move || {
            let held = cache.lock().unwrap(); // mixed: reader holds
            has_cache.send(()).unwrap();
            if stage.hangs() {
                go_on.recv().unwrap();
            }
            let wanted = ledger.lock().unwrap(); // mixed: reader wants
            drop((wanted, held));
            has_cache.send(()).unwrap();
        };
        Builder::new().name("reader".into()).spawn_scoped(scope, body).unwrap();
        is_cached.recv().unwrap();
        if !stage.hangs() {
            is_cached.recv().unwrap();
        }
        let held = journal.lock().unwrap(); // mixed: first holds
        if stage.hangs() {
            auditor.tell();
            goes_on.send(()).unwrap();
        }
        let wanted = cache.lock().unwrap(); // mixed: first wants
        drop((wanted, held));
    });
    auditor.finish();
}

/// Two processes, two shared locks; the first process takes its second one through another mapping.
pub fn two_addresses(stage: &Stage) {
    let (hot, cold) = (stage.mutex("hot"), stage.mutex("cold"));
    let again = stage.region_again();
    let (hot_again, cold_again) =
        (Shared::open(&again, "hot", 0u64).unwrap(), Shared::open(&again, "cold", 0u64).unwrap());
    if stage.is("mover") {
        let held = hot_again.lock().unwrap(); // two-addresses: mover holds
        meet_parent(stage);
        let wanted = cold.lock().unwrap(); // two-addresses: mover wants
        drop((wanted, held));
        return is_through(stage);
    }
    let mut mover = stage.start("mover");
    mover.hear();
    let held = cold_again.lock().unwrap(); // two-addresses: first holds
    if stage.hangs() {
        mover.tell();
    }
    let wanted = hot.lock().unwrap(); // two-addresses: first wants
    drop((wanted, held));
    mover.finish();
}

/// One thread takes one lock twice, through two handles.
pub fn twice(stage: &Stage) {
    let here = stage.mutex("counter");
    let there = Shared::open(&stage.region_again(), "counter", 0u64).unwrap();
    let held = here.lock().unwrap(); // twice: first holds
    let wanted = there.lock().unwrap(); // twice: first wants
    drop((wanted, held));
}
