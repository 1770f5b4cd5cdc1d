//! Plays that cannot hang, and look a little as if they could.

use crate::stage::Stage;
use instrumented_sync::process::shared::Mutex;
use std::fs;

type Roles = &'static [(&'static str, fn(&Stage))];

fn nest(outer: &Mutex<u64>, inner: &Mutex<u64>) {
    let mut outer = outer.lock().unwrap();
    *outer += *inner.lock().unwrap();
}

fn forwards(stage: &Stage) {
    nest(&stage.mutex("accounts"), &stage.mutex("journal"));
}

fn backwards(stage: &Stage) {
    nest(&stage.mutex("journal"), &stage.mutex("accounts"));
}

pub const ORDERED: Roles =
    &[("director", |stage| stage.cast(&["left", "right"])), ("left", often_forwards), ("right", often_forwards)];

fn often_forwards(stage: &Stage) {
    let (accounts, journal) = (stage.mutex("accounts"), stage.mutex("journal"));
    (0..1000).for_each(|_| nest(&accounts, &journal));
}

/// Many short children, of which no two live at the same time; where that is allowed, with one number.
pub const ONE_AFTER_THE_OTHER: Roles = &[
    ("director", |stage| {
        let mut pids: Vec<u32> = Vec::new();
        for idx in 0..20 {
            if let Some(first) = pids.first() {
                // The next process gets the number after this one. Only the superuser may say so.
                let _refused = fs::write("/proc/sys/kernel/ns_last_pid", (first - 1).to_string());
            }
            let mut child = stage.command(if idx % 2 == 0 { "forwards" } else { "backwards" }).spawn().unwrap();
            pids.push(child.id());
            assert!(child.wait().unwrap().success());
        }
        let n_children = pids.len();
        pids.sort_unstable();
        pids.dedup();
        println!("{} pids of {n_children} children", pids.len());
    }),
    ("forwards", forwards),
    ("backwards", backwards),
];

pub const UNRELATED_WAIT: Roles = &[
    ("parent", |stage| {
        let (accounts, journal) = (stage.mutex("accounts"), stage.mutex("journal"));
        let mut account = accounts.lock().unwrap();
        assert!(stage.command("child").status().unwrap().success());
        *account += 1;
        drop(account);
        drop(journal.lock());
    }),
    ("child", |stage| *stage.mutex("journal").lock().unwrap() += 1),
];

/// One process, two programs.
pub const EXEC: Roles = &[
    ("before", |stage| {
        forwards(stage);
        panic!("{}", stage.command("after").exec());
    }),
    ("after", backwards),
];

/// A child with an empty environment: the recorder's variables are handed on all the same, and not to be seen.
pub const CLEARED_ENVIRONMENT: Roles = &[
    ("parent", |stage| {
        let mut child = stage.command("child").env_clear().env("LEFT", "1").spawn().unwrap();
        forwards(stage);
        stage.is_done("parent");
        assert!(child.wait().unwrap().success());
    }),
    ("child", |stage| {
        stage.comes_after("parent");
        backwards(stage);
    }),
];

/// A child that has no trace to record into: std knows of no recorder.
pub const UNRECORDED_CHILD: Roles = &[
    ("parent", |stage| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(std::env::args().skip(1)).arg("child").env_clear();
        let mut child = child.spawn().unwrap();
        forwards(stage);
        stage.is_done("parent");
        assert!(child.wait().unwrap().success());
    }),
    ("child", |stage| {
        stage.comes_after("parent");
        backwards(stage);
    }),
];
