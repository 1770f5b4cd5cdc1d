//! Which programs are generated, by kind.

use crate::generator::{
    Does::{self, *},
    Numbers, Shape, program,
};
use crate::scheduler::{Outcome, Program, World, run};
use detector::history::{History, Mode};

/// Runs of a program of which one has to complete.
const RUNS_MAX: usize = 12;

const BASE: Shape = Shape {
    n_threads: &[2, 3, 3, 4],
    n_locks: &[1, 2, 2, 3],
    does: &[],
    rooms: &[None],
    n_events: &[3, 4, 5],
    wraps: 2,
    forks: true,
    modes: &[Mode::Exclusive],
};

const EVERYTHING: &[Does] =
    &[Sections, Await, Message, Message, Message, Own, Signal, Park, BareWait, GuardedWait, Latch, Barrier];

/// The kinds, by name.
pub(crate) const SHAPES: [(&str, Shape); 9] = [
    (
        "locks and joins",
        Shape {
            n_threads: &[2, 3, 3, 4],
            n_locks: &[2, 3],
            does: &[Sections, Sections, Sections, Sections, Await],
            n_events: &[4, 5, 6],
            wraps: 3,
            modes: &[Mode::Exclusive, Mode::Exclusive, Mode::Shared],
            ..BASE
        },
    ),
    ("channels", Shape { does: &[Message, Message, Message, Sections], n_events: &[4, 5, 6, 7], ..BASE }),
    (
        "rendezvous",
        Shape { does: &[Message, Message, Message, Sections], rooms: &[Some(0)], n_events: &[3, 4, 5, 6], ..BASE },
    ),
    (
        "bounded channels",
        Shape {
            does: &[Message, Message, Message, Message, Sections],
            rooms: &[Some(1), Some(1), Some(2)],
            n_events: &[4, 5, 6, 7],
            ..BASE
        },
    ),
    ("semaphores", Shape { does: &[Own, Own, Signal, Signal, Sections], n_events: &[3, 4, 5], wraps: 3, ..BASE }),
    ("park", Shape { does: &[Park, Park, Sections], n_events: &[3, 4, 5], wraps: 3, ..BASE }),
    (
        "condvars",
        Shape { does: &[BareWait, GuardedWait, GuardedWait, Sections], n_events: &[1, 2, 3], wraps: 4, ..BASE },
    ),
    ("latches and barriers", Shape { does: &[Latch, Barrier, Barrier, Sections], n_events: &[2, 3, 4], ..BASE }),
    (
        "mixed",
        Shape {
            n_threads: &[2, 3, 3, 4],
            does: EVERYTHING,
            rooms: &[None, Some(0), Some(1)],
            n_events: &[3, 4, 5],
            wraps: 3,
            modes: &[Mode::Exclusive, Mode::Exclusive, Mode::Shared],
            ..BASE
        },
    ),
];

/// A run that did not hang, of a random program.
pub(crate) fn completed(numbers: &mut Numbers, shape: &Shape) -> (Program, History, Outcome) {
    loop {
        let program = program(numbers, shape);
        for _ in 0..RUNS_MAX {
            let (World { history, .. }, outcome) = run(numbers, &program);
            if matches!(outcome, Outcome::Completes | Outcome::Serves) {
                return (program, history, outcome);
            }
        }
    }
}

/// Of the least number that shows enough hangs, so many times more if there is time.
pub(crate) fn times() -> usize {
    if std::env::var_os("CI_FULL").is_some() { 20 } else { 1 }
}
