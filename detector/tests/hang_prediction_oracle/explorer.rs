//! Every state that some reordering of a history reaches, one step of one thread after the other, and which are hangs.

use crate::native::{Look, Native, State};
use detector::history::{History, Kind, Operation};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Operations of which nobody gets to do anything: the next ones of the threads that wait.
pub(crate) type Blocked = BTreeSet<u32>;

/// States beyond which a history is too large to be explored.
const STATES_MAX: usize = 60_000;

/// Which reorderings count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// All.
    Any,
    /// Those in which critical sections of one lock come in the order of the history.
    Preserved,
}

/// What reorderings of a history reach.
#[derive(Debug, Default)]
pub(crate) struct Explored {
    /// States in which nobody can do anything, nobody does something unknown, and somebody waits; with a way to one of
    /// each, by the threads that step.
    pub(crate) total: BTreeMap<Blocked, (State, Vec<usize>)>,
    /// Cycles in which each wants a lock that the next one holds, or waits for its end; with a way to one of each.
    pub(crate) cores: BTreeMap<Blocked, Vec<usize>>,
    /// How many states there are.
    pub(crate) n_states: usize,
    /// Whether there are too many.
    pub(crate) is_cut_short: bool,
}

impl Native<'_> {
    /// The next operations of threads that wait for themselves in the end, by locks and joins alone.
    fn core(&self, state: &State) -> Blocked {
        let waits: Vec<Vec<usize>> = (0..self.n_threads()).map(|thread| self.waits_for(state, thread)).collect();
        on_cycles(&waits).into_iter().filter_map(|thread| self.next(state, thread)).map(|next| next as u32).collect()
    }

    /// Whether each of some threads wants a lock that another one of them holds, or waits for its end.
    pub(crate) fn is_core(&self, state: &State, threads: &BTreeSet<usize>) -> bool {
        threads.iter().all(|thread| self.waits_for(state, *thread).iter().any(|next| threads.contains(next)))
    }

    /// Those that wait, if the state is a hang of all.
    pub(crate) fn total(&self, state: &State) -> Option<Blocked> {
        let mut blocked = Blocked::new();
        for thread in 0..self.n_threads() {
            match self.look(state, thread) {
                Look::Goes | Look::Diverges => return None,
                Look::Waits => blocked.extend(self.next(state, thread).map(|next| next as u32)),
                Look::Ended | Look::NotStarted => {}
            }
        }
        (!blocked.is_empty()).then_some(blocked)
    }

    /// All states reachable from one, each with the number of that before it and the thread that stepped; `None` if they
    /// are too many.
    pub(crate) fn reachable(&self, first: State, order: Order) -> Option<Vec<(State, usize, usize)>> {
        let mut numbers = FxHashMap::from_iter([(first.clone(), 0)]);
        let mut states = vec![(first, 0, 0)];
        let mut at = 0;
        while at < states.len() {
            for thread in 0..self.n_threads() {
                let state = &states[at].0;
                if self.look(state, thread) != Look::Goes || (order == Order::Preserved && self.is_late(state, thread))
                {
                    continue;
                }
                let mut next = states[at].0.clone();
                self.step(&mut next, thread);
                let n = states.len();
                if *numbers.entry(next.clone()).or_insert(n) == n {
                    states.push((next, at, thread));
                }
            }
            at += 1;
            if states.len() > STATES_MAX {
                return None;
            }
        }
        Some(states)
    }

    /// Whether a thread is about to acquire what another one has acquired before, but later in the history.
    fn is_late(&self, state: &State, thread: usize) -> bool {
        let Some(index) = self.next(state, thread) else { return false };
        let operation = self.history.operations[index];
        let excludes = |other: &Operation| {
            (other.kind, other.target) == (Kind::Acquire, operation.target) && other.mode.excludes(operation.mode)
        };
        operation.kind == Kind::Acquire
            && (index..self.history.operations.len())
                .any(|later| excludes(&self.history.operations[later]) && self.is_done(state, later))
    }
}

/// What all reorderings of a history reach.
pub(crate) fn explore(history: &History) -> Explored {
    explore_in(history, Order::Any)
}

/// What those reorderings of a history reach that count.
pub(crate) fn explore_in(history: &History, order: Order) -> Explored {
    let native = Native::new(history);
    let mut explored = Explored::default();
    let Some(states) = native.reachable(native.first(), order) else {
        return Explored { is_cut_short: true, ..explored };
    };
    explored.n_states = states.len();
    let way = |mut at: usize| {
        let mut threads = Vec::new();
        while at > 0 {
            threads.push(states[at].2);
            at = states[at].1;
        }
        threads.reverse();
        threads
    };
    for (at, (state, _, _)) in states.iter().enumerate() {
        if let Some(blocked) = native.total(state) {
            explored.total.entry(blocked).or_insert_with(|| (state.clone(), way(at)));
        }
        let core = native.core(state);
        if !core.is_empty() {
            explored.cores.entry(core).or_insert_with(|| way(at));
        }
    }
    explored
}

/// Which nodes of a graph reach themselves.
pub(crate) fn on_cycles(edges: &[Vec<usize>]) -> Vec<usize> {
    let reaches_itself = |first: &usize| {
        let mut seen = vec![false; edges.len()];
        let mut open = edges[*first].clone();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                open.extend(&edges[node]);
            }
        }
        seen[*first]
    };
    (0..edges.len()).filter(reaches_itself).collect()
}
