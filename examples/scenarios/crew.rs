//! Several scenarios at once, in the order of the file.

use super::{
    judge::{self, Judged},
    record::Record,
};
use std::{
    io,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// How many scenarios run at once: most of the time is spent waiting for what does not move.
const N_WORKERS: usize = 4;

/// Runs and judges all records; gives each to `done` in their order.
///
/// # Errors
///
/// One of them cannot be run, or `done` fails.
pub(crate) fn judge_all(
    records: &[Record],
    mut done: impl FnMut(&Judged) -> io::Result<()>,
) -> io::Result<Vec<Judged>> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<io::Result<Judged>>> = records.iter().map(|_| None).collect();
    let mut judged = Vec::new();
    thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                // Relaxed: each worker wants a number of its own, nothing else.
                while let Some((n, record)) = numbered(records, next.fetch_add(1, Ordering::Relaxed)) {
                    // If nobody listens any more, an earlier one has failed.
                    let _sent = sender.send((n, judge_one(record)));
                }
            });
        }
        drop(sender);
        for (n, result) in receiver {
            results[n] = Some(result);
            while let Some(result) = results.get_mut(judged.len()).and_then(Option::take) {
                let one = result?;
                done(&one)?;
                judged.push(one);
            }
        }
        Ok(judged)
    })
}

fn numbered(records: &[Record], n: usize) -> Option<(usize, &Record)> {
    records.get(n).map(|record| (n, record))
}

fn judge_one(record: &Record) -> io::Result<Judged> {
    let directory = tempfile::tempdir()?;
    let judged = judge::judge(record, directory.path());
    judged.map_err(|error| io::Error::other(format!("{}: {error}", record.scenario.id)))
}
