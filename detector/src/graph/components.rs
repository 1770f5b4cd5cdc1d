//! Strongly connected components of a graph that is only a list of edges.

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

/// Which nodes are on a cycle together.
#[derive(Clone, Debug)]
pub struct Components {
    /// Per node the number of its component; `None` if no cycle goes through it.
    of: Vec<Option<u32>>,
}

impl Components {
    /// The components of a graph with the nodes `0..n` and these edges. An edge from a node to itself is no cycle.
    ///
    /// Takes time and memory in the order of nodes and edges, and no stack.
    ///
    /// ```
    /// use detector::graph::Components;
    ///
    /// let components = Components::new(4, [(0, 1), (1, 0), (1, 2), (3, 3)]);
    /// assert!(components.are_together(0, 1));
    /// assert!(!components.are_together(1, 2) && !components.are_together(3, 3));
    /// ```
    pub fn new(n: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut graph = DiGraph::<(), (), u32>::with_capacity(n, 0);
        for _ in 0..n {
            graph.add_node(());
        }
        graph.extend_with_edges(edges.into_iter().filter(|(from, to)| from != to));
        let mut of = vec![None; n];
        for (number, component) in (0..).zip(kosaraju_scc(&graph)) {
            if component.len() > 1 {
                for node in component {
                    of[node.index()] = Some(number);
                }
            }
        }
        Self { of }
    }

    /// Whether a cycle goes through both.
    pub fn are_together(&self, one: u32, other: u32) -> bool {
        self.of[one as usize].is_some() && self.of[one as usize] == self.of[other as usize]
    }
}
