//! The lock-order graph: an edge from what a thread held to what it wanted while it held that.
//!
//! An edge is one pair of source sites with modes: another line that nests the same locks is another edge beside
//! it. Its *instances* are the nested acquires behind it, with thread, gates and epoch.

use crate::model::{Hold, Model, NestedAcquire, ObjectId, SiteId};
use petgraph::{
    Direction,
    algo::kosaraju_scc,
    graph::{DiGraph, EdgeIndex, NodeIndex},
    visit::EdgeRef,
};
use rustc_hash::FxHashMap;
use trace_format::Mode;

/// Index of an edge.
pub type EdgeIdx = EdgeIndex<u32>;

/// Nesting of two locks at one pair of sites.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What was held, how, since where.
    pub held: Hold,
    /// What was wanted.
    pub wants: ObjectId,
    /// How.
    pub mode: Mode,
    /// Where.
    pub site: SiteId,
    /// The acquires behind it: indexes into [`Model::nested`].
    pub instances: Vec<u32>,
    /// How often, all threads together.
    pub count: u64,
}

/// The lock-order graph of a model.
#[derive(Debug)]
pub struct LockOrder {
    graph: DiGraph<ObjectId, Edge>,
    nodes: FxHashMap<ObjectId, NodeIndex>,
}

/// Locks each of which can be reached from each other one.
#[derive(Debug)]
pub struct Component {
    /// Its locks, ascending.
    pub locks: Vec<ObjectId>,
}

impl LockOrder {
    /// The graph of all nested acquires that may have waited. An acquire of what the thread already holds is no
    /// edge: that is about one lock alone.
    pub fn new(model: &Model) -> Self {
        let mut order = Self { graph: DiGraph::new(), nodes: FxHashMap::default() };
        let mut edges = FxHashMap::default();
        for (nested, instance) in model.nested.iter().zip(0_u32..) {
            if !nested.may_wait || nested.holds.iter().any(|hold| hold.object == nested.wants) {
                continue;
            }
            for hold in &nested.holds {
                order.add(&mut edges, *hold, nested, instance);
            }
        }
        debug_assert!(order.check_invariants(model));
        order
    }

    fn add(
        &mut self,
        edges: &mut FxHashMap<(Hold, ObjectId, Mode, SiteId), EdgeIdx>,
        held: Hold,
        nested: &NestedAcquire,
        instance: u32,
    ) {
        let (from, to) = (self.node(held.object), self.node(nested.wants));
        let edge = *edges.entry((held, nested.wants, nested.mode, nested.site)).or_insert_with(|| {
            let (wants, mode, site) = (nested.wants, nested.mode, nested.site);
            self.graph.add_edge(from, to, Edge { held, wants, mode, site, instances: Vec::new(), count: 0 })
        });
        if let Some(edge) = self.graph.edge_weight_mut(edge) {
            edge.instances.push(instance);
            edge.count = edge.count.saturating_add(nested.count);
        }
    }

    fn node(&mut self, lock: ObjectId) -> NodeIndex {
        *self.nodes.entry(lock).or_insert_with(|| self.graph.add_node(lock))
    }

    /// The strongly connected components that have a cycle, the one with the smallest lock first.
    ///
    /// Kosaraju's algorithm, since petgraph's is iterative: its Tarjan recurses and overflows the stack on a chain
    /// of 200,000 locks.
    pub fn components(&self) -> Vec<Component> {
        let mut components: Vec<Component> = kosaraju_scc(&self.graph)
            .into_iter()
            .filter(|nodes| nodes.len() > 1)
            .map(|nodes| {
                let mut locks: Vec<ObjectId> =
                    nodes.into_iter().filter_map(|node| self.graph.node_weight(node).copied()).collect();
                locks.sort_unstable();
                Component { locks }
            })
            .collect();
        components.sort_by_key(|component| component.locks.first().copied());
        components
    }

    /// The edges out of a lock, oldest first.
    pub fn edges_from(&self, lock: ObjectId) -> Vec<EdgeIdx> {
        self.edges(lock, Direction::Outgoing)
    }

