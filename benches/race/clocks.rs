//! The detector's clocks against two others, on what orders the threads of a trace: vectors that are copied at each release, and tree
//! clocks (Mathur, Pavlogiannis, Tunç and Viswanathan, ASPLOS 2022).

use super::measure::timed;
use detector::{
    history::{History, Kind, Mode},
    race::{HappensBefore, Operations, Point, Rule},
    source,
};
use std::path::Path;

/// Microseconds with each; the last figure is nothing.
pub(crate) fn compare(path: &Path) -> String {
    let (mut history, problems) = source::history(path).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    // An access would cost all of them the same.
    history.operations.retain(|operation| !matches!(operation.kind, Kind::Read | Kind::Write));
    let (shared, ()) = timed(|| shared(&history));
    let (copied, vectors) = timed(|| go::<Vec<u32>>(&history));
    let (trees, clocks) = timed(|| go::<Tree>(&history));
    for (vector, tree) in vectors.iter().zip(&clocks) {
        assert_eq!(*vector, tree.nodes.iter().map(|node| node.time).collect::<Vec<_>>(), "the clocks disagree");
    }
    let [shared, copied, trees] = [shared, copied, trees].map(|time| time.as_micros());
    format!("{shared} {copied} {trees} 0")
}

/// The detector's: what it keeps of held locks is measured with them.
fn shared(history: &History) {
    let mut found = HappensBefore::new(Rule::HappensBefore);
    for (index, operation) in (0..).zip(&history.operations) {
        let at = Point { thread: operation.thread, place: operation.place, index };
        match operation.kind {
            Kind::Acquire => found.acquire(at, operation.target, Mode::Exclusive),
            Kind::Release => found.release(at, operation.target, Mode::Exclusive),
            Kind::Fork | Kind::Join => {
                let other = Point { thread: operation.target, ..at };
                let (from, to) = if operation.kind == Kind::Fork { (at, other) } else { (other, at) };
                let mark = found.depart(from);
                found.arrive(to, &mark);
            }
            _ => {}
        }
    }
    assert_eq!(found.finish().list, []);
}

/// A clock that ticks.
trait Clock: Clone {
    /// Of a thread; of a lock, which nobody has released, without a thread.
    fn new(n_threads: usize, thread: Option<u32>) -> Self;
    fn tick(&mut self, thread: u32);
    fn join(&mut self, other: &Self);
    /// Becomes another clock, which is not behind it anywhere.
    fn catch_up(&mut self, other: &Self);
}

/// The clocks of the threads at the end.
fn go<C: Clock>(history: &History) -> Vec<C> {
    let n = history.threads.len();
    let mut threads: Vec<C> = (0..n as u32).map(|thread| C::new(n, Some(thread))).collect();
    let mut locks = vec![C::new(n, None); history.locks.len()];
    for operation in &history.operations {
        let (thread, target) = (operation.thread as usize, operation.target as usize);
        match operation.kind {
            Kind::Acquire => threads[thread].join(&locks[target]),
            Kind::Release => {
                locks[target].catch_up(&threads[thread]);
                threads[thread].tick(operation.thread);
            }
            Kind::Fork | Kind::Join => {
                let (from, to) = if operation.kind == Kind::Fork { (thread, target) } else { (target, thread) };
                let [from, to] = threads.get_disjoint_mut([from, to]).unwrap();
                to.join(from);
                if operation.kind == Kind::Fork {
                    from.tick(operation.thread);
                }
            }
            _ => {}
        }
    }
    threads
}

impl Clock for Vec<u32> {
    fn new(n_threads: usize, thread: Option<u32>) -> Self {
        (0..n_threads as u32).map(|other| u32::from(Some(other) == thread)).collect()
    }

    fn tick(&mut self, thread: u32) {
        self[thread as usize] += 1;
    }

