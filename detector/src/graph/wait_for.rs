//! The wait graph: from a thread to what it waits for, from there to the threads that could let it go on.
//!
//! An AND/OR graph: who wants a lock needs *all* of its holders to let go (a reader behind a queued writer needs that
//! writer), who joins needs that thread; who waits for a notify, a message, a permit or a party needs *any one* of
//! those that could reach the object. The classic name for the states of the first kind is the AND model, for those
//! of the second the OR model (Knapp 1987, "Deadlock detection in distributed databases"); in their mixture a cycle is
//! neither necessary nor sufficient. What is: a set of threads none of which can be the first to go on. It is the
//! complement of a least fixpoint, and the *knots* in it - components of the graph that no edge leaves - are where it
//! comes from; everybody else in it waits behind a knot.

mod cycle;
mod want;

use self::{
    cycle::shortest_cycle,
    want::{Holders, want},
};
use crate::model::{Model, ObjectId, ProcessId, Thread, ThreadId};
use petgraph::{
    Direction,
    algo::kosaraju_scc,
    graph::{DiGraph, NodeIndex},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use trace_format::{Kind, Mode};

/// How many of its blockers a thread needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// All of them have to let go.
    All,
    /// One of them has to act.
    Any,
}

/// What a blocked thread needs in order to go on.
#[derive(Clone, Debug)]
pub struct Want {
    /// How many of `by`.
    pub need: Need,
    /// Those that hold it, or that could act, ended threads included; the thread itself if it holds what it wants.
    pub by: Vec<ThreadId>,
    /// Of `by`, those that acted on the object before: who is expected to do it again. Empty unless `need` is `Any`.
    pub acted: Vec<ThreadId>,
    /// Whether only those in `by` can have come to know of the object.
    pub is_by_touch: bool,
    /// Whether nobody else than those in `by` could end the wait, recorded or not.
    pub is_closed: bool,
    key: Key,
}

/// Threads with equal keys wait for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    object: Option<ObjectId>,
    /// Another channel that would do.
    other: Option<ObjectId>,
    kind: Kind,
    mode: Mode,
    /// Set where the blockers depend on who waits.
    thread: Option<ThreadId>,
}

/// Who may end a wait for what nobody owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assume {
    /// Any thread of the process that is alive, recorded or not.
    Anybody,
    /// Those that can have come to know of the object, as far as that was recorded.
    WhoKnows,
}

/// Threads that wait for each other and for nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knot {
    /// Its threads, ascending.
    pub threads: Vec<ThreadId>,
    /// Threads that wait for these, directly or not.
    pub behind: Vec<ThreadId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Node {
    Thread(ThreadId),
    /// What a thread waits for; the key leads back to the object.
    Object(Key),
}

/// The wait graph of a model.
#[derive(Debug)]
pub struct WaitFor<'m> {
    model: &'m Model,
    wants: Vec<Option<Want>>,
}

impl<'m> WaitFor<'m> {
    /// The graph at the end of the trace.
    pub fn new(model: &'m Model) -> Self {
        let holders = Holders::new(model);
        let threads = model.threads.iter().zip(0_u32..);
        let wants = threads.map(|(thread, id)| want(model, &holders, ThreadId(id), thread)).collect();
        Self { model, wants }
    }

    /// What a thread needs, if it is blocked and that is known.
    pub fn want(&self, thread: ThreadId) -> Option<&Want> {
        self.wants.get(thread.idx())?.as_ref()
    }