    /// The edges into a lock, oldest first.
    pub fn edges_into(&self, lock: ObjectId) -> Vec<EdgeIdx> {
        self.edges(lock, Direction::Incoming)
    }

    fn edges(&self, lock: ObjectId, direction: Direction) -> Vec<EdgeIdx> {
        let Some(node) = self.nodes.get(&lock) else { return Vec::new() };
        let mut edges: Vec<EdgeIdx> = self.graph.edges_directed(*node, direction).map(|edge| edge.id()).collect();
        edges.sort_unstable();
        edges
    }

    /// An edge.
    pub fn edge(&self, edge: EdgeIdx) -> Option<&Edge> {
        self.graph.edge_weight(edge)
    }

    /// Number of locks and edges.
    pub fn size(&self) -> (usize, usize) {
        (self.graph.node_count(), self.graph.edge_count())
    }

    /// Whether ids, nodes, edges and instances agree with each other and with the model.
    pub fn check_invariants(&self, model: &Model) -> bool {
        let nodes_agree = self.nodes.len() == self.graph.node_count()
            && self.nodes.iter().all(|(lock, node)| self.graph.node_weight(*node) == Some(lock));
        nodes_agree
            && self.graph.edge_references().all(|edge| {
                let (from, to) = (self.graph.node_weight(edge.source()), self.graph.node_weight(edge.target()));
                let Edge { held, wants, instances, count, .. } = edge.weight();
                let instances: Option<Vec<&NestedAcquire>> =
                    instances.iter().map(|instance| model.nested.get(*instance as usize)).collect();
                from == Some(&held.object)
                    && to == Some(wants)
                    && held.object != *wants
                    && instances.is_some_and(|instances| {
                        instances.iter().all(|nested| nested.may_wait && nested.holds.contains(held))
                            && instances.iter().fold(0_u64, |sum, nested| sum.saturating_add(nested.count)) == *count
                    })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EpochId, ThreadId};

    fn chain(n_locks: u32, closed: bool) -> Model {
        let nested = |i: u32| NestedAcquire {
            thread: ThreadId(i % 2),
            holds: vec![Hold { object: ObjectId(i), mode: Mode::Exclusive, site: SiteId(0) }],
            wants: ObjectId(if i + 1 == n_locks { 0 } else { i + 1 }),
            mode: Mode::Exclusive,
            site: SiteId(0),
            may_wait: true,
            epoch: EpochId(0),
            count: 1,
        };
        Model { nested: (0..n_locks - u32::from(!closed)).map(nested).collect(), ..Model::default() }
    }

    fn on_small_stack(test: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(256 << 10).spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn a_chain_of_200_000_locks_needs_no_deep_stack() {
        on_small_stack(|| {
            let model = chain(200_000, false);
            let order = LockOrder::new(&model);
            assert_eq!(order.size(), (200_000, 199_999));
            assert!(order.components().is_empty());
        });
    }

    #[test]
    fn a_ring_of_200_000_locks_is_one_component() {
        on_small_stack(|| {
            let model = chain(200_000, true);
            let components = LockOrder::new(&model).components();
            assert_eq!(components.iter().map(|component| component.locks.len()).collect::<Vec<_>>(), [200_000]);
        });
    }

    #[test]
    fn repeats_share_an_edge_and_sites_do_not() {
        let mut model = chain(2, true);
        let mut repeat = model.nested[0].clone();
        repeat.count = 4;
        let mut elsewhere = repeat.clone();
        elsewhere.site = SiteId(9);
        let mut attempt = elsewhere.clone();
        attempt.may_wait = false;
        model.nested.extend([repeat, elsewhere, attempt]);
        let order = LockOrder::new(&model);
        let counts: Vec<u64> =
            order.edges_from(ObjectId(0)).into_iter().map(|edge| order.edge(edge).unwrap().count).collect();
        assert_eq!(counts, [5, 4]);
        assert_eq!(order.edges_into(ObjectId(0)).len(), 1);
        assert!(order.check_invariants(&model));
    }
}
