//! The wait graph: from a thread to what it waits for, from there to the threads that could let it go on.
//!
//! An AND/OR graph: who wants a lock needs *all* of its holders to let go (a reader behind a queued writer needs that
//! writer), who joins needs that thread; who waits for a notify, a message, a permit or a party needs *any one* of
//! those that could reach the object. The classic name for the states of the first kind is the AND model, for those
//! of the second the OR model (Knapp 1987, "Deadlock detection in distributed databases"); in their mixture a cycle is
//! neither necessary nor sufficient. What is: a set of threads none of which can be the first to go on. It is the
//! complement of a least fixpoint, and the *knots* in it - components of the graph that no edge leaves - are where it
//! comes from; everybody else in it waits behind a knot.

use crate::model::{Model, ObjectId, Releasers, Side, Thread, ThreadId, Wait};
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
        loop {
            let lively = self.lively_processes(&goes_on);
            let mut n_freed = 0;
            for (idx, want) in self.wants.iter().enumerate() {
                let (Some(want), false) = (want, goes_on[idx]) else { continue };
                let process = threads[idx].process.idx();
                let is_freed = match (want.need, assume) {
                    (Need::All, _) => want.by.iter().all(|by| goes_on[by.idx()]),
                    (Need::Any, Assume::Anybody) => lively[process],
                    (Need::Any, Assume::WhoKnows) => want.by.iter().any(|by| by.idx() != idx && goes_on[by.idx()]),
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
        /// Threads of a knot from which a cycle is looked for; any cycle of a larger knot will do.
        const STARTS_MAX: usize = 256;
        let next = |thread: ThreadId| {
            threads.iter().copied().filter(move |next| *next != thread && is_needed(self, thread, *next))
        };
        let next = |thread: ThreadId| next(thread).filter(|next| is_link(thread, *next)).collect::<Vec<_>>();
        let mut shortest: Option<Vec<ThreadId>> = None;
        for start in threads.iter().copied().take(STARTS_MAX) {
            for second in next(start).into_iter().filter(|second| is_key(start, *second)) {
                let Some(path) = path(second, start, &next) else { continue };
                if shortest.as_ref().is_none_or(|shortest| path.len() < shortest.len()) {
                    shortest = Some(path);
                }
            }
        }
        // The path leads from the second thread to the first one.
        shortest.map(|mut path| {
            path.rotate_right(1);
            path
        })
    }
}

fn is_needed(graph: &WaitFor<'_>, thread: ThreadId, by: ThreadId) -> bool {
    graph.want(thread).is_some_and(|want| want.by.contains(&by))
}

/// The shortest path, both ends included.
fn path(from: ThreadId, to: ThreadId, next: &impl Fn(ThreadId) -> Vec<ThreadId>) -> Option<Vec<ThreadId>> {
    let mut came_from = FxHashMap::from_iter([(from, from)]);
    let mut queue = VecDeque::from([from]);
    while let Some(thread) = queue.pop_front() {
        if thread == to {
            let mut path = vec![thread];
            let mut at = thread;
            while at != from {
                at = *came_from.get(&at)?;
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for next in next(thread) {
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                thread
            });
        }
    }
    None
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

/// Who holds and who is queued for what.
struct Holders {
    held: FxHashMap<ObjectId, Vec<(ThreadId, Mode)>>,
    /// Threads that wait to write.
    writers: FxHashMap<ObjectId, Vec<ThreadId>>,
}

impl Holders {
    fn new(model: &Model) -> Self {
        let mut holders = Self { held: FxHashMap::default(), writers: FxHashMap::default() };
        for (thread, id) in model.threads.iter().zip(0_u32..) {
            for hold in &thread.holds {
                holders.held.entry(hold.object).or_default().push((ThreadId(id), hold.mode));
            }
            let Some(wait) = thread.wait.as_ref().filter(|wait| !wait.is_timed()) else { continue };
            let is_write = wait.event.kind() == Kind::UPGRADE
                || wait.event.kind() == Kind::REQUEST && wait.event.flags().mode() == Mode::Exclusive;
            if let Some(object) = wait.object.filter(|_| is_write) {
                holders.writers.entry(object).or_default().push(ThreadId(id));
            }
        }
        holders
    }

    fn of(&self, object: ObjectId) -> &[(ThreadId, Mode)] {
        self.held.get(&object).map_or(&[], Vec::as_slice)
    }
}

/// `None` if the thread runs, gives up by itself, or nothing is known to keep it.
fn want(model: &Model, holders: &Holders, id: ThreadId, thread: &Thread) -> Option<Want> {
    let wait = thread.wait.as_ref().filter(|wait| !thread.ended && !wait.is_timed() && !wait.is_over)?;
    // Of a receive that would do with another channel, the other one counts as well.
    let other = wait.other.filter(|_| wait.event.kind() == Kind::RECEIVE);
    let (kind, mode) = (wait.event.kind(), wait.event.flags().mode());
    let key = Key { object: wait.object, other, kind, mode, thread: None };
    let all = |by: Vec<ThreadId>, thread: Option<ThreadId>| {
        let key = Key { thread, ..key };
        (!by.is_empty()).then(|| Want { need: Need::All, by, acted: Vec::new(), is_by_touch: true, key })
    };
    match wait.event.kind() {
        Kind::REQUEST => all(blockers(holders, wait.object?, key.mode), None),
        Kind::UPGRADE => {
            let by = kept_from_writing(holders.of(wait.object?), id);
            all(by, Some(id))
        }
        Kind::JOIN => {
            let joined = model.objects.get(wait.object?.idx())?.thread?;
            let is_over = model.threads.get(joined.idx()).is_none_or(|joined| joined.ended);
            all(if is_over { Vec::new() } else { vec![joined] }, None)
        }
        Kind::SCOPE_END => all(unended_in_scope(model, id, wait), Some(id)),
        Kind::WAIT | Kind::RECEIVE => any(model, holders, thread, Side::Gives, key),
        Kind::SEND => any(model, holders, thread, Side::Takes, key),
        _ => None,
    }
}

/// Holders in a mode that excludes the wanted one, and where others hold it too, the writers that wait for those: a
/// reader queues behind them. Without any, the thread is about to go on.
fn blockers(holders: &Holders, object: ObjectId, mode: Mode) -> Vec<ThreadId> {
    let held = holders.of(object);
    let excluding = held.iter().filter(|(_, held)| held.excludes(mode)).map(|(by, _)| *by);
    let mut blockers: Vec<ThreadId> = excluding.collect();
    let queues = matches!(mode, Mode::Shared | Mode::Upgradable);
    if queues && held.iter().any(|(_, held)| !held.excludes(mode)) {
        blockers.extend(holders.writers.get(&object).into_iter().flatten());
    }
    blockers.sort_unstable();
    blockers.dedup();
    blockers
}

/// Holders that keep a reader from becoming the writer. Of its own holds one is what changes, the upgradable one if
/// there is one; a read beside it keeps the thread waiting for itself.
fn kept_from_writing(held: &[(ThreadId, Mode)], id: ThreadId) -> Vec<ThreadId> {
    let is_own =
        |mode: Option<Mode>| held.iter().position(|(by, held)| *by == id && mode.is_none_or(|mode| *held == mode));
    let changes = is_own(Some(Mode::Upgradable)).or_else(|| is_own(None));
    let others = held.iter().enumerate().filter(|(n, _)| Some(*n) != changes);
    let mut by: Vec<ThreadId> = others.map(|(_, (by, _))| *by).collect();
    by.sort_unstable();
    by.dedup();
    by
}

fn unended_in_scope(model: &Model, owner: ThreadId, wait: &Wait) -> Vec<ThreadId> {
    let owner_of = |thread: &Thread| thread.forked_by.filter(|_| thread.scope == Some(wait.event.seq()));
    let threads = model.threads.iter().zip(0_u32..);
    let in_scope = threads.filter(|(thread, _)| !thread.ended && owner_of(thread).is_some());
    // A thread of the scope may start others in it.
    let descends = |thread: &Thread| {
        let starter = |thread: &ThreadId| model.threads.get(thread.idx()).and_then(|thread| thread.forked_by);
        std::iter::successors(thread.forked_by, starter).take(model.threads.len()).any(|starter| starter == owner)
    };
    in_scope.filter(|(thread, _)| descends(thread)).map(|(_, id)| ThreadId(id)).collect()
}

fn any(model: &Model, holders: &Holders, thread: &Thread, side: Side, key: Key) -> Option<Want> {
    let object = key.object?;
    let is_of = |releasers: &&Releasers| {
        releasers.side == side && (releasers.object == object || Some(releasers.object) == key.other)
    };
    let (mut by, mut acted, mut is_by_touch) = (Vec::new(), Vec::new(), true);
    for releasers in model.releasers.iter().filter(is_of) {
        by.extend_from_slice(&releasers.reach);
        acted.extend_from_slice(&releasers.acted);
        is_by_touch &= releasers.is_by_touch;
    }
    if !model.releasers.iter().any(|releasers| is_of(&releasers)) {
        // None of its events is there, so it may be anybody.
        let threads = model.threads.iter().zip(0_u32..);
        by.extend(threads.filter(|(other, _)| other.process == thread.process).map(|(_, id)| ThreadId(id)));
        is_by_touch = false;
    }
    // Permits that are held can be given back.
    by.extend(holders.of(object).iter().map(|(holder, _)| *holder));
    acted.extend(holders.of(object).iter().map(|(holder, _)| *holder));
    for threads in [&mut by, &mut acted] {
        threads.sort_unstable();
        threads.dedup();
    }
    Some(Want { need: Need::Any, by, acted, is_by_touch, key })
}
