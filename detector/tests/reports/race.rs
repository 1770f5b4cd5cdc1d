//! Data races made by hand.

use super::{lock_order, object, step, thread};
use detector::finding::{
    Access, AccessOp, Certainty, Code, Excerpt, Finding, Frame, HeldLock, LastSync, Object, Op, Place, Step, SyncOp,
    SyncPoint, Witness,
};

/// The program that the races are in.
pub(crate) const SOURCE: &str = "\
fn count(stats: &Stats) {
    let _guard = stats.lock.lock().unwrap();
    stats.hits.set(stats.hits.get() + 1);
}

fn show(stats: &Stats) {
    println!(\"{}\", stats.hits.get());
}
";

/// The place of a call in a line of it.
fn place(line: u32, call: &str, function: &str) -> Place {
    let lines: Vec<&str> = SOURCE.lines().collect();
    let column = lines[line as usize - 1].find(call).unwrap() as u32 + 1;
    let text = lines[line as usize - 2..(line as usize + 1).min(lines.len())].join("\n") + "\n";
    let (file, function) = ("src/stats.rs".to_owned(), Some(function.to_owned()));
    Place { file, line, column, function, excerpt: Some(Excerpt { first_line: line - 1, text }) }
}

fn frame(function: &str, line: u32) -> Frame {
    let file = Some("src/stats.rs".to_owned());
    Frame { function: function.to_owned(), file, line: Some(line), inlined: false }
}

fn access(thread: usize, op: AccessOp, at: Place) -> Access {
    let stack = vec![frame(at.function.as_deref().unwrap(), at.line), frame("stats::main", 40 + thread as u32)];
    Access { thread, op, object: Some(0), at: Some(at), stack, held: Vec::new() }
}

/// A cell that is written under a lock, and read without.
pub(crate) fn race() -> Finding {
    let mut write = access(0, AccessOp::Write, place(3, "set(", "stats::count"));
    let held_at = Some(place(2, "lock()", "stats::count"));
    write.held = vec![HeldLock { object: 1, mode: "exclusive".to_owned(), at: held_at }];
    let read = access(1, AccessOp::Read, place(7, "get()", "stats::show"));
    let point =
        |thread, op, line, call| SyncPoint { thread, op, object: Some(1), at: Some(place(line, call, "stats::count")) };
    let hits = Object { kind: "cell".to_owned(), ..object("hits", "u64") };
    Finding {
        code: Code::DataRace,
        certainty: Certainty::Observed,
        why: "nothing that was recorded orders the two accesses".to_owned(),
        title: "data race on `hits` (cell, u64): written at src/stats.rs:3, read at src/stats.rs:7".to_owned(),
        threads: vec![thread(2, "worker"), thread(1, "main")],
        objects: vec![hits, object("lock", "()")],
        edges: Vec::new(),
        accesses: vec![write, read],
        last_sync: Some(LastSync {
            from: point(0, SyncOp::Unlock, 3, "set("),
            to: point(1, SyncOp::Lock, 2, "lock()"),
        }),
        help: "take `lock` in `stats::show` (src/stats.rs:7) too, as the other access does".to_owned(),
        notes: vec!["this is a note".to_owned()],
        ..lock_order()
    }
}

/// The same, found in another schedule than the run's.
pub(crate) fn proven_race() -> Finding {
    let mut finding = Finding {
        certainty: Certainty::Proven,
        why: "a schedule of 5 of its operations was replayed step by step, behind which both accesses come next"
            .to_owned(),
        last_sync: None,
        ..race()
    };
    let [write, read] = [0, 1].map(|idx| finding.accesses[idx].at.clone());
    let access = |number, thread, op, at| Step { mode: None, ..step(number, thread, op, Some(0), at) };
    let steps = vec![
        Step { other: Some(0), ..step(1, 1, Op::Fork, None, Some(place(7, "get()", "stats::main"))) },
        access(3, 1, Op::Read, read.clone()),
        step(5, 0, Op::Acquire, Some(1), Some(place(2, "lock()", "stats::count"))),
        access(6, 0, Op::Write, write),
        access(7, 1, Op::Read, read),
    ];
    finding.witness = Some(Witness { steps, n_operations: 5 });
    finding
}
