//! What happens-before says of the run itself: what is unordered by the sections of locks in their order, by fork and join.

use crate::Pairs;
use detector::history::{History, Kind, Mode};

/// Pairs of accesses of one variable, one of which writes, that nothing orders.
///
/// A clock says, per thread, how many of its operations come before. A section comes after those that it excludes.
pub(crate) fn races(history: &History) -> Pairs {
    let n = history.threads.len();
    let mut threads = vec![vec![0_usize; n]; n];
    let mut releases: Vec<(u32, Mode, Vec<usize>)> = Vec::new();
    let mut accesses: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut races = Pairs::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let (thread, target) = (operation.thread as usize, operation.target as usize);
        threads[thread][thread] += 1;
        match operation.kind {
            Kind::Acquire => {
                for (lock, mode, clock) in &releases {
                    if *lock == operation.target && mode.excludes(operation.mode) {
                        join(&mut threads[thread], clock);
                    }
                }
            }
            Kind::Release => releases.push((operation.target, operation.mode, threads[thread].clone())),
            Kind::Fork => {
                let of_starter = threads[thread].clone();
                join(&mut threads[target], &of_starter);
            }
            Kind::Join => {
                let of_joined = threads[target].clone();
                join(&mut threads[thread], &of_joined);
            }
            Kind::Read | Kind::Write => {
                let clock = &threads[thread];
                for (before, of_before) in &accesses {
                    let other = &history.operations[*before];
                    let of_other = other.thread as usize;
                    let is_conflict = other.target == operation.target
                        && (other.kind == Kind::Write || operation.kind == Kind::Write);
                    if is_conflict && of_before[of_other] > clock[of_other] {
                        races.insert([*before, index]);
                    }
                }
                accesses.push((index, clock.clone()));
            }
            _ => {}
        }
    }
    races
}

fn join(clock: &mut [usize], other: &[usize]) {
    for (known, other) in clock.iter_mut().zip(other) {
        *known = (*known).max(*other);
    }
}