    /// Threads that cannot go on, by index: the complement of the least set that contains every thread that runs,
    /// sleeps or gives up by itself, and with the blockers that a thread needs that thread.
    pub fn stuck(&self, assume: Assume) -> Vec<bool> {
        let threads = &self.model.threads;
        let goes_on = |(thread, want): (&Thread, &Option<Want>)| !thread.ended && want.is_none();
        let mut goes_on: Vec<bool> = threads.iter().zip(&self.wants).map(goes_on).collect();
        let is_open = |(want, id): (&Option<Want>, u32)| want.is_some() && self.model.is_open_to_others(ThreadId(id));
        let is_open: Vec<bool> = self.wants.iter().zip(0..).map(is_open).collect();
        loop {
            let lively = self.lively_processes(&goes_on);
            let mut n_freed = 0;
            for (idx, want) in self.wants.iter().enumerate() {
                let (Some(want), false) = (want, goes_on[idx]) else { continue };
                let waiting = threads[idx].process;
                let is_lively = |object: ObjectId| {
                    let mut processes = (0_u32..).map(ProcessId).zip(&lively);
                    let may_act = |process| {
                        self.model.may_have(object, process, waiting) && !self.model.is_over_for(process, waiting)
                    };
                    processes.any(|(process, lively)| *lively && may_act(process))
                };
                let may_help = |by: &ThreadId| {
                    let is_over = self.model.is_over_for(threads[by.idx()].process, waiting);
                    by.idx() != idx && goes_on[by.idx()] && !is_over
                };
                let is_freed = match (want.need, assume) {
                    (Need::All, _) => want.by.iter().all(|by| goes_on[by.idx()]),
                    (Need::Any, Assume::Anybody) if is_open[idx] => true,
                    (Need::Any, Assume::Anybody) if !want.is_closed => {
                        want.key.object.map_or(lively[waiting.idx()], is_lively)
                    }
                    (Need::Any, _) => want.by.iter().any(may_help),
                };
                goes_on[idx] = is_freed;
                n_freed += usize::from(is_freed);
            }
            if n_freed == 0 {
                break;
            }
        }
        threads.iter().zip(goes_on).map(|(thread, goes_on)| !thread.ended && !goes_on).collect()
    }

    /// Processes in which some thread may act: one that goes on, or one of which nothing is known.
    fn lively_processes(&self, goes_on: &[bool]) -> Vec<bool> {
        let mut lively: Vec<bool> = self.model.processes.iter().map(|process| !process.unrecorded.is_empty()).collect();
        for (thread, _) in self.model.threads.iter().zip(goes_on).filter(|(_, goes_on)| **goes_on) {
            if let Some(lively) = lively.get_mut(thread.process.idx()) {
                *lively = true;
            }
        }
        lively
    }

    /// The knots among stuck threads. Who waits behind them is looked for among all that may be stuck.
    pub fn knots(&self, stuck: &[bool], may_be_stuck: &[bool]) -> Vec<Knot> {
        let (graph, _) = self.graph(stuck);
        let mut knots: Vec<(Vec<Node>, Vec<ThreadId>)> = Vec::new();
        for component in kosaraju_scc(&graph) {
            let members: FxHashSet<NodeIndex> = component.iter().copied().collect();
            let leaves = |node: &NodeIndex| graph.neighbors(*node).any(|next| !members.contains(&next));
            if component.iter().any(leaves) {
                continue;
            }
            let mut threads: Vec<ThreadId> = component.iter().filter_map(|node| thread_at(&graph, *node)).collect();
            if threads.is_empty() {
                // An object that nobody is left for: the knot is all that wait for it.
                let waiting = component.iter().flat_map(|node| graph.neighbors_directed(*node, Direction::Incoming));
                threads = waiting.filter_map(|node| thread_at(&graph, node)).collect();
            }
            threads.sort_unstable();
            knots.push((component.iter().filter_map(|node| graph.node_weight(*node).copied()).collect(), threads));
        }
        let in_knots: FxHashSet<ThreadId> = knots.iter().flat_map(|(_, threads)| threads.iter().copied()).collect();
        let (graph, nodes) = self.graph(may_be_stuck);
        let mut knots: Vec<Knot> = knots
            .into_iter()
            .map(|(component, threads)| {
                let component: Vec<NodeIndex> = component.iter().filter_map(|node| nodes.get(node).copied()).collect();
                Knot { behind: behind(&graph, &component, &in_knots), threads }
            })
            .collect();
        knots.sort_by(|a, b| a.threads.cmp(&b.threads));
        knots
    }

