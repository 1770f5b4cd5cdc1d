//! Channels.

use crate::line_up::start;
use instrumented_sync::{
    label,
    mpsc::{channel, sync_channel},
    Arc, Mutex,
};
use std::sync::Barrier;

/// Each waits for the other one to speak first.
pub fn channel_cycle() {
    let (ask, asked) = channel();
    let (reply, replied) = channel();
    label(&ask, "questions");
    label(&reply, "replies");
    let client = start("client", move || {
        let welcome: u32 = replied.recv().unwrap(); // the client receives
        ask.send(welcome).unwrap();
    });
    let server = start("server", move || {
        let question: u32 = asked.recv().unwrap(); // the server receives
        reply.send(question).unwrap();
    });
    client.join().unwrap();
    server.join().unwrap();
}

/// Who would send needs the lock under which the other one receives.
pub fn receive_under_lock() {
    let totals = Arc::new(Mutex::new(0));
    label(&*totals, "totals");
    let (give, taken) = channel();
    label(&give, "parts");
    let held = Arc::new(Barrier::new(2));
    let adder = {
        let (totals, held) = (totals.clone(), held.clone());
        start("adder", move || {
            let mut total = totals.lock().unwrap(); // the adder holds the totals
            held.wait();
            *total += taken.recv().unwrap(); // the adder receives
        })
    };
    let giver = start("giver", move || {
        held.wait();
        let part = *totals.lock().unwrap(); // the giver wants the totals
        give.send(part).unwrap();
    });
    adder.join().unwrap();
    giver.join().unwrap();
}

/// The receiver is there, and will not be used before the sender has ended.
pub fn full_channel() {
    let (log, lines) = sync_channel(1);
    label(&log, "log");
    let logger = start("logger", move || {
        log.send("begin").unwrap();
        log.send("end").unwrap(); // the logger sends
    });
    logger.join().unwrap();
    assert_eq!(lines.iter().count(), 2);
}

/// The sender from which the others were cloned outlives the join.
pub fn forgotten_sender() {
    let (jobs, todo) = channel();
    label(&jobs, "jobs");
    let worker = start("worker", move || {
        let mut sum = 0;
        // The loop ends when the last sender is gone.
        for job in todo {
            sum += job; // not the place where it receives
        }
        sum
    });
    for n in 0..3 {
        let jobs = jobs.clone();
        start(&format!("source {n}"), move || jobs.send(n).unwrap()).join().unwrap();
    }
    assert_eq!(worker.join().unwrap(), 3);
    drop(jobs);
}
