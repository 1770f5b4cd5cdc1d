//! Processes that are killed.

use crate::stage::Stage;
use instrumented_sync::thread::park;
use outside::line_up::start;
use std::os::unix::process::ExitStatusExt;

type Roles = &'static [(&'static str, fn(&Stage))];

/// Whoever waits is told, mends what is guarded, and all goes on.
pub const OWNER_KILLED: Roles = &[
    ("director", |stage| {
        let mut victim = stage.command("victim").spawn().unwrap();
        stage.hear("victim-holds");
        let heirs = ["heir", "next"].map(|role| stage.command(role).spawn().unwrap());
        heirs.iter().for_each(|heir| stage.wait_until_asleep(heir.id()));
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().signal(), Some(9));
        stage.wait_for(heirs.into());
    }),
    ("victim", |stage| {
        let (accounts, stage) = (stage.mutex("accounts"), stage.clone());
        let writer = start("writer", move || {
            let _kept = accounts.lock().unwrap(); // victim dies with accounts
            stage.say("victim-holds");
            loop {
                park();
            }
        });
        writer.join().unwrap();
    }),
    ("heir", inherit),
    ("next", inherit),
];

fn inherit(stage: &Stage) {
    let accounts = stage.mutex("accounts");
    match accounts.lock() {
        Ok(mut account) => *account += 1, // the other one mended it
        Err(poisoned) => {
            println!("{poisoned}");
            *poisoned.into_inner() = 0;
            accounts.clear_poison();
        }
    };
}

/// Who wanted a lock is killed, which is nobody's loss.
pub const KILLED_WHILE_WAITING: Roles = &[
    ("director", |stage| {
        let holder = stage.command("holder").spawn().unwrap();
        stage.hear("holder-holds");
        let mut waiter = stage.command("waiter").spawn().unwrap();
        stage.hear("waiter-asks");
        stage.wait_until_asleep(waiter.id());
        waiter.kill().unwrap();
        assert_eq!(waiter.wait().unwrap().signal(), Some(9));
        stage.say("waiter-is-dead");
        stage.wait_for(vec![holder]);
    }),
    ("holder", |stage| {
        let accounts = stage.mutex("accounts");
        let mut account = accounts.lock().unwrap();
        stage.say("holder-holds");
        stage.hear("waiter-is-dead");
        *account += 1;
        drop(account);
        *accounts.lock().unwrap() += 1;
    }),
    ("waiter", |stage| {
        let accounts = stage.mutex("accounts");
        stage.say("waiter-asks");
        *accounts.lock().unwrap() += 1;
    }),
];
