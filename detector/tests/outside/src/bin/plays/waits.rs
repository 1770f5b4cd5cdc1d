//! Waits for a process, and for a notify.

use crate::stage::Stage;
use instrumented_sync::process::shared::Condvar;

type Roles = &'static [(&'static str, fn(&Stage))];

pub const CHILD_NEEDS_THE_LOCK: Roles = &[
    ("parent", |stage| {
        let ledger = stage.mutex("ledger");
        let mut total = ledger.lock().unwrap(); // parent takes ledger
        let mut child = stage.command("child").spawn().unwrap();
        let _was_ended = child.wait(); // parent waits for its child
        *total += 1;
    }),
    ("child", |stage| {
        let ledger = stage.mutex("ledger");
        stage.meet(&["child"]);
        *ledger.lock().unwrap() += 1; // child wants ledger
    }),
];

pub const EARLY_NOTIFY: Roles = &[
    ("director", |stage| stage.cast(&["producer", "consumer"])),
    ("producer", |stage| {
        let (queue, filled) = (stage.mutex("queue"), Condvar::open(&stage.region(), "filled").unwrap());
        *queue.lock().unwrap() += 1;
        filled.notify_one(); // nobody waits yet
        stage.is_done("producer");
    }),
    ("consumer", |stage| {
        let (queue, filled) = (stage.mutex("queue"), Condvar::open(&stage.region(), "filled").unwrap());
        stage.hear("done-producer");
        let waiting = queue.lock().unwrap();
        stage.meet(&["consumer"]);
        drop(filled.wait(waiting).unwrap()); // consumer waits for a notify that was
    }),
];
