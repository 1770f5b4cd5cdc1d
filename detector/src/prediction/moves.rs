//! What the operations of a history need from each other, thread by thread: for going through it in another order.

use crate::history::{History, Kind};

/// Stands for "none" among operations and threads.
pub(super) const NONE: u32 = u32::MAX;

/// Tables over a history, made once.
#[derive(Debug)]
pub(super) struct Moves {
    /// Per thread the indexes of its operations.
    pub(super) threads: Vec<Vec<u32>>,
    /// Per read the write that it sees; [`NONE`] is the initial value.
    pub(super) sees: Vec<u32>,
    /// Per write, whether only its own thread sees it, and before its next acquire or write of the variable.
    pub(super) is_quiet: Vec<bool>,
    /// Per variable, whether several threads use it.
    pub(super) is_shared: Vec<bool>,
    /// Per thread, whether an operation starts it.
    pub(super) is_forked: Vec<bool>,
    /// Per thread, whose operation that is; its own number if nobody's.
    pub(super) forked_by: Vec<u32>,
}

impl Moves {
    pub(super) fn of(history: &History) -> Self {
        let n = history.operations.len();
        let mut moves = Self {
            threads: vec![Vec::new(); history.threads.len()],
            sees: vec![NONE; n],
            is_quiet: vec![true; n],
            is_shared: vec![false; history.variables.len()],
            is_forked: vec![false; history.threads.len()],
            forked_by: (0..history.threads.len() as u32).collect(),
        };
        let mut writes = vec![NONE; history.variables.len()];
        let mut users = vec![NONE; history.variables.len()];
        // Per thread how many acquires it has done, and how many of them before its latest write of a variable.
        let mut n_acquires = vec![0_u32; history.threads.len()];
        let mut acquires_before = vec![0; history.variables.len()];
        for (index, operation) in (0..).zip(&history.operations) {
            let (thread, target) = (operation.thread as usize, operation.target as usize);
            moves.threads[thread].push(index);
            match operation.kind {
                Kind::Acquire => n_acquires[thread] += 1,
                Kind::Fork => {
                    moves.is_forked[target] = true;
                    moves.forked_by[target] = operation.thread;
                }
                Kind::Read | Kind::Await | Kind::Write => {
                    moves.is_shared[target] |= users[target] != NONE && users[target] != operation.thread;
                    users[target] = operation.thread;
                }
                _ => {}
            }
            if operation.kind == Kind::Write {
                (writes[target], acquires_before[target]) = (index, n_acquires[thread]);
            } else if matches!(operation.kind, Kind::Read | Kind::Await) && writes[target] != NONE {
                let write = writes[target] as usize;
                moves.sees[index as usize] = writes[target];
                let is_near = history.operations[write].thread == operation.thread
                    && acquires_before[target] == n_acquires[thread];
                moves.is_quiet[write] &= is_near;
            }
        }
        moves
    }
}