    /// The part of the graph that stuck threads are in.
    fn graph(&self, stuck: &[bool]) -> (DiGraph<Node, ()>, FxHashMap<Node, NodeIndex>) {
        let is_stuck = |thread: ThreadId| stuck.get(thread.idx()).copied().unwrap_or(false);
        let mut graph = DiGraph::new();
        let mut nodes: FxHashMap<Node, NodeIndex> = FxHashMap::default();
        for (want, idx) in self.wants.iter().zip(0_u32..) {
            let (Some(want), true) = (want, is_stuck(ThreadId(idx))) else { continue };
            let is_new = !nodes.contains_key(&Node::Object(want.key));
            let mut node = |node: Node| *nodes.entry(node).or_insert_with(|| graph.add_node(node));
            let (from, object) = (node(Node::Thread(ThreadId(idx))), node(Node::Object(want.key)));
            let blockers: Vec<NodeIndex> = self
                .likely(want, stuck)
                .filter(|by| is_new && is_stuck(*by))
                .map(|by| node(Node::Thread(by)))
                .collect();
            graph.add_edge(from, object, ());
            for blocker in blockers {
                graph.add_edge(object, blocker, ());
            }
        }
        (graph, nodes)
    }

    /// Who is expected to let a thread go on: of those that could act, the ones that did before, if one of them is
    /// there to do it again.
    pub fn likely<'w>(&self, want: &'w Want, stuck: &[bool]) -> impl Iterator<Item = ThreadId> + 'w {
        let is_stuck = |thread: &ThreadId| stuck.get(thread.idx()).copied().unwrap_or(false);
        let likely = if want.acted.iter().any(is_stuck) { &want.acted } else { &want.by };
        likely.iter().copied()
    }

    /// The shortest cycle among `threads`: each thread is followed by one that it needs. `is_link` says which needs
    /// count, and one link of it must satisfy `is_key`.
    pub fn cycle(
        &self,
        threads: &[ThreadId],
        is_link: impl Fn(ThreadId, ThreadId) -> bool,
        is_key: impl Fn(ThreadId, ThreadId) -> bool,
    ) -> Option<Vec<ThreadId>> {
        let needed = |thread: ThreadId| self.want(thread).map_or(&[][..], |want| &want.by).iter().copied();
        let mut links: DiGraph<ThreadId, ()> = DiGraph::new();
        let nodes: FxHashMap<ThreadId, NodeIndex> =
            threads.iter().map(|thread| (*thread, links.add_node(*thread))).collect();
        for thread in threads {
            for next in needed(*thread).filter(|next| next != thread) {
                if let (Some(from), Some(to)) = (nodes.get(thread), nodes.get(&next))
                    && is_link(*thread, next)
                {
                    links.add_edge(*from, *to, ());
                }
            }
        }
        let mut shortest: Option<Vec<ThreadId>> = None;
        // A cycle lies within one component, and a component of two or more has one.
        for component in kosaraju_scc(&links).into_iter().filter(|component| component.len() > 1) {
            let cycle = shortest_cycle(&links, &component, &is_key);
            shortest = [shortest, cycle].into_iter().flatten().min_by_key(Vec::len);
        }
        shortest
    }
}

fn thread_at(graph: &DiGraph<Node, ()>, node: NodeIndex) -> Option<ThreadId> {
    match graph.node_weight(node)? {
        Node::Thread(thread) => Some(*thread),
        Node::Object(_) => None,
    }
}

/// Threads from which an edge leads to the component, in any number of steps.
fn behind(graph: &DiGraph<Node, ()>, component: &[NodeIndex], in_knots: &FxHashSet<ThreadId>) -> Vec<ThreadId> {
    let mut seen: FxHashSet<NodeIndex> = component.iter().copied().collect();
    let mut queue: VecDeque<NodeIndex> = component.iter().copied().collect();
    let mut behind = Vec::new();
    while let Some(node) = queue.pop_front() {
        for before in graph.neighbors_directed(node, Direction::Incoming) {
            if seen.insert(before) {
                queue.push_back(before);
                behind.extend(thread_at(graph, before).filter(|thread| !in_knots.contains(thread)));
            }
        }
    }
    behind.sort_unstable();
    behind
}
