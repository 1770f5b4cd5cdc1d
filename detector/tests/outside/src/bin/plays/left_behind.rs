//! Processes that live on when their parent has ended. A shell starts them and ends.

use crate::stage::Stage;
use instrumented_sync::Mutex;
use outside::line_up::start;
use std::{os::unix::process::parent_id, thread::sleep, time::Duration};

type Roles = &'static [(&'static str, fn(&Stage))];

static CACHE: Mutex<u64> = Mutex::new(0);
static INDEX: Mutex<u64> = Mutex::new(0);

/// Hangs when its parent has ended, or ends then.
pub const ORPHAN: Roles = &[("orphan", |stage| {
    *CACHE.lock().unwrap() += 1;
    stage.say(&format!("pid-{}", std::process::id()));
    stage.say("records");
    be_orphaned(stage);
    let nest = |stage: &Stage, own: &Mutex<u64>, other: &Mutex<u64>, name: &str| {
        let mut first = own.lock().unwrap();
        stage.meet_as(name, &["left", "right"]);
        *first += *other.lock().unwrap();
    };
    if stage.hangs() {
        let (left, right) = (stage.clone(), stage.clone());
        let left = start("left", move || nest(&left, &CACHE, &INDEX, "left"));
        let right = start("right", move || nest(&right, &INDEX, &CACHE, "right"));
        left.join().unwrap();
        right.join().unwrap();
    }
    stage.say("went-to-its-end");
})];

/// Lives for ever.
pub const DAEMON: Roles = &[("daemon", |stage| {
    *CACHE.lock().unwrap() += 1;
    stage.say(&format!("pid-{}", std::process::id()));
    stage.say("records");
    be_orphaned(stage);
    loop {
        sleep(Duration::from_millis(100));
        *CACHE.lock().unwrap() += 1;
    }
})];

/// Returns when the parent has ended: somebody else is it then. Who comes too late to see its parent is one already.
fn be_orphaned(stage: &Stage) {
    let parent = parent_id();
    stage.say("knows-its-parent");
    while parent_id() == parent {
        sleep(Duration::from_millis(1));
    }
    stage.say("is-orphaned");
}
