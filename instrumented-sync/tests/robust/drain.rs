//! A reader that drains: full segments that it marked are written again.

use crate::support::{
    Trace,
    program::{command, own_trace, run},
};
use instrumented_sync::{Mutex, label, thread};
use std::{fs::OpenOptions, os::unix::fs::FileExt};
use trace_format::{
    Event, Kind,
    chunk::{self, State},
    words::word_at,
};

const N_ROUNDS: usize = 24;
const N_PAIRS: u64 = 40_000;

/// A reader's copy of all full segments, which it then marks as drained.
fn drain(events: &mut Vec<Event>) -> usize {
    let trace = Trace::only(&own_trace());
    let file = OpenOptions::new().read(true).write(true).open(&trace.path).unwrap();
    let full: Vec<_> = trace.segments().filter(|(_, header)| header.state == State::FULL).collect();
    for (at, header) in &full {
        let mut bytes = vec![0; header.head - chunk::HEADER_BYTES];
        file.read_exact_at(&mut bytes, (at + chunk::HEADER_BYTES) as u64).unwrap();
        events.extend(bytes.chunks_exact(16).map(|event| Event::from_words([word_at(event, 0), word_at(event, 1)])));
        let state = (at + 8 * chunk::word::STATE) as u64;
        file.write_all_at(&State::DRAINED.0.to_le_bytes(), state).unwrap();
    }
    full.len()
}

/// A program with a reader in it.
pub(crate) fn drains_itself() {
    let shared = Mutex::new(0_u64);
    label(&shared, "shared");
    let (mut events, mut bytes_at_half, mut n_drained) = (Vec::new(), 0, 0);
    for round in 0..N_ROUNDS {
        thread::scope(|scope| {
            scope.spawn(|| (0..N_PAIRS).for_each(|_| *shared.lock().unwrap() += 1));
        });
        n_drained += drain(&mut events);
        if round == N_ROUNDS / 2 {
            bytes_at_half = Trace::only(&own_trace()).n_bytes();
        }
    }
    let trace = Trace::only(&own_trace());
    assert_eq!(trace.n_bytes(), bytes_at_half, "the file grew although it was drained");
    assert_eq!(trace.n_lost(), 0);
    let n_reused = trace.segments().filter(|(_, header)| header.generation > 1).count();
    assert!(n_reused > 0 && n_drained > trace.segments().count(), "{n_drained} drained, {n_reused} used again");
    let left = trace.segments().filter(|(_, header)| header.state != State::DRAINED).map(|(at, _)| at);
    check_all_there(&trace, &events, left.count());
}

/// What was drained and what is left are all acquires, each once.
fn check_all_there(trace: &Trace, drained: &[Event], n_left: usize) {
    assert!(n_left > 0);
    let shared = trace.labelled("shared");
    let acquires = |event: &Event| event.kind() == Kind::ACQUIRE && event.object().0 == shared;
    let mut numbers: Vec<_> = drained.iter().copied().filter(acquires).map(Event::seq).collect();
    // Segments that are still marked as drained were copied already.
    numbers.extend(trace.undrained_events().into_iter().filter(acquires).map(Event::seq));
    numbers.sort_unstable();
    let n_all = N_ROUNDS as u64 * N_PAIRS;
    assert!(numbers.iter().copied().eq(1..=n_all), "{} of {n_all} acquires", numbers.len());
}

#[test]
fn a_drained_segment_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    run(&mut command("drain::drains_itself", dir.path()));
}