    fn join(&mut self, other: &Self) {
        for (own, other) in self.iter_mut().zip(other) {
            *own = (*own).max(*other);
        }
    }

    fn catch_up(&mut self, other: &Self) {
        self.copy_from_slice(other);
    }
}

const NONE: u32 = u32::MAX;

/// A clock that knows through whom it came to know what it knows, so that of another one only what is new is looked at.
#[derive(Clone)]
struct Tree {
    root: u32,
    nodes: Vec<Node>,
    /// Nodes to be changed.
    news: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Node {
    time: u32,
    /// The parent's time when this was learnt. Children stand by it, the greatest first.
    learnt: u32,
    parent: u32,
    first: u32,
    next: u32,
    before: u32,
}

impl Clock for Tree {
    fn new(n_threads: usize, thread: Option<u32>) -> Self {
        let node = Node { time: 0, learnt: 0, parent: NONE, first: NONE, next: NONE, before: NONE };
        let mut tree = Self { root: thread.unwrap_or(NONE), nodes: vec![node; n_threads], news: Vec::new() };
        if let Some(thread) = thread {
            tree.nodes[thread as usize].time = 1;
        }
        tree
    }

    fn tick(&mut self, thread: u32) {
        self.nodes[thread as usize].time += 1;
    }

    fn join(&mut self, other: &Self) {
        let top = other.root;
        if top == NONE || other.nodes[top as usize].time <= self.nodes[top as usize].time {
            return;
        }
        self.gather(other, top, NONE);
        self.take_over(other, top);
        let learnt = self.nodes[self.root as usize].time;
        self.attach(top, self.root, learnt);
    }

    fn catch_up(&mut self, other: &Self) {
        if self.root == NONE {
            self.clone_from(other);
            return;
        }
        self.gather(other, other.root, self.root);
        self.take_over(other, other.root);
        self.root = other.root;
    }
}

impl Tree {
    /// Notes what is new in another tree from a node on, and `moved` in any case; each behind its parent.
    fn gather(&mut self, other: &Self, top: u32, moved: u32) {
        self.news.push(top);
        let mut at = self.news.len() - 1;
        while at < self.news.len() {
            let node = self.news[at];
            let known = self.nodes[node as usize].time;
            let mut child = other.nodes[node as usize].first;
            while child != NONE {
                let theirs = other.nodes[child as usize];
                if theirs.time > self.nodes[child as usize].time || child == moved {
                    self.news.push(child);
                }
                if theirs.time <= self.nodes[child as usize].time && theirs.learnt <= known {
                    break;
                }
                child = theirs.next;
            }
            at += 1;
        }
    }

    /// Moves what was noted to where it is in the other tree; `top` is left without a parent.
    fn take_over(&mut self, other: &Self, top: u32) {
        // The oldest first, so that the newest stand before them.
        while let Some(node) = self.news.pop() {
            self.detach(node);
            let theirs = other.nodes[node as usize];
            self.nodes[node as usize].time = theirs.time;
            if node != top {
                self.attach(node, theirs.parent, theirs.learnt);
            }
        }
    }

    fn attach(&mut self, node: u32, parent: u32, learnt: u32) {
        let next = std::mem::replace(&mut self.nodes[parent as usize].first, node);
        if next != NONE {
            self.nodes[next as usize].before = node;
        }
        let own = &mut self.nodes[node as usize];
        (own.parent, own.learnt, own.next, own.before) = (parent, learnt, next, NONE);
    }

    fn detach(&mut self, node: u32) {
        let Node { parent, next, before, .. } = self.nodes[node as usize];
        if parent == NONE {
            return;
        }
        if next != NONE {
            self.nodes[next as usize].before = before;
        }
        if before == NONE {
            self.nodes[parent as usize].first = next;
        } else {
            self.nodes[before as usize].next = next;
        }
        let own = &mut self.nodes[node as usize];
        (own.parent, own.next, own.before) = (NONE, NONE, NONE);
    }
}
