//! Circles of locks.

use crate::stage::Stage;
use instrumented_sync::{process::shared::Mutex, Mutex as PrivateMutex};
use outside::line_up::start;
use std::sync::Arc;

type Roles = &'static [(&'static str, fn(&Stage))];

pub const AB_BA: Roles = &[("director", |stage| stage.cast(&["left", "right"])), ("left", left), ("right", right)];

fn left(stage: &Stage) {
    let (accounts, journal) = (stage.mutex("accounts"), stage.mutex("journal"));
    let mut account = accounts.lock().unwrap(); // left takes accounts
    stage.meet(&["left", "right"]);
    *account += *journal.lock().unwrap(); // left wants journal
    drop(account);
    stage.is_done("left");
}

fn right(stage: &Stage) {
    let (accounts, journal) = (stage.mutex("accounts"), stage.mutex("journal"));
    stage.comes_after("left");
    let mut entry = journal.lock().unwrap(); // right takes journal
    stage.meet(&["left", "right"]);
    *entry += *accounts.lock().unwrap(); // right wants accounts
}

pub const THROUGH_A_SHELL: Roles = &[("director", through_a_shell), ("left", left), ("right", right)];

/// The same, one of them with a shell in between.
fn through_a_shell(stage: &Stage) {
    let left = stage.command("left").spawn().unwrap();
    let right = stage.command_of_a_shell("right").spawn().unwrap();
    stage.wait_for(vec![left, right]);
}

pub const RING: Roles = &[
    ("director", |stage| stage.cast(&["first", "second", "third"])),
    ("first", |stage| in_ring(stage, ["one", "two"], None)),
    ("second", |stage| in_ring(stage, ["two", "three"], Some("first"))),
    ("third", |stage| in_ring(stage, ["three", "one"], Some("second"))),
];

fn in_ring(stage: &Stage, [own, next]: [&str; 2], before: Option<&str>) {
    let (own_fork, next_fork) = (stage.mutex(own), stage.mutex(next));
    before.into_iter().for_each(|before| stage.comes_after(before));
    let mut fork = own_fork.lock().unwrap(); // takes its own
    stage.meet(&["first", "second", "third"]);
    *fork += *next_fork.lock().unwrap(); // wants the next
    drop(fork);
    stage.is_done(match before {
        None => "first",
        Some("first") => "second",
        Some(_) => "third",
    });
}

pub const MIXED: Roles = &[("director", |stage| stage.cast(&["server", "client"])), ("server", server), ("client", client)];

/// Its threads share a lock of their own, and each of them one with the client.
fn server(stage: &Stage) {
    let cache = Arc::new(PrivateMutex::new(0_u64));
    instrumented_sync::trace::label(&*cache, "cache");
    let all = ["reader", "writer", "client"];
    let (requests, replies) = (stage.mutex("requests"), stage.mutex("replies"));
    let reader = start("reader", {
        let (cache, stage) = (Arc::clone(&cache), stage.clone());
        move || {
            let mut cached = cache.lock().unwrap(); // reader takes cache
            stage.meet_as("reader", &all);
            *cached += *requests.lock().unwrap(); // reader wants requests
            drop(cached);
            stage.is_done("reader");
        }
    });
    let writer = start("writer", {
        let (cache, stage) = (Arc::clone(&cache), stage.clone());
        move || {
            stage.comes_after("reader");
            let mut reply = replies.lock().unwrap(); // writer takes replies
            stage.meet_as("writer", &all);
            *reply += *cache.lock().unwrap(); // writer wants cache
            drop(reply);
            stage.is_done("writer");
        }
    });
    reader.join().unwrap();
    writer.join().unwrap();
}

fn client(stage: &Stage) {
    let (requests, replies) = (stage.mutex("requests"), stage.mutex("replies"));
    stage.comes_after("writer");
    let mut request = requests.lock().unwrap(); // client takes requests
    stage.meet(&["reader", "writer", "client"]);
    *request += *replies.lock().unwrap(); // client wants replies
}

pub const TWO_ADDRESSES: Roles = &[
    ("director", |stage| stage.cast(&["left", "right"])),
    ("left", |stage| {
        let (first, second) = (stage.region(), stage.region());
        let accounts = Mutex::open(&first, "accounts", 0_u64).unwrap();
        let journal = Mutex::open(&second, "journal", 0_u64).unwrap();
        let mut account = accounts.lock().unwrap(); // left, elsewhere, takes accounts
        stage.meet(&["left", "right"]);
        *account += *journal.lock().unwrap(); // left, elsewhere, wants journal
        drop(account);
        stage.is_done("left");
    }),
    ("right", |stage| {
        let (first, second) = (stage.region(), stage.region());
        // What the other one has in its first mapping, this one has in its second.
        let accounts = Mutex::open(&second, "accounts", 0_u64).unwrap();
        let journal = Mutex::open(&first, "journal", 0_u64).unwrap();
        stage.comes_after("left");
        let mut entry = journal.lock().unwrap(); // right, elsewhere, takes journal
        stage.meet(&["left", "right"]);
        *entry += *accounts.lock().unwrap(); // right, elsewhere, wants accounts
    }),
];

pub const TWO_HANDLES: Roles = &[("twice", |stage| {
    let (handle, other_handle) = (stage.mutex("accounts"), stage.mutex("accounts"));
    let mut account = handle.lock().unwrap(); // takes it by one handle
    stage.meet(&["twice"]);
    *account += *other_handle.lock().unwrap(); // wants it by the other
})];
